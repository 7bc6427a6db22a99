"""SincNet and LEAF: the published formulas and initial values written out; test_learned_training.py trains them."""

import numpy as np
import pytest
import torch
from conftest import recorded_music, synthesised_music
from definition import relative_l2
from test_multiply_adds import Counter

from sweep import filters
from sweep.engines.smoothing import smoothed
from sweep.transforms import LEAF, SincNet

SMALL = {"n_filters": 6, "filter_length": 61, "pool_length": 41, "hop_length": 16}
EACH = [LEAF, SincNet]
each = pytest.mark.parametrize("front_end", EACH)


def noise(*shape: int) -> torch.Tensor:
    return 0.1 * torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


# The definitions


def filtered(x: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """sum_n h[n] x[t + n] at every sample of a clip, n from -(len(h) // 2) on, with zeros beyond its ends."""
    half = len(taps) // 2
    padded = np.pad(x, half)
    return np.array([taps @ padded[t : t + len(taps)] for t in range(len(x))])


def framed(values: np.ndarray, length: int, hop: int) -> np.ndarray:
    """The samples around each multiple of the hop, (frames, length), zeros beyond the ends."""
    padded = np.pad(values, (length // 2, length))
    return np.stack([padded[t : t + length] for t in range(0, len(values) + 1, hop)])


def mel_bands(n: int, rate: float, low: float, high: float, n_fft: int) -> np.ndarray:
    """The triangles of TensorFlow's linear_to_mel_weight_matrix: linear in HTK's mel."""

    def mel(f):
        return 1127 * np.log1p(f / 700)

    corners, grid = np.linspace(mel(low), mel(high), n + 2), mel(np.arange(n_fft // 2 + 1) * rate / n_fft)
    return np.stack([np.interp(grid, corners[k : k + 3], [0, 1, 0]) for k in range(n)])


def gabors(n: int, rate: float, low: float, high: float, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    centres, widths = [], []
    for band in np.sqrt(mel_bands(n, rate, low, high, n_fft)):
        centres.append(2 * np.pi * band.argmax() / n_fft)
        widths.append(np.sqrt(2 * np.log(2)) * n_fft / (np.pi * np.sum(band >= band.max() / 2)))
    return np.array(centres), np.array(widths)


def leaf(x, centres, widths, pooling, length, pool, hop, pcen=None) -> np.ndarray:
    lags, inner = np.arange(length) - length // 2, np.arange(pool) - pool // 2
    least, most = 4 * np.sqrt(2 * np.log(2)) / np.pi, length * np.sqrt(2 * np.log(2)) / np.pi
    bins = []
    for k, (mu, sigma, share) in enumerate(zip(centres, np.clip(widths, least, most), pooling, strict=True)):
        taps = np.exp(1j * mu * lags) * np.exp(-(lags**2) / (2 * sigma**2)) / (np.sqrt(2 * np.pi) * sigma)
        window = np.exp(-0.5 * (inner / (share * 0.5 * (pool - 1))) ** 2)
        energy = np.maximum(framed(abs(filtered(x, taps)) ** 2, pool, hop) @ window, 1e-5)
        if pcen:
            alpha, delta, root, smooth = (numbers[k] for numbers in pcen)
            m, levels = energy[0], []
            for e in energy:
                m = smooth * e + (1 - smooth) * m
                levels.append(m)
            energy = (energy / (1e-12 + np.array(levels)) ** alpha + delta) ** (1 / root) - delta ** (1 / root)
        bins.append(energy)
    return np.stack(bins)


def sincnet(x, low, band, rate, length, pool, hop) -> np.ndarray:
    half = length // 2
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.linspace(0, length / 2 - 1, half) / length)
    turns, bins = 2 * np.pi * np.arange(-half, 0) / rate, []
    for f, g in zip(50 + low, np.minimum(100 + low + band, rate / 2), strict=True):
        left = (np.sin(g * turns) - np.sin(f * turns)) / (turns / 2) * window
        taps = np.concatenate([left, [2 * (g - f)], left[::-1]]) / (2 * (g - f))
        bins.append(framed(abs(filtered(x, taps)), pool, hop).max(axis=1))
    return np.stack(bins)


PUBLISHED = [np.full(40, number) for number in (0.96, 2.0, 2.0, 0.04)]


@pytest.mark.parametrize("samples", [2900, 3200, 3201])  # a multiple of the hop, and one sample more
@pytest.mark.parametrize("pcen", [True, False])
def test_leaf_is_the_published_formula(pcen, samples):
    x = synthesised_music()[:samples]
    expected = leaf(x, *gabors(40, 16000, 60, 7800, 512), np.full(40, 0.4), 401, 401, 160, PUBLISHED if pcen else None)
    actual = LEAF(pcen=pcen)(torch.from_numpy(x))
    assert actual.shape == (40, 1 + samples // 160)
    assert relative_l2(actual[None], expected[None]) < 1e-12
    single = LEAF(pcen=pcen)(torch.from_numpy(x).float())
    assert relative_l2(single[None], expected[None]) < 2e-6  # 1.3e-6 measured


def test_sincnet_is_the_published_formula():
    x = synthesised_music()[:3200]
    mel = np.linspace(2595 * np.log10(1 + 30 / 700), 2595 * np.log10(1 + 7900 / 700), 81)
    corners = 700 * (10 ** (mel / 2595) - 1)
    expected = sincnet(x, corners[:-1], np.diff(corners), 16000, 251, 401, 160)
    actual = SincNet()(torch.from_numpy(x))
    assert actual.shape == (80, 21)
    assert relative_l2(actual[None], expected[None]) < 1e-12
    assert relative_l2(SincNet()(torch.from_numpy(x).float())[None], expected[None]) < 1e-6  # 3e-7 measured
    np.testing.assert_allclose(SincNet().frequencies, 75 + (corners[:-1] + corners[1:]) / 2)


@pytest.mark.parametrize("numbers", [{"hop_length": 50, "pool_length": 7}, {"hop_length": 8, "pool_length": 41}])
@pytest.mark.parametrize("samples", [1, 5, 49, 50, 301])
def test_short_clips_and_other_hops(numbers, samples):
    """Windows shorter than a hop, clips shorter than any filter, other values than the initial ones."""
    x, rng = synthesised_music()[5000 : 5000 + samples], np.random.default_rng(0)
    values = {"centres": rng.uniform(0, 3, 6), "widths": rng.uniform(1, 30, 6), "pooling": rng.uniform(0.3, 0.5, 6)}
    pcen = {name: rng.uniform(low, high, 6) for name, low, high in
            (("alpha", 0, 1), ("delta", 0.1, 3), ("root", 1, 4), ("smooth", 0, 1))}  # fmt: skip
    made = LEAF(**SMALL | numbers, n_fft=64, trainable=True).double()
    made.learned.load_state_dict({k: torch.from_numpy(v) for k, v in (values | pcen).items()})
    expected = leaf(x, *values.values(), 61, numbers["pool_length"], numbers["hop_length"], list(pcen.values()))
    np.testing.assert_allclose(made(torch.from_numpy(x)).detach(), expected, rtol=1e-10)
    low, band = rng.uniform(0, 3000, (2, 6))
    made = SincNet(**SMALL | numbers, trainable=True).double()
    made.learned.load_state_dict({"low": torch.from_numpy(low), "band": torch.from_numpy(band)})
    expected = sincnet(x, low, band, 16000, 61, numbers["pool_length"], numbers["hop_length"])
    np.testing.assert_allclose(made(torch.from_numpy(x)).detach(), expected, rtol=1e-9)


@each
def test_a_long_clip_is_filtered_in_blocks(front_end):
    """Three of 8,192 points; in the middle as a part of the clip alone is, far from its ends."""
    x = noise(22_000)
    whole, part = front_end(**SMALL)(x), front_end(**SMALL)(x[6400:16_000])
    if front_end is LEAF:  # PCEN remembers what was before
        whole, part = (LEAF(**SMALL, pcen=False)(clip) for clip in (x, x[6400:16_000]))
    torch.testing.assert_close(part[:, 10:-10], whole[:, 410:991], rtol=1e-9, atol=1e-12)


def test_on_recorded_music_in_float32():
    clips = torch.from_numpy(np.concatenate([synthesised_music()[None], recorded_music()[:2]]))
    for front_end in (LEAF(), LEAF(pcen=False), SincNet()):
        assert relative_l2(front_end(clips.float()), front_end(clips).numpy()) < 2e-6  # 7e-7 measured


# The initial values


@pytest.mark.parametrize("numbers", [(40, 16000, 60.0, 7800.0, 512), (128, 16000, 30.0, 7800.0, 4096)])
def test_leaf_begins_as_mel_bands(numbers):
    for found, expected in zip(filters.leaf_gabors(*numbers), gabors(*numbers), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_leafs_spectra_are_about_as_wide_as_the_bands():
    """Half of the peak of a Gaussian's spectrum lies F / 2 bins to either side, whose count F is that of the band."""
    mu, sigma = filters.leaf_gabors(40, 16000)
    for k in (15, 25, 39):  # long Gaussians are cut off by the filter's ends
        at = mu[k] + np.pi / 512 * np.round(np.sqrt(2 * np.log(2)) * 512 / np.pi / sigma[k]) * np.array([-1, 0, 1])
        first, taps = LEAF(trainable=True).kernel(k)
        low, peak, high = abs(np.exp(1j * at[:, None] * (first + np.arange(401))) @ taps)
        assert peak == pytest.approx(1, abs=1e-4) and low == pytest.approx(0.5, abs=5e-4) == high


def test_sincnets_filters_pass_their_bands():
    front_end = SincNet(trainable=True)
    first, taps = front_end.kernel(70)
    low, high = (50 + front_end.learned.low)[70].item(), front_end.frequencies[70]
    inside, outside = np.array([1.02 * low, high]), np.array([low - 300, high + 600])
    gains = [abs(np.exp(2j * np.pi * f[:, None] / 16000 * (first + np.arange(251))) @ taps) for f in (inside, outside)]
    assert gains[0].min() > 100 * gains[1].max() and taps[125] == 1


def test_what_a_mel_band_cannot_begin_as():
    with pytest.raises(ValueError, match="n_fft 512: 1 of 150 mel bands hold no point of its grid; choose a longer"):
        LEAF(n_filters=150)


# What they are made of


@pytest.mark.parametrize("samples", [1, 2, 3, 100, 129])
def test_smoothing_is_the_recursion(samples):
    x, share = noise(2, 3, samples), torch.tensor([[0.0], [0.3], [1.0]], dtype=torch.float64)
    m, expected = torch.full((2, 3), 0.7, dtype=torch.float64), []
    for now in x.unbind(-1):
        m = (1 - share[:, 0]) * m + share[:, 0] * now
        expected.append(m)
    actual = smoothed(x, share, torch.full((2, 3, 1), 0.7, dtype=torch.float64))
    torch.testing.assert_close(actual, torch.stack(expected, -1), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("samples", [5944, 40_000])
@pytest.mark.parametrize("make", [lambda: LEAF(pcen=False), SincNet], ids=["leaf", "sincnet"])
def test_the_multiply_adds_are_what_pytorch_carries_out(make, samples):
    transform, x = make(), torch.randn(1, samples)
    with torch.no_grad():
        transform(x)
        with Counter() as counter:
            transform(x)
    assert transform.multiply_adds(samples) == pytest.approx(counter.total, rel=0.1)


@pytest.mark.parametrize(
    "front_end, options, message",
    [
        (LEAF, {"filter_length": 400}, "filter_length 400 is even: needs a middle sample; choose 399 or 401"),
        (LEAF, {"pool_length": 1}, "pool_length 1: needs a whole number of at least 3"),
        (LEAF, {"f_max": 9000.0}, "f_max 9000 Hz > half the sample rate, 8000 Hz; choose a lower f_max"),
        (LEAF, {"n_filters": 300}, "n_filters 300 > 257 bins of n_fft 512; choose a longer n_fft"),
        (LEAF, {"pcen": 1}, "pcen 1: choose one of False, True"),
        (LEAF, {"trainable": "bank"}, "trainable 'bank': choose one of False, True"),
        (LEAF, {"n_fft": 511}, "n_fft 511 is odd"),
        (SincNet, {"hop_length": 0}, "hop_length 0: needs a whole number of at least 1"),
        (SincNet, {"f_max": 7950.0}, r"f_max 7950 Hz > 7900 Hz, sample_rate / 2 - min_low_hz - min_band_hz; lower it"),
        (SincNet, {"f_min": 8000.0}, "f_min 8000 Hz >= f_max 7900 Hz; choose f_min below f_max"),
        (SincNet, {"min_band_hz": 0}, "min_band_hz 0: needs a number above 0"),
        (
            SincNet,
            {"sample_rate": 150},
            "sample_rate 150: half of it holds no more than min_low_hz 50 Hz and m",
        ),
    ],
)
def test_errors_name_the_argument_and_the_remedy(front_end, options, message):
    with pytest.raises(ValueError, match=message):
        front_end(**options)
