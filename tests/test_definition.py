"""Every engine computes the float64 definition: in float32 as closely as its accuracy says, in float64 to rounding.

The figures beside the bars are the worst of the rows on synthesised and recorded music, on one core.
"""

import dataclasses

import numpy as np
import pytest
import torch
from conftest import ALL_34, DEVICES, FOUR, ROWS, SAMPLE_RATE, each
from definition import below_peak, definition, relative_l2

from sweep.engines import BELOW_PEAK, Spectral
from sweep.transforms import STFT

# The rows that the spectral engine can evaluate; Mel sums the FFT's own grid.
KERNEL_ROWS = [r for r in ALL_34 if r.family != "mel"]
LONG_KERNELS = [ROWS[name] for name in ("linear-4096", "log-4096", "cqt-12", "cqt-48", "cqt-288")]
BARS = {"exact": 1e-5, "high": 1e-4, "fast": 1e-3}
WHOLE = 1e-9  # a tolerance that leaves nothing of a kernel out

on_each_device = pytest.mark.parametrize("device", DEVICES)
at_each_accuracy = pytest.mark.parametrize("accuracy", BARS)


def error(representation, music, defined, device="cpu", **options) -> float:
    """The relative L2 error; the worst bin's keeps to what its mode promises."""
    transform = representation.transform(**options).to(device)
    values, expected = transform(music.to(device)), np.abs(defined(representation))
    promise = BELOW_PEAK["direct" if options.get("engine") == "direct" else options.get("accuracy", "high")]
    assert below_peak(values, expected, transform.exponent) > promise  # 124, 104, 83 and 69 dB on a CPU
    return relative_l2(values, expected)


@each(long=("cqt-180", "cqt-240", "cqt-288"))
@on_each_device
def test_the_direct_engine(representation, device, music, defined):
    assert error(representation, music, defined, device, engine="direct") < 2e-5  # 4e-7 on mel-1024-128


@each()
@on_each_device
def test_the_default(representation, device, music, defined):
    assert error(representation, music, defined, device) < 1e-4  # 5.6e-5 on linear-4096


@each()
@on_each_device
@pytest.mark.parametrize("accuracy", ["exact", "fast"])
def test_the_other_accuracies(representation, accuracy, device, music, defined):
    # 9.1e-6 on log-4096 and 4e-4
    assert error(representation, music, defined, device, accuracy=accuracy) < BARS[accuracy]


@each(KERNEL_ROWS)
@on_each_device
@at_each_accuracy
def test_the_spectral_engine(representation, accuracy, device, music, defined):
    # 9.1e-6 on log-4096, 8.5e-5 on log-1024 and 6e-4
    assert error(representation, music, defined, device, engine="spectral", accuracy=accuracy) < BARS[accuracy]


@each(KERNEL_ROWS)
@on_each_device
def test_the_phase(representation, device, music, defined):
    transform = representation.transform(output="complex").to(device)
    assert relative_l2(transform(music.to(device)), defined(representation)) < 1e-4  # 7e-5


@each([r for r in FOUR if r.family != "mel"])
@pytest.mark.parametrize("engine", ["direct", "spectral"])
def test_the_phase_by_either_engine(representation, engine, music, defined):
    transform = representation.transform(output="complex", engine=engine, accuracy="exact")
    assert relative_l2(transform(music), defined(representation)) < 1e-5


@each([r for r in FOUR if r.family != "mel"])
def test_power_is_the_square_of_the_magnitude(representation, music, defined):
    transform = representation.transform(output="power", engine="direct")
    assert relative_l2(transform(music), np.abs(defined(representation)) ** 2) < 2e-5  # 3e-7


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("engine", ["auto", "direct"])
def test_mel_of_any_power(exponent, engine, music):
    representation = dataclasses.replace(ROWS["mel-2048-128"], power=exponent)
    expected = definition(representation, music.double().numpy())
    assert relative_l2(representation.transform(engine=engine)(music), expected) < 2e-5  # 4e-7


@each(FOUR)
def test_the_other_padding(representation, music):
    other = {"constant": "reflect", "reflect": "constant"}[representation.pad_mode]
    representation = dataclasses.replace(representation, pad_mode=other)
    expected = np.abs(definition(representation, music.double().numpy()))
    for options, bar in (({"engine": "direct"}, 2e-5), ({}, 1e-4), ({"accuracy": "exact"}, 1e-5)):
        assert relative_l2(representation.transform(**options)(music), expected) < bar


@each(FOUR)
def test_the_direct_engine_is_exact_in_float64(representation, music, defined):
    actual = representation.transform(engine="direct")(music.double())
    assert actual.dtype == torch.float64
    assert relative_l2(actual, np.abs(defined(representation))) < 1e-13


@pytest.mark.parametrize("options", [{"engine": "spectral"}, {"engine": "banded"}, {"engine": "direct"}], ids=str)
def test_the_last_tap_of_a_frame_centred_just_past_the_clip(options, music):
    """A boxcar's last tap is as large as all others; in the last frame it meets the mirror image of one more sample."""
    x, n = music[:1, :640].double(), np.arange(64)
    at = 64 * np.arange(11)[:, None] + n - 32
    framed = x.numpy()[:, 639 - np.abs(639 - np.abs(at))]
    f = 1000 + 100 * np.arange(20)
    expected = np.abs(framed @ np.exp(-2j * np.pi / SAMPLE_RATE * f * n[:, None])).swapaxes(1, 2)
    settings = {"n_fft": 64, "hop_length": 64, "scale": "linear", "f_min": 1000.0, "f_max": 3000.0, "n_bins": 20}
    transform = STFT(**settings, window="boxcar", accuracy="exact", **options)
    assert relative_l2(transform(x), expected) < 1e-10  # 6e-3 where that sample is left out


@each(LONG_KERNELS, long=("cqt-288",))
def test_the_spectral_engine_is_exact_in_float64_where_it_leaves_nothing_out(representation, music, defined):
    bins = slice(0, None, 97)
    kernels = representation.transform(engine="spectral").engine.kernels[bins]
    real, imag = Spectral(kernels, representation.hop_length, representation.pad_mode, tolerance=WHOLE)(music.double())
    assert relative_l2(torch.hypot(real, imag), np.abs(defined(representation)[:, bins])) < 10 * WHOLE


def test_the_spectral_engine_takes_kernels_in_any_order(music, defined):
    representation, order = ROWS["cqt-24"], np.random.default_rng(0).permutation(168)
    kernels = representation.transform(engine="spectral").engine.kernels[order]
    real, imag = Spectral(kernels, 512, "constant", tolerance=1e-6)(music)
    assert relative_l2(torch.hypot(real, imag), np.abs(defined(representation)[:, order])) < 1e-5
