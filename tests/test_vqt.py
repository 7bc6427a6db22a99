"""The variable-Q transform, and a constant-Q one with other lengths, norms, windows and ends: the sums written out."""

import functools

import numpy as np
import pytest
import torch
from conftest import SAMPLE_RATE, gpu, synthesised_music
from definition import frames, hann, inner_products, relative_l2, wave
from test_algorithms import signals
from torch.autograd import gradcheck

from sweep import filters
from sweep.transforms import CQT, VQT

SR = 22050
ALPHA = {12: 2 ** (1 / 12) - 1, 36: 2 ** (1 / 36) - 1}
SEVEN_OCTAVES = 55.0 * 2 ** (np.arange(84) / 12)


@functools.cache
def music() -> torch.Tensor:
    """(1, 16384) float64, four chords."""
    return torch.from_numpy(synthesised_music())[None]


def distance(actual: torch.Tensor, expected) -> float:
    return relative_l2(actual.detach().reshape(1, -1), np.asarray(expected).reshape(1, -1))


# Kernels


def test_erb_bandwidths_are_a_share_of_those_of_the_ear():
    """Glasberg and Moore 1990: 24.7 (4.37 f / 1000 + 1) Hz, which rounds to 24.7 + 0.108 f."""
    bank = {"gamma": "erb", "bandwidth": "both_bins", "norm": "sqrt_length"}
    kernels = filters.constant_q_kernels("hann", SEVEN_OCTAVES, 12, 1e6, **bank)  # lengths of little rounding
    ear = 24.7 * (4.37 * SEVEN_OCTAVES / 1000 + 1)
    np.testing.assert_allclose(kernels.lengths * ear / (kernels.lengths[0] * ear[0]), 1, atol=1e-3)


@pytest.mark.parametrize("window", ["hann", "blackman", "boxcar", "cosine"])
def test_what_a_window_is_divided_by(window):
    """A kernel's envelope is the window over its norm, however short: 2 to 20 samples."""
    frequencies = 2000.0 * 2 ** (np.arange(12) / 4)
    norms = {1: np.sum, 2: np.linalg.norm, "peak": np.max, "length": len, "none": lambda values: 1}
    for basis_norm, expected in norms.items():
        options = {"norm": "none", "basis_norm": basis_norm, "filter_scale": 0.5}
        kernels = filters.constant_q_kernels(window, frequencies, 4, SAMPLE_RATE, **options)
        for k, length in enumerate(kernels.lengths.tolist()):
            values = filters.window(window, length)
            taps = kernels.taps(k, kernels.first_lags[k] + np.arange(length))
            np.testing.assert_allclose(np.abs(taps), values / expected(values), rtol=1e-12, atol=1e-15)


# The sum


def summed(x: np.ndarray, frequencies, sample_rate: float, gamma: float, filter_scale: float = 1.0) -> np.ndarray:
    """(clips, bins, frames) complex, 12 bins per octave and a hop of 512: the definition written out."""
    length = np.ceil(filter_scale * sample_rate / (ALPHA[12] * frequencies + gamma))[:, None]
    lags = np.arange(-int(length.max()) // 2 - 1, int(length.max()) // 2 + 1)
    taps = (
        hann(lags + np.ceil(length / 2), length) / (length / 2) * np.sqrt(length) * wave(frequencies, sample_rate, lags)
    )
    return inner_products(frames(x, lags, 512, "constant"), taps)


@functools.cache
def expected(signal: str, gamma: float, filter_scale: float) -> np.ndarray:
    return summed(signals()[signal][None], SEVEN_OCTAVES, SAMPLE_RATE, gamma, filter_scale)


@pytest.mark.parametrize("accuracy, bar", [("exact", 1e-5), ("high", 1e-4), ("fast", 1e-3)])
@pytest.mark.parametrize("signal", ["music", "linear", "logarithmic", "impulse"])
@pytest.mark.parametrize("gamma, filter_scale", [(12.0, 1.0), (0.0, 0.5)])
def test_the_definition(gamma, filter_scale, signal, accuracy, bar):
    options = {"gamma": gamma, "filter_scale": filter_scale, "f_min": 55.0, "output": "complex", "accuracy": accuracy}
    actual = VQT(**options)(torch.from_numpy(signals()[signal])[None].float())
    assert relative_l2(actual, expected(signal, gamma, filter_scale)) < bar  # 7e-6, 9e-5 and 4e-4


@pytest.mark.parametrize("algorithm, bar", [("1992", 1e-4), ("1992v2", 1e-6), ("2010", 1e-4), ("2010v2", 1e-4)])
@pytest.mark.parametrize("gamma, filter_scale", [(12.0, 1.0), (200.0, 1.0), (0.0, 0.2), (0.0, 0.05), (12.0, 0.1)])
def test_published_algorithms(gamma, filter_scale, algorithm, bar):
    """Bins that are wide for their frequency stay at a higher rate: halved with their octave they'd be 7e-2 off."""
    shape = {"gamma": gamma, "filter_scale": filter_scale}
    actual = VQT(**shape, f_min=55.0, output="complex", algorithm=algorithm)(music().float())
    assert relative_l2(actual, expected("music", **shape)) < bar  # 5e-5, 3e-7, 4e-5, 4e-5


@pytest.mark.parametrize("window", ["blackmanharris", ("kaiser", 8.0), "bartlett", ("shifted_gaussian", 0.5, 0.3)])
@pytest.mark.parametrize("accuracy, bar", [("exact", 1e-5), ("high", 1e-4), ("fast", 1e-3)])
def test_other_windows(window, accuracy, bar):
    options = {"sample_rate": SR, "f_min": 110.0, "n_bins": 48, "window": window, "output": "complex"}
    kernels = filters.constant_q_kernels(window, 110.0 * 2 ** (np.arange(48) / 12), 12, SR, gamma=5.0)
    lags = np.arange(kernels.first_lags.min(), kernels.last_lags.max() + 1)
    taps = np.stack([kernels.taps(k, lags) for k in range(48)])
    summed = inner_products(frames(music().numpy(), lags, 512, "constant"), taps)
    assert relative_l2(VQT(gamma=5.0, accuracy=accuracy, **options)(music().float()), summed) < bar


def test_without_gamma_it_is_the_constant_q_transform():
    for options in (
        {},
        {"algorithm": "2010v2"},
        {"algorithm": "librosa", "bandwidth": "both_bins"},
        {"filter_scale": 2.0},
    ):
        assert torch.equal(VQT(gamma=0, f_min=110.0, **options)(music()), CQT(f_min=110.0, **options)(music()))


def test_a_low_bin_hears_a_click_no_longer_than_its_kernel_is():
    click = torch.zeros(1, 44100)
    click[0, 22050] = 1
    for front_end, context in ((CQT(engine="direct"), 22678), (VQT(gamma=20.0, engine="direct"), 2010)):
        heard = torch.nonzero(front_end(click)[0, 0] > 1e-9)
        assert front_end.context == context and abs(int(heard[-1] - heard[0]) - context / 512) < 2


# Ends


def test_f_max_is_the_first_bin_left_out():
    assert CQT(f_min=55.0, f_max=440.0).n_bins == 36 and CQT(f_min=55.0, f_max=441.0).n_bins == 37
    for f_min, bins_per_octave in ((32.703, 12), (27.5, 36), (55.0, 24), (110.0, 7)):  # the logarithm rounds up in some
        shape = {"bins_per_octave": bins_per_octave, "f_min": f_min, "sample_rate": 44100.0}
        for n in range(1, 5 * bins_per_octave):
            f_max = f_min * 2 ** (n / bins_per_octave)
            assert len(filters.constant_q_frequencies(None, f_max=f_max, **shape)) == n
    assert CQT().n_bins == VQT().n_bins == 84
    with pytest.raises(ValueError, match="n_bins 12 and f_max 500 Hz: one follows from the other; leave one out"):
        VQT(n_bins=12, f_max=500.0)
    with pytest.raises(ValueError, match="f_min 55 Hz >= f_max 55 Hz; choose f_min below f_max"):
        CQT(f_min=55.0, f_max=55.0)


@pytest.mark.parametrize(
    "settings, said",
    [
        ({"gamma": -1.0}, "gamma -1.0: needs a number of at least 0"),
        ({"gamma": None}, 'gamma None: needs a number of at least 0, or "erb"'),
        ({"gamma": "bark"}, "gamma 'bark': needs a number of at least 0, or \"erb\""),
        ({"filter_scale": 0}, "filter_scale 0: needs a number above 0"),
        (
            {"filter_scale": 1e9},
            r"filter_scale 1e\+09: the longest kernel would have more than 2\^30 samples",
        ),
        ({"filter_scale": 1e18}, r"filter_scale 1e\+18: .* choose a smaller one"),
        ({"bins_per_octave": 10**9}, r"bins_per_octave 1000000000: .* choose fewer"),
        ({"bins_per_octave": 2**62}, r"bins_per_octave 4611686018427387904: .* choose fewer"),
        ({"f_min": 1e-9, "gamma": 0}, "f_min 1e-09: .* choose a higher one"),
        ({"f_min": 1e-300, "gamma": 0, "filter_scale": 1e9}, "f_min 1e-300: .* choose a higher one"),
        (
            {"f_max": 30000.0},
            "f_max 30000 Hz: .* at 29834 Hz, .* choose an f_max of at most 22050 Hz",
        ),
        ({"f_max": 30000.0, "f_min": 25000.0}, "f_max 30000 Hz: .* choose an f_min below 22050 Hz"),
        ({"basis_norm": "l2"}, "basis_norm 'l2': choose one of 1, 2, peak, length, none"),
        (
            {"filter_scale": 1e-3},
            r"filter_scale 0.001, gamma 13.6 Hz: .* at 523 Hz would have under two samples; ch",
        ),
        ({"trainable": True, "algorithm": "2010"}, 'choose algorithm="1992v2" or "exact"'),
    ],
)
def test_errors(settings, said):
    with pytest.raises(ValueError, match=said):
        VQT(**settings)


# As modules


@pytest.mark.parametrize(
    "options", [{}, {"bandwidth": "both_bins", "algorithm": "librosa"}, {"algorithm": "nnaudio"}], ids=str
)
@pytest.mark.parametrize("output", ["magnitude", "power", "complex"])
def test_gradients_by_finite_differences(output, options):
    numbers = {"sample_rate": 8000, "hop_length": 24, "f_min": 300.0, "n_bins": 8, "bins_per_octave": 3, "gamma": 40.0}
    x = torch.randn(2, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    front_end = VQT(**numbers, **options, output=output)
    assert gradcheck(front_end, x) and front_end(x).dtype in (torch.float64, torch.complex128)
    silence = torch.zeros(1, 60, requires_grad=True)
    front_end(silence).abs().sum().backward()
    assert silence.grad.isfinite().all() and front_end.state_dict() == {}


def test_trainable():
    numbers = {"f_min": 220.0, "n_bins": 24, "filter_scale": 0.8, "basis_norm": 2}
    front_end = VQT(trainable=True, **numbers)
    assert distance(front_end(music().float()), VQT(accuracy="exact", **numbers)(music())) < 1e-5
    front_end(music().float()).sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in front_end.parameters())
    other = VQT(trainable=True, **numbers)
    with torch.no_grad():
        next(front_end.parameters()).mul_(2)
    other.load_state_dict(front_end.state_dict())
    assert torch.equal(other(music()), front_end(music()))
    assert distance(front_end.frozen("exact")(music().float()), front_end(music().float()).detach()) < 1e-5


def test_center_and_phase():
    """Frame 0 is the one centred where the longest kernel begins with the clip; the phase is an angle."""
    numbers = {"f_min": 220.0, "n_bins": 24, "hop_length": 96, "gamma": 5.0}
    whole = VQT(center=False, **numbers)
    before = -(-whole.context // 2)
    shown = whole(music())
    assert shown.shape[-1] == 1 + (16384 - whole.context) // 96 == whole.n_frames(16384)
    assert distance(VQT(**{**numbers, "hop_length": 1})(music()[:, :3000])[..., before], shown[..., 0]) < 1e-4
    values = VQT(output="complex", **numbers)(music())
    assert torch.equal(VQT(output="phase", **numbers)(music()), values.angle())


BARS = {"exact": 1e-5, "high": 1e-4, "fast": 1e-3}


@pytest.mark.parametrize("accuracy", [pytest.param(accuracy, marks=gpu) for accuracy in BARS])
@pytest.mark.parametrize("gamma, filter_scale", [("erb", 1.0), (50.0, 2.0)])
def test_on_a_gpu(gamma, filter_scale, accuracy):
    """The fused GPU kernels, and the gradient that they have, beside float64."""
    options = {"gamma": gamma, "filter_scale": filter_scale, "f_min": 55.0}
    front_end, exact = VQT(accuracy=accuracy, **options), VQT(accuracy="exact", **options)
    x, y = music().float().cuda().requires_grad_(), music().cuda().requires_grad_()
    values, wanted = front_end.log(x, 0.1), exact.log(y, 0.1)
    assert distance(values.cpu(), wanted.detach().cpu()) < BARS[accuracy]
    loud = wanted.detach().exp() - 0.1  # weighs bins by their magnitudes: rounding turns the phases of weak ones
    gradients = [torch.autograd.grad(v, of, loud.to(v.dtype))[0].cpu() for v, of in ((values, x), (wanted, y))]
    assert distance(*gradients) < 5 * BARS[accuracy]
