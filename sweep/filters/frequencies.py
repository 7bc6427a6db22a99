"""Compute bin centre frequencies: the FFT's grid, linear, logarithmic and constant-Q scales."""

import math

import numpy as np

from sweep.checks import check_choice, check_even, check_positive, check_range, check_whole


def fft_frequencies(sample_rate: float, n_fft: int) -> np.ndarray:
    """Compute the FFT's frequency grid: k sample_rate / n_fft for k = 0 .. n_fft // 2, in Hz.

    >>> fft_frequencies(8000, 4)
    array([   0., 2000., 4000.])
    """
    check_positive("sample_rate", sample_rate)
    check_whole("n_fft", n_fft)
    return np.arange(n_fft // 2 + 1) * sample_rate / n_fft


def linear_frequencies(n_bins: int, f_min: float, f_max: float) -> np.ndarray:
    """Compute bin centre frequencies with a constant distance between neighbours.

    f_k = f_min + k (f_max - f_min) / n_bins, so f_max itself is the first bin that is left out (Cheuk et al. 2020).

    Args:
        n_bins: number of bins, at least 1.
        f_min, f_max: lowest bin and open upper end, in Hz, 0 <= f_min < f_max.

    Returns:
        (n_bins,) float64, in Hz.

    >>> linear_frequencies(2, 100.0, 300.0)
    array([100., 200.])
    """
    check_whole("n_bins", n_bins)
    check_range(f_min, f_max, lowest=0.0)
    return f_min + np.arange(n_bins) * (f_max - f_min) / n_bins


def log_frequencies(n_bins: int, f_min: float, f_max: float) -> np.ndarray:
    """Compute bin centre frequencies with a constant ratio between neighbours.

    f_k = f_min (f_max / f_min)^(k / n_bins), so f_max itself is the first bin that is left out (Cheuk et al. 2020).

    Args:
        n_bins: number of bins, at least 1.
        f_min, f_max: lowest bin and open upper end, in Hz, 0 < f_min < f_max.

    Returns:
        (n_bins,) float64, in Hz.

    >>> log_frequencies(2, 100.0, 400.0)
    array([100., 200.])
    """
    check_whole("n_bins", n_bins)
    check_positive("f_min", f_min)
    check_range(f_min, f_max)
    return f_min * (f_max / f_min) ** (np.arange(n_bins) / n_bins)


STFT_SCALES = ("fft", "linear", "log")


def stft_frequencies(
    sample_rate: float,
    n_fft: int,
    scale: str,
    n_bins: int | None,
    f_min: float,
    f_max: float,
    first_bin: int = 0,
) -> np.ndarray:
    """Compute the bin centre frequencies of a short-time Fourier transform.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: window length in samples, even.
        scale: "fft" (the FFT's grid, from 0 Hz), "linear" or "log" (from f_min up to f_max).
        n_bins: number of bins; None is n_fft // 2 + 1, less first_bin.
        f_min, f_max: lowest bin and open upper end, in Hz; "fft" ignores them.
        first_bin: lowest bin of the FFT's grid, 1 to leave out 0 Hz; 0 for the other scales.

    Returns:
        (n_bins,) float64, in Hz.
    """
    check_positive("sample_rate", sample_rate)
    check_even("n_fft", n_fft)
    check_choice("scale", scale, STFT_SCALES)
    check_whole("first_bin", first_bin, least=0)
    if first_bin and scale != "fft":
        raise ValueError(f'first_bin {first_bin}: f_min is the lowest bin with scale "{scale}"; choose first_bin 0')
    grid = n_fft // 2 + 1 - first_bin
    if grid < 1:
        raise ValueError(f"first_bin {first_bin} > the last bin of n_fft {n_fft}; choose {n_fft // 2} at most")
    n_bins = grid if n_bins is None else n_bins
    check_whole("n_bins", n_bins)
    if scale == "fft":
        if n_bins > grid:
            of_it = f"{grid} bins of n_fft {n_fft}" + f" from bin {first_bin} on" * bool(first_bin)
            raise ValueError(f"n_bins {n_bins} > {of_it}; choose fewer bins or a longer n_fft")
        return fft_frequencies(sample_rate, n_fft)[first_bin : first_bin + n_bins]
    frequencies = (linear_frequencies if scale == "linear" else log_frequencies)(n_bins, f_min, f_max)
    if f_max > sample_rate / 2:
        raise ValueError(f"f_max {f_max:g} Hz > half the sample rate, {sample_rate / 2:g} Hz; choose a lower f_max")
    return frequencies


def constant_q_frequencies(
    n_bins: int | None, bins_per_octave: int, f_min: float, sample_rate: float, f_max: float | None = None
) -> np.ndarray:
    """Compute constant-Q bin centre frequencies, f_k = f_min 2^(k / bins_per_octave), in Hz: (n_bins,) float64.

    Where f_max = f_min 2^(k / bins_per_octave), k whole, there are k bins, whatever the logarithm rounds to: nnAudio,
    which does not allow for it, sometimes has one more.

    Args:
        n_bins: number of bins; None: those below f_max.
        bins_per_octave: number of bins per octave.
        f_min, f_max: lowest bin and open upper end, in Hz; f_max None: as n_bins says.
        sample_rate: samples per second, in Hz.

    Raises:
        ValueError: the top bin lies above half the sample rate; n_bins and f_max are both given, or neither.

    >>> constant_q_frequencies(3, 1, 55.0, 44100.0)
    array([ 55., 110., 220.])
    """
    check_whole("bins_per_octave", bins_per_octave)
    check_positive("f_min", f_min)
    check_positive("sample_rate", sample_rate)
    if f_max is not None:
        check_range(f_min, f_max)
        if n_bins is not None:
            raise ValueError(f"n_bins {n_bins} and f_max {f_max:g} Hz: one follows from the other; leave one out")
        n_bins = max(1, math.ceil(bins_per_octave * math.log2(f_max / f_min) - 1e-9))
    check_whole("n_bins", n_bins)
    frequencies = f_min * 2.0 ** (np.arange(n_bins) / bins_per_octave)
    if frequencies[-1] > sample_rate / 2:
        fitting = int(math.floor(bins_per_octave * math.log2(sample_rate / 2 / f_min))) + 1
        asked, remedy = f"n_bins {n_bins}", f"n_bins at most {fitting}"
        if f_max is not None:
            asked, remedy = f"f_max {f_max:g} Hz", f"an f_max of at most {sample_rate / 2:g} Hz"
        if fitting < 1:
            remedy = f"an f_min below {sample_rate / 2:g} Hz"
        raise ValueError(
            f"{asked}: the top bin would lie at {frequencies[-1]:.0f} Hz, above half the sample rate, "
            f"{sample_rate / 2:g} Hz; choose {remedy}"
        )
    return frequencies
