"""Combined frequency and periodicity: against its definition written out in NumPy, and what published code made."""

import numpy as np
import pytest
import torch
from conftest import SHARED, recorded_music, synthesised_music
from definition import relative_l2
from test_multiply_adds import Counter
from torch.autograd import gradcheck

from sweep import filters
from sweep.transforms import CFP

OMNIZART = {"rate": 44100, "n": 22050, "length": 7939, "hop": 882, "low": 27.5, "high": 4487.0, "rows": 48}
NNAUDIO = {"rate": 16000, "n": 8000, "length": 2049, "hop": 320, "low": 80.0, "high": 1000.0, "rows": 48}
SMALL = {"rate": 8000, "n": 512, "length": 200, "hop": 64, "low": 100.0, "high": 1000.0, "rows": 12}
POWERS = (0.24, 0.6, 1.0)


def cfp(numbers: dict, **options) -> CFP:
    names = dict(rate="sample_rate", n="n_fft", length="win_length", hop="hop_length", low="f_min", high="f_max")
    return CFP(**{names.get(key, "bins_per_octave"): value for key, value in numbers.items()}, **options)


def stored(name: str) -> dict[str, np.ndarray]:
    """What a system's code made, by key."""
    path = SHARED / "systems" / f"{name}.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    return dict(np.load(path))


def share_within(actual: np.ndarray, expected: np.ndarray) -> float:
    """Share of the values that lie within 0.3 % of the span of what was expected, its outermost values left out."""
    span = np.subtract(*np.percentile(expected, [99.9, 0.1]))
    return float((np.abs(actual - expected) <= 0.003 * span).mean())


# The definition


def triangles(rate, n, low, high, rows) -> tuple[np.ndarray, np.ndarray]:
    """The weights of spectrum and cepstrum, point by point, as Su's published code loops over them."""
    step = rate / n
    centres = [low * 2 ** (i / rows) for i in range(1000) if low * 2 ** (i / rows) < high]
    grid = rate * np.linspace(0, 0.5, n // 2)
    spectrum = np.zeros((len(centres) - 1, round(high / step) + 1))
    cepstrum = np.zeros((len(centres) - 1, round(rate / low) + 1))

    def weight(f: float, i: int) -> float:
        if centres[i - 1] < f < centres[i]:
            return (f - centres[i - 1]) / (centres[i] - centres[i - 1])
        if centres[i] < f < centres[i + 1]:
            return (centres[i + 1] - f) / (centres[i + 1] - centres[i])
        return 0.0

    for i in range(1, len(centres) - 1):
        left, right = round(centres[i - 1] / step), round(centres[i + 1] / step) + 1
        if left >= right - 1:
            spectrum[i, left] = 1
        else:
            spectrum[i, left:right] = [weight(grid[j], i) for j in range(left, right)]
        for j in range(round(rate / centres[i + 1]), round(rate / centres[i - 1]) + 1):
            cepstrum[i, j] = weight(rate / j, i)
    return spectrum, cepstrum


def defined(x: np.ndarray, rate, n, length, hop, low, high, rows, powers=POWERS, published=True) -> np.ndarray:
    """(samples,) -> (4, bins, frames): omnizart's, or nnAudio's, which keeps |X| and divides by the whole norm."""
    angle = 2 * np.pi * np.arange(length) / (length - 1)
    window = 0.35875 - 0.48829 * np.cos(angle) + 0.14128 * np.cos(2 * angle) - 0.01168 * np.cos(3 * angle)
    over_points, over_periods = triangles(rate, n, low, high, rows)
    columns = []
    for centre in range(0, len(x) + 1, hop):
        places = centre + np.arange(length) - (length - 1) // 2
        inside = (places >= 0) & (places < len(x) - published)
        frame = np.where(inside, x[np.clip(places, 0, len(x) - 1)] * window, 0)
        norm = np.linalg.norm(window[inside] if published else window)
        magnitude = np.abs(np.fft.fft(frame, n)) / (norm or 1)
        spectrum = magnitude ** powers[0]
        cepstrum = np.maximum(np.fft.fft(spectrum).real / np.sqrt(n), 0)
        cepstrum[: round(rate / high)] = cepstrum[-round(rate / high) :] = 0
        cepstrum **= powers[1]
        gcos = np.maximum(np.fft.fft(cepstrum).real / np.sqrt(n), 0)
        gcos[: round(low / rate * n)] = gcos[-round(low / rate * n) :] = 0
        gcos **= powers[2]
        points, periods = over_points.shape[1], over_periods.shape[1]
        shown = over_points @ (spectrum if published else magnitude)[:points]
        both = over_points @ gcos[:points], over_periods @ cepstrum[:periods]
        columns.append([both[0] * both[1], shown, *both])
    return np.array(columns).transpose(1, 2, 0)


@pytest.mark.parametrize("numbers", [OMNIZART, NNAUDIO, SMALL], ids=["omnizart", "nnaudio", "small"])
def test_the_triangles(numbers):
    rate, n, low, high, rows = (numbers[key] for key in ("rate", "n", "low", "high", "rows"))
    banks = filters.cfp_banks(rate, n, low, high, rows)
    for actual, expected in zip(banks, triangles(rate, n, low, high, rows), strict=True):
        np.testing.assert_allclose(actual, expected, atol=1e-12)
    np.testing.assert_allclose(cfp(numbers).frequencies, low * 2 ** (np.arange(len(expected)) / rows))


@pytest.mark.parametrize("name", ["blackmanharris", "hann", "hamming", "blackman", "boxcar"])
@pytest.mark.parametrize("length", [2, 7, 200])
def test_the_windows_are_scipys_symmetric_ones(name, length):
    signal = pytest.importorskip("scipy.signal")
    expected = signal.get_window(name, length, fftbins=False)
    np.testing.assert_allclose(filters.cfp_window(name, length), expected, atol=1e-14)


@pytest.mark.parametrize("powers", [POWERS, (1.0, 1.0, 0.5), (0.1, 2.0, 1.5)], ids=str)
@pytest.mark.parametrize("published", [True, False])
@pytest.mark.parametrize("samples", [1, 2, 64, 200, 5000])
def test_the_definition(samples, published, powers):
    x = synthesised_music()[:samples]
    options = {} if published else {"norm": "window", "spectrum": "magnitude"}
    actual = cfp(SMALL, powers=powers, **options)(torch.from_numpy(x)).numpy()
    expected = defined(x, **SMALL, powers=powers, published=published)
    assert actual.shape == expected.shape == (4, 39, 1 + samples // 64)
    for channel in range(4):
        np.testing.assert_allclose(actual[channel], expected[channel], atol=1e-7 * max(1, expected[channel].max()))


def test_omnizarts_numbers_in_both_precisions():
    """Its rounding in float32: the cepstrum's first values, which are left out, are thousands of times the others."""
    clips = np.concatenate([synthesised_music()[None], recorded_music()[:1]])
    expected = np.stack([defined(x, **OMNIZART) for x in clips])
    assert np.abs(CFP()(torch.from_numpy(clips)).numpy() - expected).max() < 1e-9
    actual = CFP()(torch.from_numpy(clips).float()).numpy()
    for channel in range(4):
        difference = np.abs(actual[:, channel] - expected[:, channel]) / expected[:, channel].max()
        assert difference.max() < 1e-3 and np.median(difference) < 1e-5


# Published code


def test_omnizart():
    """All cells, 0.06 % of the span apart at most: the published window stops two samples short."""
    system = stored("omnizart_music")
    actual = CFP()(torch.from_numpy(system["input"])).numpy()[..., 1:-1]
    assert actual.shape == (4, 352, len(system["times"]))
    np.testing.assert_allclose(CFP().frequencies, system["freqs"])
    for channel in range(4):
        kept = actual[channel][:, system["frame_index"]]
        assert share_within(kept, system["output"][channel]) == 1
    empty = np.flatnonzero(~actual[1].any(axis=1)).tolist()
    assert len(empty) == CFP().empty_filters == 21 and empty[:4] == [0, 3, 4, 8]
    assert (~actual[3].any(axis=1)).sum() == 44


def as_nnaudio(x: torch.Tensor, **numbers) -> torch.Tensor:
    """(..., 4, bins, frames) of the frames that nnAudio has: its window stands one sample earlier than ours."""
    powers = numbers.pop("powers", POWERS)
    values = cfp(numbers, norm="window", spectrum="magnitude", powers=powers)(torch.nn.functional.pad(x, (1, 0)))
    return values[..., : 1 + x.shape[-1] // numbers["hop"]]


def test_nnaudios():
    system = stored("nnaudio_cfp")
    actual = as_nnaudio(torch.from_numpy(system["input"]), **NNAUDIO).numpy()[..., 1:-1]
    assert actual.shape == (4, 174, len(system["times"]))
    # 1e-7 for the spectrum; of the others, whose float32 rounding a power below 1 magnifies, 4e-5.
    for channel, bar in enumerate((1e-4, 1e-6, 1e-4, 1e-4)):
        assert relative_l2(actual[channel][None, :, system["frame_index"]], system["output"][channel][None]) < bar


NNAUDIO_ASKED = [
    ({}, NNAUDIO),
    ({"fr": 4, "hop_length": 100, "window_size": 1024}, {**NNAUDIO, "n": 4000, "hop": 100, "length": 1024}),
    (
        {"fs": 22050, "fr": 3.0, "fc": 100, "tc": 1 / 2000, "NumPerOct": 24},
        {**NNAUDIO, "rate": 22050, "n": 7350, "low": 100.0, "high": 2000.0, "rows": 24},
    ),
    ({"g": [0.5, 1.0, 0.7], "window_size": 1001}, {**NNAUDIO, "length": 1001, "powers": (0.5, 1.0, 0.7)}),
]


@pytest.mark.parametrize("asked, numbers", NNAUDIO_ASKED, ids=["defaults", "fr", "fs", "g"])
@pytest.mark.filterwarnings("ignore")  # its division by 0, and torch's of an old way to call stft
def test_every_output_of_nnaudios_classes(asked, numbers, monkeypatch):
    features = pytest.importorskip("nnAudio.features.cfp")
    windows = pytest.importorskip("scipy.signal.windows")
    # nnAudio 0.3.4 calls a window by a name that SciPy dropped in 1.13.
    monkeypatch.setattr("scipy.signal.blackmanharris", windows.blackmanharris, raising=False)
    x = torch.from_numpy(synthesised_music()[:30001]).float()[None]
    actual = as_nnaudio(x, **numbers)[0]
    z, *others = features.Combined_Frequency_Periodicity(**asked)(x)
    # 1.6e-7 of tfrL0 and 3e-5 of Z, tfrLF and tfrLQ; either is 1e-7 and 2e-5 from float64.
    for channel, (theirs, bar) in enumerate(zip((z, *others), (1e-4, 1e-6, 1e-4, 1e-4), strict=True)):
        assert relative_l2(actual[None, channel, :, 1:-1], theirs.numpy()) < bar
    assert relative_l2(actual[None, 0], features.CFP(**asked)(x).numpy()) < 1e-4  # all frames


# As a module


def test_a_batch_gives_what_each_clip_gives_and_frames_do_not_depend_on_the_chunk(monkeypatch):
    x, transform = torch.from_numpy(synthesised_music()).float()[:8192].view(2, 4096), cfp(SMALL)
    whole = transform(x)
    assert whole.shape == (2, 4, 39, 65) and transform.n_channels == 4
    torch.testing.assert_close(torch.stack([transform(clip) for clip in x]), whole, rtol=1e-3, atol=1e-3)
    monkeypatch.setitem(__import__("sweep.transforms.cfp").transforms.cfp._CHUNK, "cpu", 1)
    torch.testing.assert_close(transform(x), whole, rtol=1e-3, atol=1e-3)


def test_the_logarithm():
    transform, x = cfp(SMALL), torch.from_numpy(synthesised_music()[:2000])
    torch.testing.assert_close(transform.log(x, 1e-5), torch.log(transform(x) + 1e-5))


@pytest.mark.parametrize("options", [{}, {"norm": "window", "spectrum": "magnitude"}, {"powers": (0.5, 1.0, 0.6)}])
def test_gradients_by_finite_differences(options):
    numbers = {"rate": 8000, "n": 64, "length": 21, "hop": 8, "low": 300.0, "high": 2500.0, "rows": 6}
    x = torch.randn(2, 40, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    assert gradcheck(cfp(numbers, **options), x, eps=1e-9, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_silence_is_zero_and_its_gradient_too(dtype):
    x = torch.zeros(2, 3000, dtype=dtype)
    x[1, 2000:] = torch.from_numpy(synthesised_music()[:1000])  # silence first, then music
    x.requires_grad_()
    for options in ({}, {"norm": "window", "spectrum": "magnitude"}):
        x.grad, transform = None, cfp(SMALL, **options)
        y = transform(x)
        assert not y[0].any() and not y[1, ..., :25].any() and y.isfinite().all()
        y.sum().backward()
        assert not x.grad[0].any() and x.grad.isfinite().all() and x.grad[1].any()


def test_the_multiply_adds_are_what_pytorch_carries_out():
    transform, x = CFP(), torch.randn(1, 16384)
    with torch.no_grad():
        transform(x)
        with Counter() as counter:
            transform(x)
    assert transform.multiply_adds(16384) == pytest.approx(counter.total, rel=0.05)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"n_fft": 22051}, "n_fft 22051 is odd"),
        ({"n_fft": 2000, "win_length": 1999}, "n_fft 2000 is too short for 27.5 to 4487 Hz; choose a longer n_fft"),
        ({"win_length": 22051}, "win_length 22051 > n_fft 22050; choose a shorter win_length or a longer n_fft"),
        ({"win_length": 1}, "win_length 1: needs a whole number of at least 2"),
        ({"f_max": 30000.0}, "f_max 30000 Hz > half the sample rate, 22050 Hz; choose a lower f_max"),
        ({"f_max": 28.0}, "f_min 27.5 and f_max 28: fewer than three bins of 48 per octave"),
        ({"f_max": 20.0}, "f_max"),
        ({"powers": (0.24, 0.6)}, r"powers \(0.24, 0.6\): needs three"),
        ({"powers": (0.24, 0.0, 1.0)}, "powers 0.0: needs a number above 0"),
        ({"norm": "none"}, "norm 'none': choose one of window_in_use, window"),
        ({"spectrum": "power"}, "spectrum 'power': choose one of compressed, magnitude"),
        ({"window": "kaiser"}, "window 'kaiser': choose one of"),
        ({"hop_length": 0}, "hop_length 0"),
    ],
)
def test_errors_name_the_argument_and_the_remedy(options, message):
    with pytest.raises(ValueError, match=message):
        CFP(**options)
