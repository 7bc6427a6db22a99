"""One recording: its files, its content, and the lines in which problems with the data are said."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweep.names import spelled
from sweep.representations.clock import (
    SAMPLE_RATE as SAMPLE_RATE,  # of every recording once it is read, beside a row's own rate
)

N_NOTES = 128  # MIDI


class DataError(ValueError):
    """The data has a problem.

    Args:
        message: file, value and remedy.
    """

    def __init__(self, message: str):
        super().__init__(spelled(message))


class Remark(str):
    """A line about data that is used all the same; other lines about data are errors, which stop a training."""


class Changed(Remark):
    """How many notes of a file were left out or changed in one way, or look odd.

    Args:
        what: what they are and what became of them, such as "notes of drums, left out".
        first: place of the first: the file, and the line, or track and time.
        notes: number of such notes.
        wrong: whether the file is wrong, so that a training should say it too.

    Attributes:
        what, first, notes, wrong: the same.
    """

    what: str
    first: str
    notes: int
    wrong: bool

    def __new__(cls, what: str, first: str, notes: int, wrong: bool = False):
        """Make the line."""
        line = super().__new__(cls, f"{what}: {notes:,}; the first: {first}")
        line.what, line.first, line.notes, line.wrong = what, first, notes, wrong
        return line


def summed(remarks: Iterable[str]) -> list[str]:
    """Merge remarks on the same kind of notes in several files into one, which counts all and names the first."""
    lines: dict[str, str] = {}
    for remark in remarks:
        if not isinstance(remark, Changed):
            lines[remark] = remark
        elif isinstance(before := lines.get(remark.what), Changed):
            lines[remark.what] = Changed(before.what, before.first, before.notes + remark.notes, before.wrong)
        else:
            lines[remark.what] = remark
    return list(lines.values())


def refuse(found, lines: list[str]):
    """Return what was found if all lines about it are remarks; otherwise raise a DataError of the first that is not."""
    for line in lines:
        if not isinstance(line, Remark):
            raise DataError(line)
    return found


@dataclass(frozen=True)
class Pair:
    """The two files of a recording.

    Attributes:
        id: name of the recording, unique in its split, such as "2303".
        audio, labels: audio file and label file.
        group: name of what it shares with other recordings, such as its player; "" if the data set names none.
    """

    id: str
    audio: Path
    labels: Path
    group: str = ""


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording and the notes that sound in it.

    Attributes:
        id: name of the recording, the id of its `Pair`.
        audio: mono audio, (samples,): int16, full scale 32768, if that is lossless; otherwise float32, full scale 1.
            Audio from the cache is mapped from the disk and takes memory only as it is used.
        sample_rate: samples per second of the audio, in Hz.
        notes: (n, 3) int64: start and end in samples at 44,100 Hz, 0 <= start < end <= length, and MIDI note, in the
            file's order; (n, 4) with the instrument's number where the labels name some, as `check_csv` returns them. A
            note sounds from its start up to, not including, its end. Notes may overlap, also at equal pitch.
        path: audio file.
        group: group of its `Pair`.
        samples: number of samples at 44,100 Hz; None: that of the audio, which is at this rate.
    """

    id: str
    audio: np.ndarray
    sample_rate: int
    notes: np.ndarray
    path: Path
    group: str = ""
    samples: int | None = None

    @property
    def length(self) -> int:
        """Return the number of samples at 44,100 Hz."""
        return len(self.audio) if self.samples is None else self.samples
