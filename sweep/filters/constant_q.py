"""Define the kernels of the constant-Q and of the variable-Q transform."""

import math
from dataclasses import dataclass

import numpy as np

from sweep.checks import check_choice, check_number, check_positive, check_whole, shown
from sweep.filters.kernels import Kernels
from sweep.filters.windows import WINDOWS, Window, as_window, window

CONSTANT_Q_NORMS = ("sqrt_length", "none", "n_fft")
# What a window is divided by before that: the sum of its values, the root of the sum of their squares, the largest of
# them, their number, or nothing.
CONSTANT_Q_BASIS_NORMS = (1, 2, "peak", "length", "none")
# How a constant-Q bank is evaluated: by the fastest engine for the sum defined here, by a published algorithm, or as a
# library does it, with its approximations.
CONSTANT_Q_ALGORITHMS = ("exact", "1992", "1992v2", "2010", "2010v2", "librosa", "nnaudio")
# What a bin's bandwidth is, and so its length: the distance to the next bin, or half that between both its neighbours.
CONSTANT_Q_BANDWIDTHS = ("next_bin", "both_bins")
# A human ear's filter is 24.7 Hz + 0.108 f wide (Glasberg and Moore 1990).
_ERB_AT_0, _ERB_PER_HZ = 24.7, 0.108
_LONGEST = 2**30  # samples of a kernel


def constant_q_kernels(
    name: Window,
    frequencies: np.ndarray,
    bins_per_octave: int,
    sample_rate: float,
    norm: str = "sqrt_length",
    bandwidth: str = "next_bin",
    *,
    gamma: float | str = 0.0,
    filter_scale: float = 1.0,
    basis_norm: int | str = 1,
) -> Kernels:
    """Build constant-Q kernels (Brown 1991; Brown and Puckette 1992) or variable-Q ones (Schoerkhuber et al. 2014).

    Bin k is alpha f_k + gamma Hz wide and its kernel has the length L_k = filter_scale sample_rate / (alpha f_k +
    gamma): Q periods, Q = filter_scale / alpha, if gamma is 0. With r = 2^(1 / bins_per_octave), `bandwidth` says what
    alpha and what the kernel's samples are:

        next_bin    alpha = r - 1; l_k = ceil(L_k) samples, and L_k = l_k below; the lags are 0 .. l_k - 1 minus
                    ceil(l_k / 2) (nnAudio)
        both_bins   alpha = (r^2 - 1) / (r^2 + 1); l_k = floor(L_k / 2) + ceil(L_k / 2) samples, the lags are 0 ..
                    l_k - 1 minus floor(L_k / 2) (librosa from 0.10 on, for windows that begin with 0)

    The window is divided by what `basis_norm` says:

        1        the sum of its values
        2        the root of the sum of their squares
        peak     the largest of them
        length   their number
        none     1

    `norm` chooses the factor that follows:

        sqrt_length   sqrt(L_k): the output for a full-scale sinusoid grows with the root of the length (librosa)
        none          1: a full-scale sinusoid gives 1/2 in every bin, if basis_norm is 1
        n_fft         1 / the next power of two above the longest kernel (the IJCNN 2020 runs)

    Args:
        name: window, as `window` takes it.
        frequencies: (bins,) bin centres in Hz.
        bins_per_octave: number of bins per octave, which sets alpha.
        sample_rate: samples per second, in Hz.
        norm: name of the factor, one of `CONSTANT_Q_NORMS`.
        bandwidth: what sets the lengths, one of `CONSTANT_Q_BANDWIDTHS`.
        gamma: what each bandwidth exceeds a constant share of its frequency by, in Hz, at least 0; "erb" is alpha
            24.7 / 0.108, which makes all bandwidths the same share of those of the ear's filters, 24.7 Hz + 0.108 f_k.
        filter_scale: factor of all lengths, above 0.
        basis_norm: what the window is divided by, one of `CONSTANT_Q_BASIS_NORMS`.

    Raises:
        ValueError: a number is out of its range, or a kernel would have under two samples or more than 2^30.
    """
    name = as_window(name)
    check_choice("norm", norm, CONSTANT_Q_NORMS)
    check_choice("basis_norm", basis_norm, CONSTANT_Q_BASIS_NORMS)
    check_positive("filter_scale", filter_scale)
    q, gamma = _widths(bins_per_octave, bandwidth, gamma)
    with np.errstate(over="ignore", invalid="ignore"):
        exact = filter_scale * q * sample_rate / (frequencies + gamma * q)
    if not exact.max() <= _LONGEST:
        raise ValueError(_too_long(frequencies.min(), bins_per_octave, sample_rate, filter_scale, q))
    if bandwidth == "next_bin":
        exact = np.ceil(exact)
        lengths = exact.astype(np.int64)
        first_lags = -((lengths + 1) // 2)
    else:
        first_lags = -np.floor(exact / 2).astype(np.int64)
        lengths = np.ceil(exact / 2).astype(np.int64) - first_lags
    if lengths.min() < 2:
        asked = f"filter_scale {filter_scale:g}, gamma {gamma:.3g} Hz"
        short = f"the kernel at {frequencies[lengths.argmin()]:.0f} Hz would have under two samples"
        raise ValueError(f"{asked}: {short}; choose a larger filter_scale or smaller gamma")
    divisors = _basis_norms(name, lengths, basis_norm)
    if norm == "sqrt_length":
        scales = np.sqrt(exact) / divisors
    elif norm == "none":
        scales = 1 / divisors
    else:
        scales = 1 / divisors / 2 ** math.ceil(math.log2(lengths.max()))
    return Kernels(name, sample_rate, frequencies, first_lags, lengths, scales)


@dataclass(frozen=True, kw_only=True)
class ConstantQ:
    """What makes a constant-Q or variable-Q kernel at any frequency and sample rate: arguments of `constant_q_kernels`.

    An algorithm that halves the rate from octave to octave makes its kernels from it.
    """

    window: Window
    bins_per_octave: int
    bandwidth: str = "next_bin"
    gamma: float | str = 0.0
    filter_scale: float = 1.0
    basis_norm: int | str = 1

    def kernels(self, frequencies: np.ndarray, sample_rate: float, norm: str = "none") -> Kernels:
        """Build the kernels of bins at some frequencies."""
        shape = {"gamma": self.gamma, "filter_scale": self.filter_scale, "basis_norm": self.basis_norm}
        bank = (self.window, frequencies, self.bins_per_octave, sample_rate, norm, self.bandwidth)
        return constant_q_kernels(*bank, **shape)  # type: ignore[arg-type]

    def equivalent(self, frequencies: np.ndarray) -> np.ndarray:
        """Compute the frequencies of constant-Q bins at least as wide as the bins at some frequencies, in Hz.

        None lies below the bin itself: a longer kernel's bin is narrower, and hears as high a frequency.
        """
        q, gamma = _widths(self.bins_per_octave, self.bandwidth, self.gamma)
        return (frequencies + gamma * q) / min(1.0, self.filter_scale)

    def reach(self, frequency: float) -> float:
        """Compute up to which frequency a bin hears, in Hz, as librosa counts it."""
        q, gamma = _widths(self.bins_per_octave, self.bandwidth, self.gamma)
        taps = window(self.window, 1000)
        noise_bandwidth = 1000 * (taps**2).sum() / taps.sum() ** 2  # of the window, in points of its FFT
        return frequency * (1 + noise_bandwidth / 2 / (self.filter_scale * q)) + gamma / 2


def _widths(bins_per_octave: int, bandwidth: str, gamma: float | str) -> tuple[float, float]:
    """Return the two numbers of a bin's bandwidth, f_k / Q + gamma: Q, and gamma in Hz."""
    check_whole("bins_per_octave", bins_per_octave)
    check_choice("bandwidth", bandwidth, CONSTANT_Q_BANDWIDTHS)
    squared, alpha = 2 ** (2 / bins_per_octave), 2 ** (1 / bins_per_octave) - 1
    if alpha == 0:  # more bins than float64 tells apart
        return math.inf, 0.0
    q = 1 / alpha if bandwidth == "next_bin" else (squared + 1) / (squared - 1)
    if gamma == "erb":
        return q, _ERB_AT_0 / _ERB_PER_HZ / q
    if gamma is None or isinstance(gamma, str):
        raise ValueError(f'gamma {shown(repr(gamma))}: needs a number of at least 0, or "erb"')
    check_number("gamma", gamma, 0)
    return q, float(gamma)


def _too_long(f_min: float, bins_per_octave: int, sample_rate: float, filter_scale: float, q: float) -> str:
    """Say which argument is furthest from usual ones, where the lowest kernel is too long."""
    unusual = {
        f"f_min {f_min:g}": (sample_rate / f_min / 1000, "a higher one"),
        f"bins_per_octave {bins_per_octave}": (q / 100, "fewer"),
        f"filter_scale {filter_scale:g}": (filter_scale, "a smaller one"),
    }
    name = max(unusual, key=lambda name: unusual[name][0])
    return f"{name}: the longest kernel would have more than 2^30 samples; choose {unusual[name][1]}"


def _basis_norms(name: Window, lengths: np.ndarray, basis_norm: int | str) -> np.ndarray:
    """Return what the windows of some lengths are divided by, (bins,) float64."""
    if basis_norm == "none":
        return np.ones(len(lengths))
    if basis_norm == "length":
        return lengths.astype(np.float64)
    # The mean of a periodic cosine-sum window is its constant term, so its sum is that term times the length; that of
    # its square is likewise half the sum of the terms' squares. This holds if the period is longer than twice the
    # number of terms. Other windows, and those of shorter kernels, are summed.
    first, *others = WINDOWS.get(name, (0.0,))  # type: ignore[arg-type]
    mean = first**2 + sum(a**2 for a in others) / 2

    def divisor(n: int) -> float:
        known = name in WINDOWS and n >= 8
        if basis_norm == 1:
            return first * n if known else window(name, n).sum()
        if basis_norm == 2:
            return math.sqrt(mean * n if known else (window(name, n) ** 2).sum())
        return (window(name, n, np.array([n // 2])) if known else window(name, n)).max()

    return np.array([divisor(n) for n in lengths.tolist()])
