"""One recording: the files that it comes from, what it holds, and the error that says what is wrong with it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 44_100  # Hz, of every recording once it is read
N_NOTES = 128  # MIDI


class DataError(ValueError):
    """What is wrong with the data, in one line: the file, the value and the remedy."""


@dataclass(frozen=True)
class Pair:
    """The two files of a recording.

    Attributes:
        id: what tells the recording from the others of its split, such as "2303".
        audio, labels: the files.
    """

    id: str
    audio: Path
    labels: Path


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording and the notes that sound in it.

    Attributes:
        id: that of its `Pair`.
        audio: (samples,) mono. int16, full scale 32768, wherever that loses nothing; otherwise float32, full scale 1.
            Where it comes from the cache it is mapped from the disk: it takes memory as it is used.
        sample_rate: in Hz.
        notes: (n, 3) int64: start and end in samples, 0 <= start < end <= samples, and MIDI note, in the file's order.
            A note sounds from its start up to, not including, its end. Notes may overlap, also at equal pitch.
        path: the audio file.
    """

    id: str
    audio: np.ndarray
    sample_rate: int
    notes: np.ndarray
    path: Path
