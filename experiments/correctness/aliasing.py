"""How loud the mirror images of high tones are in lower bins, measured alike on every constant-Q front-end."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from sweep.representations.families.constant_q import ConstantQ

SAMPLES = 16_384
FRAMES = slice(10, 22)  # far from the clip's ends; evenly many, so that the two turns cancel
LOWEST_BIN = 440.0  # Hz; its kernel ends within the clip from these frames
LOWEST_TONE = 5_000.0  # Hz; lower octaves repeat what the second and third show
STEP = 2  # tones at every second point of the grid below, 86 Hz apart
APART = 1.0  # octaves from a tone within which a bin hears the tone itself


@dataclass(frozen=True)
class Aliasing:
    """The loudest aliasing product.

    Attributes:
        decibels: of the bin's answer to a tone of its own frequency.
        tone, bin: where, in Hz.
    """

    decibels: float
    tone: float
    bin: float


def measure_aliasing(function: Callable, r: ConstantQ) -> Aliasing:
    """Sines into a constant-Q transform.

    From frame to frame a bin turns with the tone where it hears the tone, and against it where it hears its mirror
    image at half a rate. The tones lie at (j + 1/2) / (2 hop_length) of the sample rate, where the two are orthogonal
    from frame to frame: products are what turns against the tone, and what turns with it in bins more than an octave
    away. The top octave, which all compute at the full rate, does not count: a bin near half the rate hears the image
    above it rightly. What halves no rate shows the side lobes of its window instead.

    Args:
        function: from (clips, samples) float32 to (clips, bins, frames) complex.
        r: the transform.
    """
    unit = r.sample_rate / (2 * r.hop_length)
    index = np.arange(np.ceil(LOWEST_TONE / unit), np.floor(0.496 * r.sample_rate / unit), STEP)
    tones = (index + 0.5) * unit
    bins = np.flatnonzero(r.frequencies[: -r.bins_per_octave] >= LOWEST_BIN)
    heard = np.abs(_answers(function, r.frequencies[bins], r)[np.arange(len(bins)), bins]).mean(axis=-1)
    turning = _answers(function, tones, r)[:, bins]
    waves = np.exp(2j * np.pi / r.sample_rate * r.hop_length * tones[:, None, None] * np.arange(turning.shape[-1]))
    parts = [np.abs((turning * wave).mean(axis=-1)) / heard for wave in (waves, waves.conj())]
    lowest = np.arange(np.searchsorted(tones, r.frequencies[bins[-1]]))  # tones that these bins hear
    nearest = np.abs(tones[lowest, None] - r.frequencies[bins]).argmin(axis=1)
    own = [part[lowest, nearest].sum() for part in parts]
    with_it, against = parts if own[0] > own[1] else parts[::-1]  # libraries differ in the sign of the phase
    away = np.abs(np.log2(tones[:, None] / r.frequencies[bins])) > APART
    products = np.maximum(against, np.where(away, with_it, 0))
    tone, bin = np.unravel_index(products.argmax(), products.shape)
    return Aliasing(float(20 * np.log10(products.max())), float(tones[tone]), float(r.frequencies[bins[bin]]))


def _answers(function: Callable, tones: np.ndarray, r: ConstantQ, batch: int = 32) -> np.ndarray:
    """(tones, bins, frames) complex, of sines of amplitude 1."""
    t = np.arange(SAMPLES) / r.sample_rate
    parts = []
    for first in range(0, len(tones), batch):
        x = np.cos(2 * np.pi * tones[first : first + batch, None] * t).astype(np.float32)
        with torch.inference_mode():
            parts.append(np.asarray(function(torch.from_numpy(x)))[..., FRAMES])
    return np.concatenate(parts)
