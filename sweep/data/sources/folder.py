"""Find the files of a user's folder: audio beside labels of the same name, split by sub-folders or a table."""

import csv
import io
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import soundfile

from sweep.data.labels import MIDI, SHOWN
from sweep.data.midi import Midi, read_midi
from sweep.data.pedal import in_words
from sweep.data.recording import Pair, Remark
from sweep.data.source import SPLITS, Source, as_compared, missing, same_name
from sweep.files import NOTES
from sweep.names import spelled
from sweep.registry import sources
from sweep.walking import files_below

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
    """Recordings of one's own: audio beside labels of the same name, in train/ and test/ or listed in split.csv.

    Args:
        root: folder of the recordings.
        pedal: Whether notes in MIDI go on while the sustain pedal is down, until it goes up or the key is struck again.
    """

    RESAMPLES = True
    LABEL_KEYS = ("pedal",)

    def __init__(self, root: Path, pedal: bool = False):
        super().__init__(root)
        self.pedal = pedal

    def remark(self) -> str:
        return f"Labels as in the CSV; MIDI {in_words(self.pedal)}."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        return find(self.root, split)

    def notes(self, labels: Path) -> Midi | None:
        return read_midi(labels, self.pedal) if labels.suffix.lower() in MIDI else None


def find(root: Path, split: str) -> tuple[list[Pair], list[str]]:
    """Find the recordings of a split: those that split.csv lists, or else those in the split's sub-folder.

    Args:
        root: folder of the recordings. split.csv in it has the columns file (audio file relative to the folder) and
            split, and may have a column group, such as the player: recordings of a group are no independent evidence.
            Files that it does not list are left out. The sub-folders are train and test, and may be nested.
        split: "train" or "test".

    Returns:
        pairs: those recordings that have both files. The id is the path without ending, relative to `root` with a
            split.csv, otherwise to `root/<split>`.
        problems: problems of both splits, one line each: a file is missing, there twice or in both splits, or
            split.csv has another form; and that this split has no recording. Remarks name what could not be entered.
    """
    if problems := missing(root):
        return [], problems
    if os.path.exists(root / TABLE):
        splits, problems = _by_table(root, split)
    elif any(os.path.isdir(root / name) for name in SPLITS):
        splits, problems = _by_folder(root, split)
    else:
        return [], [f"{root}: holds neither train and test folders nor a {TABLE}: add them or correct data.root"]
    return splits[split], problems


def _by_folder(root: Path, asked: str) -> tuple[dict[str, list[Pair]], list[str]]:
    splits, problems = {}, []
    for split in SPLITS:
        folder = root / split
        found = _files_by_id(folder, problems)
        splits[split] = [pair for id, files in found.items() if (pair := _pair(folder, id, files, problems))]
        if split == asked and not any(files.audio for files in found.values()):
            problems.append(f"{folder}: holds no audio: put the recordings there")
    names = {split: {pair.id: pair for pair in splits[split]} for split in SPLITS}
    for id in sorted(names["train"].keys() & names["test"].keys()):
        problems.append(
            f"{names['test'][id].audio}: same name as {names['train'][id].audio}: "
            "a recording belongs into one split, remove or rename one of the two"
        )
    return splits, problems


def _by_table(root: Path, asked: str) -> tuple[dict[str, list[Pair]], list[str]]:
    splits: dict[str, list[Pair]] = {split: [] for split in SPLITS}
    problems: list[str] = []
    rows = _rows(root / TABLE, problems)
    found, first = _files_by_id(root, problems), {}
    for line, file, split, group in rows:
        name = Path(os.path.normpath(file))
        if not _holds(found, name):
            file = file.strip()
            name = Path(os.path.normpath(file))
        id = _id(name)
        files = found.get(id, _Files())
        problem = None
        if split not in SPLITS:
            problem = f"split {split!r} is not one of {', '.join(SPLITS)}: correct it"
        elif not _holds(found, name):
            kind = "nothing that libsndfile reads as audio" if os.path.isfile(root / name) else "no such file"
            problem = f"file {file!r}: {kind} below {root}: give the path of the audio relative to it, with its ending"
        elif id in first:
            problem = f"file {file!r}: listed in line {first[id]} already: remove one of the two rows"
        if problem:
            problems.append(f"{root / TABLE}:{line}: {problem}")
            continue
        first[id] = line
        if pair := _pair(root, id, files, problems):
            splits[split].append(replace(pair, group=spelled(group)))
    if rows and asked not in {split for _, _, split, _ in rows}:
        problems.append(f"{root / TABLE}: lists no file for {asked}: add some")
    return splits, problems


def _rows(table: Path, problems: list[str]) -> list[tuple[int, str, str, str]]:
    """Read line, file, split and group of each row, the group "" where there is none; add to the problems."""
    try:
        content = table.read_bytes()
        # Names of files may have bytes that are not UTF-8; Python has them as surrogates here and on the disk.
        text = content.decode("utf-8-sig", "surrogateescape")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        header = [name.strip() for name in next(reader, [])]
        if missing := [name for name in ("file", "split") if name not in header]:
            problems.append(f"{table}:1: no column {', '.join(missing)} in {','.join(header)[:SHOWN]!r}: add it")
            return []
        file_at, split_at = (header.index(name) for name in ("file", "split"))
        group_at = header.index("group") if "group" in header else len(header)
        padding = [""] * len(header)
        filled = ((reader.line_num, [*(row + padding)[: len(header)], ""]) for row in reader if row)
        rows = [(line, row[file_at], row[split_at].strip(), row[group_at].strip()) for line, row in filled]
        if not all(file.isprintable() or os.path.lexists(table.parent / file.strip()) for _, file, _, _ in rows):
            content.decode("utf-8")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        problems.append(f"{table}: cannot be read as CSV in UTF-8 ({error}): export it again")
        return []
    if not rows:
        problems.append(f"{table}: lists no file: add a row for each recording")
    return rows


def _files_by_id(folder: Path, problems: list[str]) -> dict[str, _Files]:
    """Find all files below a folder, by their path relative to it and without ending; add to the problems.

    Hidden files and folders are left out, and so are transcriptions.
    """
    endings, found, unread = audio_endings(), dict[str, _Files](), list[str]()
    for path in sorted(files_below(folder, unread)):
        ending = path.suffix.lower()
        if path.stem.endswith(NOTES) and ending not in endings:
            continue
        files = found.setdefault(_id(path.relative_to(folder)), _Files())
        (files.audio if ending in endings else files.labels if ending in LABELS else files.other).append(path)
    problems += [Remark(line) for line in unread]
    return found


def _id(name: Path) -> str:
    """Return the id of a file: its relative path without ending."""
    return as_compared(name.as_posix().removesuffix(name.suffix))


def _holds(found: dict[str, _Files], name: Path) -> bool:
    """Return whether a relative path is that of an audio file that was found."""
    return any(path.suffix == name.suffix for path in found.get(_id(name), _Files()).audio)


def _pair(folder: Path, id: str, files: _Files, problems: list[str]) -> Pair | None:
    """Return the recording of these files, or None if they are no audio and label file; add to the problems."""
    if not files.audio and not files.labels:
        return None
    for kind in (files.audio, files.labels):
        problems += [f"{path}: {same_name(path, kind[0])}: remove one of the two" for path in kind[1:]]
    if not files.audio:
        other = "".join(f" ({path.name} is nothing that libsndfile reads, convert it)" for path in files.other)
        problems.append(f"{files.labels[0]}: no audio of this name{other}: add it or remove the labels")
    elif not files.labels:
        wanted = " or ".join(f"{Path(id).name}{ending}" for ending in LABELS)
        problems.append(f"{files.audio[0]}: no labels: put {wanted} beside it or remove the recording")
    else:
        return Pair(spelled(id), files.audio[0], files.labels[0])
    return None
