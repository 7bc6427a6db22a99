"""Define banks of windowed complex exponentials, and those of the Fourier transform."""

from dataclasses import dataclass

import numpy as np

from sweep.checks import check_positive
from sweep.filters.windows import Window, as_window, check_win_length, window, window_scale


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
