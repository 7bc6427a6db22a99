"""Bands of the FFT's bins: triangles linear in mel, logarithmic bands, and that a band front-end is as any other."""

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, synthesised_music
from definition import fft, relative_l2
from numpy.testing import assert_allclose, assert_array_equal
from test_multiply_adds import Counter

from sweep import filters
from sweep.transforms import LogBandSpectrogram, MelSpectrogram


def triangles(corners: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """(bands, points): peaks of 1."""
    return np.stack([np.interp(grid, corners[k : k + 3], [0, 1, 0], 0, 0) for k in range(len(corners) - 2)])


# Triangles linear in mel


@pytest.mark.parametrize(
    "sample_rate, n_fft, n_mels, f_min, f_max", [(16000, 2048, 512, 20, 7600), (8000, 512, 40, 0, 4000)]
)
def test_triangles_linear_in_mel_are_tensorflows(sample_rate, n_fft, n_mels, f_min, f_max):
    """tf.signal.linear_to_mel_weight_matrix, its steps in its order."""

    def mel(hz):
        return 1127.0 * np.log(1 + np.asarray(hz, float) / 700)

    bins = mel(np.linspace(0, sample_rate / 2, n_fft // 2 + 1)[1:])[:, None]
    edges = np.linspace(mel(f_min), mel(f_max), n_mels + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    slopes = np.minimum((bins - lower) / (centre - lower), (upper - bins) / (upper - centre))
    expected = np.pad(np.maximum(0, slopes), ((1, 0), (0, 0))).T
    bank = filters.mel_bank(sample_rate, n_fft, n_mels, f_min, f_max, "htk", None, "mel")
    assert_allclose(bank, expected, atol=2e-4)  # 2595 log10(x) is 1127.01 ln(x), and one band is a hundredth of a bin
    assert not bank[:, 0].any()


def test_the_shape_of_a_triangle_moves_no_corner():
    hz, mel = (filters.mel_bank(SAMPLE_RATE, 2**14, 40, 50.0, 6000.0, triangles=shape) for shape in ("hz", "mel"))
    assert_array_equal(hz > 0, mel > 0)
    assert np.abs(hz - mel).max() > 0.01 * hz.max()
    assert_array_equal(MelSpectrogram(triangles="mel").frequencies, MelSpectrogram().frequencies)


# Logarithmic bands


@pytest.mark.parametrize("norm", ["slaney", "area", None])
def test_exact_corners_and_their_triangles(norm):
    corners = 440 * 2.0 ** ((20.6 + np.arange(497) / 5 - 69) / 12)
    grid = np.fft.rfftfreq(4096, 1 / 16000)
    expected = triangles(corners, grid)
    if norm == "slaney":
        expected *= (2 / (corners[2:] - corners[:-2]))[:, None]
    if norm == "area":
        expected /= np.maximum(expected.sum(1), 1e-300)[:, None]
    numbers = (16000, 4096, corners[0], None, 495, 60)
    assert_allclose(filters.log_band_corners(*numbers), corners, rtol=1e-12)
    assert_allclose(filters.log_band_bank(*numbers, norm=norm), expected, atol=1e-9 * expected.max())


def test_as_many_exact_bands_as_reach_up_to_f_max():
    assert_allclose(filters.log_band_corners(8000, 512, 100, 3200, bins_per_octave=1), [100, 200, 400, 800, 1600, 3200])
    assert_allclose(filters.log_band_corners(8000, 512, 100, 3199, bins_per_octave=1), [100, 200, 400, 800, 1600])
    assert_allclose(filters.log_band_corners(8000, 512, 1000, bins_per_octave=1), [1000, 2000, 4000])
    assert len(filters.log_band_corners(44100, 512, 27.5, 27.5 * 2**7, bins_per_octave=12)) == 85


@pytest.mark.parametrize(
    "n_fft, bins_per_octave, f_min, f_max, bands",
    [(1024, 12, 30, 17000, 69), (2048, 12, 30, 17000, 81), (4096, 12, 30, 17000, 91), (4096, 24, 30, 10000, 144)],
)
def test_corners_on_the_ffts_bins_are_madmoms(n_fft, bins_per_octave, f_min, f_max, bands):
    """LogarithmicFilterbank, by its description: unique nearest bins, rows that rise from s, peak at c and end at e."""
    i = np.arange(-200, 200)
    tuned = 440 * 2.0 ** (i / bins_per_octave)
    tuned = tuned[(tuned >= f_min) & (tuned <= f_max)]
    grid = np.arange(n_fft // 2) * 44100 / n_fft
    bins = sorted({int(np.abs(grid - f).argmin()) for f in tuned})
    expected = np.zeros((len(bins) - 2, n_fft // 2 + 1))
    for row, (s, c, e) in zip(expected, zip(bins, bins[1:], bins[2:], strict=False), strict=True):
        row[s:c] = np.linspace(0, 1, c - s, endpoint=False)
        row[c:e] = np.linspace(1, 0, e - c, endpoint=False)
        row /= row.sum()
    numbers = {
        "n_fft": n_fft,
        "f_min": f_min,
        "f_max": f_max,
        "bins_per_octave": bins_per_octave,
        "corners": "fft_bins",
    }
    assert len(expected) == bands == LogBandSpectrogram(**numbers).n_bins
    assert_allclose(filters.log_band_bank(44100, **numbers, norm="area"), expected, atol=1e-12)
    assert_allclose(LogBandSpectrogram(**numbers).frequencies, grid[bins[1:-1]])
    assert LogBandSpectrogram(**numbers).empty_filters == 0


def test_no_corner_lies_at_half_the_sample_rate():
    """A note at half the sample rate goes to the last bin below it."""
    corners = filters.log_band_corners(28160, 512, 110.0, 14080.0, corners="fft_bins")
    assert corners[-1] == 255 * 28160 / 512
    assert not filters.log_band_bank(28160, 512, 110.0, corners="fft_bins")[:, -1].any()


# As any other front-end


NUMBERS = {"n_fft": 1024, "hop_length": 256, "f_min": 60.0, "f_max": 9000.0, "norm": "slaney"}


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 3.0])
def test_log_bands_are_the_definition(power, pad_mode):
    x = synthesised_music()[None]
    corners = 60 * 2 ** (np.arange(200) / 12)
    corners = corners[corners <= 9000]
    bank = triangles(corners, np.fft.rfftfreq(1024, 1 / SAMPLE_RATE)) * (2 / (corners[2:] - corners[:-2]))[:, None]
    expected = bank @ np.abs(fft(x, 1024, 256, pad_mode)) ** power
    for options in ({}, {"engine": "direct"}, {"accuracy": "exact"}):
        front_end = LogBandSpectrogram(**NUMBERS, power=power, pad_mode=pad_mode, **options)
        assert front_end.empty_filters == (bank.sum(1) == 0).sum() > 0
        assert relative_l2(front_end(torch.from_numpy(x).float()), expected) < 1e-5
        assert relative_l2(front_end.log(torch.from_numpy(x), 1e-3), np.log(expected + 1e-3)) < 1e-9


@pytest.mark.parametrize("options", [{}, {"accuracy": "fast", "n_fft": 2048, "f_max": 4000.0}, {"trainable": True}])
def test_the_cost_is_what_pytorch_carries_out(options):
    front_end, clip = LogBandSpectrogram(**{**NUMBERS, **options}), torch.randn(1, 16384)
    with torch.no_grad():
        front_end.log(clip, 1e-5)  # makes the tables
        with Counter() as counter:
            front_end.log(clip, 1e-5)
    assert front_end.multiply_adds(16384) == pytest.approx(counter.total, rel=0.03)


@pytest.mark.parametrize("trainable", [True, "bank", "kernels"])
def test_trained_log_bands_are_frozen_as_they_are(trainable):
    x = torch.from_numpy(synthesised_music()[None]).float()
    trained = LogBandSpectrogram(**NUMBERS, trainable=trainable, nonnegative=True, symmetric=True)
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * parameter.abs().max() * torch.randn_like(parameter))
    frozen = trained.frozen()
    assert type(frozen) is LogBandSpectrogram and not frozen.state_dict()
    assert relative_l2(frozen(x), trained(x).detach().numpy()) < 1e-5
    assert relative_l2(frozen(x), LogBandSpectrogram(**NUMBERS, symmetric=True)(x).numpy()) > 0.01
