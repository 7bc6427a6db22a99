"""A data set of dying tones of few pitches, which a small model learns within seconds."""

from pathlib import Path

import numpy as np
import soundfile
from own_recordings import HEADER

PITCHES = (48, 55, 60, 64, 69, 76)


def make_tones(root: Path, train: int = 3, test: int = 2, seconds: float = 5.0) -> None:
    """Write recordings in MusicNet's layout: notes begin 0.2 to 0.45 s after one another, and up to three sound."""
    for split, count, first in (("train", train, 1001), ("test", test, 2001)):
        for kind in ("data", "labels"):
            (root / f"{split}_{kind}").mkdir(parents=True)
        for number in range(first, first + count):
            chance = np.random.default_rng(number)
            audio, rows = 1e-3 * chance.standard_normal(int(44_100 * seconds)), ""
            start = 2000
            while start < len(audio) - 12_000:
                pitch, length = int(chance.choice(PITCHES)), int(chance.integers(8_000, 20_000))
                t = np.arange(min(length, len(audio) - start)) / 44_100
                tone = np.exp(-4 * t) * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t)
                audio[start : start + len(t)] += 0.3 * np.minimum(1, (len(t) / 44_100 - t) / 0.01) * tone
                rows += f"{start},{start + len(t)},{pitch}\n"
                start += int(chance.integers(9_000, 20_000))
            soundfile.write(root / f"{split}_data/{number}.wav", audio, 44_100)
            (root / f"{split}_labels/{number}.csv").write_text(HEADER + rows)
