"""The paper's four test signals (Cheuk et al. 2020, figures 12 to 14), 44.1 kHz."""

import numpy as np

from sweep.data.recording import SAMPLE_RATE
from sweep.data.synthesis import Note, render

LOW, HIGH = 55.0, SAMPLE_RATE / 2  # Hz, from where to where the sines sweep
SCALE = range(36, 85)  # MIDI, C2 to C6
STROKE = 0.08  # s from one note of the scale to the next


def linear_sweep(seconds: float = 1.0) -> np.ndarray:
    """A sine whose frequency rises by as many Hz each second."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return np.sin(2 * np.pi * (LOW * t + (HIGH - LOW) * t**2 / (2 * seconds)))


def logarithmic_sweep(seconds: float = 1.0) -> np.ndarray:
    """A sine whose frequency rises by as many octaves each second."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    rate = np.log(HIGH / LOW) / seconds
    return np.sin(2 * np.pi * LOW * np.expm1(rate * t) / rate)


def impulse(seconds: float = 1.0) -> np.ndarray:
    """One sample of 1 in the middle of silence."""
    x = np.zeros(round(seconds * SAMPLE_RATE))
    x[len(x) // 2] = 1.0
    return x


def chromatic_scale() -> np.ndarray:
    """Struck strings of the demo set's synthesiser, each key let go where the next is struck, in a room."""
    at = [round(STROKE * i * SAMPLE_RATE) for i in range(len(SCALE) + 1)]
    notes = [
        Note(start, end, "piano", pitch, velocity=0.8, start_beat=0.0, beats=0.0)
        for start, end, pitch in zip(at, at[1:], SCALE, strict=False)
    ]
    return render(notes, at[-1] + round(0.4 * SAMPLE_RATE), np.random.default_rng(0))


# As float32 holds them, so that every front-end and the definition hear the same.
SIGNALS = {
    "linear sweep": lambda: linear_sweep().astype(np.float32),
    "logarithmic sweep": lambda: logarithmic_sweep().astype(np.float32),
    "impulse": lambda: impulse().astype(np.float32),
    "chromatic scale": lambda: chromatic_scale().astype(np.float32),
}
