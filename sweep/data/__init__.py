"""Recordings with note labels: read from a folder, held in memory, cut into windows."""

from sweep.data.audio import read_audio
from sweep.data.labels import read_labels
from sweep.data.reading import read_split
from sweep.data.recording import DataError, Recording
from sweep.data.recordings import Recordings
from sweep.data.windows import (
    Windows,
    draw_windows,
    scoring_windows,
    split_validation,
    step_generator,
    training_windows,
)

__all__ = [
    "DataError",
    "Recording",
    "Recordings",
    "Windows",
    "draw_windows",
    "read_audio",
    "read_labels",
    "read_split",
    "scoring_windows",
    "split_validation",
    "step_generator",
    "training_windows",
]
