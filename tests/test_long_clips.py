"""A long clip is cut into blocks of frames: no seam shows where they join, at either end, for kernels of any length."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import ROWS, SAMPLE_RATE, synthesised_music
from definition import constant_q_lengths, constant_q_taps, fourier_taps, frames, inner_products, relative_l2

from sweep.engines import build

SAMPLES = 20 * SAMPLE_RATE
# Row, bins, padding, hop. The kernels of cqt-288 here are 7.5 s, 3 s, 1 s and 60 ms long.
SETTINGS = [
    ("cqt-288", [0, 380, 840, 2015], "constant", 512),
    ("cqt-288", [0, 380, 840, 2015], "reflect", 512),
    ("cqt-24", [0, 40, 100, 167], "constant", 300),
    ("cqt-24", [0, 40, 100, 167], "reflect", 441),
    ("log-4096", [0, 700, 2048], "constant", 300),
    ("log-4096", [0, 700, 2048], "reflect", 512),
    ("linear-1024", [0, 200, 512], "constant", 300),
]


@pytest.fixture(scope="module")
def recording() -> torch.Tensor:
    """(2, 882000) float64: music that swells, and noise, which fills every bin."""
    music = np.resize(synthesised_music(), SAMPLES) * np.linspace(0.1, 1, SAMPLES)
    return torch.from_numpy(np.stack([music, np.random.default_rng(1).standard_normal(SAMPLES)]))


def frames_to_try(count: int) -> np.ndarray:
    """Both ends, and both sides of where blocks of 2^n or 3 2^n frames join."""
    joins = [j for n in range(5, 12) for j in (2**n, 3 * 2**n)]
    t = np.array([0, 1, 2, *(j + d for j in joins for d in (-1, 0, 1)), count - 3, count - 2, count - 1])
    return np.unique(t[t < count])


def definition_of(r, bins: list[int], x: np.ndarray, some: np.ndarray) -> np.ndarray:
    """(clips, bins, frames): some frames of some bins, one bin's kernel at a time."""
    parts = []
    for k in bins:
        if r.family == "cqt":
            frequency = np.array([r.f_min * 2 ** (k / r.bins_per_octave)])
            length = constant_q_lengths(frequency, r.bins_per_octave, r.sample_rate)
            lags = np.arange(length[0]) - (length[0] + 1) // 2
            taps = constant_q_taps(frequency, length, r.sample_rate, lags)
        else:
            span = k / r.n_bins
            log = r.f_min * (r.f_max / r.f_min) ** span
            frequency = np.array([log if r.family == "log" else r.f_min + span * (r.f_max - r.f_min)])
            lags, taps = np.arange(r.n_fft) - r.n_fft // 2, fourier_taps(frequency, r.sample_rate, r.n_fft)
        parts.append(inner_products(frames(x, lags, r.hop_length, r.pad_mode, some), taps))
    return np.abs(np.concatenate(parts, axis=1))


@pytest.mark.long  # against the definition in float64
@pytest.mark.parametrize("name, bins, pad_mode, hop_length", SETTINGS)
def test_blocks_join_without_seams(name, bins, pad_mode, hop_length, recording):
    r = dataclasses.replace(ROWS[name], hop_length=hop_length, pad_mode=pad_mode)
    count = 1 + SAMPLES // hop_length
    some = frames_to_try(count)
    expected = definition_of(r, bins, recording.numpy(), some)
    kernels = r.transform(engine="direct").engine.kernels[bins]
    for engine in ("auto", "spectral"):
        evaluate = build(kernels, hop_length, pad_mode, engine=engine, accuracy="exact", trainable=False)
        actual = torch.hypot(*evaluate(recording))
        assert actual.shape == (2, len(bins), count)
        difference = np.abs(actual[..., some].numpy() - expected)
        # 4e-5 on cqt-24, whose lowest bin hears little of the music; a seam would be as large as what it cuts.
        assert (difference.max(-1) < 1e-4 * expected.max(-1)).all()
        assert relative_l2(actual[..., some], expected) < 2e-5  # 1.6e-5 on cqt-24


@pytest.mark.parametrize("name", ["cqt-24", "log-4096"])
def test_a_long_clip_begins_as_a_short_one(name, recording):
    """60 frames fit in one block; the frames that the cut does not reach are those of 300."""
    r = ROWS[name]
    x = recording[:1, : 300 * 512].float()
    transform = r.transform(accuracy="exact")
    short, long = transform(x[:, : 59 * 512]), transform(x)
    same = 59 - r.context // 2 // 512
    assert relative_l2(short[..., :same], long[..., :same].numpy()) < 2e-5
