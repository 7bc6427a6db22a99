"""Variable-Q kernels and transforms beside those of librosa and nnAudio, run here or stored from a recording."""

import functools

import numpy as np
import pytest
import torch
from conftest import SHARED
from test_vqt import ALPHA, SEVEN_OCTAVES, SR, distance, music

from sweep import filters
from sweep.transforms import CQT, VQT

each_gamma = pytest.mark.parametrize("gamma", [0, 20.0, None], ids=str)  # as librosa takes it
each_scale = pytest.mark.parametrize("filter_scale", [0.5, 1.0, 2.0])


def stored(name: str) -> dict[str, np.ndarray]:
    """What a library made of a recording, by key."""
    path = SHARED / "systems" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(np.load(path))


# Kernels


@each_gamma
@each_scale
def test_lengths_are_librosas(filter_scale, gamma):
    librosa = pytest.importorskip("librosa")
    options = {"freqs": SEVEN_OCTAVES[:60], "sr": SR, "gamma": gamma, "filter_scale": filter_scale}
    lengths, _ = librosa.filters.wavelet_lengths(**options)
    bank = {"gamma": "erb" if gamma is None else gamma, "filter_scale": filter_scale, "bandwidth": "both_bins"}
    kernels = filters.constant_q_kernels("hann", SEVEN_OCTAVES[:60], 12, SR, **bank)
    assert (kernels.lengths == np.floor(lengths / 2) + np.ceil(lengths / 2)).all()
    without = filters.constant_q_kernels("hann", SEVEN_OCTAVES[:60], 12, SR, norm="none", **bank)
    np.testing.assert_allclose(kernels.scales / without.scales, np.sqrt(lengths), rtol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 10.0, "erb"])
@pytest.mark.parametrize("theirs, ours", [(1, 1), (2, 2), (np.inf, "peak"), (None, "none")], ids=str)
def test_taps_are_librosas(theirs, ours, gamma):
    librosa = pytest.importorskip("librosa")
    gamma_there = None if gamma == "erb" else gamma
    options = {"freqs": SEVEN_OCTAVES[24:48], "sr": SR, "gamma": gamma_there, "norm": theirs, "dtype": np.complex128}
    expected, _ = librosa.filters.wavelet(**options)
    bank = {"norm": "none", "bandwidth": "both_bins", "gamma": gamma, "basis_norm": ours}
    kernels = filters.constant_q_kernels("hann", SEVEN_OCTAVES[24:48], 12, SR, **bank)
    lags = expected.shape[1] // 2 - np.arange(expected.shape[1])  # librosa multiplies from the end backwards
    actual = np.stack([kernels.taps(k, lags) for k in range(24)])
    np.testing.assert_allclose(actual, expected, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("window", ["hann", "hamming", "blackman", "boxcar", "bartlett", "nuttall"])
@pytest.mark.parametrize("theirs, ours", [(1, 1), (2, 2), (np.inf, "peak"), (0, "length")], ids=str)
def test_taps_are_nnaudios(theirs, ours, window):
    utils = pytest.importorskip("nnAudio.utils")
    q, options = 0.7 / ALPHA[12], {"n_bins": 20, "norm": theirs, "window": window, "gamma": 15.0}
    expected, width, lengths, _ = utils.create_cqt_kernels(q, SR, 110.0, **options)
    bank = {"norm": "none", "gamma": 15.0, "filter_scale": 0.7, "basis_norm": ours}
    kernels = filters.constant_q_kernels(window, 110.0 * 2 ** (np.arange(20) / 12), 12, SR, **bank)
    assert (kernels.lengths == lengths.numpy()).all()
    actual = np.stack([kernels.taps(k, np.arange(width) - width // 2) for k in range(20)])
    # Theirs are float32, and turn the other way.
    np.testing.assert_allclose(actual.conj(), expected, atol=2e-7 * np.abs(expected).max())


# librosa's


@each_gamma
@each_scale
@pytest.mark.parametrize("bank", [(65.4, 12, 77, 512), (27.5, 36, 108, 512), (65.4, 12, 84, 200)], ids=str)
def test_it_is_librosas(bank, filter_scale, gamma):
    """Whole octaves and not, three halvings before the top one, fewer halvings than octaves.

    Between 0.913 of half the lower rate and half of it our filter and soxr_hq let unlike shares through: 2e-6 of the
    values where the rate is halved little, 2e-4 with bins as wide as filter_scale 0.5 and 20 Hz make them.
    """
    librosa = pytest.importorskip("librosa")
    f_min, bins_per_octave, n_bins, hop_length = bank
    numbers = {"hop_length": hop_length, "n_bins": n_bins, "bins_per_octave": bins_per_octave}
    x = music()[0].numpy()
    theirs = librosa.vqt(x, sr=SR, fmin=f_min, gamma=gamma, filter_scale=filter_scale, **numbers)
    options = {"gamma": "erb" if gamma is None else gamma, "filter_scale": filter_scale, "f_min": f_min, **numbers}
    ours = VQT(sample_rate=SR, bandwidth="both_bins", algorithm="librosa", output="complex", **options)(music())
    assert distance(ours, theirs) < 3e-4


@pytest.mark.parametrize("gamma, filter_scale, early", [(0, 1, 2), (100, 1, 1), (0, 0.3, 1)])
def test_wide_bins_forbid_a_halving_before_the_top_octave(gamma, filter_scale, early):
    """The top bin, at 1,310 Hz, would reach over an eighth of half the rate, 1,378 Hz."""
    librosa = pytest.importorskip("librosa")
    options = {"gamma": gamma, "filter_scale": filter_scale, "n_bins": 24}
    f_min = 1310 / 2 ** (23 / 12)
    theirs = librosa.vqt(music()[0].numpy(), sr=SR, fmin=f_min, **options)
    numbers = {"sample_rate": SR, "f_min": f_min, "bandwidth": "both_bins", "output": "complex"}
    ours = VQT(algorithm="librosa", **numbers, **options)
    assert ours.engine.stages == [early, early + 1]
    assert distance(ours(music()), theirs) < 2e-4


@pytest.mark.parametrize("theirs, ours", [(2, 2), (np.inf, "peak"), (None, "none")], ids=str)
def test_librosas_norms_are_those_of_each_octaves_own_rate(theirs, ours):
    librosa = pytest.importorskip("librosa")
    expected = librosa.vqt(music()[0].numpy(), sr=SR, fmin=65.4, norm=theirs)
    options = {"sample_rate": SR, "f_min": 65.4, "bandwidth": "both_bins", "basis_norm": ours, "output": "complex"}
    assert distance(VQT(algorithm="librosa", **options)(music()), expected) < 2e-4  # 1e-4


def test_librosas_of_a_recording():
    """2e-5 and 4e-5; the sum itself, without librosa's filter and its least 1 %, is 1.6e-2 apart."""
    of_it = stored("librosa_vqt")
    x, some = torch.from_numpy(of_it["input"]).double(), of_it["stage_frame_index"]
    options = {"sample_rate": SR, "f_min": 32.70319566257483, "bandwidth": "both_bins"}
    assert distance(VQT(algorithm="librosa", **options)(x), of_it["output"]) < 1e-4
    assert distance(VQT(algorithm="librosa", output="complex", **options)(x)[:, some], of_it["complex"]) < 1e-4
    assert distance(CQT(algorithm="librosa", output="complex", **options)(x)[:, some], of_it["cqt_complex"]) < 1e-4
    assert 0.01 < distance(VQT(**options)(x), of_it["output"]) < 0.02


# nnAudio's


@pytest.mark.parametrize("basis_norm, named", [(1, 1), (2, 2), (np.inf, "peak"), (0, "length")], ids=str)
@pytest.mark.parametrize("gamma, filter_scale, bins", [(0, 1, 48), (10, 1, 43), (50, 0.5, 48)])
def test_it_is_nnaudios(gamma, filter_scale, bins, basis_norm, named):
    """Without early downsampling, where the hop is divisible once for each halving."""
    theirs = pytest.importorskip("nnAudio.features.vqt").VQT
    options = {"n_bins": bins, "gamma": gamma, "filter_scale": filter_scale, "pad_mode": "reflect"}
    layer = theirs(sr=SR, fmin=110.0, basis_norm=basis_norm, earlydownsample=False, verbose=False, **options)
    ours = VQT(sample_rate=SR, f_min=110.0, basis_norm=named, algorithm="nnaudio", **options)
    assert distance(ours(music().float()), layer(music().float())) < 2e-6  # 5e-7


def test_without_gamma_nnaudio2s_is_the_sum_itself():
    theirs = pytest.importorskip("nnAudio2.features.vqt").VQT
    layer = theirs(sr=SR, fmin=110.0, n_bins=48, gamma=0, basis_norm=2, pad_mode="constant", verbose=False)
    ours = VQT(sample_rate=SR, f_min=110.0, n_bins=48, gamma=0, basis_norm=2, accuracy="exact")
    assert distance(ours(music().float()), layer(music().float())) < 1e-5


def test_nnaudios_of_a_recording():
    """5e-7; the sum itself, without half a sample's advance at each halving, is 2e-2 and 3e-2 apart."""
    of_vqt, of_cqt = stored("nnaudio_vqt"), stored("nnaudio_cqt")
    x, some = torch.from_numpy(of_vqt["input"]), of_vqt["stage_frame_index"]
    options = {"sample_rate": SR, "f_min": 32.70, "pad_mode": "reflect"}
    assert distance(VQT(gamma=10.0, algorithm="nnaudio", **options)(x), of_vqt["output"]) < 2e-6
    assert distance(VQT(gamma=0.0, algorithm="nnaudio", **options)(x)[:, some], of_vqt["gamma0"]) < 2e-6
    assert 0.01 < distance(VQT(gamma=10.0, **options)(x), of_vqt["output"]) < 0.03
    x, some = torch.from_numpy(of_cqt["input"]), of_cqt["stage_frame_index"]
    assert distance(CQT(accuracy="exact", **options)(x), of_cqt["output"]) < 1e-5  # 4e-6
    assert distance(CQT(accuracy="exact", output="complex", **options)(x)[:, some], of_cqt["complex"]) < 1e-5
    assert distance(CQT(algorithm="nnaudio", **options)(x)[:, some], of_cqt["cqt2010v2"]) < 2e-6


def test_where_nnaudios_is_another():
    """Its early downsampling leaves the kernels at the first rate; a hop that halving rounds moves the frames."""
    theirs = functools.partial(pytest.importorskip("nnAudio.features.vqt").VQT, verbose=False, pad_mode="constant")
    numbers = {"sr": SR, "fmin": 110.0, "n_bins": 48, "gamma": 10}
    tone = torch.sin(2 * np.pi * 440 / SR * torch.arange(16384.0))[None]
    for early, heard in ((True, 880.0), (False, 440.0)):
        layer = theirs(**numbers, earlydownsample=early)
        assert layer.frequencies[int(layer(tone)[0, :, 16].argmax())] == pytest.approx(heard)
    ours = functools.partial(VQT, sample_rate=SR, f_min=110.0, n_bins=48, gamma=10.0, algorithm="nnaudio")
    for hop_length, low, high in ((512, 0, 2e-6), (500, 0.05, 0.5)):
        layer = theirs(**numbers, hop_length=hop_length, earlydownsample=False)
        assert low < distance(ours(hop_length=hop_length)(music().float()), layer(music().float())) < high
    given = [theirs(**numbers, earlydownsample=False, **options) for options in ({}, {"window": "boxcar", "fmax": 300})]
    assert torch.equal(*(layer(music().float()) for layer in given))  # both without effect
    assert not list(theirs(**numbers, trainable=True).parameters())
