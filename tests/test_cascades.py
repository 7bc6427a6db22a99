"""Constant-Q transforms as librosa and nnAudio evaluate them, and librosa's lengths: against the libraries themselves,
their sums written out in NumPy, and what the code of published systems made.
"""

import functools

import numpy as np
import pytest
import torch
from conftest import SHARED, synthesised_music
from definition import frames, relative_l2, wave

from sweep import filters
from sweep.filters.cascades import CASCADES, sparse_taps
from sweep.transforms import CQT

SR = 22050
LIBROSA = {"sample_rate": SR, "bandwidth": "both_bins", "algorithm": "librosa"}
# Bins per octave and bins: whole octaves; an incomplete lowest one; three halvings before the top octave; hops that
# allow all halvings, three of them, and none.
BANKS = {
    "seven octaves": (65.4, 24, 168, 512),
    "incomplete": (65.4, 12, 77, 512),
    "early": (27.5, 36, 108, 512),
    "hop of 200": (65.4, 12, 84, 200),
    "odd hop": (65.4, 12, 60, 441),
}
each_bank = pytest.mark.parametrize("bank", BANKS)
# Lowest bin, bins per octave, bins, hop and harmonics of librosa's systems, the padding before librosa 0.9 apart.
HARMONICS = (0.5, 1, 2, 3, 4, 5)
SYSTEMS = {"deep_salience": (32.7, 60, 360, 256, HARMONICS), "fretnet": (82.41, 36, 144, 512, HARMONICS)}


@functools.cache
def music() -> np.ndarray:
    """(16384,) float64, four chords."""
    return synthesised_music()


def stored(name: str) -> dict[str, np.ndarray]:
    """What a system's code made, by key."""
    path = SHARED / "systems" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(np.load(path))


def decibels(magnitude: np.ndarray) -> np.ndarray:
    """From 80 dB below the maximum, 0, to the maximum, 1: librosa.amplitude_to_db(ref=max) / 80 + 1."""
    level = 20 * np.log10(np.maximum(magnitude, 1e-5)) - 20 * np.log10(magnitude.max())
    return np.maximum(level, -80) / 80 + 1


def share_within(actual: np.ndarray, expected: np.ndarray) -> float:
    """Share of the values that lie within 0.3 % of the span of what was expected, its outermost values left out."""
    span = np.subtract(*np.percentile(expected, [99.9, 0.1]))
    return float((np.abs(actual - expected) <= 0.003 * span).mean())


def values(x: np.ndarray, **settings) -> np.ndarray:
    return CQT(**settings)(torch.from_numpy(x)).double().numpy()


# Lengths


@pytest.mark.parametrize("window", ["hann", "blackman"])
@pytest.mark.parametrize("bins_per_octave", [12, 36, 60])
def test_kernels_of_both_bins_are_librosas(bins_per_octave, window):
    wavelets = pytest.importorskip("librosa").filters
    frequencies = filters.constant_q_frequencies(2 * bins_per_octave, bins_per_octave, 55.0, SR)
    expected, lengths = wavelets.wavelet(freqs=frequencies, sr=SR, window=window, norm=1, dtype=np.complex128)
    kernels = filters.constant_q_kernels(window, frequencies, bins_per_octave, SR, bandwidth="both_bins")
    # librosa multiplies from the end backwards.
    lags = expected.shape[1] // 2 - np.arange(expected.shape[1])
    actual = np.stack([kernels.taps(k, lags) for k in range(len(kernels))])
    np.testing.assert_allclose(actual, np.sqrt(lengths)[:, None] * expected, atol=1e-10)
    without = filters.constant_q_kernels(window, frequencies, bins_per_octave, SR, "none", "both_bins")
    np.testing.assert_allclose(kernels.scales / without.scales, np.sqrt(lengths), rtol=1e-12)


def test_the_sum_over_both_bins():
    """Written out, of every engine: Hann over floor(L / 2) + ceil(L / 2) samples, the root of L itself."""
    frequencies, x = 110.0 * 2 ** (np.arange(48) / 12), music()[None, :6000]
    lengths = (2 ** (2 / 12) + 1) / (2 ** (2 / 12) - 1) * SR / frequencies
    lags, samples = np.arange(-2000, 2000), (np.floor(lengths / 2) + np.ceil(lengths / 2))[:, None]
    place = lags + np.floor(lengths / 2)[:, None]
    envelope = np.where((place >= 0) & (place < samples), 0.5 - 0.5 * np.cos(2 * np.pi * place / samples), 0)
    taps = np.sqrt(lengths)[:, None] / (samples / 2) * envelope * wave(frequencies, SR, lags)
    expected = np.abs(np.einsum("ctn,kn->ckt", frames(x, lags, 512, "constant"), taps))
    settings = {"sample_rate": SR, "f_min": 110.0, "n_bins": 48, "bandwidth": "both_bins", "accuracy": "exact"}
    for options in ({}, {"engine": "direct"}, {"engine": "spectral"}, {"algorithm": "1992v2"}, {"trainable": True}):
        actual = CQT(**settings, **options)(torch.from_numpy(x)).detach()
        assert relative_l2(actual, expected) < 1e-5


def test_an_unknown_bandwidth_is_named():
    with pytest.raises(ValueError, match="bandwidth .*both.*next_bin.*both_bins"):
        CQT(bandwidth="both")


# The libraries


@each_bank
def test_it_is_librosas(bank):
    """Its resampler, soxr_hq, is unlike our filter below 0.913 of half the lower rate only by 1e-6."""
    librosa = pytest.importorskip("librosa")
    f_min, bins_per_octave, n_bins, hop_length = BANKS[bank]
    numbers = {"hop_length": hop_length, "n_bins": n_bins, "bins_per_octave": bins_per_octave}
    expected = librosa.cqt(music(), sr=SR, fmin=f_min, **numbers)
    transform = CQT(**LIBROSA, f_min=f_min, output="complex", **numbers)
    assert relative_l2(transform(torch.from_numpy(music()))[None], expected[None]) < 2e-4  # 1e-4
    exact = CQT(**LIBROSA | {"algorithm": "exact"}, f_min=f_min, output="complex", accuracy="exact", **numbers)
    assert relative_l2(exact(torch.from_numpy(music()))[None], expected[None]) > 2e-3  # so it is no other sum


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("bank", ["seven octaves", "incomplete"])
def test_it_is_nnaudios(bank, pad_mode):
    nnaudio = pytest.importorskip("nnAudio.features.cqt")
    f_min, bins_per_octave, n_bins, hop_length = BANKS[bank]
    numbers = {"hop_length": hop_length, "n_bins": n_bins, "bins_per_octave": bins_per_octave, "pad_mode": pad_mode}
    x = torch.from_numpy(music()).float()
    theirs = nnaudio.CQT2010v2(sr=SR, fmin=f_min, earlydownsample=False, verbose=False, **numbers)
    ours = CQT(sample_rate=SR, f_min=f_min, algorithm="nnaudio", **numbers)
    assert relative_l2(ours(x)[None], theirs(x).numpy()) < 2e-5  # 2e-6


def test_the_low_passes():
    """nnAudio's is SciPy's; librosa's passes and stops what soxr_hq does."""
    signal = pytest.importorskip("scipy.signal")
    expected = signal.firwin2(256, [0, 0.5 / 1.001, 0.5 * 1.001, 1], [1, 1, 0, 0])
    np.testing.assert_allclose(CASCADES["nnaudio"].low_pass, expected, atol=1e-6)
    soxr = pytest.importorskip("soxr")
    impulse = np.zeros((8192, 2))
    impulse[4096, 0] = impulse[4095, 1] = 1  # even and odd samples of the answer
    answer = soxr.resample(impulse, 2, 1, quality="HQ").ravel()
    theirs, ours = (np.abs(np.fft.rfft(taps, 8192)) for taps in (answer, CASCADES["librosa"].low_pass))
    turns = np.arange(4097) / 8192
    assert np.abs(theirs - ours)[turns < 0.228].max() < 1e-5
    assert max(theirs[turns > 0.25].max(), ours[turns > 0.25].max()) < 2e-6


def test_sparse_taps_leave_out_a_share_of_the_spectrum():
    frequencies = filters.constant_q_frequencies(12, 12, 440.0, SR)
    kernels = filters.constant_q_kernels("hann", frequencies, 12, SR, "none", "both_bins")
    first, whole = sparse_taps(kernels, 0.0)
    lags = np.arange(first, first + whole.shape[1])
    same = np.stack([kernels.taps(k, lags) for k in range(12)])
    assert whole.shape == (12, 1024) and np.abs(whole - same).max() < 1e-3 * np.abs(same).max()  # no negative ones
    _, sparse = sparse_taps(kernels)
    before, after = (np.abs(np.fft.fft(taps)) for taps in (whole, sparse))
    left_out = (before - after).sum(axis=1) / before.sum(axis=1)
    assert (left_out < 0.01).all() and (left_out > 0.008).all()
    assert ((after > 1e-9).sum(axis=1) < 0.15 * 1024).all()


# Published systems


def test_tabcnn():
    """Magnitude of librosa.cqt; of the sum itself 98.0 % of the values are as near."""
    system = stored("tabcnn")
    x = (system["input"] / np.abs(system["input"].astype(np.float64)).max()).astype(np.float32)
    bank = {"f_min": system["freqs"][0], "n_bins": 192, "bins_per_octave": 24, "hop_length": 512}
    actual = values(x, **LIBROSA, **bank)
    assert share_within(actual, system["output"]) == 1 and np.abs(actual - system["output"]).max() < 2e-3


def test_deep_salience():
    """Six harmonics of librosa.cqt in dB; of the sum itself 75.9 % of the values are as near."""
    system, (f_min, bins_per_octave, n_bins, hop_length, harmonics) = stored("deep_salience"), SYSTEMS["deep_salience"]
    bank = {"n_bins": n_bins, "bins_per_octave": bins_per_octave, "hop_length": hop_length}
    channels = np.stack([values(system["input"], **LIBROSA, **bank, f_min=f_min * h) for h in harmonics])
    assert share_within(channels[..., system["stage_frame_index"]], system["spectrogram"]) > 0.9999
    assert share_within(decibels(channels)[..., system["frame_index"]], system["output"]) > 0.9995


def test_fretnet():
    """Six harmonics of librosa.vqt with gamma 0, run here: each in dB below its own maximum."""
    librosa = pytest.importorskip("librosa")
    (f_min, bins_per_octave, n_bins, hop_length, harmonics) = SYSTEMS["fretnet"]
    x = music() / np.sqrt((music() ** 2).mean())
    bank = {"n_bins": n_bins, "bins_per_octave": bins_per_octave, "hop_length": hop_length}
    for h in harmonics:
        expected = decibels(np.abs(librosa.vqt(x, sr=SR, gamma=0, fmin=f_min * h, **bank)))
        actual = decibels(values(x.astype(np.float32), **LIBROSA, **bank, f_min=f_min * h))
        assert share_within(actual, expected) > 0.999


def test_basic_pitch():
    """nnAudio's CQT2010v2, its logarithm between the least and the greatest; of the sum itself 77 % are as near."""
    system = stored("basic_pitch")
    bank = {"sample_rate": SR, "f_min": 27.5, "n_bins": 309, "bins_per_octave": 36, "hop_length": 256}
    actual = values(system["input"], **bank, pad_mode="reflect", algorithm="nnaudio")
    frames = system["stage_frame_index"]
    np.testing.assert_allclose(actual[:, frames], system["cqt"], atol=2e-6)
    level = 10 * np.log10(actual**2 + 1e-10)
    normalised = (level - level.min()) / (level.max() - level.min())
    assert share_within(normalised[:, frames], system["normalized_log"]) == 1


def test_hppnet():
    """nnAudio's CQT1992v2 is the sum itself; half a dB of true dB, down to 80 below the maximum."""
    system = stored("hppnet")
    bank = {"sample_rate": 16000, "f_min": 27.5 / 2 ** (1 / 24), "n_bins": 352, "bins_per_octave": 48}
    for options, least in (({}, 0.999), ({"accuracy": "exact"}, 1.0), ({"algorithm": "1992v2"}, 1.0)):
        actual = values(system["input"], **bank, hop_length=320, pad_mode="reflect", **options)
        level = 10 * np.log10(np.maximum(actual, 1e-10))
        level = np.maximum(level, level.max() - 80)[:, system["frame_index"]]
        assert share_within(level, system["output"]) >= least


# At the edges


@pytest.mark.parametrize("algorithm", ["librosa", "nnaudio"])
@pytest.mark.parametrize("samples", [1, 2, 100, 513, 3000])
def test_any_length(samples, algorithm):
    """What a longer clip of zeros gives, as far as its frames go, but for what the halvings cut off."""
    x = torch.from_numpy(music()[:samples])
    transform = CQT(sample_rate=SR, f_min=110.0, n_bins=60, hop_length=64, algorithm=algorithm)
    y = transform(x)
    assert y.shape == (60, 1 + samples // 64) and y.isfinite().all()
    longer = transform(torch.cat([x, x.new_zeros(4000)]))[:, : y.shape[1]]
    assert relative_l2(y[None, -12:], longer[None, -12:].numpy()) < 1e-9  # the top octave is not halved


def test_reflection_needs_a_clip_as_long_as_the_frames():
    transform = CQT(sample_rate=SR, f_min=55.0, n_bins=72, hop_length=512, algorithm="nnaudio", pad_mode="reflect")
    lag = -int(transform.engine.engines[-1].kernels.first_lags.min())
    reach = (lag + 1 << 5) - 1  # samples that five halvings leave no more than `lag` of
    assert transform(torch.randn(reach + 1)).isfinite().all()
    with pytest.raises(ValueError, match=f"a clip of {reach} samples is too short for reflect padding by {reach}"):
        transform(torch.randn(reach))


@pytest.mark.parametrize("algorithm", ["librosa", "nnaudio"])
def test_gradients_by_finite_differences(algorithm):
    settings = {"sample_rate": 8000, "hop_length": 24, "f_min": 300.0, "n_bins": 8, "bins_per_octave": 3}
    x = torch.randn(2, 60, dtype=torch.float64, requires_grad=True)
    for output in ("magnitude", "complex"):
        assert torch.autograd.gradcheck(CQT(**settings, algorithm=algorithm, output=output), x)
    silence = torch.zeros(1, 60, requires_grad=True)
    CQT(**settings, algorithm=algorithm)(silence).sum().backward()
    assert silence.grad.isfinite().all()


@pytest.mark.parametrize("algorithm, level", [("librosa", -80), ("nnaudio", -40)])
def test_the_level_of_aliasing(algorithm, level):
    """Tones above half the second octave's rate, mirrored onto its bins, against a tone at the bin's own frequency."""
    transform = CQT(sample_rate=SR, f_min=200.0, n_bins=48, hop_length=256, algorithm=algorithm)
    k = 30
    tones = np.array([*np.linspace(5520, 11020, 1200), transform.frequencies[k]])
    x = torch.from_numpy(np.cos(2 * np.pi * tones[:, None] / SR * np.arange(8192)))
    loudest = transform(x)[:, k, 8:24].amax(-1).numpy()
    measured = 20 * np.log10(loudest[:-1].max() / loudest[-1])
    assert transform.engine.aliasing(k) == pytest.approx(measured, abs=3)
    assert measured < level and transform.engine.aliasing(47) == -np.inf


@pytest.mark.parametrize("algorithm", ["librosa", "nnaudio"])
def test_it_cannot_be_trained_or_evaluated_otherwise(algorithm):
    with pytest.raises(ValueError, match=f'algorithm "{algorithm}" has no time-domain kernel for each bin to train'):
        CQT(algorithm=algorithm, trainable=True)
    with pytest.raises(ValueError, match='choose engine="auto"'):
        CQT(algorithm=algorithm, engine="direct")
