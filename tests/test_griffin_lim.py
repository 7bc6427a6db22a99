"""griffin_lim finds phases for a magnitude as librosa does; bands become a magnitude that is nearer than librosa's."""

import librosa
import numpy as np
import pytest
import torch
from conftest import DEVICES, synthesised_music
from definition import relative_l2

from sweep.transforms import MFCC, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram


def music(dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.from_numpy(synthesised_music()).to(dtype)


def off(front_end: torch.nn.Module, y: torch.Tensor, values: torch.Tensor) -> float:
    """Spectral convergence: how far the magnitude of a waveform is from what it should be, as a share of it."""
    return float((front_end(y) - values).norm() / values.norm())


# The same as others


@pytest.mark.parametrize("momentum", [0.0, 0.99])
@pytest.mark.parametrize(
    "numbers",
    [
        {}, {"pad_mode": "reflect"}, {"win_length": 600, "window": "hamming"}, {"window": "blackman"},
        {"length": 16384}, {"hop_length": 200},
    ],
    ids=str,
)  # fmt: skip
def test_librosa(numbers, momentum):
    """From phases of 0 the same waveform: 7e-14 after eight iterations, in which rounding grows."""
    options = {"hop_length": 256, "pad_mode": "constant", **numbers}
    length = options.pop("length", None)
    stft = STFT(n_fft=1024, **options)
    magnitude = stft(music())
    theirs = librosa.griffinlim(
        magnitude.numpy(), n_iter=8, n_fft=1024, momentum=momentum, init=None, length=length, **options
    )
    y = stft.griffin_lim(magnitude, length=length, n_iter=8, momentum=momentum, rand_init=False)
    assert relative_l2(y[None], theirs[None]) < 1e-12


@pytest.mark.parametrize("normalized", [False, "window"])
def test_written_out_with_torch(normalized):
    """torch.stft and torch.istft by turns, with torchaudio's steps; a window's norm changes nothing but the scale."""
    window = torch.hann_window(512, dtype=torch.float64)
    options = {"n_fft": 512, "hop_length": 128, "window": window}
    stft = STFT(n_fft=512, hop_length=128, normalized=normalized)
    magnitude = stft(music())
    plain = magnitude * window.square().sum().sqrt() if normalized else magnitude
    phases, before = torch.ones_like(plain).to(torch.complex128), 0
    for _ in range(5):
        spectrum = torch.stft(torch.istft(plain * phases, **options), return_complex=True, **options)
        phases = spectrum - 0.9 / 1.9 * before
        phases, before = phases / (phases.abs() + 1e-16), spectrum
    expected = torch.istft(plain * phases, **options)
    y = stft.griffin_lim(magnitude, n_iter=5, momentum=0.9, rand_init=False)
    assert relative_l2(y[None], expected[None].numpy()) < 1e-9


# How near it comes


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rand_init", [True, False])
def test_it_comes_nearer(rand_init, device):
    """The method of 1984 never moves away; the fast one is nearer after as many iterations."""
    stft, found = STFT(n_fft=1024, hop_length=256).to(device), {}
    magnitude = stft(music(torch.float32).to(device))
    for momentum in (0.0, 0.99):
        for n_iter in (1, 2, 4, 8, 16, 32):
            generator = torch.Generator(device).manual_seed(0)
            options = {"momentum": momentum, "rand_init": rand_init, "generator": generator}
            y = stft.griffin_lim(magnitude, length=16384, n_iter=n_iter, **options)
            found[momentum, n_iter] = off(stft, y, magnitude)
    plain = [value for (momentum, _), value in found.items() if not momentum]
    assert plain == sorted(plain, reverse=True)
    assert found[0.99, 32] < 0.8 * found[0.0, 32] and found[0.99, 32] < 0.2


@pytest.mark.parametrize("numbers", [{"center": False}, {"normalized": "frame_length"}, {"hop_length": 100}], ids=str)
def test_other_frames(numbers):
    stft = STFT(n_fft=512, **{"hop_length": 128, **numbers})
    magnitude = stft(music())
    y = stft.griffin_lim(magnitude, n_iter=32, rand_init=False)
    assert stft(y).shape == magnitude.shape and off(stft, y, magnitude) < 0.25


# As a module's other half


def test_power_leading_dimensions_and_an_empty_batch():
    clips = music().view(2, 2, 4096)
    options = {"length": 4096, "n_iter": 4, "rand_init": False}
    stft, power = STFT(n_fft=512, hop_length=128), STFT(n_fft=512, hop_length=128, output="power")
    y = stft.griffin_lim(stft(clips), **options)
    assert y.shape == clips.shape and y.dtype == torch.float64
    assert torch.allclose(power.griffin_lim(power(clips), **options), y, atol=1e-9)
    assert torch.allclose(stft.griffin_lim(stft(clips[1, 0]), **options), y[1, 0])
    assert stft.griffin_lim(torch.zeros(0, 3, 257, 9)).shape == (0, 3, 1024)
    assert stft.griffin_lim(stft(clips).half()).dtype == torch.float32


def test_random_phases_come_from_the_generator_and_momentum_from_numpy():
    stft = STFT(n_fft=512, hop_length=128)
    magnitude = stft(music())
    exact, single = (
        stft.griffin_lim(magnitude, n_iter=2, momentum=half, rand_init=False) for half in (0.5, np.float32(0.5))
    )
    torch.testing.assert_close(exact, single, rtol=1e-6, atol=1e-6)
    once, again, other = (
        stft.griffin_lim(magnitude, n_iter=2, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(once, again) and not torch.allclose(once, other, atol=1e-3)


def test_silence_and_the_gradient():
    """The gradient is that of the last inverse, the phases held; where a frame is silent it is finite."""
    for output in ("magnitude", "power"):
        stft = STFT(n_fft=64, hop_length=16, output=output)
        clip = torch.cat([torch.zeros(300), music(torch.float32)[:300]])
        for x in (clip, torch.zeros(600)):
            magnitude = stft(x).requires_grad_()
            y = stft.griffin_lim(magnitude, n_iter=4, rand_init=False)
            y.square().sum().backward()
            assert y.isfinite().all() and magnitude.grad.isfinite().all()
        assert torch.equal(y, torch.zeros_like(y))
    stft = STFT(n_fft=64, hop_length=16)
    magnitude = stft(music()[:600]).requires_grad_()
    y = stft.griffin_lim(magnitude, n_iter=4, rand_init=False)
    y.square().sum().backward()  # y is linear in the magnitude at phases held, so <gradient, magnitude> = 2 |y|^2
    assert float((magnitude.grad * magnitude.detach()).sum()) == pytest.approx(float(2 * y.detach().square().sum()))


# Bands


@pytest.mark.parametrize(
    "front_end, bar",
    [
        (MelSpectrogram(n_mels=128), 0.02),
        (MelSpectrogram(n_mels=128, power=1.0, n_fft=1024, hop_length=256), 0.01),
        (MelSpectrogram(n_mels=512, n_fft=2048), 0.02),  # 128 of them empty
        (LogBandSpectrogram(), 0.02),
        (MelSpectrogram(n_mels=40, f_min=200.0, f_max=4000.0, trainable="bank"), 0.01),
        (Gammatone(), 0.005),
        (Gammatone(n_bands=128), 0.005),  # neighbours overlap so far that the bank's condition number is 4e17
        (Gammatone(n_bands=128, f_max=6000.0), 0.005),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, torch.nn.Module) else str(it),
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_magnitude_with_these_bands(front_end, bar, dtype):
    """Summed over the bands again, 32 iterations give them within 0.1 to 1.5 %, in float32 too."""
    with torch.no_grad():
        bands = front_end(music(dtype))
    magnitude = front_end.stft_magnitude(bands)
    assert magnitude.shape == (front_end.n_fft // 2 + 1, bands.shape[-1]) and (magnitude >= 0).all()
    bank = front_end.trainable_bank()
    bank = torch.from_numpy(front_end._bank) if bank is None else bank.detach().double()
    again = bank @ magnitude[front_end.used].double() ** front_end.power
    assert float((again - bands).norm() / bands.norm()) < bar


def test_mel_bands_are_met_as_docs_reference_inverse_says():
    """Within 0.5 %: 0.39 % in float64."""
    mel = MelSpectrogram(n_mels=128)
    bands = mel(music())
    again = torch.from_numpy(mel._bank) @ mel.stft_magnitude(bands)[mel.used].square()
    assert float((again - bands).norm() / bands.norm()) < 0.005


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_bands_beside_librosa(power):
    """Nearer to the magnitude and, by far, to the bands: in float32 librosa's search does not leave its first guess."""
    x = music(torch.float32)
    mel, stft = MelSpectrogram(pad_mode="constant", power=power), STFT(pad_mode="constant")
    bank = torch.from_numpy(mel._bank).float()
    bands, true = mel(x), stft(x)
    ours = mel.stft_magnitude(bands)
    theirs = torch.from_numpy(librosa.feature.inverse.mel_to_stft(bands.numpy(), sr=44100, power=power))
    assert (ours - true).norm() < 0.95 * (theirs - true).norm()

    def missed(magnitude: torch.Tensor) -> float:
        return float((bank @ magnitude[mel.used] ** power - bands).norm())

    assert missed(ours) < 0.2 * missed(theirs)


def test_coefficients_beside_librosa():
    """As many coefficients as bands give the bands again; of fewer, the magnitude is as near as librosa's."""
    x = music(torch.float32)
    bands, whole = MelSpectrogram(n_mels=40, n_fft=1024), MFCC(n_mfcc=40, n_mels=40, n_fft=1024, lifter=22.0)
    assert torch.allclose(whole._bands(whole(x)), bands(x).clamp(min=float(bands(x).max()) * 1e-8), rtol=1e-3)
    few, true = MFCC(n_mfcc=20, pad_mode="constant"), STFT(pad_mode="constant")(x)
    mel = librosa.feature.inverse.mfcc_to_mel(few(x).numpy())
    theirs = torch.from_numpy(librosa.feature.inverse.mel_to_stft(mel, sr=44100))
    assert (few.stft_magnitude(few(x)) - true).norm() < 1.05 * (theirs - true).norm()


def test_bands_of_silence():
    mel = MelSpectrogram(n_fft=512, hop_length=128, n_mels=40)
    assert torch.equal(mel.griffin_lim(mel(torch.zeros(2, 1000)), length=1000), torch.zeros(2, 1000))


# What it cannot do it says


@pytest.mark.parametrize(
    "front_end, given, parts",
    [
        (STFT(scale="log"), {}, ['scale="fft"']),
        (STFT(n_fft=64, trainable=True), {}, ["trainable=False"]),
        (STFT(n_fft=64, hop_length=16, output="phase"), {}, ['output "phase"', 'output="magnitude"']),
        (STFT(n_fft=64), {"magnitude": torch.ones(33, 9, dtype=torch.complex64)}, ["complex64", "inverse"]),
        (STFT(n_fft=64), {"magnitude": torch.ones(9, 33)}, ["(9, 33)", "(..., 33, frames)"]),
        (STFT(n_fft=64, hop_length=16), {"momentum": 1.0}, ["momentum", "1.0"]),
        (STFT(n_fft=64, hop_length=16), {"n_iter": 0}, ["n_iter", "0"]),
        (STFT(n_fft=64, hop_length=64), {}, ["too little to tell it"]),
        (MelSpectrogram(n_fft=64, n_mels=8, trainable="kernels"), {"spectrogram": torch.ones(8, 9)}, ["trainable"]),
        (MelSpectrogram(n_fft=64, n_mels=8), {"spectrogram": torch.ones(9, 8)}, ["(9, 8)", "(..., 8, frames)"]),
    ],
    ids=lambda it: type(it).__name__ if isinstance(it, torch.nn.Module) else str(it)[:40],
)
def test_errors(front_end, given, parts):
    given = given if "spectrogram" in given else {"magnitude": torch.ones(33, 9), **given}
    with pytest.raises(ValueError) as caught:
        front_end.griffin_lim(**given)
    assert [part for part in parts if part not in str(caught.value)] == [] and "\n" not in str(caught.value)


def test_numpy_is_named():
    with pytest.raises(TypeError, match="magnitude"):
        STFT().griffin_lim(np.ones((1025, 9)))


@pytest.mark.parametrize("front_end", [STFT(n_fft=256), MelSpectrogram(n_fft=256, n_mels=20)])
def test_decibels_and_logarithms_are_refused(front_end):
    values = front_end(torch.randn(3000)).log()
    with pytest.raises(ValueError, match="with values down to -.*: needs none below 0; undo a logarithm or decibels"):
        front_end.griffin_lim(values)
