"""Recordings with note labels: read from MusicNet's folder layout, held in memory, cut into windows."""

from sweep.data.musicnet import DataError, Recording, read_audio, read_labels, read_split
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
