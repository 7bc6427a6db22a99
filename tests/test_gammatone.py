"""The gammatone spectrogram: its weights against filters in time, the ear's bandwidths, and nnAudio's."""

import functools

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, synthesised_music
from definition import fft, relative_l2
from numpy.testing import assert_allclose
from test_multiply_adds import Counter

from sweep import filters
from sweep.transforms import Gammatone

RATE, SECONDS = 16000, 0.5  # in half a second the longest filter, of 25 ERB, has died away by a factor of exp(-79)
T = np.arange(int(RATE * SECONDS)) / RATE
CENTRES = filters.erb_frequencies(20, 60.0, 7000.0)


def widths(f: np.ndarray) -> np.ndarray:
    """Glasberg and Moore 1990, by their own two numbers."""
    return 24.7 * (4.37 * f / 1000 + 1)


def response(h: np.ndarray, f: np.ndarray, t: np.ndarray = T) -> np.ndarray:
    """|DTFT| of impulse responses (filters, samples) at frequencies in Hz: (filters, frequencies)."""
    return np.abs(h @ np.exp(-2j * np.pi * np.outer(t, f)))


@functools.cache
def weights(rate: float, n_fft: int, n_bands: int, f_min: float, f_max: float) -> np.ndarray:
    """Slaney's four sections, a^n (cos v n + r sin v n), their transforms multiplied; 1 at the centres."""
    shift, t = 9.26449 * 24.7, np.arange(int(rate * SECONDS)) / rate
    centres = (f_min + shift) * ((f_max + shift) / (f_min + shift)) ** (np.arange(n_bands) / n_bands) - shift
    decay = np.exp(-2 * np.pi * 1.019 * (centres / 9.26449 + 24.7)[:, None] * t)
    angle = 2 * np.pi * centres[:, None] * t
    f, found = np.fft.rfftfreq(n_fft, 1 / rate), 1.0
    for r in (np.sqrt(3 + 2**1.5), -np.sqrt(3 + 2**1.5), np.sqrt(3 - 2**1.5), -np.sqrt(3 - 2**1.5)):
        h = decay * (np.cos(angle) + r * np.sin(angle))
        found = found * response(h, f, t) / np.diagonal(response(h, centres, t))[:, None]
    return found


def test_centres_are_equally_many_erbs_apart():
    """On Glasberg and Moore's scale, 21.4 log10(4.37 f / 1000 + 1), whose numbers have three digits."""
    for n_bands, low, high in ((64, 0.0, 11025.0), (30, 100.0, 8000.0)):
        f = filters.erb_frequencies(n_bands, low, high)
        assert f.shape == (n_bands,) and f[0] == pytest.approx(low, abs=1e-9)
        steps = np.diff(21.4 * np.log10(4.37 * np.append(f, high) / 1000 + 1))
        assert_allclose(steps, steps.mean(), rtol=1e-3)
    assert_allclose(filters.erb(f), widths(f), rtol=1e-3)


def test_the_weights_are_slaneys_four_sections():
    bank = filters.gammatone_bank(RATE, 512, 20, 60.0, 7000.0, norm=None)
    assert_allclose(bank, weights(RATE, 512, 20, 60.0, 7000.0), rtol=1e-9, atol=1e-13)
    assert_allclose(filters.gammatone_bank(RATE, 512, 20, 60.0, 7000.0), bank / 512, rtol=1e-15)


def test_the_weights_are_a_gammatone_filters():
    """t^3 exp(-2 pi 1.019 ERB t) cos(2 pi f t), sampled: but for what aliases, which the sections do otherwise."""
    f = np.fft.rfftfreq(2048, 1 / RATE)
    h = T**3 * np.exp(-2 * np.pi * 1.019 * widths(CENTRES)[:, None] * T) * np.cos(2 * np.pi * CENTRES[:, None] * T)
    expected = response(h, f) / np.diagonal(response(h, CENTRES))[:, None]
    bank = filters.gammatone_bank(RATE, 2048, 20, 60.0, 7000.0, norm=None)
    error = np.abs(bank - expected).max(1)
    assert error[:19].max() < 5e-3  # 4e-3 of the lowest; 14e-3 of the one next to half the sample rate
    assert error[3:14].max() < 7e-4


def test_the_filters_are_as_wide_as_the_ear():
    """The power that white noise leaves behind a filter is that of a rectangle of one ERB: what 1.019 is for."""
    bank = filters.gammatone_bank(RATE, 4096, 20, 60.0, 7000.0, norm=None)
    found = (bank**2).sum(1) * RATE / 4096
    assert_allclose(found[:19], widths(CENTRES)[:19], rtol=5e-3)  # 4e-3
    on_a_bin = filters.gammatone_bank(RATE, 1600, 20, 1000.0, 7000.0, norm=None)
    assert on_a_bin[0, 100] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("library", ["nnAudio", "nnAudio2"])
@pytest.mark.parametrize("options", [{}, {"fmin": 30.0, "fmax": 9000.0, "n_bins": 40, "n_fft": 1024, "power": 1.0}])
def test_nnaudios(library, options):
    """Their weights are kept in float32; the largest difference is 8e-7."""
    features = pytest.importorskip(f"{library}.features")
    x = torch.from_numpy(synthesised_music()[None]).float()
    theirs = features.Gammatonegram(sr=SAMPLE_RATE, verbose=False, **options)(x).numpy()
    names = {"fmin": "f_min", "fmax": "f_max", "n_bins": "n_bands"}
    ours = Gammatone(**{"f_min": 0.0} | {names.get(key, key): value for key, value in options.items()})
    assert relative_l2(ours(x), theirs) < 2e-6
    assert relative_l2(ours(x.double()), theirs) < 2e-6
    assert_allclose(ours._bank, features.gammatone.get_gammatone(SAMPLE_RATE, ours.n_fft, ours.n_bins, **{
        key: options.get(key, default) for key, default in (("fmin", 0.0), ("fmax", None))}), rtol=2e-7)  # fmt: skip


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_the_definition_at_three_accuracies(power, pad_mode):
    x = synthesised_music()[None]
    numbers = {"n_fft": 1024, "hop_length": 256, "n_bands": 30, "f_min": 100.0, "f_max": 9000.0, "norm": None}
    bank = weights(SAMPLE_RATE, 1024, 30, 100.0, 9000.0)
    expected = bank @ np.abs(fft(x, 1024, 256, pad_mode)) ** power
    for options in ({}, {"engine": "direct"}, {"accuracy": "exact"}, {"accuracy": "fast"}):
        front_end = Gammatone(**numbers, power=power, pad_mode=pad_mode, **options)
        assert front_end.empty_filters == 0 and front_end.hop == 256  # every bin counts: at no lower rate
        assert relative_l2(front_end(torch.from_numpy(x).float()), expected) < 1e-6  # 3e-7
        assert relative_l2(front_end.log(torch.from_numpy(x), 1e-3), np.log(expected + 1e-3)) < 1e-12
    assert_allclose(front_end.frequencies, filters.erb_frequencies(30, 100.0, 9000.0))


def test_the_cost_is_what_pytorch_carries_out():
    for n_fft in (1024, 2048):
        front_end, clip = Gammatone(n_fft=n_fft), torch.randn(1, 16384)
        with torch.no_grad():
            front_end.log(clip, 1e-5)  # makes the tables
            with Counter() as counter:
                front_end.log(clip, 1e-5)
        assert front_end.multiply_adds(16384) == pytest.approx(counter.total, rel=0.03)


@pytest.mark.parametrize("trainable", [True, "bank", "kernels"])
def test_what_was_trained_is_frozen_as_it_is(trainable):
    x = torch.from_numpy(synthesised_music()[None]).float()
    trained = Gammatone(n_fft=512, n_bands=20, trainable=trainable, nonnegative=True)
    assert relative_l2(trained(x).detach(), Gammatone(n_fft=512, n_bands=20)(x).numpy()) < 1e-5
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(0.1 * parameter.abs().max() * torch.randn_like(parameter))
    frozen = trained.frozen()
    assert type(frozen) is Gammatone and not frozen.state_dict()
    assert relative_l2(frozen(x), trained(x).detach().numpy()) < 1e-5
