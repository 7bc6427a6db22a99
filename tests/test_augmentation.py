"""Augmentation: levels, noise, filters and masks are as large as their keys say, repeatable, and leave labels alone."""

import numpy as np
import pytest
import torch
from conftest import DEVICES, gpu

from sweep.config import Augment
from sweep.training.augmentation import augment_audio, mask

RATE, SAMPLES = 40_960, 4096  # Hz; bins of 10 Hz, so that the octaves from 40 Hz to 20,480 Hz are bins
OCTAVES = 4 * 2 ** np.arange(10)  # bins
AUDIO = Augment(gain=6, noise=0.1, equalise=6)
MASKS = Augment(mask_bins=0.3, mask_frames=0.25)
KINDS = {"gain": 6.0, "noise": 0.01, "equalise": 6.0, "mask_bins": 0.2, "mask_frames": 0.2}
devices = pytest.mark.parametrize("device", DEVICES)


def music_on(device: str, clips: int = 4, samples: int = SAMPLES) -> torch.Tensor:
    """Noise at levels from 0 to -20 dB, the same on each device."""
    levels = 10 ** -(torch.arange(clips)[:, None] % 21 / 20)
    return (levels * torch.randn(clips, samples, generator=torch.Generator().manual_seed(0))).to(device)


def features_on(device: str, *shape: int) -> torch.Tensor:
    """Features none of which is 0."""
    return (1 + torch.rand(*shape, generator=torch.Generator().manual_seed(1))).to(device)


def seeded(seed: int, change, *arguments) -> torch.Tensor:
    torch.manual_seed(seed)
    return change(*arguments)


def responses(audio: torch.Tensor, made: torch.Tensor) -> np.ndarray:
    """The complex frequency response between clips, in float64."""
    return np.fft.rfft(made.cpu().double().numpy()) / np.fft.rfft(audio.cpu().double().numpy())


def decibels(ratio) -> np.ndarray:
    return 20 * np.log10(np.abs(np.asarray(ratio)))


def assert_uniform(values, low: float, high: float, slack: float = 1e-4) -> None:
    """Kolmogorov and Smirnov's statistic: uniform draws exceed 2.2 in 1 of 8,000 cases, and the seed is fixed.

    `slack` is how far a value may be measured outside, relative to the range.
    """
    expected = (np.sort(np.ravel(values)) - low) / (high - low)
    n = len(expected)
    assert n >= 1000 and -slack <= expected[0] and expected[-1] <= 1 + slack
    apart = max(np.max(np.arange(1, n + 1) / n - expected), np.max(expected - np.arange(n) / n))
    assert np.sqrt(n) * apart < 2.2


def assert_independent(a, b) -> None:
    """The correlation of n independent pairs has a deviation of 1 / sqrt(n)."""
    a, b = np.ravel(a), np.ravel(b)
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


# The settings


def test_nothing_is_on_unless_a_key_says_so():
    assert not Augment().on and Augment() == Augment(**dict.fromkeys(KINDS, 0))
    for key, value in KINDS.items():
        assert Augment(**{key: value}).on
    assert Augment.from_tree(KINDS).record() == KINDS


@pytest.mark.parametrize("key", KINDS)
def test_a_wrong_value_is_said_with_its_key(key):
    bounded = (1, 40) if key in ("noise", "mask_bins", "mask_frames") else ()
    for value in (-1, "much", True, None, float("nan"), float("inf"), *bounded):
        with pytest.raises(ValueError, match=rf"protocol\.augment\.{key} {value}: needs a number of at least 0"):
            Augment(**{key: value})


@devices
def test_what_is_off_returns_its_argument_and_draws_nothing(device):
    audio, features = music_on(device), features_on(device, 2, 1, 8, 5)
    after = seeded(3, lambda: torch.rand(1, device=device))
    torch.manual_seed(3)
    assert augment_audio(audio, MASKS, RATE) is audio and augment_audio(audio, Augment(), RATE) is audio
    assert mask(features, AUDIO) is features and mask(features, Augment()) is features
    assert torch.equal(torch.rand(1, device=device), after)


# What holds for all


@devices
@pytest.mark.parametrize("key", KINDS)
def test_a_seed_repeats_each_kind_and_no_argument_is_changed(key, device):
    augment = Augment(**{key: KINDS[key]})
    given = features_on(device, 4, 2, 40, 30) if "mask" in key else music_on(device)
    change = (lambda x: mask(x, augment)) if "mask" in key else (lambda x: augment_audio(x, augment, RATE))
    kept = given.clone()
    made = seeded(0, change, given)
    assert torch.equal(given, kept) and not torch.equal(made, given)
    assert (made.shape, made.dtype, made.device) == (given.shape, torch.float32, given.device)
    assert torch.equal(seeded(0, change, given), made)
    assert not torch.equal(seeded(1, change, given), made)
    assert not torch.equal(change(given), seeded(1, change, given))  # goes on drawing


@devices
def test_silence_stays_silent_beside_sound(device):
    audio = music_on(device)
    audio[1] = 0
    made = seeded(0, augment_audio, audio, AUDIO, RATE)
    assert made.isfinite().all() and not made[1].any() and made[[0, 2, 3]].any(dim=1).all()
    assert not seeded(0, augment_audio, torch.zeros_like(audio), AUDIO, RATE).any()


@pytest.mark.parametrize("samples", [1, 2, 999, 5944, 16384])
def test_clips_of_any_length(samples):
    for rate in (1000, 16_000, 44_100):
        made = augment_audio(music_on("cpu", samples=samples), AUDIO, rate)
        assert made.shape == (4, samples) and made.isfinite().all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
def test_features_of_any_shape(shape):
    features = features_on("cpu", 100, 2, *shape)
    made = mask(features, Augment(mask_bins=0.99, mask_frames=0.99))
    assert (made.flatten(1) != 0).any(dim=1).all()  # a share below 1 leaves something


def test_no_value_reaches_the_host():
    """On the meta device there are no values: what asked for one, or had it decide a shape, would fail."""
    audio, features = torch.empty(3, 1000, device="meta"), torch.empty(3, 2, 40, 20, device="meta")
    assert augment_audio(audio, AUDIO, RATE).shape == audio.shape
    assert mask(features, MASKS).shape == features.shape


# Level


@devices
def test_gain_is_one_factor_for_a_clip_and_uniform_in_decibels(device):
    audio = music_on(device, 2000, 16)
    ratio = (seeded(0, augment_audio, audio, Augment(gain=9), RATE) / audio).cpu().double()
    torch.testing.assert_close(ratio, ratio[:, :1].expand(-1, 16), rtol=1e-6, atol=0)
    assert (ratio > 0).all()
    assert_uniform(decibels(ratio[:, 0]), -9, 9)


# Noise


@devices
def test_noise_has_its_level_relative_to_each_clip_and_uniform(device):
    audio = music_on(device, 2000) * 1e-3
    noise = (seeded(0, augment_audio, audio, Augment(noise=0.25), RATE) - audio).cpu().double()
    rms = audio.cpu().double().square().mean(1, keepdim=True).sqrt()
    level = (noise / rms).square().mean(1).sqrt()
    assert_uniform(level, 0, 0.25, slack=0.06)  # of n samples, the deviation is 1 / sqrt(2 n), 1.1 %
    assert_independent(noise / rms, audio.cpu() / rms)


def test_noise_is_white_and_gaussian():
    audio = music_on("cpu", 200, 4096)
    noise = (seeded(0, augment_audio, audio, Augment(noise=0.1), RATE) - audio).double()
    noise = (noise / noise.square().mean(1, keepdim=True).sqrt()).numpy()
    assert abs((noise**4).mean() - 3) < 0.03  # of n values, the deviation is sqrt(96 / n), 0.011
    spectrum = (np.abs(np.fft.rfft(noise)[:, 1:-1]) ** 2).mean(0) / 4096  # a mean of 200 exponentials
    assert abs(spectrum.mean() - 1) < 0.01 and 0.6 < spectrum.min() and spectrum.max() < 1.5
    assert_independent(noise[:-1], noise[1:])


# Filter


@devices
def test_the_filter_is_drawn_at_octaves_and_linear_between_them(device):
    impulse = torch.zeros(500, SAMPLES, device=device)
    impulse[:, SAMPLES // 2] = 0.5
    response = responses(impulse, seeded(0, augment_audio, impulse, Augment(equalise=6), RATE))
    assert np.abs(np.angle(response)).max() < 1e-5  # zero phase
    gain = decibels(response)
    assert np.abs(gain).max() <= 6 + 1e-4
    drawn = gain[:, OCTAVES]
    assert_uniform(drawn, -6, 6)
    assert_independent(drawn[:, 1:], drawn[:, :-1])
    assert_independent(drawn[1:], drawn[:-1])
    octave = np.log2(np.maximum(np.arange(SAMPLES // 2 + 1), 1))
    expected = np.stack([np.interp(octave, np.log2(OCTAVES), clip) for clip in drawn])
    np.testing.assert_allclose(gain, expected, atol=2e-4)  # 1.3e-5 dB measured
    # Smooth: no more than the whole range within an octave, so 12 dB / 12 within a semitone.
    semitone = np.stack([np.interp(np.arange(2, 11, 1 / 12), octave[1:], clip[1:]) for clip in gain])
    assert np.abs(np.diff(semitone)).max() <= 1 + 1e-3


def test_a_sine_changes_its_level_alone():
    t = torch.arange(SAMPLES, dtype=torch.float64) / RATE
    frequencies = torch.tensor([20.0, 110, 440, 2000, 9990, 20_470], dtype=torch.float64)
    audio = torch.sin(2 * torch.pi * frequencies[:, None] * t + 1).float()
    made = seeded(0, augment_audio, audio, Augment(equalise=12), RATE)
    factor = (made * audio).sum(1, keepdim=True) / audio.square().sum(1, keepdim=True)
    torch.testing.assert_close(made, factor * audio, rtol=0, atol=1e-5)
    gain = decibels(factor)
    assert np.abs(gain).max() <= 12 and np.abs(gain).max() > 3


def test_one_seed_is_one_filter_at_any_rate():
    gains = []
    for rate in (RATE, RATE // 2, RATE // 4, 16_000):
        impulse = torch.zeros(20, rate // 10)
        impulse[:, 0] = 1
        gains.append(decibels(responses(impulse, seeded(0, augment_audio, impulse, Augment(equalise=6), rate))))
    for gain in gains[1:]:
        np.testing.assert_allclose(gain, gains[0][:, : gain.shape[1]], atol=2e-4)


def test_the_filter_is_circular_and_rings_briefly():
    impulse = torch.zeros(200, 16384)
    impulse[:, 8192] = 1
    made = seeded(0, augment_audio, impulse, Augment(equalise=6), 44_100)
    at_the_end = seeded(0, augment_audio, impulse.roll(8000, 1), Augment(equalise=6), 44_100)
    torch.testing.assert_close(at_the_end, made.roll(8000, 1), rtol=0, atol=1e-6)
    energy = made.double().square()
    near = energy[:, 8192 - 441 : 8192 + 442].sum(1) / energy.sum(1)
    assert near.min() > 0.999


# CUDA


@pytest.mark.parametrize("samples", [pytest.param(n, marks=gpu) for n in (16384, 5944)])
def test_a_graph_draws_anew_and_repeats_with_the_seed(samples):
    audio, features = music_on("cuda", 8, samples), features_on("cuda", 8, 2, 40, 30)

    def step() -> tuple[torch.Tensor, torch.Tensor]:
        return augment_audio(audio, AUDIO, 44_100), mask(features, MASKS)

    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        made = step()

    def replay(seed: int | None = None) -> list[torch.Tensor]:
        if seed is not None:
            torch.manual_seed(seed)
        graph.replay()
        return [part.clone() for part in made]

    first, second, again, other = replay(1), replay(), replay(1), replay(2)
    for i, part in enumerate(first):
        assert torch.equal(part, again[i])
        assert not torch.equal(part, second[i]) and not torch.equal(part, other[i])
    for part, eager in zip(first, seeded(1, step), strict=True):
        torch.testing.assert_close(part, eager, rtol=1e-5, atol=1e-6)
    audio.zero_()
    assert not replay(3)[0].any()
