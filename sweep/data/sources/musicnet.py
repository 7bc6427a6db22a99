"""Find the files of MusicNet's layout, `{train,test}_data/<id>.wav|.flac` and `{train,test}_labels/<id>.csv`."""

import os
from pathlib import Path

from sweep.data.labels import MIDI
from sweep.data.recording import Pair, Remark
from sweep.data.source import About, Source, as_compared, missing, same_name
from sweep.names import spelled
from sweep.registry import sources
from sweep.walking import files_below, walk

LABELS = ("own", "midi")


@sources.register("musicnet")
class MusicNet(Source):
    """A folder in MusicNet's layout: {train,test}_{data,labels}/; or MIDI in place of its labels.

    MusicNetEM (Maman and Bermano, ICML 2022) is such MIDI: its musicnet_em.zip unpacks to musicnet_em/<id>.mid, both
    splits together. Its authors state that onsets are accurate to 32 ms.

    Args:
        root: folder that holds train_data/ and test_data/, and train_labels/ and test_labels/ for its own labels.
        labels: Labels that are read: own, the CSV files, or midi, the MIDI files below data.labels_root.
        labels_root: Folder of MIDI files, each named after its recording's number; recordings without one are left out.
    """

    ABOUT = About(
        "330 recordings of chamber music and piano, 34 hours; 11.1 GB packed",
        "CC BY 4.0",
        "sweep download, from https://zenodo.org/records/5120004",
    )

    def __init__(self, root: Path, labels: str = "own", labels_root: str | None = None):
        super().__init__(root)
        self.labels = labels
        self.labels_root = Path(labels_root).expanduser() if labels_root else None

    def remark(self) -> str:
        if self.labels != "midi" or self.labels_root is None:
            return "Labels as in the CSV: MusicNet's are a score's notes aligned to the recording, without the pedal."
        lacking = _with_midi(self.root, "test", self.labels_root)[1]
        left_out = f"; left out, since it lacks them: test {', '.join(lacking)}" if lacking else ""
        return f"Labels: MIDI of {self.labels_root.name} in place of the data set's own, without the pedal{left_out}."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        if self.labels not in LABELS:
            return [], [f"data.labels {self.labels}: is none of {', '.join(LABELS)}: choose one"]
        if (self.labels == "midi") != (self.labels_root is not None):
            remedy = "name the folder of the MIDI files" if self.labels == "midi" else "add data.labels=midi or drop it"
            return [], [f"data.labels_root {self.labels_root or 'null'}: with data.labels={self.labels}: {remedy}"]
        if self.labels == "own":
            return find(self.root, split)
        pairs, _, problems = _with_midi(self.root, split, self.labels_root)
        return pairs, problems

    def name_of(self, path: Path) -> str:
        return path.name if self.labels == "midi" and path.suffix.lower() in MIDI else super().name_of(path)


def find(root: Path, split: str) -> tuple[list[Pair], list[str]]:
    """Find the recordings of a split.

    Args:
        root: folder that holds `<split>_data` and `<split>_labels`.
        split: "train" or "test".

    Returns:
        pairs: those recordings that have both files.
        problems: one line each: a folder is missing or holds no recording, two files share a name, a recording has no
            labels or labels have no recording. Remarks name what could not be entered, and sub-folders.
    """
    data, labels = root / f"{split}_data", root / f"{split}_labels"
    problems = _missing(root, data, labels)
    if problems:
        return [], problems
    audio_files = _audio_by_id(data, problems)
    label_files = _files_by_id(labels, (".csv",), problems)
    for id in sorted(audio_files.keys() - label_files.keys()):
        problems.append(f"{audio_files[id]}: no labels at {labels / id}.csv: add them or remove the recording")
    for id in sorted(label_files.keys() - audio_files.keys()):
        problems.append(f"{label_files[id]}: no recording {data / id}.wav or .flac: add it or remove the labels")
    both = audio_files.keys() & label_files.keys()
    return [Pair(spelled(id), audio_files[id], label_files[id]) for id in both], problems


def _with_midi(root: Path, split: str, labels: Path) -> tuple[list[Pair], list[str], list[str]]:
    """Find the recordings of a split, with MIDI files from elsewhere as labels.

    Returns:
        Those recordings that have MIDI, the ids of those that have none, and the problems as `find` returns them.
    """
    data = root / f"{split}_data"
    problems = _missing(root, data)
    if not problems and not os.path.isdir(labels):
        problems = [f"{labels}: no such folder: correct data.labels_root"]
    if problems:
        return [], [], problems
    audio_files = _audio_by_id(data, problems)
    midi_files: dict[str, Path] = {}
    unread: list[str] = []
    for path in sorted(files_below(labels, unread)):
        id = as_compared(path.stem)
        if path.suffix.lower() not in MIDI or id not in audio_files:  # the other split's, for one
            continue
        if id in midi_files:
            problems.append(f"{path}: {same_name(path, midi_files[id], 'id')}: remove one of the two")
        midi_files.setdefault(id, path)
    problems += [Remark(line) for line in unread]
    lacking = sorted(audio_files.keys() - midi_files.keys())
    if audio_files and not midi_files:
        wanted = f"such as {lacking[0]}.mid"
        problems.append(f"{labels}: holds no MIDI of a {split} recording, {wanted}: correct data.labels_root")
    elif lacking:
        of = f"{len(lacking):,} of {len(audio_files):,} {split} recordings"
        problems.append(Remark(f"{labels}: no MIDI for {of}, left out: {', '.join(lacking)}"))
    return [Pair(spelled(id), audio_files[id], midi_files[id]) for id in midi_files], lacking, problems


def _missing(root: Path, *folders: Path) -> list[str]:
    """Return a line for a root that cannot be entered, or for each of these folders that is not there."""
    problems = missing(root) if os.path.isdir(root) else []
    return problems or [
        f"{folder}: no such folder: data.root must hold {{train,test}}_data and {{train,test}}_labels"
        for folder in folders
        if not os.path.isdir(folder)
    ]


def _audio_by_id(data: Path, problems: list[str]) -> dict[str, Path]:
    """Find the audio of a split by id; add to the problems."""
    files = _files_by_id(data, (".wav", ".flac"), problems)
    if not files:
        problems.append(f"{data}: holds no .wav or .flac file: put the recordings there or correct data.root")
    return files


def _files_by_id(folder: Path, endings: tuple[str, ...], problems: list[str]) -> dict[str, Path]:
    """Find the files of a folder with one of these endings, by name without ending; add to the problems."""
    files: dict[str, Path] = {}
    unread: list[str] = []
    _, below, names = next(walk(folder, unread), (folder, [], []))
    problems += [Remark(line) for line in unread]
    problems += [Remark(f"{folder / name}: a sub-folder, not read: move its recordings up") for name in below]
    for path in map(folder.joinpath, names):
        if path.suffix.lower() not in endings:
            continue
        id = as_compared(path.stem)
        if id in files:
            problems.append(f"{path}: {same_name(path, files[id], 'id')}: remove one of the two")
        else:
            files[id] = path
    return files
