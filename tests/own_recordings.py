"""Recordings of one's own, with labels as CSV and MIDI."""

from pathlib import Path

import numpy as np
import pretty_midi
import soundfile

from sweep.data.reading import read_split

HEADER = "start_time,end_time,note\n"


def write(path: Path, audio: np.ndarray | None = None, rate: int = 44100, labels: str | None = HEADER) -> Path:
    """An audio file, and labels beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).uniform(-0.5, 0.5, 1000)
    soundfile.write(path, noise if audio is None else audio, rate)
    if labels is not None:
        path.with_suffix(".csv").write_text(labels)
    return path


def write_midi(path: Path, *instruments: tuple[int, bool, list[tuple[float, float, int]]]) -> None:
    """Instruments: program, whether drums, notes as start and end, s, and pitch. 10,000 ticks a second."""
    midi = pretty_midi.PrettyMIDI(resolution=5000, initial_tempo=120)
    for program, is_drum, notes in instruments:
        instrument = pretty_midi.Instrument(program, is_drum)
        instrument.notes = [pretty_midi.Note(80, pitch, start, end) for start, end, pitch in notes]
        midi.instruments.append(instrument)
    midi.write(str(path))


def read(root: Path, split: str) -> list:
    return read_split(root, split, source="folder")
