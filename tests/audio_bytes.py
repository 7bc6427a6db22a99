"""Whole audio files as bytes, for tests that change them, and how the reader and `sweep transcribe` take them."""

import struct
from pathlib import Path

import numpy as np
import soundfile

from sweep.data.audio import decode
from sweep.transcribe.listening import opened

RATE = 44100
NOISE = np.random.default_rng(0).integers(-9000, 9000, 50_001).astype(np.int16)  # an odd number of samples
TAG = b"ID3\4\0\0" + bytes([0, 0, 16, 0]) + bytes(2048)  # of ID3v2, 2 kB
ANY = ["wav", "flac", "aiff", "au", "w64", "rf64", "caf", "ogg", "opus", "mp3"]


def written(folder: Path, ending: str, audio: np.ndarray = NOISE, rate: int = RATE, **options) -> bytes:
    """Content of a whole file."""
    path = folder / f"whole.{ending}"
    if ending == "opus":
        rate, options = 48000, {"format": "OGG", "subtype": "OPUS"}
    soundfile.write(path, audio, rate, **options)
    return path.read_bytes()


def read(folder: Path, name: str, content: bytes) -> np.ndarray:
    path = folder / name
    path.write_bytes(content)
    return decode(path).samples


def listened(folder: Path, name: str, content: bytes) -> tuple[np.ndarray, str]:
    """What `sweep transcribe` hears, and what it says of the file's end."""
    path = folder / name
    path.write_bytes(content)
    with opened(path) as sound:
        return np.concatenate([*sound.blocks(RATE), np.zeros(0, np.float32)]), sound.problem


def put(content: bytes, position: int, form: str, *values: int) -> bytes:
    packed = struct.pack(form, *values)
    return content[:position] + packed + content[position + len(packed) :]
