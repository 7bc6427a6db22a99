"""A good data set of the corpus, and what makes a bad or an odd one of it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import mido
import numpy as np
import soundfile

HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
ROW = "1000,2000,1,60,0,1,Quarter\n"
NOTES = [[1000, 2000, 60]]
N_SAMPLES = 120_000
SAMPLES = np.random.default_rng(0).integers(-20_000, 20_000, N_SAMPLES).astype(np.int16)
BOTH = "file,split\ntrain/7.wav,train\ntest/8.wav,test\n"
MUSICNET, FOLDER = "musicnet", "folder"


def make_good(root: Path, source: str) -> None:
    """One recording in each split."""
    for split, name, samples in (("train", "7", SAMPLES), ("test", "8", SAMPLES[::-1])):
        audio, labels = _places(root, source, split, name)
        for path in (audio, labels):
            path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio, samples, 44100)
        labels.write_text(HEADER + ROW)


def _places(root: Path, source: str, split: str, name: str) -> tuple[Path, Path]:
    if source == "folder":
        return root / split / f"{name}.wav", root / split / f"{name}.csv"
    return root / f"{split}_data" / f"{name}.wav", root / f"{split}_labels" / f"{name}.csv"


def audio(samples: np.ndarray, rate: int = 44100, ending: str = "wav", **options) -> Callable[[Path], None]:
    """Recording 7 anew."""

    def change(root: Path) -> None:
        folder = root / ("train" if (root / "train").is_dir() else "train_data")
        (folder / "7.wav").unlink()
        soundfile.write(folder / f"7.{ending}", samples, rate, **options)

    return change


def content(function: Callable[[bytes], bytes], ending: str = "wav") -> Callable[[Path], None]:
    """The bytes of recording 7 changed."""

    def change(root: Path) -> None:
        audio(SAMPLES, ending=ending)(root)
        (path,) = root.glob(f"train*/7.{ending}")
        path.write_bytes(function(path.read_bytes()))

    return change


def labels(text: str | bytes) -> Callable[[Path], None]:
    """Its labels anew."""

    def change(root: Path) -> None:
        (path,) = [*root.glob("train_labels/7.csv"), *root.glob("train/7.csv")]
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return change


def row(text: str) -> Callable[[Path], None]:
    return labels(HEADER + ROW + text + "\n")


def midi(*messages: mido.Message | mido.MetaMessage, second_track: tuple = ()) -> Callable[[Path], None]:
    """Its labels as MIDI, 480 ticks a beat, half a second each."""

    def change(root: Path) -> None:
        (root / "train/7.csv").unlink()
        file = mido.MidiFile(ticks_per_beat=480)
        for track in filter(None, (messages, second_track)):
            file.tracks.append(mido.MidiTrack(track))
        file.save(root / "train/7.mid")

    return change


def note(pitch: int, wait: int, length: int, channel: int = 0) -> tuple:
    on = mido.Message("note_on", note=pitch, velocity=80, time=wait, channel=channel)
    return on, mido.Message("note_off", note=pitch, velocity=0, time=length, channel=channel)


def with_value(at: int, value: float) -> np.ndarray:
    samples = SAMPLES / 32768
    samples[at] = value
    return samples


def rename(old: str, new: str) -> Callable[[Path], None]:
    return lambda root: (root / old).rename(root / new)


def split_csv(text: str | bytes) -> Callable[[Path], None]:
    return lambda root: (root / "split.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


def folders(root: Path, split: str) -> None:
    for path in root.glob(f"{split}*"):
        shutil.rmtree(path)
