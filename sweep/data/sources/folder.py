"""Find the files of a user's folder: audio beside labels of the same name, split by sub-folders or a table."""

import csv
import filecmp
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from sweep.data.labels import MIDI
from sweep.data.recording import Pair
from sweep.data.source import SPLITS, Source
from sweep.files import NOTES
from sweep.registry import sources

TABLE = "split.csv"
LABELS = (".csv", *MIDI)
# libsndfile lists the formats that it reads; these are endings that differ from the format's name.
SPELLINGS = {
    "AIFF": (".aif", ".aifc"),
    "AU": (".snd",),
    "IRCAM": (".sf",),
    "NIST": (".sph",),
    "OGG": (".oga", ".opus"),
    "SVX": (".iff", ".8svx"),
    "WAV": (".wave", ".bwf"),
}


def audio_endings() -> set[str]:
    """Return the endings of formats that the installed libsndfile reads, such as ".flac", except RAW without header."""
    formats = soundfile.available_formats().keys() - {"RAW"}
    return {f".{name.lower()}" for name in formats}.union(*(SPELLINGS.get(name, ()) for name in formats))


@dataclass
class _Files:
    """All files at one path that differ only in their ending."""

    audio: list[Path] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)
    other: list[Path] = field(default_factory=list)


@sources.register("folder")
class Folder(Source):
    """Recordings of one's own: audio beside labels of the same name, in train/ and test/ or listed in split.csv."""

    RESAMPLES = True
    LABELS = "Labels as in the CSV; MIDI from key down to key up, the pedal is not followed."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        return find(self.root, split)

    def files(self) -> list[tuple[str, Path]] | None:
        pairs = ((split, pair) for split in SPLITS for pair in self.find(split)[0])
        return [(split, path) for split, pair in pairs for path in (pair.audio, pair.labels)]


def find(root: Path, split: str) -> tuple[list[Pair], list[str]]:
    """Find the recordings of a split: those that split.csv lists, or else those in the split's sub-folder.

    Args:
        root: folder of the recordings. split.csv in it has the columns file (audio file relative to the folder) and
            split; files that it does not list are left out. The sub-folders are train and test, and may be nested.
        split: "train" or "test".

    Returns:
        pairs: those recordings that have both files. The id is the path without ending, relative to `root` with a
            split.csv, otherwise to `root/<split>`.
        problems: problems of both splits, one line each: a file is missing, there twice or in both splits, or
            split.csv has another form.
    """
    if not root.is_dir():
        return [], [f"{root}: no such folder: correct data.root"]
    if (root / TABLE).exists():
        splits, problems = _by_table(root)
    elif any((root / name).is_dir() for name in SPLITS):
        splits, problems = _by_folder(root)
    else:
        return [], [f"{root}: holds neither train and test folders nor a {TABLE}: add them or correct data.root"]
    problems += _in_both(splits)
    return splits[split], problems


def _by_folder(root: Path) -> tuple[dict[str, list[Pair]], list[str]]:
    splits, problems = {}, []
    for split in SPLITS:
        folder = root / split
        found = _files_by_id(folder)
        splits[split] = [pair for id, files in found.items() if (pair := _pair(folder, id, files, problems))]
        if not any(files.audio for files in found.values()):
            problems.append(f"{folder}: holds no audio: put the recordings there")
    names = {split: {pair.id: pair for pair in splits[split]} for split in SPLITS}
    for id in sorted(names["train"].keys() & names["test"].keys()):
        problems.append(
            f"{names['test'][id].audio}: same name as {names['train'][id].audio}: "
            "a recording belongs into one split, remove or rename one of the two"
        )
    return splits, problems


def _by_table(root: Path) -> tuple[dict[str, list[Pair]], list[str]]:
    splits: dict[str, list[Pair]] = {split: [] for split in SPLITS}
    problems: list[str] = []
    rows = _rows(root / TABLE, problems)
    found, first = _files_by_id(root), {}
    for line, file, split in rows:
        name = Path(os.path.normpath(file))
        id = name.with_suffix("").as_posix() if name.name else ""
        files = found.get(id, _Files())
        problem = None
        if split not in SPLITS:
            problem = f"split {split!r} is not one of {', '.join(SPLITS)}: correct it"
        elif root / name not in files.audio:
            kind = "nothing that libsndfile reads as audio" if (root / name).is_file() else "no such file"
            problem = f"file {file!r}: {kind} below {root}: give the path of the audio relative to it, with its ending"
        elif id in first:
            problem = f"file {file!r}: listed in line {first[id]} already: remove one of the two rows"
        if problem:
            problems.append(f"{root / TABLE}:{line}: {problem}")
            continue
        first[id] = line
        if pair := _pair(root, id, files, problems):
            splits[split].append(pair)
    listed = {split for _, _, split in rows}
    problems += [
        f"{root / TABLE}: lists no file for {split}: add some" for split in SPLITS if rows and split not in listed
    ]
    return splits, problems


def _rows(table: Path, problems: list[str]) -> list[tuple[int, str, str]]:
    """Read line, file and split of each row; add to the problems."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip() for name in next(reader, [])]
            if missing := [name for name in ("file", "split") if name not in header]:
                problems.append(f"{table}:1: no column {', '.join(missing)} in {','.join(header)!r}: add it")
                return []
            file_at, split_at = (header.index(name) for name in ("file", "split"))
            padding = [""] * len(header)
            filled = ((reader.line_num, row + padding) for row in reader if row)
            rows = [(line, row[file_at].strip(), row[split_at].strip()) for line, row in filled]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{table}: cannot be read as CSV in UTF-8 ({error}): export it again")
        return []
    if not rows:
        problems.append(f"{table}: lists no file: add a row for each recording")
    return rows


def _files_by_id(folder: Path) -> dict[str, _Files]:
    """Find all files below a folder, by their path relative to it and without ending.

    Hidden files and folders are left out, and so are transcriptions.
    """
    endings, found = audio_endings(), {}
    for path in sorted(_below(folder, {folder.resolve()})):
        name = path.relative_to(folder)
        if any(part.startswith(".") for part in name.parts) or not path.is_file():
            continue
        ending = path.suffix.lower()
        if path.stem.endswith(NOTES) and ending not in endings:
            continue
        files = found.setdefault(name.with_suffix("").as_posix(), _Files())
        (files.audio if ending in endings else files.labels if ending in LABELS else files.other).append(path)
    return found


def _below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield all files below a folder; follow links to folders, but visit each folder once."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.is_dir():
            yield path
        elif path.resolve() not in seen:
            seen.add(path.resolve())
            yield from _below(path, seen)


def _pair(folder: Path, id: str, files: _Files, problems: list[str]) -> Pair | None:
    """Return the recording of these files, or None if they are no audio and label file; add to the problems."""
    if not files.audio and not files.labels:
        return None
    for kind in (files.audio, files.labels):
        problems += [f"{path}: same name as {kind[0].name}: remove one of the two" for path in kind[1:]]
    if not files.audio:
        other = "".join(f" ({path.name} is nothing that libsndfile reads, convert it)" for path in files.other)
        problems.append(f"{files.labels[0]}: no audio of this name{other}: add it or remove the labels")
    elif not files.labels:
        wanted = " or ".join(f"{Path(id).name}{ending}" for ending in LABELS)
        problems.append(f"{files.audio[0]}: no labels: put {wanted} beside it or remove the recording")
    else:
        return Pair(id, files.audio[0], files.labels[0])
    return None


def _in_both(splits: dict[str, list[Pair]]) -> list[str]:
    """Return a problem for each test recording whose audio is byte for byte that of a training recording."""
    sizes: dict[int, list[Path]] = {}
    for pair in splits["train"]:
        sizes.setdefault(pair.audio.stat().st_size, []).append(pair.audio)
    return [
        f"{test.audio}: the same audio as {train}: a recording belongs into one split, remove one of the two"
        for test in splits["test"]
        for train in sizes.get(test.audio.stat().st_size, ())
        if filecmp.cmp(train, test.audio, shallow=False)  # different files mostly differ in their first block
    ]
