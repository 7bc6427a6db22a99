"""Find the files of MAESTRO as shipped: a table maestro-v3.0.0.csv or .json, and a folder of WAV and MIDI a year."""

import contextlib
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sweep.data.midi import Midi, read_midi
from sweep.data.pedal import in_words
from sweep.data.recording import Pair, Remark
from sweep.data.source import SPLITS, VALIDATION, About, Source, missing
from sweep.names import spelled
from sweep.registry import sources

TABLE = re.compile(r"maestro-(v\d+\.\d+\.\d+)\.(csv|json)")
COLUMNS = ("split", "year", "audio_filename", "midi_filename")  # composer, title and duration are not read


class _Row(NamedTuple):
    """A recording in the table: its place there, and its columns."""

    place: str
    split: str
    year: str
    audio: str
    midi: str


@sources.register("maestro")
class Maestro(Source):
    """MAESTRO as shipped, any version: its table with the split, and a folder of WAV and MIDI for each year.

    The piano competitions of ten years (Hawthorne et al., "Enabling factorized piano music modeling and generation
    with the MAESTRO dataset", ICLR 2019). A recording's group is the year: a year's recordings share the piano, the
    hall, the microphones and several of the players, of whom the table names none. Years whose folder is not there are
    left out; within a year all files are needed.

    Args:
        root: folder that holds maestro-v3.0.0.csv or .json and the years' folders.
        version: Version to read, such as v2.0.0, where the folder has tables of several; null is the one that is there.
        pedal: Whether notes go on while the sustain pedal is down, until it goes up or the key is struck again.
    """

    RESAMPLES = True  # 44.1 and 48 kHz
    LABEL_KEYS = ("pedal",)
    HOLDS_OUT = True
    ABOUT = About(
        "v3.0.0: 1,276 recordings, 198.7 hours, 120 GB",
        "CC BY-NC-SA 4.0",
        "https://magenta.tensorflow.org/datasets/maestro",
    )

    def __init__(self, root: Path, version: str | None = None, pedal: bool = True):
        super().__init__(root)
        self.version = version if version is None else f"v{version.removeprefix('v')}"
        self.pedal = pedal

    def remark(self) -> str:
        found = self.version or " or ".join(_tables(self.root)) or "of an unknown version"
        return f"MAESTRO {found}, split as in its table. Labels: the piano's MIDI, {in_words(self.pedal)}."

    def notes(self, labels: Path) -> Midi:
        return read_midi(labels, self.pedal)

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        """Find the recordings of a split of the table.

        Problems are those of the table, whatever the split, and files of the split that are missing.
        """
        if problems := missing(self.root):
            return [], problems
        tables = _tables(self.root)
        if self.version is None and len(tables) > 1:
            which = f"data.version={max(tables)}"
            return [], [f"{self.root}: holds tables of {', '.join(tables)}: choose one with {which} or the like"]
        version = self.version or next(iter(tables), "v3.0.0")
        if version not in tables:
            return [], [_no_table(self.root, version, list(tables))]
        rows, problems = _read(tables[version])
        problems += _wrong(tables[version], rows)
        pairs, missed = _pairs(self.root, tables[version], [row for row in rows if row.split == split], split)
        return pairs, problems or missed


def _tables(root: Path) -> dict[str, Path]:
    """Return the table of each version in a folder; of CSV and JSON the CSV."""
    names: list[str] = []
    with contextlib.suppress(OSError):
        names = sorted(os.listdir(root), reverse=True)
    found = {match[1]: root / name for name in names if (match := TABLE.fullmatch(name))}
    return dict(sorted(found.items()))


def _no_table(root: Path, version: str, others: list[str]) -> str:
    name = f"maestro-{version}"
    if others:
        return f"{root}: no {name}.csv or .json, but {', '.join(others)}: correct data.version"
    if inside := sorted(path.parent for path in root.glob("*/maestro-v*.*") if TABLE.fullmatch(path.name)):
        return f"{root}: no {name}.csv or .json: data.root={inside[0]} has one"
    return f"{root}: no {name}.csv or .json: correct data.root, or put the table there, which the data set comes with"


def _read(table: Path) -> tuple[list[_Row], list[str]]:
    """Read the rows of a table, and the problem with it."""
    again = "download it again"
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            records = list(_of_csv(file) if table.suffix == ".csv" else _of_json(json.load(file)))
    except KeyError as error:
        return [], [f"{table}: no column {error.args[0]}: {again}"]
    except OSError as error:
        return [], [f"{table}: cannot be read ({error.strerror or error}): correct its permissions"]
    except (ValueError, RecursionError, csv.Error) as error:  # neither JSON nor CSV, or not in UTF-8
        return [], [f"{table}: cannot be read ({' '.join(str(error).split())}): {again}"]
    rows = [_Row(place, *(str(record[column]).strip() for column in COLUMNS)) for place, record in records]
    return rows, [] if rows else [f"{table}: lists no recording: {again}"]


def _of_csv(file: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(file, restval="", strict=True)
    _need(reader.fieldnames or ())
    for record in reader:
        yield f"line {reader.line_num}", record


def _of_json(content: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the records of both forms: an object a recording (v1, v2), or one a column, by number (v3)."""
    if isinstance(content, dict) and all(isinstance(column, dict) for column in content.values()):
        _need(content)
        for number in content[COLUMNS[0]]:
            yield f"entry {number}", {name: content[name].get(number, "") for name in COLUMNS}
    elif isinstance(content, list) and all(isinstance(record, dict) for record in content):
        for number, record in enumerate(content):
            _need(record)
            yield f"entry {number}", record
    else:
        raise ValueError("neither an object for each column nor one for each recording")


def _need(names: Any) -> None:
    for column in COLUMNS:
        if column not in names:
            raise KeyError(column)


def _wrong(table: Path, rows: list[_Row]) -> list[str]:
    """Say what is wrong with the rows, whatever their split."""
    problems, first, splits = [], dict[str, str](), (*SPLITS, VALIDATION)
    for row in rows:
        where = f"{table}: {row.place}"
        if row.split not in splits:
            problems.append(f"{where}: split {row.split!r} is none of {', '.join(splits)}: correct it")
        for name in (row.audio, row.midi):
            if not name or name != os.path.normpath(name) or name.startswith((os.sep, os.pardir)):
                problems.append(f"{where}: {name!r} names no file below the table's folder: correct it")
            elif name in first:
                problems.append(f"{where}: {name} is listed in {first[name]} already: remove one of the two")
            first.setdefault(name, row.place)
    return problems


def _pairs(root: Path, table: Path, rows: list[_Row], split: str) -> tuple[list[Pair], list[str]]:
    """Return the recordings of rows, and lines on those that are not there."""
    if not rows:
        return [], [f"{table}: lists no recording of {split}: download it again"]
    folders = {row: Path(row.audio).parts[0] for row in rows if "/" in row.audio}
    absent = sorted({name for name in folders.values() if not os.path.isdir(root / name)})
    here = [row for row in rows if folders.get(row) not in absent]
    if not here:
        return [], [f"{root}: holds no recording of {split}, no folder {', '.join(absent)}: put the data there"]
    files = [(row, root / row.audio, root / row.midi) for row in here]
    if not any(os.path.isfile(audio) for _, audio, _ in files) and all(os.path.isfile(midi) for _, _, midi in files):
        return [], [f"{root}: holds MIDI alone: put the audio there, of the archive without -midi in its name"]
    lines: list[str] = []
    if absent:
        count = f"{len(rows) - len(here):,} of {len(rows):,} recordings of {split}"
        lines.append(Remark(f"{root}: no folder {', '.join(absent)}: {count} are left out"))
    for row, audio, midi in files:
        lines += [
            f"{path}: no such file, but {table.name} lists it, {row.place}: unpack it from the archive again"
            for path in (audio, midi)
            if not os.path.isfile(path)
        ]
    there = [file for file in files if os.path.isfile(file[1]) and os.path.isfile(file[2])]
    return [Pair(spelled(os.path.splitext(row.audio)[0]), audio, midi, row.year) for row, audio, midi in there], lines
