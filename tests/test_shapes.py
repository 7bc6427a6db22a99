"""Any leading dimensions, any length, any hop: (..., samples) -> (..., bins, 1 + samples // hop_length)."""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import ALL_34, ROWS, WINDOW, each
from definition import definition, relative_l2

from sweep.transforms import (
    CFP,
    CQT,
    LEAF,
    MFCC,
    STFT,
    VQT,
    FilterBank,
    Gammatone,
    LogBandSpectrogram,
    MelSpectrogram,
    SincNet,
)

SMALL = [STFT(n_fft=256), STFT(n_fft=256, scale="log"), MelSpectrogram(n_fft=256, n_mels=20), CQT(n_bins=12)]
SMALL += [STFT(n_fft=256, first_bin=1, win_length=101), LogBandSpectrogram(n_fft=256, f_min=300.0, symmetric=True)]
SMALL += [STFT(n_fft=256, scale="linear", engine="spectral"), CQT(f_min=880.0, n_bins=12, engine="direct")]
SMALL += [CQT(f_min=880.0, n_bins=30, algorithm=name) for name in ("librosa", "nnaudio")]
SMALL += [VQT(f_min=880.0, n_bins=30, filter_scale=0.5)]
SMALL += [CFP(n_fft=4096, win_length=255, hop_length=512, f_min=100.0, f_max=1000.0, bins_per_octave=12)]
SMALL += [Gammatone(n_fft=256, n_bands=20), MFCC(n_fft=256, n_mels=30)]
SMALL += [FilterBank(frequencies=[700.0, 1500.0], taps=[np.hanning(31), np.hanning(60)])]
SMALL += [LEAF(n_filters=10, hop_length=512), SincNet(n_filters=10, hop_length=512, trainable=True)]
each_small = pytest.mark.parametrize("transform", SMALL)
ZERO_PADDED = [ROWS[name] for name in ("linear-256", "log-4096", "cqt-12", "cqt-96")]


def bins(transform) -> tuple[int, ...]:
    return (transform.n_channels, transform.n_bins)[transform.n_channels == 1 :]


@each()
def test_a_window_gives_33_frames_of_every_bin(representation, music):
    assert representation.n_frames(WINDOW) == 33
    assert representation.transform()(music[:1]).shape == (1, representation.n_bins, 33)


@each_small
@pytest.mark.parametrize("leading", [(), (1,), (3,), (2, 3), (2, 1, 2)], ids=str)
def test_leading_dimensions_stay(transform, leading, music):
    x = music[0, :2400].view(12, 200).repeat(1, 2)[: int(np.prod(leading))].reshape(*leading, 400)
    y = transform(x)
    assert y.shape == (*leading, *bins(transform), 1)
    rounding = 1e-4 if isinstance(transform, CFP) else 1e-6  # what is left of much larger values
    for at in np.ndindex(*leading):
        torch.testing.assert_close(y[at], transform(x[at]), rtol=1e-5, atol=rounding * float(y.abs().max()))


@each_small
@pytest.mark.parametrize("leading", [(0,), (2, 0)], ids=str)
def test_an_empty_batch_is_an_empty_batch(transform, leading):
    assert transform(torch.zeros(*leading, 1000)).shape == (*leading, *bins(transform), 2)


@each()
def test_a_batch_gives_what_each_clip_gives(representation, music):
    transform = representation.transform()
    batch = torch.stack([music[0], music[0].flip(-1), 1e-3 * music[0], torch.zeros(WINDOW)])
    single = torch.stack([transform(clip) for clip in batch])
    assert relative_l2(transform(batch)[:3], single[:3].numpy()) < 1e-6  # sums may run in another order


@each(ZERO_PADDED)
@pytest.mark.parametrize("samples", [1, 2, 100, 512, 513, 1500, 5000])
def test_any_length(representation, samples, music):
    x = music[:1, -samples:]
    expected = np.abs(definition(representation, x.double().numpy()))
    assert expected.shape[-1] == representation.n_frames(samples) == 1 + samples // 512
    for engine in ("auto", "direct", "spectral"):
        y = representation.transform(accuracy="exact", engine=engine)(x)
        assert y.shape == expected.shape
        assert relative_l2(y, expected) < 1e-5


@pytest.mark.parametrize("samples", [129, 1000, 1024, 1025])
@each([ROWS["mel-512-128"]])
def test_any_length_that_reflection_fills(representation, samples, music):
    representation = dataclasses.replace(representation, n_fft=256, n_mels=40)
    x = music[:1, -samples:]
    for options in ({}, {"engine": "direct"}):
        y = representation.transform(**options)(x)
        assert y.shape[-1] == 1 + samples // 512
        assert relative_l2(y, definition(representation, x.double().numpy())) < 1e-6


@each([ROWS[name] for name in ("linear-512", "log-2048", "mel-2048-128", "cqt-24")])
@pytest.mark.parametrize(
    "hop_length", [1, 160, 441, 3001, 9000]
)  # many per kernel, two odd ones, one beyond the kernel
def test_any_hop(representation, hop_length, music):
    samples = 1100 if hop_length == 1 else 4000
    x = music[:1, -samples:]
    representation = dataclasses.replace(representation, hop_length=hop_length)
    expected = np.abs(definition(representation, x.double().numpy()))
    assert expected.shape[-1] == 1 + samples // hop_length
    for engine in ("auto", "direct") if representation.family == "mel" else ("auto", "direct", "spectral"):
        y = representation.transform(engine=engine, accuracy="exact")(x)
        assert y.shape == expected.shape
        assert relative_l2(y, expected) < 2e-5  # 1.2e-5 in one frame alone; a window of frames evens it out


# Memory layout and number types


@each_small
def test_the_memory_layout_does_not_matter(transform, music):
    x = music[0, :4000].view(2, 2000)
    expected = transform(x)
    for view in (x.T.contiguous().T, x.repeat_interleave(2, 1)[:, ::2], x.flip(0).flip(0)):
        torch.testing.assert_close(transform(view), expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))
    torch.testing.assert_close(transform(x[:1].expand(3, -1))[2], transform(x[0]), rtol=1e-5, atol=1e-5)


@each_small
def test_input_is_left_as_it_was(transform, music):
    x = music[0, :2000].clone()
    transform(x)
    assert torch.equal(x, music[0, :2000])


@each_small
def test_float64_stays_and_all_else_becomes_float32(transform):
    whole = torch.randint(-100, 100, (2000,), generator=torch.Generator().manual_seed(0))
    expected = transform(whole.double())
    assert expected.dtype == torch.float64
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.int16, torch.int64):
        y = transform(whole.to(dtype))  # whole numbers up to 100 are exact in all of them
        assert y.dtype == torch.float32
        torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-5 * float(expected.max()))


def test_the_complex_output_has_the_precision_of_the_input():
    for transform in (STFT(output="complex"), STFT(scale="log", output="complex"), CQT(output="complex")):
        assert transform(torch.zeros(4000)).dtype == torch.complex64
        assert transform(torch.zeros(4000, dtype=torch.float64)).dtype == torch.complex128


def test_all_34_are_tried():
    assert len(ALL_34) == len(ROWS) == 34
