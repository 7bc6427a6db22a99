"""Small folders of recordings with groups: one to train on, one at 16 kHz to score on, and one of both."""

import shutil
from pathlib import Path

import numpy as np
import soundfile
from own_recordings import HEADER, write

RATE = 16_000  # Hz, of the other set
GROUPS = {"p": "duo", "q": "solo", "r": "duo"}


def make_other(root: Path, seconds: float = 3.2, later: int = 0) -> Path:
    """Three FLAC files of chords, test recordings of two groups, labelled so many samples later than they sound."""
    for number, name in enumerate(GROUPS):
        rng = np.random.default_rng(number)
        samples = int(seconds * RATE)
        t, audio, rows = np.arange(samples) / RATE, rng.uniform(-0.01, 0.01, samples), []
        for start in range(0, samples - 4000, 4000):
            for note in rng.choice(np.arange(50, 80), 2, replace=False):
                tone = np.sin(2 * np.pi * 440 * 2 ** ((note - 69) / 12) * t)
                audio[start : start + 3500] += 0.3 * tone[start : start + 3500]
                rows.append(f"{start + later},{start + 3500 + later},{note}\n")
        write(root / f"{name}.flac", audio, RATE, HEADER + "".join(rows))
    lines = [f"{name}.flac,test,{group}\n" for name, group in GROUPS.items()]
    (root / "split.csv").write_text("file,split,group\n" + "".join(lines))
    return root


def make_home(root: Path, small_set: Path, other: Path | None = None) -> Path:
    """The demo pieces of `small_set` in a folder of one's own; with `other` its recordings are those to test on."""
    root.mkdir(parents=True)
    lines = ["file,split,group\n"]
    for split, group in (("train", ""), ("test", "")) if other is None else (("train", ""),):
        for path in sorted((small_set / f"{split}_data").glob("*.wav")):
            shutil.copy(path, root / path.name)
            shutil.copy(small_set / f"{split}_labels" / f"{path.stem}.csv", root)
            lines.append(f"{path.name},{split},{group}\n")
    if other is not None:
        for name in GROUPS:
            for ending in (".flac", ".csv"):
                shutil.copy(other / f"{name}{ending}", root)
        lines += (other / "split.csv").read_text().splitlines(keepends=True)[1:]
    (root / "split.csv").write_text("".join(lines))
    return root


def copy_of(path: Path, to: Path) -> Path:
    """The audio of a WAV file as a quieter FLAC file at 16 kHz, with an empty file of labels."""
    import soxr

    audio, rate = soundfile.read(path)
    return write(to, 0.5 * soxr.resample(audio, rate, RATE), RATE)
