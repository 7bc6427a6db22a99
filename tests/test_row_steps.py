"""The steps of a row, each against its formula in NumPy or against a library that has it."""

import librosa
import numpy as np
import pytest
import torch
from conftest import SHARED, synthesised_music
from numpy.testing import assert_allclose

from sweep import row
from sweep.registry import compressions, levels, normalisations, stacks
from sweep.representations.framing import FRAMINGS, placed, times

RNG = np.random.default_rng(0)
POWER = np.where(RNG.random((2, 1, 5, 40)) < 0.1, 0.0, RNG.lognormal(-4, 4, (2, 1, 5, 40)))  # zeros among them


def step(known, name: str, **keys):
    return known[name].from_tree({"name": name, **keys})


def compressed(name: str, values: np.ndarray = POWER, **keys) -> np.ndarray:
    return step(compressions, name, **keys)(torch.from_numpy(values), 43.0).numpy()


# Levels


def levelled(name: str, x: np.ndarray, **keys) -> np.ndarray:
    return step(levels, name, **keys)(torch.from_numpy(x)).numpy()


CLIPS = np.stack([synthesised_music()[:1000], np.zeros(1000)])


def test_levels():
    loud = CLIPS[0]
    for name, expected in (
        ("window", loud / (np.sqrt((loud**2).sum()) + 1e-7)),
        ("file", loud),
        ("rms", loud / np.sqrt((loud**2).mean())),
        ("peak", loud / np.abs(loud).max()),
    ):
        made = levelled(name, CLIPS)
        assert_allclose(made[0], expected, rtol=1e-12)
        assert not made[1].any(), name  # silence stays silence


def test_the_level_of_framed_samples():
    """Mean and deviation of all samples of all frames, those of the padding among them."""
    clip = placed("centred_past_end", 1000, 100, 400, framed=True)
    padded = np.pad(CLIPS, ((0, 0), (clip.left, clip.right)))
    weight = torch.from_numpy(clip.overlaps(padded.shape[1]))
    made = step(levels, "frames")(torch.from_numpy(padded), weight).numpy()
    zeros = np.pad(CLIPS[0], 2000)
    framed = np.stack([zeros[2000 + 100 * j - 200 :][:400] for j in range(11)])
    expected = (padded[0] - framed.mean()) / (framed.std(ddof=1) + 1e-8)
    assert_allclose(made[0], expected, rtol=1e-10)
    assert not made[1].any()


# Compressions


def test_logarithms():
    assert_allclose(compressed("log", offset=1e-5), np.log(POWER + 1e-5))
    assert_allclose(compressed("log", floor=1e-5), np.log(np.maximum(POWER, 1e-5)))
    assert_allclose(compressed("log", floor=1e-10, base=10), np.log10(np.maximum(POWER, 1e-10)))
    assert_allclose(compressed("log", zero=1e-5), np.log(np.where(POWER == 0, 1e-5, POWER)))
    assert_allclose(compressed("log1p", factor=5.0, base=10), np.log10(1 + 5 * POWER))
    assert_allclose(compressed("log1p", factor=3.0, base="e"), np.log(1 + 3 * POWER))
    assert_allclose(compressed("power", exponent=0.3), POWER**0.3)
    assert np.array_equal(compressed("none"), POWER)


@pytest.mark.parametrize("range_", [None, 80.0])
def test_decibels_are_librosas(range_):
    for clip, made in zip(POWER, compressed("db", of="power", floor=1e-10, range=range_), strict=True):
        assert_allclose(made, librosa.power_to_db(clip, amin=1e-10, top_db=range_), rtol=1e-6)
    made = compressed("db", of="magnitude", floor=1e-5, reference="max", range=range_)
    for clip, found in zip(POWER, made, strict=True):
        expected = librosa.amplitude_to_db(clip, ref=np.max, amin=1e-5, top_db=range_)
        assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    assert_allclose(compressed("db", of="power", offset=1e-10, floor=0.0), 10 * np.log10(POWER + 1e-10))
    assert_allclose(
        compressed("db", of="power", reference=4.0), librosa.power_to_db(POWER, ref=4.0, top_db=None), rtol=1e-6
    )


def test_decibels_of_each_channel():
    values = np.concatenate([POWER, 100 * POWER], axis=1)
    made = compressed("db", values, of="magnitude", floor=1e-5, reference="max", range=60.0, over="channel")
    assert_allclose(made.max(axis=(2, 3)), 0)
    assert compressed("db", values, of="power", reference="max").max(axis=(2, 3)).min() < -1


def test_pcen_is_librosas():
    made = compressed("pcen", scale=1.0)
    for clip, found in zip(POWER[:, 0], made[:, 0], strict=True):
        expected = librosa.pcen(clip, sr=43 * 512, hop_length=512)
        assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_pcen_is_what_librosa_made_of_a_recording():
    path = SHARED / "systems" / "librosa_pcen.npz"
    if not path.exists():
        pytest.skip(f"no {path}")
    theirs = np.load(path)
    mel = {"sample_rate": 22050, "n_fft": 2048, "n_mels": 128, "f_min": 0.0, "f_max": 11025.0, "power": 1.0}
    ours = row("mel-2048-128", **mel, pad_mode="constant", level={"name": "file"}, compression={"name": "pcen"})
    made = ours.features(torch.from_numpy(theirs["input"]))[..., theirs["frame_index"]].numpy()
    low, high = np.percentile(theirs["output"], [0.1, 99.9])
    assert (np.abs(made - theirs["output"]) <= 0.003 * (high - low)).mean() > 0.995


@pytest.mark.parametrize("name", compressions.names())
def test_compressions_have_gradients_at_silence(name):
    keys = {"log": {"floor": 1e-5}, "db": {"of": "power"}}.get(name, {})
    x = torch.zeros(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    step(compressions, name, **keys)(x, 43.0).sum().backward()
    assert x.grad.isfinite().all()


# Normalisations


def test_normalisations():
    y = np.log(POWER + 1e-3)
    low, high = (f(axis=(1, 2, 3), keepdims=True) for f in (y.min, y.max))

    def made(name, values=y, **keys):
        return step(normalisations, name, **keys)(torch.from_numpy(values)).numpy()

    assert_allclose(made("minmax"), (y - low) / (high - low))
    assert_allclose(made("minmax", offset=0.008), (y - low) / (high - low + 0.008))
    assert_allclose(made("affine", shift=3.0, scale=2.0), (y + 3) / 2)
    assert_allclose(made("whisper"), (np.maximum(y, high - 8) + 4) / 4)
    assert np.array_equal(made("none"), y)
    assert not made("minmax", np.full((1, 1, 2, 3), -11.5)).any()  # all equal
    two = np.concatenate([y, 3 * y + 1], axis=1)
    of_each = made("minmax", two, over="channel")
    assert_allclose(of_each.min(axis=(2, 3)), 0)
    assert_allclose(of_each.max(axis=(2, 3)), 1)


# Stacks


def test_differences():
    y = RNG.random((2, 1, 5, 9))

    def rise(part, lag):
        return np.concatenate([np.zeros((*part.shape[:-1], lag)), part[..., lag:] - part[..., :-lag]], axis=-1)

    stack = step(stacks, "differences", lags=[2])
    assert_allclose(stack(torch.from_numpy(y), [5]).numpy(), np.concatenate([y, rise(y, 2)], axis=1))
    stack = step(stacks, "differences", lags=[1, 3], rectified=True, join="bins")
    one, other = y[:, :, :2], y[:, :, 2:]
    expected = np.concatenate([one, rise(one, 1).clip(0), other, rise(other, 3).clip(0)], axis=2)
    assert_allclose(stack(torch.from_numpy(y), [2, 3]).numpy(), expected)
    channels, frequencies = stack.shape(1, [np.arange(2.0), np.arange(3.0)])
    assert channels == 1 and frequencies.tolist() == [0, 1, 0, 1, 0, 1, 2, 0, 1, 2]


def test_differences_of_a_clip_of_few_frames():
    y = torch.ones(1, 1, 2, 1)
    assert step(stacks, "differences", lags=[2])(y, [2]).tolist() == [[[[1], [1]], [[0], [0]]]]


def test_shifts():
    y = RNG.random((2, 1, 7, 3))
    made = step(stacks, "shifts", shifts=[-2, 0, 4], n_bins=5)(torch.from_numpy(y), [7]).numpy()
    expected = np.zeros((2, 3, 5, 3))
    for channel, shift in enumerate((-2, 0, 4)):
        for bin in range(5):
            if 0 <= bin + shift < 7:
                expected[:, channel, bin] = y[:, 0, bin + shift]
    assert np.array_equal(made, expected)


# Framings


@pytest.mark.parametrize("samples", [700, 1000, 1001, 1999])
@pytest.mark.parametrize("name", FRAMINGS)
def test_frames_lie_where_the_framing_says(name, samples):
    """Each frame's spectrum is that of the samples around its time, in the clip between zeros."""
    hop, n_fft, rate = 100, 256, 1000
    numbers = {"sample_rate": rate, "hop_length": hop, "n_fft": n_fft, "f_max": 500.0, "scale": "fft"}
    steps = {"level": {"name": "file"}, "compression": {"name": "none"}, "pad_mode": "constant", "framing": name}
    r = row("linear-256", **numbers, **steps)
    clip = RNG.standard_normal(samples)
    made = r.features(torch.from_numpy(clip)).numpy()
    zeros, hann = np.pad(clip, 2000), 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    centres = np.round(r.times(samples) * rate).astype(int)
    framed = np.stack([zeros[2000 + c - n_fft // 2 :][:n_fft] for c in centres])
    assert_allclose(made, np.abs(np.fft.rfft(framed * hann)).T, atol=1e-9)


def test_numbers_of_frames():
    """Those of the systems' descriptions, at a whole number of hops and one sample more."""
    for name, counts, first in (
        ("centred", (11, 11), 0),
        ("centred_but_last", (10, 10), 0),
        ("centred_inside", (10, 11), 0),
        ("centred_past_end", (11, 12), 0),
        ("centred_between", (9, 10), 100),
        ("from_start", (10, 11), 128),
        ("whole", (8, 8), 128),
    ):
        for samples, count in zip((1000, 1001), counts, strict=True):
            found = times(name, samples, 100, 256, 1.0)
            assert (len(found), found[0]) == (count, first), name
