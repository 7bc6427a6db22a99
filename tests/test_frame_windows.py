"""Windows of SciPy and our own, their length, symmetry and normalisation, grids without 0 Hz: against others' sums."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, synthesised_music
from definition import frames, inner_products, relative_l2, wave
from numpy.testing import assert_allclose, assert_array_equal

from sweep import filters
from sweep.filters import windows
from sweep.transforms import STFT, LogBandSpectrogram, MelSpectrogram

SCIPYS = ["blackmanharris", "flattop", "triang", ("kaiser", 14.0), ("general_gaussian", 1.5, 90.0), ("dpss", 2.5)]
MIDDLE = ("shifted_gaussian", 1 / 3, 0.27)


def music() -> torch.Tensor:
    return torch.from_numpy(synthesised_music()[None, :9000])


def taper(name, length: int, symmetric: bool = False) -> np.ndarray:
    """The window as SciPy has it; a shifted Gaussian by its formula."""
    if name[0] == "shifted_gaussian":
        return np.exp(-0.5 * ((np.arange(length) - name[1] * length) / (name[2] * length / 2)) ** 2)
    return pytest.importorskip("scipy.signal").get_window(name, length, fftbins=not symmetric)


def spectrum(x, frequencies, n_fft: int, hop_length: int, window: np.ndarray, pad_mode: str = "reflect") -> np.ndarray:
    """(clips, bins, frames) complex, by the sum, a window shorter than n_fft in the middle of zeros."""
    left = (n_fft - len(window)) // 2
    lags = np.arange(len(window)) + left - n_fft // 2
    taps = window * wave(frequencies, SAMPLE_RATE, lags + n_fft // 2)
    return inner_products(frames(x.numpy(), lags, hop_length, pad_mode), taps)


# The windows themselves


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("length", [1, 2, 7, 441, 2048])
@pytest.mark.parametrize("name", [*SCIPYS[:5], "hann", "hamming", "blackman", "boxcar"], ids=str)
def test_windows_are_scipys(name, length, symmetric):
    if length == 1 and not symmetric and isinstance(name, str) and name in filters.WINDOWS:
        return  # a period of one sample, of which ours is the formula's
    expected = taper(name, length, symmetric)
    assert_allclose(filters.window(name, length, symmetric=symmetric), expected, atol=1e-15)
    assert_array_equal(filters.window(list(name) if type(name) is tuple else [name], length, symmetric=symmetric),
                       filters.window(name, length, symmetric=symmetric))  # fmt: skip


def test_a_symmetric_hann_window_is_numpys():
    for length in (1, 2, 5, 2048):
        assert_allclose(filters.window("hann", length, symmetric=True), np.hanning(length), atol=1e-15)


def test_a_shifted_gaussian_is_its_formula():
    n, length = np.arange(4096), 4096
    expected = np.exp(-0.5 * ((n - length / 6) / (0.25 * length / 2)) ** 2)
    assert_allclose(filters.window(("shifted_gaussian", 1 / 6, 0.25), length), expected, rtol=1e-12)


@pytest.mark.parametrize("name", [("kaiser", 14.0), MIDDLE, "hann"], ids=str)
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_window_is_zero_outside_itself(name, symmetric):
    if name is MIDDLE and symmetric:
        return
    whole = filters.window(name, 100, symmetric=symmetric)
    positions = np.array([[-101, -1, 0], [37, 99, 100]])
    expected = [[0, 0, whole[0]], [whole[37], whole[99], 0]]
    assert_array_equal(filters.window(name, 100, positions, symmetric), expected)


def test_between_its_samples_a_window_of_scipys_has_no_value():
    assert filters.has_formula("hann") and filters.has_formula(MIDDLE) and not filters.has_formula(("kaiser", 14.0))
    assert_allclose(filters.window(MIDDLE, 100, np.array([12.5])), filters.window(MIDDLE, 200)[25:26], rtol=1e-12)
    with pytest.raises(ValueError, match="SciPy gives no values between its samples"):
        filters.window("blackmanharris", 100, np.array([12.5]))


def test_a_window_can_be_hashed_and_written_into():
    @dataclass(frozen=True)
    class Row:
        window: windows.Window

    assert hash(Row(filters.as_window(["general_cosine", [0.5, 0.5]]))) is not None
    assert filters.as_window(["kaiser", 14.0]) == ("kaiser", 14.0) and filters.as_window(["hann"]) == "hann"
    first = filters.window("triang", 8)
    first[:] = 0
    assert filters.window("triang", 8).all()


def test_without_scipy_one_line_says_so(monkeypatch):
    windows._scipys.cache_clear()
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    with pytest.raises(ValueError) as caught:
        STFT(window=["kaiser", 14.0])
    text = str(caught.value)
    assert "('kaiser', 14.0)" in text and "pip install scipy" in text and "\n" not in text
    STFT(window="blackman")
    STFT(window=MIDDLE)


# In a front-end


FRAMES = [
    {"window": "blackmanharris"},
    {"window": ["kaiser", 14.0], "win_length": 700},
    {"window": MIDDLE, "normalized": "window"},
    {"window": "hann", "symmetric": True, "win_length": 999, "normalized": "frame_length"},
    {"window": "hamming", "win_length": 401, "normalized": "window"},
    {"window": "hann", "normalized": "none", "win_length": 2},
]


def described(settings: dict, n_fft: int) -> np.ndarray:
    """The normalised window of some settings, win_length samples."""
    name = settings["window"]
    window = taper(
        tuple(name) if type(name) is list else name, settings.get("win_length", n_fft), "symmetric" in settings
    )
    by = {"window": np.sum(window**2), "frame_length": n_fft}.get(settings.get("normalized"), 1)
    return window / np.sqrt(by)


@pytest.mark.parametrize("settings", FRAMES, ids=str)
@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_stft_is_torchs(settings, pad_mode):
    x, window = music(), torch.from_numpy(described({**settings, "normalized": "none"}, 1024))
    options = {"win_length": len(window), "window": window, "return_complex": True, "pad_mode": pad_mode}
    expected = torch.stft(x, 1024, 256, **options, normalized=settings.get("normalized") == "frame_length").numpy()
    if settings.get("normalized") == "window":
        expected = expected / np.sqrt((window.numpy() ** 2).sum())
    for first, bins in ((0, None), (1, None), (1, 512), (3, 40), (512, 1)):
        numbers = {"n_fft": 1024, "hop_length": 256, "first_bin": first, "n_bins": bins, "pad_mode": pad_mode}
        part = expected[:, first : None if bins is None else first + bins]
        for engine in ("auto", "direct"):
            stft = STFT(**numbers, **settings, output="complex", engine=engine)
            assert relative_l2(stft(x), part) < 1e-12
            assert_allclose(stft.frequencies, np.fft.rfftfreq(1024, 1 / SAMPLE_RATE)[first:][: stft.n_bins])
        for output, power in (("magnitude", 1), ("power", 2)):
            error = np.abs(STFT(**numbers, **settings, output=output)(x.float()).numpy() - np.abs(part) ** power)
            assert np.linalg.norm(error) < 1e-6 * np.linalg.norm(np.abs(expected) ** power)


BARS = {"exact": 1e-5, "high": 1e-4, "fast": 1e-3}


@pytest.mark.parametrize("accuracy", BARS)
@pytest.mark.parametrize("settings", FRAMES[:5], ids=str)
@pytest.mark.parametrize("scale, engine", [("linear", "banded"), ("log", "spectral"), ("log", "auto")])
def test_other_frequencies_are_the_sum_written_out(scale, engine, settings, accuracy):
    numbers = {"n_fft": 2048, "hop_length": 512, "scale": scale, "n_bins": 60, "f_min": 50.0, "f_max": 6000.0}
    stft = STFT(**numbers, **settings, engine=engine, accuracy=accuracy, output="complex")
    expected = spectrum(music(), stft.frequencies, 2048, 512, described(settings, 2048))
    assert relative_l2(stft(music()), expected) < BARS[accuracy]


def test_a_window_without_a_formula_stays_at_the_clips_rate():
    settings = {"n_fft": 2048, "scale": "linear", "f_max": 4000.0, "engine": "banded"}
    assert STFT(**settings).engine.hop < 512 == STFT(**settings, window="blackmanharris").engine.hop
    settings = {"n_fft": 4096, "f_max": 4000.0, "accuracy": "fast"}
    assert MelSpectrogram(**settings, win_length=2048).hop < 512 == MelSpectrogram(**settings, symmetric=True).hop
    assert MelSpectrogram(**settings, win_length=2047).hop == 512  # at a lower rate it would not be whole


@pytest.mark.parametrize("front_end", [MelSpectrogram, LogBandSpectrogram])
@pytest.mark.parametrize("settings", FRAMES[:5], ids=str)
def test_bands_are_sums_of_the_same_magnitudes(front_end, settings):
    for power in (1.0, 2.0):
        numbers = {"n_fft": 1024, "hop_length": 256, "f_min": 100.0, "power": power, **settings}
        bands = front_end(**numbers)
        bank = np.zeros((bands.n_bins, 513))
        bank[:, bands.used] = bands._bank
        expected = bank @ np.abs(spectrum(music(), np.fft.rfftfreq(1024, 1 / SAMPLE_RATE), 1024, 256,
                                          described(settings, 1024))) ** power  # fmt: skip
        for engine in ("auto", "direct"):
            assert relative_l2(front_end(**numbers, engine=engine)(music().float()), expected) < 1e-5


@pytest.mark.parametrize("front_end", [MelSpectrogram, LogBandSpectrogram])
@pytest.mark.parametrize(
    "settings", [{"win_length": 2048}, {"normalized": "window"}, {"window": ("blackman")}], ids=str
)
def test_a_lower_rate_changes_little(front_end, settings):
    numbers = {"n_fft": 4096, "f_min": 200.0, "f_max": 4000.0, **settings}
    fast, high = front_end(**numbers, accuracy="fast"), front_end(**numbers)
    assert fast.hop < high.hop == 512
    assert relative_l2(fast(music().float()), high(music()).numpy()) < 1e-3


def test_mel_with_a_shorter_window_is_librosas():
    librosa = pytest.importorskip("librosa")
    numbers = {"n_fft": 2048, "hop_length": 512, "win_length": 1200, "n_mels": 80}
    options = {"y": music()[0].numpy(), "sr": SAMPLE_RATE, "pad_mode": "reflect", "window": ("kaiser", 14.0)}
    expected = librosa.feature.melspectrogram(**numbers, **options)
    mel = MelSpectrogram(**numbers, window=("kaiser", 14.0))
    assert relative_l2(mel(music()), expected[None]) < 1e-6  # librosa's bank is float32


@pytest.mark.parametrize("settings", FRAMES[:5], ids=str)
def test_the_inverse_gives_the_waveform_back(settings):
    stft = STFT(n_fft=1024, hop_length=100, output="complex", **settings)
    assert relative_l2(stft.inverse(stft(music()), length=9000), music().numpy()) < 1e-10


def test_the_inverse_is_for_the_whole_grid():
    with pytest.raises(ValueError, match="n_bins 1024 has no inverse"):
        STFT(first_bin=1, output="complex").inverse(torch.zeros(1024, 4, dtype=torch.complex64))
