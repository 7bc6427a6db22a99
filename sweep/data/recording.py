"""One recording: its files, its content, and the error for problems with the data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAMPLE_RATE = 44_100  # Hz, of every recording once it is read
N_NOTES = 128  # MIDI


class DataError(ValueError):
    """The data has a problem; the message names the file, the value and the remedy in one line."""


@dataclass(frozen=True)
class Pair:
    """The two files of a recording.

    Attributes:
        id: name of the recording, unique in its split, such as "2303".
        audio, labels: audio file and label file.
    """

    id: str
    audio: Path
    labels: Path


@dataclass(frozen=True, eq=False)
class Recording:
    """One recording and the notes that sound in it.

    Attributes:
        id: name of the recording, the id of its `Pair`.
        audio: mono audio, (samples,): int16, full scale 32768, if that is lossless; otherwise float32, full scale 1.
            Audio from the cache is mapped from the disk and takes memory only as it is used.
        sample_rate: samples per second, in Hz.
        notes: (n, 3) int64: start and end in samples, 0 <= start < end <= samples, and MIDI note, in the file's order.
            A note sounds from its start up to, not including, its end. Notes may overlap, also at equal pitch.
        path: audio file.
    """

    id: str
    audio: np.ndarray
    sample_rate: int
    notes: np.ndarray
    path: Path
