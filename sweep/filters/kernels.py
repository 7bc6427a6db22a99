"""Define banks of windowed complex exponentials: Fourier and constant-Q kernels."""

import math
from dataclasses import dataclass

import numpy as np

from sweep.checks import check_choice, check_positive, check_whole
from sweep.filters.windows import WINDOWS, Window, as_window, check_win_length, window, window_scale


@dataclass(frozen=True)
class Kernels:
    """A bank of windowed complex exponentials, one per bin; taps are computed when they are asked for.

    Kernel k has the lags first_lags[k] .. first_lags[k] + lengths[k] - 1 and the taps

        scales[k] window_lengths[k](n - first_lags[k]) exp(-2 pi i n frequencies[k] / sample_rate).

    All arrays have the shape (bins,): frequencies in Hz, lags and lengths in samples.
    """

    window: Window
    sample_rate: float
    frequencies: np.ndarray
    first_lags: np.ndarray
    lengths: np.ndarray
    scales: np.ndarray
    symmetric: bool = False  # the windows

    def __len__(self) -> int:
        return len(self.frequencies)

    def __getitem__(self, bins: slice | np.ndarray) -> "Kernels":
        """Return the bank of some bins only."""
        parts = (self.frequencies[bins], self.first_lags[bins], self.lengths[bins], self.scales[bins])
        return Kernels(self.window, self.sample_rate, *parts, self.symmetric)

    @property
    def last_lags(self) -> np.ndarray:
        """The last lag of each kernel in samples, (bins,)."""
        return self.first_lags + self.lengths - 1

    def envelope(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """Compute a kernel's envelope (scale times window) at some lags; it is 0 outside the kernel."""
        taper = window(self.window, int(self.lengths[bin]), lags - self.first_lags[bin], self.symmetric)
        return self.scales[bin] * taper

    def taps(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """Compute the complex128 taps of one kernel at some lags; they are 0 outside the kernel."""
        # Whole turns of the phase are dropped before the exponential: lags reach 1e5 samples and would cost precision.
        turns = np.mod(lags * (self.frequencies[bin] / self.sample_rate), 1.0)
        return self.envelope(bin, lags) * np.exp(-2j * np.pi * turns)


def fourier_kernels(
    name: Window,
    n_fft: int,
    frequencies: np.ndarray,
    sample_rate: float,
    win_length: int | None = None,
    symmetric: bool = False,
    normalized: bool | str = False,
) -> Kernels:
    """Build windowed Fourier kernels at any frequencies.

    Their lags are those of the window in a frame, which begins at lag -n_fft // 2: `frame_window` without its zeros.

    Args:
        name: window, as `window` takes it.
        n_fft: length of a frame in samples; even, so that it has a centre sample.
        frequencies: (bins,) bin centres in Hz, at most half the sample rate.
        sample_rate: samples per second, in Hz.
        win_length, symmetric, normalized: arguments of `frame_window`.
    """
    name, win_length = as_window(name), check_win_length(n_fft, win_length)
    check_positive("sample_rate", sample_rate)
    scale = window_scale(window(name, win_length, symmetric=symmetric), n_fft, normalized)
    ones = np.ones(len(frequencies), dtype=np.int64)
    first = (n_fft - win_length) // 2 - n_fft // 2
    return Kernels(name, sample_rate, frequencies, first * ones, win_length * ones, scale * ones, symmetric)


CONSTANT_Q_NORMS = ("sqrt_length", "none", "n_fft")
# How a constant-Q bank is evaluated: by the fastest engine for the sum defined here, by a published algorithm, or as a
# library does it, with its approximations.
CONSTANT_Q_ALGORITHMS = ("exact", "1992", "1992v2", "2010", "2010v2", "librosa", "nnaudio")
# What a bin's bandwidth is, and so its length: the distance to the next bin, or half that between both its neighbours.
CONSTANT_Q_BANDWIDTHS = ("next_bin", "both_bins")


def constant_q_kernels(
    name: str,
    frequencies: np.ndarray,
    bins_per_octave: int,
    sample_rate: float,
    norm: str = "sqrt_length",
    bandwidth: str = "next_bin",
) -> Kernels:
    """Build constant-Q kernels (Brown 1991; Brown and Puckette 1992), as nnAudio's CQT1992v2 or librosa's cqt has them.

    With r = 2^(1 / bins_per_octave), bin k has the length L_k = Q sample_rate / f_k, where `bandwidth` says what Q and
    what the kernel's samples are:

        next_bin    Q = 1 / (r - 1); l_k = ceil(L_k) samples, and L_k = l_k below; the lags are 0 .. l_k - 1 minus
                    ceil(l_k / 2) (nnAudio)
        both_bins   Q = (r^2 + 1) / (r^2 - 1); l_k = floor(L_k / 2) + ceil(L_k / 2) samples, the lags are 0 .. l_k - 1
                    minus floor(L_k / 2) (librosa from 0.10 on, for windows that begin with 0)

    The window is divided by its sum. `norm` chooses the factor that follows:

        sqrt_length   sqrt(L_k): the output for a full-scale sinusoid grows with the root of the length (librosa)
        none          1: a full-scale sinusoid gives 1/2 in every bin
        n_fft         1 / the next power of two above the longest kernel (the IJCNN 2020 runs)

    Args:
        name: name of the window, one of `WINDOWS`.
        frequencies: (bins,) bin centres in Hz.
        bins_per_octave: number of bins per octave, which sets Q.
        sample_rate: samples per second, in Hz.
        norm: name of the factor, one of `CONSTANT_Q_NORMS`.
        bandwidth: what sets the lengths, one of `CONSTANT_Q_BANDWIDTHS`.
    """
    check_choice("window", name, WINDOWS)
    check_choice("norm", norm, CONSTANT_Q_NORMS)
    check_choice("bandwidth", bandwidth, CONSTANT_Q_BANDWIDTHS)
    check_whole("bins_per_octave", bins_per_octave)
    if bandwidth == "next_bin":
        q = 1 / (2 ** (1 / bins_per_octave) - 1)
        exact = np.ceil(q * sample_rate / frequencies)
        lengths = exact.astype(np.int64)
        first_lags = -((lengths + 1) // 2)
    else:
        squared = 2 ** (2 / bins_per_octave)
        exact = (squared + 1) / (squared - 1) * sample_rate / frequencies
        first_lags = -np.floor(exact / 2).astype(np.int64)
        lengths = np.ceil(exact / 2).astype(np.int64) - first_lags
    # The mean of a periodic cosine-sum window is its constant term, so its sum is that term times the length. This
    # holds if the period is longer than the number of terms; the windows of shorter kernels are summed.
    sums = np.array([window(name, n).sum() if n < 8 else WINDOWS[name][0] * n for n in lengths.tolist()])
    if norm == "sqrt_length":
        scales = np.sqrt(exact) / sums
    elif norm == "none":
        scales = 1 / sums
    else:
        scales = 1 / sums / 2 ** math.ceil(math.log2(lengths.max()))
    return Kernels(name, sample_rate, frequencies, first_lags, lengths, scales)
