"""A small data set in MusicNet's layout, read with and without the cache of decoded audio."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sweep.data.reading import read_split
from sweep.data.recording import DataError

LENGTHS = {"1": 1001, "2": 1002, "3": 1003}  # odd ones: the next recording must be aligned all the same


def make_set(root: Path) -> Path:
    """A data set of int16 and float32 recordings, in the order 1, 2, 3."""
    for folder in ("train_data", "train_labels"):
        (root / folder).mkdir(parents=True)
    for id, n_samples in LENGTHS.items():
        write(root, id, n_samples, seed=0)
        (root / "train_labels" / f"{id}.csv").write_text("start_time,end_time,note\n10,20,60\n")
    return root


def write(root: Path, id: str, n_samples: int, seed: int) -> Path:
    """One recording; number 2 has 24 bits."""
    path = root / "train_data" / f"{id}.wav"
    audio = np.random.default_rng([seed, int(id)]).uniform(-1, 1, n_samples)
    soundfile.write(path, audio, 44100, subtype="PCM_24" if id == "2" else "PCM_16")
    return path


def read(root: Path, cache: Path | None) -> list[np.ndarray]:
    return [recording.audio for recording in read_split(root, "train", cache=cache)]


def assert_same(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert [audio.dtype for audio in actual] == [audio.dtype for audio in expected]
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def damage_audio(root: Path) -> None:
    """Every audio file becomes zeros of the same size and time of change: who reads one now fails."""
    for path in (root / "train_data").iterdir():
        state = path.stat()
        path.write_bytes(bytes(state.st_size))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(DataError):
        read(root, None)
