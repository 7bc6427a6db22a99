"""Find the files of MusicNet's layout, `{train,test}_data/<id>.wav|.flac` and `{train,test}_labels/<id>.csv`."""

import os
from pathlib import Path

from sweep.data.recording import Pair, Remark
from sweep.data.source import Source, as_compared, missing, same_name
from sweep.names import spelled
from sweep.registry import sources
from sweep.walking import walk


@sources.register("musicnet")
class MusicNet(Source):
    """A folder in MusicNet's layout: {train,test}_{data,labels}/."""

    LABELS = "Labels as in the CSV: MusicNet's are a score's notes aligned to the recording, without the pedal."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        return find(self.root, split)


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
    problems = missing(root) if os.path.isdir(root) else []
    problems = problems or [
        f"{folder}: no such folder: data.root must hold {{train,test}}_data and {{train,test}}_labels"
        for folder in (data, labels)
        if not os.path.isdir(folder)
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
    return [Pair(spelled(id), audio_files[id], label_files[id]) for id in both], problems


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
