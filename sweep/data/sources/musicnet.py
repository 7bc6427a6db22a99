"""Find the files of MusicNet's layout, `{train,test}_data/<id>.wav|.flac` and `{train,test}_labels/<id>.csv`."""

from pathlib import Path

from sweep.data.recording import Pair
from sweep.data.source import Source
from sweep.files import NOTES
from sweep.registry import sources


@sources.register("musicnet")
class MusicNet(Source):
    """A folder in MusicNet's layout: {train,test}_{data,labels}/."""

    LABELS = "Labels as in the CSV: MusicNet's are a score's notes aligned to the recording, without the pedal."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        return find(self.root, split)

    def files(self) -> list[tuple[str, Path]] | None:
        found = (path for path in self.root.glob("t*_*/*") if path.is_file() and not path.stem.endswith(NOTES))
        return [("", path) for path in found]


def find(root: Path, split: str) -> tuple[list[Pair], list[str]]:
    """Find the recordings of a split.

    Args:
        root: folder that holds `<split>_data` and `<split>_labels`.
        split: "train" or "test".

    Returns:
        pairs: those recordings that have both files.
        problems: one line each: a folder is missing or holds no recording, two files share a name, a recording has no
            labels or labels have no recording.
    """
    data, labels = root / f"{split}_data", root / f"{split}_labels"
    problems = [
        f"{folder}: no such folder: data.root must hold {{train,test}}_data and {{train,test}}_labels"
        for folder in (data, labels)
        if not folder.is_dir()
    ]
    if problems:
        return [], problems
    audio_files = _files_by_id(data, (".wav", ".flac"), problems)
    label_files = _files_by_id(labels, (".csv",), problems)
    if not audio_files:
        problems.append(f"{data}: holds no .wav or .flac file: put the recordings there or correct data.root")
    for id in sorted(audio_files.keys() - label_files.keys()):
        problems.append(f"{audio_files[id]}: no labels at {labels / id}.csv: add them or remove the recording")
    for id in sorted(label_files.keys() - audio_files.keys()):
        problems.append(f"{label_files[id]}: no recording {data / id}.wav or .flac: add it or remove the labels")
    both = audio_files.keys() & label_files.keys()
    return [Pair(id, audio_files[id], label_files[id]) for id in both], problems


def _files_by_id(folder: Path, endings: tuple[str, ...], problems: list[str]) -> dict[str, Path]:
    """Find the files of a folder with one of these endings, by name without ending; add to the problems."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in endings or path.name.startswith("."):  # macOS leaves ._2303.wav behind
            continue
        if path.stem in files:
            problems.append(f"{path}: same id as {files[path.stem].name}: remove one of the two")
        else:
            files[path.stem] = path
    return files
