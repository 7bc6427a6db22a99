"""center=False, frames that lie whole in the clip, and output="phase", beside other libraries and sums written out."""

import librosa
import nnAudio.features
import numpy as np
import pytest
import torch
from conftest import DEVICES

from sweep.transforms import CQT, STFT, VQT, FilterBank, Gammatone, LogBandSpectrogram, MelSpectrogram

RATE = 8000
SMALL = {"sample_rate": RATE, "hop_length": 96}  # 96 divides no half window below, so zeros go before the clip
ALL = {
    "grid": (STFT, {**SMALL, "n_fft": 256}),
    "log, banded": (STFT, {**SMALL, "n_fft": 256, "scale": "log", "f_max": 3000.0, "n_bins": 40, "engine": "banded"}),
    "mel": (MelSpectrogram, {**SMALL, "n_fft": 256, "n_mels": 20}),
    "log bands": (LogBandSpectrogram, {**SMALL, "n_fft": 256, "f_min": 100.0}),
    "gammatone": (Gammatone, {**SMALL, "n_fft": 256, "n_bands": 20}),
    "cqt": (CQT, {**SMALL, "f_min": 400.0, "n_bins": 13, "bins_per_octave": 6}),
    "cqt, spectral": (CQT, {**SMALL, "f_min": 400.0, "n_bins": 13, "bins_per_octave": 6, "engine": "spectral"}),
    "vqt": (VQT, {**SMALL, "f_min": 400.0, "n_bins": 13, "bins_per_octave": 6, "gamma": 40.0}),
    "bank": (FilterBank, {"frequencies": [500.0], "taps": [np.hanning(31)], "hop_length": 96}),
}
LENGTHS = {"cqt": 164, "cqt, spectral": 164, "vqt": 90, "bank": 31}  # samples of a frame; n_fft in the others
every = pytest.mark.parametrize("name", ALL)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("win_length", [None, 200])
@pytest.mark.parametrize("samples", [256, 351, 352, 4000])
def test_stft_is_torchs(samples, win_length):
    x, window = noise(2, samples), torch.hann_window(win_length or 256, dtype=torch.float64)
    expected = torch.stft(x, 256, 96, win_length, window=window, center=False, return_complex=True)
    actual = STFT(**SMALL, n_fft=256, win_length=win_length, output="complex", center=False)(x)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_mel_is_librosas():
    x = noise(3000)
    options = {"n_fft": 256, "hop_length": 96, "n_mels": 20}
    expected = librosa.feature.melspectrogram(y=x.numpy(), sr=RATE, center=False, **options)
    actual = MelSpectrogram(sample_rate=RATE, center=False, **options)(x)
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-6)  # its bank is float32


def test_constant_q_is_nnaudios_on_its_own_frames():
    """nnAudio's are as long as the power of two above the longest kernel, which lies in their middle."""
    numbers = {"hop_length": 96, "n_bins": 24, "bins_per_octave": 12}
    theirs = nnAudio.features.CQT1992v2(sr=RATE, fmin=400, center=False, verbose=False, **numbers)
    ours = CQT(sample_rate=RATE, f_min=400.0, center=False, accuracy="exact", **numbers)
    x = noise(1, 4000).float()
    later = theirs.kernel_width // 2 - -(-ours.context // 2)  # samples by which its first centre comes later
    expected = theirs(x)
    actual = ours(x[:, later:])[..., : expected.shape[-1]]
    assert later > 0 and float((actual - expected).norm() / expected.norm()) < 1e-5


def test_a_bank_of_filters_is_the_sum_of_its_taps():
    rng, x = np.random.default_rng(0), noise(500).numpy()
    taps, lags = [rng.normal(size=7), rng.normal(size=20) + 1j * rng.normal(size=20)], [-3, 5]
    bank = FilterBank(frequencies=[1.0, 2.0], taps=taps, first_lags=lags, hop_length=16, output="complex", center=False)
    centres = 3 + 16 * np.arange(1 + (500 - 28) // 16)  # lags -3 .. 24
    expected = [[x[c + lag : c + lag + len(t)] @ t for c in centres] for lag, t in zip(lags, taps, strict=True)]
    np.testing.assert_allclose(bank(torch.from_numpy(x)).numpy(), expected, atol=1e-12)


@every
def test_whole_frames_are_the_centred_ones_of_a_clip_that_begins_at_a_centre(name):
    """Cut at its first frame's centre, less a whole number of hops, a clip has the same frames, centred."""
    make, numbers = ALL[name]
    x, before = noise(2, 3000).float(), LENGTHS.get(name, 256) // 2
    whole, expected = make(**numbers, center=False)(x), make(**numbers)(x[:, before % 96 :])
    some = slice(before // 96, before // 96 + whole.shape[-1])
    torch.testing.assert_close(whole[..., 1:], expected[..., some][..., 1:], rtol=1e-3, atol=1e-3 * float(whole.max()))


@every
def test_gradients_and_counts_at_the_shortest_clip(name):
    make, numbers = ALL[name]
    transform, shortest = make(**numbers, center=False), LENGTHS.get(name, 256)
    assert [transform.n_frames(n) for n in (shortest, shortest + 95, shortest + 96)] == [1, 1, 2]
    x = torch.zeros(2, shortest, requires_grad=True)
    y = transform.log(x, 1e-5)
    assert y.shape == (2, transform.n_bins, 1)
    assert torch.autograd.grad(y.sum(), x)[0].isfinite().all()
    said = f"a clip of {shortest - 1} samples holds no whole frame of {shortest}; choose a longer clip, or center=True"
    with pytest.raises(ValueError, match=said):
        transform(x[:, 1:])


def test_what_contradicts_whole_frames():
    with pytest.raises(ValueError, match="max_samples 5000: with center=False all taps meet a sample; choose None"):
        CQT(trainable=True, max_samples=5000, center=False)
    with pytest.raises(ValueError, match="center 1"):
        MelSpectrogram(center=1)


# Phase

PHASES = {
    "grid": (STFT, {**SMALL, "n_fft": 256}),
    "log": (STFT, {**SMALL, "n_fft": 256, "scale": "log", "f_max": 3000.0, "n_bins": 40}),
    "cqt": (CQT, {**SMALL, "f_min": 400.0, "n_bins": 13, "bins_per_octave": 6}),
    "bank": (FilterBank, {"frequencies": [500.0], "taps": [np.exp(0.4j * np.arange(31))], "hop_length": 96}),
}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", PHASES)
def test_the_phase_is_the_angle_of_the_complex_output(name, device):
    make, numbers = PHASES[name]
    x = noise(2, 2000).to(device).requires_grad_()
    phase, values = (make(**numbers, output=output).to(device)(x) for output in ("phase", "complex"))
    torch.testing.assert_close(phase, torch.atan2(values.imag, values.real), rtol=0, atol=1e-12)
    assert torch.autograd.grad(phase.sum(), x)[0].isfinite().all()
    silence = torch.zeros(1, 2000, device=device, requires_grad=True)
    phase = make(**numbers, output="phase").to(device)(silence)
    assert not phase.any() and torch.autograd.grad(phase.sum(), silence)[0].isfinite().all()


@pytest.mark.parametrize("output", ["complex", "phase"])
def test_a_logarithm_of_complex_values_is_refused(output):
    with pytest.raises(ValueError, match=f"output '{output}' has no logarithm here; choose output=\"magnitude\""):
        STFT(output=output).log(torch.zeros(4096), 1e-5)
