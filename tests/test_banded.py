"""The banded engine and the lower rate, against sums written out here, over settings that the 34 rows do not have."""

import numpy as np
import pytest
import torch
from conftest import DEVICES, SAMPLE_RATE, synthesised_music

from sweep.engines.banded import _shares
from sweep.engines.framing import lower_hop, resample
from sweep.transforms import CQT, STFT, MelSpectrogram

WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "boxcar": (1.0,),
}
BARS = {"exact": 1e-5, "high": 1e-4, "fast": 1e-3}


def framed(x: np.ndarray, window: str, n_fft: int, hop: int, pad_mode: str) -> np.ndarray:
    """(frames, n_fft): windowed frames of a padded clip."""
    padded = np.pad(x, n_fft // 2, mode=pad_mode)
    n = np.arange(n_fft)
    taper = sum((-1) ** j * a * np.cos(2 * np.pi * j * n / n_fft) for j, a in enumerate(WINDOWS[window]))
    return np.stack([padded[t * hop : t * hop + n_fft] * taper for t in range(1 + len(x) // hop)])


def magnitudes(frames: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """(bins, frames): the sum over each frame times exp(-2 pi i n f / sample_rate)."""
    n = np.arange(frames.shape[1])
    return np.abs(np.exp(-2j * np.pi * frequencies[:, None] * n / SAMPLE_RATE) @ frames.T)


SETTINGS = [
    ("hann", 2048, 512, 50, 6000, "constant"),
    ("hann", 2048, 512, 50, 6000, "reflect"),
    ("hann", 2048, 441, 50, 6000, "constant"),
    ("hann", 1024, 500, 0.0, 2000, "reflect"),
    ("hann", 4096, 1024, 1.0, 22050, "constant"),
    ("hann", 1536, 384, 100, 22050, "reflect"),
    ("hann", 1000, 250, 50, 3000, "constant"),
    ("blackman", 2048, 512, 50, 6000, "reflect"),
    ("hamming", 1024, 256, 50, 6000, "constant"),
    ("boxcar", 512, 128, 50, 6000, "constant"),
    ("hann", 64, 16, 50, 20000, "reflect"),
]


@pytest.mark.parametrize("accuracy", BARS)
@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: "-".join(map(str, s)))
def test_the_banded_engine_is_the_sum_written_out(settings, accuracy):
    window, n_fft, hop, f_min, f_max, pad_mode = settings
    x = synthesised_music()
    stft = STFT(
        n_fft=n_fft, hop_length=hop, window=window, scale="linear", n_bins=150, f_min=f_min, f_max=f_max,
        pad_mode=pad_mode, engine="banded", accuracy=accuracy,
    )  # fmt: skip
    expected = magnitudes(framed(x, window, n_fft, hop, pad_mode), stft.frequencies)
    actual = stft(torch.from_numpy(x).float()).numpy()
    assert actual.shape == expected.shape
    assert np.linalg.norm(actual - expected) < BARS[accuracy] * np.linalg.norm(expected)


def test_phase_and_gradient_are_the_direct_engines_definition():
    x = torch.from_numpy(synthesised_music()[:6000]).requires_grad_()
    numbers = {"n_fft": 1024, "hop_length": 256, "scale": "log", "n_bins": 40, "output": "complex"}
    stft = STFT(**numbers, engine="banded", accuracy="exact")
    frames = framed(x.detach().numpy(), "hann", 1024, 256, "reflect")
    n = np.arange(1024)
    expected = np.exp(-2j * np.pi * stft.frequencies[:, None] * n / SAMPLE_RATE) @ frames.T
    actual = stft(x)
    assert np.linalg.norm(actual.detach().numpy() - expected) < 1e-5 * np.linalg.norm(expected)
    weight = torch.randn(expected.shape, dtype=torch.complex128)
    (gradient,) = torch.autograd.grad((actual * weight).real.sum(), x)
    direction = torch.randn(6000, dtype=torch.float64)
    with torch.no_grad():  # the output is linear in the clip, so a difference is its slope
        slope = ((stft(x + direction) - stft(x)) * weight).real.sum()
    torch.testing.assert_close(gradient @ direction, slope, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("f_max", [2000.0, 6000.0, 20000.0])
@pytest.mark.parametrize(
    ("n_fft", "hop", "pad_mode"), [(2048, 512, "reflect"), (4096, 441, "constant"), (512, 128, "reflect")]
)
def test_mel_at_a_lower_rate_is_mel(n_fft, hop, pad_mode, f_max):
    x = torch.from_numpy(synthesised_music())
    numbers = {"n_fft": n_fft, "hop_length": hop, "n_mels": 60, "f_min": 50.0, "f_max": f_max, "pad_mode": pad_mode}
    fast, high = MelSpectrogram(**numbers, accuracy="fast"), MelSpectrogram(**numbers)
    frames = framed(x.numpy(), "hann", n_fft, hop, pad_mode)
    power = np.abs(np.fft.rfft(frames)) ** 2
    bank = np.zeros((60, n_fft // 2 + 1))
    bank[:, high.used] = high._bank
    expected = bank @ power.T
    for mel, bar in ((fast, 1e-3), (high, 1e-6)):
        assert np.linalg.norm(mel(x.float()).numpy() - expected) < bar * np.linalg.norm(expected)
    assert (fast.hop < hop) == (n_fft >= 2048 and f_max <= 6000 and hop != 441)


def test_resampling_keeps_a_tone_where_it_is():
    t = np.arange(16384) / SAMPLE_RATE
    tone = torch.from_numpy(np.sin(2 * np.pi * 1000 * t) * np.hanning(16384))[None]
    low = resample(tone, 512, 160)
    t = np.arange(low.shape[1]) * 512 / 160 / SAMPLE_RATE
    envelope = np.interp(t * SAMPLE_RATE, np.arange(16384), np.hanning(16384), right=0.0)
    expected = np.sin(2 * np.pi * 1000 * t) * envelope * 512 / 160
    np.testing.assert_allclose(low[0].numpy(), expected, atol=1e-4)


def test_a_lower_rate_is_taken_where_it_holds_all_and_saves_something():
    assert lower_hop(512, 6000 / 44100, 4096, 2048) == 144  # half of 12,403 Hz
    assert lower_hop(512, 6300 / 44100, 4096, 2048) == 160
    assert lower_hop(512, 0.4, 4096, 2048) == 512
    assert lower_hop(441, 6000 / 44100, 2048, 1024) == 441  # 441 is odd: no other rate has whole windows


def test_kernels_of_many_lengths_are_refused():
    with pytest.raises(ValueError, match='engine "banded" needs kernels of one length'):
        CQT(engine="banded")
    with pytest.raises(ValueError, match='engine "banded" has no taps to train'):
        STFT(scale="log", engine="banded", trainable=True)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("samples", [5000, 20_000])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize(
    "n_fft, hop_length, f_max", [(1024, 512, 6000), (1024, 512, 20_000), (1000, 300, 6000), (8192, 512, 22_050)]
)
def test_the_way_back_to_the_clip(n_fft, hop_length, f_max, pad_mode, samples, dtype, device):
    """With a lower rate and without, frames that begin at a hop and between two, bins down to 0 Hz."""
    settings = {"scale": "linear", "n_bins": 20, "f_min": 1, "f_max": f_max, "pad_mode": pad_mode}
    banded = STFT(n_fft=n_fft, hop_length=hop_length, sample_rate=44_100, engine="banded", **settings).engine
    assert (banded.hop < hop_length) == (f_max == 6000)
    x = torch.randn(2, samples, dtype=torch.float64, requires_grad=True)
    points, count = banded._points(x)
    by_points = torch.randn_like(points)
    (expected,) = torch.autograd.grad(points, x, by_points)
    actual = banded._points_back(by_points.to(device, dtype).view(2, count, -1, 2), samples).cpu().double()
    bound = 1e-12 if dtype == torch.float64 else 2e-6
    torch.testing.assert_close(actual, expected, rtol=0, atol=bound * expected.abs().max().item())


@pytest.mark.parametrize("length, edges", [(8, [0, 4]), (9, [0])])
def test_no_irfft_is_given_imaginary_parts_where_there_can_be_none(length, edges):
    """At 0 Hz and half the rate: the CPU ignores them, cuFFT does not at every length."""
    shares = _shares(length)
    assert shares.shape == (length // 2 + 1, 2) and not shares[edges, 1].any()
    spectrum = torch.fft.rfft(torch.eye(length, dtype=torch.float64))  # the transpose of rfft, column by column
    rows = torch.view_as_real(spectrum).flatten(1).T.view(-1, length)
    unit = torch.view_as_complex(torch.eye(len(rows), dtype=torch.float64).view(len(rows), -1, 2) * shares)
    torch.testing.assert_close(torch.fft.irfft(unit, length, norm="forward"), rows)
