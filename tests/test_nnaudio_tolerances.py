"""nnAudio's own tests of its constant-Q transforms, asked of ours: its sweeps, its bank and its tolerances.

They compare with arrays that its repository alone holds, no release of it from 0.1.1 on, so nnAudio itself computes
here what they hold. Its CQT1992 and CQT2010 it only runs.
"""

import functools

import numpy as np
import pytest
import torch
from definition import constant_q, relative_l2

from sweep.transforms import CQT

features = pytest.importorskip("nnAudio.features")
signal = pytest.importorskip("scipy.signal")

RATE = 44100
CLOSE = {"rtol": 1e-3, "atol": 1e-3}  # of all its comparisons
OFFSETS = {"CQT1992v2": 1e-5, "CQT2010v2": 1e-2}  # added before its logarithms of magnitudes
on_each_sweep = pytest.mark.parametrize("method", ["logarithmic", "linear"])


@functools.cache
def sweep(method: str) -> np.ndarray:
    """A second from 55 to 22,050 Hz."""
    return signal.chirp(np.linspace(0, 1, RATE), 55, 1, 22050, method=method).astype(np.float32)[None]


@functools.cache
def theirs(version: str, method: str) -> torch.Tensor:
    bank = {"fmin": 55, "n_bins": 207, "bins_per_octave": 24}
    values = getattr(features, version)(sr=RATE, **bank, output_format="Complex", verbose=False)(
        torch.from_numpy(sweep(method))
    )
    return torch.view_as_complex(values.contiguous())


def ours(algorithm: str, method: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    bank = {"f_min": 55.0, "n_bins": 207, "bins_per_octave": 24, "pad_mode": "reflect"}
    transform = CQT(**bank, algorithm=algorithm, output="complex", accuracy="exact")
    return transform(torch.from_numpy(sweep(method)).to(dtype))


def within(actual: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    return torch.isclose(actual.to(expected.dtype), expected, **CLOSE)


def logarithm_within(version: str, actual: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    return within((actual.abs() + OFFSETS[version]).log(), (expected.abs() + OFFSETS[version]).log())


@on_each_sweep
@pytest.mark.parametrize("algorithm", ["exact", "1992", "1992v2"])
def test_cqt1992v2(algorithm, method):
    actual, expected = ours(algorithm, method), theirs("CQT1992v2", method)
    assert within(torch.view_as_real(actual), torch.view_as_real(expected)).all()
    # ln(|X| + 1e-5) of a peak of 26 tells float32 apart: nnAudio's own rounding is 2e-6 of the peak. Louder than that:
    loud = expected.abs() > 1e-3 * expected.abs().max()
    assert logarithm_within("CQT1992v2", actual, expected)[loud].all()
    phases = (torch.view_as_real(x[loud] / x[loud].abs()) for x in (actual, expected))
    assert within(*phases).float().mean() > 0.98  # cosine and sine of a phase, where 2e-6 of the peak is 2e-3 of |X|


@on_each_sweep
def test_cqt1992v2_in_its_logarithm_too(method):
    """Without rounding of ours: all of the linear sweep, and 99.8 % of the other, the rest below 7e-6 of its peak."""
    actual, expected = ours("1992v2", method, torch.float64), theirs("CQT1992v2", method)
    close = logarithm_within("CQT1992v2", actual, expected)
    assert close.float().mean() > 0.998
    assert (expected.abs()[~close] < 1e-5 * expected.abs().max()).all()


@on_each_sweep
def test_cqt2010v2(method):
    """Its very values, which are 40 % off the sum: each octave is reflected at its own rate, where the mirror moves.

    Our 2010 and 2010v2 reflect the clip, and keep to the sum as far as halving allows. With zeros beyond the ends
    nnAudio's are 3 and 7 % off.
    """
    expected = theirs("CQT2010v2", method)
    actual = ours("nnaudio", method)
    assert within(torch.view_as_real(actual), torch.view_as_real(expected)).all()
    assert logarithm_within("CQT2010v2", actual, expected).all()
    defined = np.abs(constant_q(sweep(method).astype(np.float64), RATE, 55.0, 207, 24, 512, "reflect"))
    assert relative_l2(expected.abs(), defined) > 0.3
    for algorithm in ("2010", "2010v2"):
        assert relative_l2(ours(algorithm, method).abs(), defined) < 0.03  # 2.3 %
