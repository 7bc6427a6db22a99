"""The published constant-Q algorithms: close to the definition and to nnAudio's, at any hop, modules like the rest."""

import copy
import dataclasses
import functools
import pickle

import numpy as np
import pytest
import torch
from conftest import DEVICES, ROWS, SAMPLE_RATE, synthesised_music
from definition import constant_q, constant_q_lengths, constant_q_taps, relative_l2
from torch.autograd import gradcheck

from sweep.engines import Framed
from sweep.engines.octaves import REACH, low_pass
from sweep.filters import constant_q_kernels
from sweep.representations import from_tree
from sweep.transforms import CQT

PUBLISHED = ("1992", "1992v2", "2010", "2010v2")
# What each allows itself at accuracy="high": thresholded spectra, rounding, the halvings.
BARS = {"1992": 1e-4, "1992v2": 1e-6, "2010": 1e-2, "2010v2": 1e-2}
each_algorithm = pytest.mark.parametrize("algorithm", PUBLISHED)
each_halving = pytest.mark.parametrize("algorithm", ["2010", "2010v2"])
on_each_device = pytest.mark.parametrize("device", DEVICES)


def chirp(logarithmic: bool) -> np.ndarray:
    """Half a second from 55 Hz to half the sample rate."""
    t, low, high = np.arange(SAMPLE_RATE // 2) / SAMPLE_RATE, 55.0, SAMPLE_RATE / 2
    turns = low * t + (high - low) * t**2
    if logarithmic:
        rate = 2 * np.log(high / low)
        turns = low * np.expm1(rate * t) / rate
    return np.sin(2 * np.pi * turns)


@functools.cache
def signals() -> dict[str, np.ndarray]:
    impulse = np.zeros(SAMPLE_RATE // 2)
    impulse[11025] = 1
    return {"music": synthesised_music(), "linear": chirp(False), "logarithmic": chirp(True), "impulse": impulse}


each_signal = pytest.mark.parametrize("signal", ["music", "linear", "logarithmic", "impulse"])

# f_min, bins per octave, bins: seven octaves; both sides of 0.35 of the sample rate; one that is halved before its
# first octave, and whose lowest is incomplete.
BANKS = {"cqt-12": (55.0, 12, 84), "below": (55.0, 24, 196), "above": (55.0, 24, 207), "low": (32.703, 12, 43)}


@functools.cache
def defined(bank: str, signal: str, hop_length: int = 512, pad_mode: str = "constant", samples: int | None = None):
    x = signals()[signal][None, :samples]
    f_min, bins_per_octave, n_bins = BANKS[bank]
    return constant_q(x, SAMPLE_RATE, f_min, n_bins, bins_per_octave, hop_length, pad_mode)


def transform(bank: str, **settings) -> CQT:
    f_min, bins_per_octave, n_bins = BANKS[bank]
    numbers = {"f_min": f_min, "bins_per_octave": bins_per_octave, "n_bins": n_bins, "output": "complex"}
    return CQT(**{**numbers, **settings})


def clip(signal: str, samples: int | None = None, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.from_numpy(signals()[signal][None, :samples]).to(dtype)


# The values


@each_algorithm
@each_signal
@pytest.mark.parametrize("bank", ["cqt-12", "below", "low"])
@on_each_device
def test_the_definition(bank, signal, algorithm, device):
    y = transform(bank, algorithm=algorithm).to(device)(clip(signal).to(device))
    # 7e-5; 3e-7; 9e-5 in all of those of 2010
    assert relative_l2(y, defined(bank, signal)) < min(BARS[algorithm], 2e-4)


@each_halving
@each_signal
def test_near_half_the_sample_rate_it_is_what_halving_allows(algorithm, signal):
    """The second octave's top bins reach over half its rate: 0.6 % on the music, 2.3 % on the logarithmic sweep."""
    error = relative_l2(transform("above", algorithm=algorithm)(clip(signal)), defined("above", signal))
    assert 2e-3 < error < 0.03


@each_halving
@pytest.mark.parametrize("bank, expected", [("below", -90.5), ("above", -20.9)])
def test_the_level_of_aliasing(bank, expected, algorithm):
    """Tones above half the second octave's rate, mirrored onto its top bin, against a tone at its own frequency.

    The bin turns with the tone where it hears the tone itself, and against it where it hears the mirror image.
    """
    octaves = transform(bank, algorithm=algorithm, accuracy="exact")
    k = BANKS[bank][2] - 1 - BANKS[bank][1]
    tones = np.array([*np.linspace(11070, 13000, 180), octaves.frequencies[k]])
    turns = 2 * np.pi * tones / SAMPLE_RATE
    x = np.cos(turns[:, None] * np.arange(16384))
    t = np.arange(5, 27)  # frames far from the clip's ends
    y = octaves(torch.from_numpy(x))[:, k, t].numpy()
    waves = np.exp(1j * turns[:, None, None] * 512 * t[:, None] * [1, -1])
    with_it, against = np.stack([np.linalg.lstsq(w, f, rcond=None)[0] for w, f in zip(waves, y, strict=True)]).T
    level = 20 * np.log10(np.abs(against[:-1]).max() / np.abs(with_it[-1]))
    assert octaves.engine.aliasing(k) == pytest.approx(level, abs=1)
    assert level == pytest.approx(expected, abs=1)
    assert octaves.engine.aliasing(BANKS[bank][2] - 1) == -np.inf


@pytest.mark.parametrize("hop_length, samples", [(64, 5000), (6, 701)])
def test_one_octave_down_is_every_second_tap_on_every_second_sample(hop_length, samples):
    """The halving written out with NumPy, in float64: a low-pass that shifts nothing, and taps that count twice."""
    x, f_min = signals()["music"][:samples], 2000.0  # 0.09 of the rate, so the second octave alone is halved
    filtered = np.convolve(x, low_pass())[REACH % 2 :: 2]  # its sample (REACH - 1) / 2 + m lies at sample 2 m of x
    frequencies = f_min * 2 ** (np.arange(24) / 12)
    lengths = constant_q_lengths(frequencies, 12, SAMPLE_RATE)
    reach = int(lengths.max()) // 4 + 1
    lags = np.arange(-reach, reach + 1)
    taps = 2 * constant_q_taps(frequencies[:12], lengths[:12], SAMPLE_RATE, 2 * lags)
    centres = (REACH - 1) // 2 + reach + hop_length // 2 * np.arange(1 + samples // hop_length)
    expected = taps @ np.pad(filtered, reach)[centres[:, None] + lags].T
    y = CQT(f_min=f_min, n_bins=24, hop_length=hop_length, algorithm="2010v2", output="complex")(torch.from_numpy(x))
    assert relative_l2(y[None, :12], expected[None]) < 1e-13


def test_frames_times_spectra_are_exact_in_float64_where_nothing_is_left_out():
    """Of kernels of few samples too, whose spectra reach over 0 Hz and half the sample rate."""
    frequencies = 1000.0 * 2.0 ** np.arange(5)
    kernels = constant_q_kernels("hann", frequencies, 1, SAMPLE_RATE)
    real, imag = Framed(kernels, 512, "constant", tolerance=0.0)(clip("music", 3000, torch.float64))
    expected = constant_q(signals()["music"][None, :3000], SAMPLE_RATE, 1000.0, 5, 1, 512, "constant")
    assert relative_l2(torch.complex(real, imag), expected) < 1e-13


@each_algorithm
@pytest.mark.parametrize("hop_length", [1, 441, 320, 8, 1000, 4096])
def test_any_hop(hop_length, algorithm):
    samples = 600 if hop_length == 1 else 6000
    expected = defined("low", "music", hop_length, samples=samples)
    y = transform("low", algorithm=algorithm, hop_length=hop_length)(clip("music", samples))
    assert y.shape == (1, 43, 1 + samples // hop_length)
    assert relative_l2(y, expected) < 3e-4


@each_halving
def test_an_odd_hop_halves_nothing_and_a_hop_of_4_twice(algorithm):
    assert transform("cqt-12", algorithm=algorithm, hop_length=441).engine.stages == [0]
    assert transform("cqt-12", algorithm=algorithm, hop_length=4 * 111).engine.stages == [0, 1, 2]
    assert transform("cqt-12", algorithm=algorithm).engine.stages == [0, 1, 2, 3, 4, 5, 6]
    assert transform("low", algorithm=algorithm).engine.stages == [4, 5, 6, 7]  # 362 Hz lie 2^4 below 0.2 of the rate


@each_algorithm
@pytest.mark.parametrize("samples", [1, 2, 255, 512, 3001])
def test_any_length(samples, algorithm):
    y = transform("low", algorithm=algorithm)(clip("music", samples))
    assert relative_l2(y, defined("low", "music", samples=samples)) < 3e-4


@each_algorithm
@pytest.mark.parametrize("hop_length", [512, 300])
def test_reflection(hop_length, algorithm):
    reflect = {"hop_length": hop_length, "pad_mode": "reflect"}
    y = transform("cqt-12", algorithm=algorithm, **reflect)(clip("music"))
    assert relative_l2(y, defined("cqt-12", "music", **reflect)) < 2e-4
    with pytest.raises(ValueError, match="6743 samples is too short for reflect padding"):
        transform("cqt-12", algorithm=algorithm, **reflect)(clip("music", 6743))


@each_algorithm
def test_norms_and_outputs(algorithm):
    expected = defined("cqt-12", "music")
    lengths = constant_q_lengths(55 * 2 ** (np.arange(84) / 12), 12, SAMPLE_RATE)[:, None]
    for norm, scale in (("none", 1 / np.sqrt(lengths)), ("n_fft", 1 / np.sqrt(lengths) / 16384)):
        y = transform("cqt-12", algorithm=algorithm, norm=norm)(clip("music"))
        assert relative_l2(y, scale * expected) < 2e-4
    for output, power in (("magnitude", 1), ("power", 2)):
        y = transform("cqt-12", algorithm=algorithm, output=output)(clip("music"))
        assert relative_l2(y, np.abs(expected) ** power) < 2e-4


@each_algorithm
@pytest.mark.parametrize("accuracy, bar", [("exact", 1e-5), ("high", 1e-4), ("fast", 1e-3)])
def test_accuracy(algorithm, accuracy, bar):
    y = transform("cqt-12", algorithm=algorithm, accuracy=accuracy)(clip("music"))
    floor = 5e-5 if algorithm.startswith("2010") else 0  # of the halvings: 2.7e-5
    assert relative_l2(y, defined("cqt-12", "music")) < max(bar, floor)


@pytest.mark.parametrize("bank", ["cqt-12", "below"])
@pytest.mark.parametrize("algorithm, published, bar", [("1992v2", "CQT1992v2", 1e-5), ("1992", "CQT1992v2", 1e-4)])
def test_nnaudio(bank, algorithm, published, bar):
    features = pytest.importorskip("nnAudio.features")
    f_min, bins_per_octave, n_bins = BANKS[bank]
    numbers = {"sr": SAMPLE_RATE, "fmin": f_min, "n_bins": n_bins, "bins_per_octave": bins_per_octave}
    front_end = getattr(features, published)(**numbers, pad_mode="constant", output_format="Complex", verbose=False)
    for signal in signals():
        expected = torch.view_as_complex(front_end(clip(signal)).contiguous()).numpy()
        assert relative_l2(transform(bank, algorithm=algorithm)(clip(signal)), expected) < bar  # 2e-6 and 8e-5


def test_the_low_pass():
    """Zero phase, half band, 1e-4 left above 0.26 of the rate and missing below 0.24."""
    taps = low_pass()
    assert len(taps) == 2 * REACH + 1 == 255
    np.testing.assert_array_equal(taps, taps[::-1])
    np.testing.assert_allclose(taps[REACH + 2 :: 2], 0, atol=1e-17)
    passed = np.abs(np.fft.rfft(taps, 2**16))
    edges = np.arange(len(passed)) / 2**16
    assert passed[0] == pytest.approx(1, abs=1e-15) and passed[2**14] == pytest.approx(0.5)
    assert passed[edges >= 0.26].max() < 1.2e-4 and np.abs(passed[edges <= 0.24] - 1).max() < 1.2e-4


# As modules

SMALL = {"f_min": 1760.0, "n_bins": 30}  # three octaves


@each_algorithm
def test_float64_leading_dimensions_and_nothing_to_save(algorithm):
    front_end = CQT(**SMALL, algorithm=algorithm, accuracy="exact")
    x = clip("music", 6000, torch.float64).view(2, 3, 1000)
    y = front_end(x)
    assert y.shape == (2, 3, 30, 2) and y.dtype == torch.float64
    assert relative_l2(y[1, 2][None], front_end(x[1, 2])[None].numpy()) < 1e-12
    assert front_end.state_dict() == {} and list(front_end.parameters()) == []
    assert (front_end(torch.zeros(1000)) == 0).all() and front_end(torch.zeros(0, 1000)).shape == (0, 30, 2)


@each_algorithm
@pytest.mark.parametrize("output", ["magnitude", "complex"])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_by_finite_differences(algorithm, output, pad_mode):
    numbers = {"sample_rate": 8000, "hop_length": 24, "f_min": 500.0, "n_bins": 5, "bins_per_octave": 3}
    x = clip("music", 120, torch.float64).view(2, 60).requires_grad_()
    assert gradcheck(CQT(**numbers, output=output, pad_mode=pad_mode, algorithm=algorithm), x)


@each_algorithm
@on_each_device
def test_as_any_module(algorithm, device):
    torch._dynamo.reset()
    front_end, x = CQT(**SMALL, algorithm=algorithm).to(device), clip("music", 5000).to(device)
    expected = front_end(x)
    with torch.autocast(device, dtype=torch.bfloat16):
        assert torch.equal(front_end(x), expected)
    for other in (copy.deepcopy(front_end), pickle.loads(pickle.dumps(front_end)), front_end.half()):
        assert torch.equal(other(x), expected)
    compiled = torch.compile(front_end, backend="aot_eager")  # another length compiles as well, in some 5 s
    assert relative_l2(compiled(x), expected.cpu().numpy()) < 1e-6


@each_algorithm
def test_the_gradient_on_silence_is_finite(algorithm):
    x = torch.zeros(1, 2000, requires_grad=True)
    CQT(**SMALL, algorithm=algorithm)(x).sum().backward()
    assert (x.grad == 0).all()


def test_trainable():
    front_end, x = CQT(**SMALL, algorithm="1992v2", trainable=True), clip("music", 3000)
    assert relative_l2(front_end(x), CQT(**SMALL, algorithm="1992v2")(x).numpy()) < 1e-6
    front_end(x).sum().backward()
    assert all(p.grad.abs().max() > 0 for p in front_end.parameters())
    rounds = [CQT(**SMALL, algorithm="1992v2", trainable=t, accuracy="fast").engine.tf32 for t in (False, True)]
    assert rounds == [True, False]  # trained in float32


# In the sweep, and what cannot be


@pytest.mark.parametrize("algorithm", [1992, *PUBLISHED])
def test_a_row_of_the_sweep(algorithm):
    fields = {
        field.name: getattr(ROWS["cqt-12"], field.name) for field in dataclasses.fields(ROWS["cqt-12"]) if field.init
    }
    row = from_tree({**fields, "algorithm": algorithm})
    assert row.algorithm == str(algorithm) and row.transform(accuracy="fast").algorithm == str(algorithm)
    with pytest.raises(ValueError, match="cqt-12.yaml: algorithm 'fast': choose one of exact, 1992, 1992v2, 2010"):
        from_tree({**fields, "algorithm": "fast"})


@pytest.mark.parametrize("algorithm", ["1992", "2010", "2010v2"])
def test_errors(algorithm):
    for settings, parts in (
        ({"trainable": True}, ["trainable", algorithm, '"1992v2"', '"exact"']),
        ({"engine": "spectral"}, ["engine", "'spectral'", algorithm, 'engine="auto"']),
        ({"engine": "direct"}, ["engine", "'direct'", algorithm, 'engine="auto"']),
    ):
        with pytest.raises(ValueError) as caught:
            CQT(algorithm=algorithm, **settings)
        assert [part for part in parts if part not in str(caught.value)] == []
    with pytest.raises(ValueError, match="algorithm '2011': choose one of exact, 1992, 1992v2, 2010, 2010v2"):
        CQT(algorithm="2011")
