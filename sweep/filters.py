"""What each bin of a spectrogram is: windows, frequencies, Fourier and constant-Q kernels, mel bands, in float64.

This module is the definition. Every engine evaluates these sums in some faster way and is tested against them. A frame
is centred on a sample; a kernel is a set of complex taps over *lags*, the distances from that centre in samples, and a
bin is

    y_k = sum_n taps_k[n] x[centre + n]

Errors name the number at fault, its value and the remedy; callers that know a file's name put it in front.
"""

import math
from dataclasses import dataclass

import numpy as np

from sweep.checks import check_choice, check_even, check_positive, check_range, check_whole

__all__ = [
    "CONSTANT_Q_ALGORITHMS", "CONSTANT_Q_NORMS", "MEL_NORMS", "MEL_SCALES", "PAD_MODES", "STFT_SCALES", "WINDOWS",
    "Kernels", "constant_q_frequencies", "constant_q_kernels", "fft_frequencies", "fourier_kernels", "hz_to_mel",
    "linear_frequencies", "log_frequencies", "mel_bank", "mel_frequencies", "mel_to_hz", "stft_frequencies", "window",
]  # fmt: skip

# Cosine-sum windows: the coefficients a_j of sum_j (-1)^j a_j cos(2 pi j n / length) (Harris 1978).
WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.50, 0.08),
    "boxcar": (1.0,),
}
PAD_MODES = ("constant", "reflect")


def window(name: str, length: int, positions: np.ndarray | None = None) -> np.ndarray:
    """A periodic window, or its values at some positions.

    Args:
        name: one of `WINDOWS`.
        length: period in samples, at least 1.
        positions: where to evaluate it, in samples from its first; all of 0 .. length - 1 if None. Outside that
            range the window is 0.

    Returns:
        float64 of the shape of `positions`.

    >>> window("hann", 4)
    array([0. , 0.5, 1. , 0.5])
    """
    check_choice("window", name, WINDOWS)
    check_whole("window length", length)
    n = np.arange(length) if positions is None else np.asarray(positions)
    angle = 2 * np.pi * n / length
    values = sum((-1) ** j * a * np.cos(j * angle) for j, a in enumerate(WINDOWS[name]))
    return np.where((n >= 0) & (n < length), values, 0.0)


def fft_frequencies(sample_rate: float, n_fft: int) -> np.ndarray:
    """The FFT's own grid: k sample_rate / n_fft for k = 0 .. n_fft // 2, in Hz.

    >>> fft_frequencies(8000, 4)
    array([   0., 2000., 4000.])
    """
    check_positive("sample_rate", sample_rate)
    check_whole("n_fft", n_fft)
    return np.arange(n_fft // 2 + 1) * sample_rate / n_fft


def linear_frequencies(n_bins: int, f_min: float, f_max: float) -> np.ndarray:
    """Bin centre frequencies with a constant distance between neighbours.

    f_k = f_min + k (f_max - f_min) / n_bins, so f_max itself is the first bin left out (Cheuk et al. 2020).

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
    """Bin centre frequencies with a constant ratio between neighbours.

    f_k = f_min (f_max / f_min)^(k / n_bins), so f_max itself is the first bin left out (Cheuk et al. 2020).

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
    sample_rate: float, n_fft: int, scale: str, n_bins: int | None, f_min: float, f_max: float
) -> np.ndarray:
    """Bin centre frequencies of a short-time Fourier transform.

    Args:
        sample_rate: in Hz.
        n_fft: window length in samples, even.
        scale: "fft" (the FFT's grid, from 0 Hz), "linear" or "log" (from f_min up to f_max).
        n_bins: bins; None is n_fft // 2 + 1.
        f_min, f_max: in Hz; they do not count for "fft".

    Returns:
        (n_bins,) float64, in Hz.
    """
    check_positive("sample_rate", sample_rate)
    check_even("n_fft", n_fft)
    check_choice("scale", scale, STFT_SCALES)
    grid = n_fft // 2 + 1
    n_bins = grid if n_bins is None else n_bins
    check_whole("n_bins", n_bins)
    if scale == "fft":
        if n_bins > grid:
            raise ValueError(f"n_bins {n_bins} > {grid} bins of n_fft {n_fft}; choose fewer bins or a longer n_fft")
        return fft_frequencies(sample_rate, n_fft)[:n_bins]
    frequencies = (linear_frequencies if scale == "linear" else log_frequencies)(n_bins, f_min, f_max)
    if f_max > sample_rate / 2:
        raise ValueError(f"f_max {f_max:g} Hz > half the sample rate, {sample_rate / 2:g} Hz; choose a lower f_max")
    return frequencies


def constant_q_frequencies(n_bins: int, bins_per_octave: int, f_min: float, sample_rate: float) -> np.ndarray:
    """Bin centre frequencies of a constant-Q transform: f_k = f_min 2^(k / bins_per_octave), in Hz, (n_bins,) float64.

    Raises:
        ValueError: the top bin lies above half the sample rate.

    >>> constant_q_frequencies(3, 1, 55.0, 44100.0)
    array([ 55., 110., 220.])
    """
    check_whole("n_bins", n_bins)
    check_whole("bins_per_octave", bins_per_octave)
    check_positive("f_min", f_min)
    check_positive("sample_rate", sample_rate)
    frequencies = f_min * 2.0 ** (np.arange(n_bins) / bins_per_octave)
    if frequencies[-1] > sample_rate / 2:
        fitting = int(math.floor(bins_per_octave * math.log2(sample_rate / 2 / f_min))) + 1
        remedy = f"n_bins at most {fitting}" if fitting > 0 else f"an f_min below {sample_rate / 2:g} Hz"
        raise ValueError(
            f"n_bins {n_bins}: the top bin would lie at {frequencies[-1]:.0f} Hz, above half the sample rate, "
            f"{sample_rate / 2:g} Hz; choose {remedy}"
        )
    return frequencies


@dataclass(frozen=True)
class Kernels:
    """A bank of windowed complex exponentials, one per bin, each known by its numbers until its taps are asked for.

    Kernel k has the lags first_lags[k] .. first_lags[k] + lengths[k] - 1 and the taps

        scales[k] window_lengths[k](n - first_lags[k]) exp(-2 pi i n frequencies[k] / sample_rate).

    All arrays have the shape (bins,): frequencies in Hz, lags and lengths in samples.
    """

    window: str
    sample_rate: float
    frequencies: np.ndarray
    first_lags: np.ndarray
    lengths: np.ndarray
    scales: np.ndarray

    def __len__(self) -> int:
        return len(self.frequencies)

    def __getitem__(self, bins: slice | np.ndarray) -> "Kernels":
        """The same bank, some bins only."""
        parts = (self.frequencies[bins], self.first_lags[bins], self.lengths[bins], self.scales[bins])
        return Kernels(self.window, self.sample_rate, *parts)

    @property
    def last_lags(self) -> np.ndarray:
        """(bins,) the last lag of each kernel, in samples."""
        return self.first_lags + self.lengths - 1

    def envelope(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """The real, positive part of a kernel's taps (scale times window) at some lags; 0 outside the kernel."""
        return self.scales[bin] * window(self.window, int(self.lengths[bin]), lags - self.first_lags[bin])

    def taps(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """Complex128 taps of one kernel at some lags; 0 outside the kernel."""
        # Whole turns of the phase are dropped before the exponential: lags reach 1e5 samples, float64 is to stay exact.
        turns = np.mod(lags * (self.frequencies[bin] / self.sample_rate), 1.0)
        return self.envelope(bin, lags) * np.exp(-2j * np.pi * turns)


def fourier_kernels(name: str, n_fft: int, frequencies: np.ndarray, sample_rate: float) -> Kernels:
    """Windowed Fourier kernels at arbitrary frequencies: lags -n_fft // 2 .. n_fft - n_fft // 2 - 1, scale 1.

    Args:
        name: window, one of `WINDOWS`.
        n_fft: kernel length in samples; even, so that a frame has a centre sample.
        frequencies: (bins,) in Hz, at most half the sample rate.
        sample_rate: in Hz.
    """
    check_choice("window", name, WINDOWS)
    check_even("n_fft", n_fft)
    check_positive("sample_rate", sample_rate)
    ones = np.ones(len(frequencies), dtype=np.int64)
    return Kernels(name, sample_rate, frequencies, -(n_fft // 2) * ones, n_fft * ones, 1.0 * ones)


CONSTANT_Q_NORMS = ("sqrt_length", "none", "n_fft")
# How a constant-Q bank is evaluated: as defined here by the fastest engine, or as one of the publications has it.
CONSTANT_Q_ALGORITHMS = ("exact", "1992", "1992v2", "2010", "2010v2")


def constant_q_kernels(
    name: str, frequencies: np.ndarray, bins_per_octave: int, sample_rate: float, norm: str = "sqrt_length"
) -> Kernels:
    """Constant-Q kernels (Brown 1991; Brown and Puckette 1992), as nnAudio's CQT1992v2 has them.

    With Q = 1 / (2^(1 / bins_per_octave) - 1), bin k is l_k = ceil(Q sample_rate / f_k) samples long, its lags are
    0 .. l_k - 1 minus ceil(l_k / 2), and its window is divided by its sum. `norm` says what that is multiplied with:

        sqrt_length   sqrt(l_k): a sinusoid gives the same in every bin per square root of what the bin sees (librosa)
        none          1: a full-scale sinusoid gives 1/2 in every bin
        n_fft         1 / the next power of two above the longest kernel (the IJCNN 2020 runs)

    Args:
        name: window, one of `WINDOWS`.
        frequencies: (bins,) in Hz.
        bins_per_octave: sets Q.
        sample_rate: in Hz.
        norm: one of `CONSTANT_Q_NORMS`.
    """
    check_choice("window", name, WINDOWS)
    check_choice("norm", norm, CONSTANT_Q_NORMS)
    check_whole("bins_per_octave", bins_per_octave)
    q = 1 / (2 ** (1 / bins_per_octave) - 1)
    lengths = np.ceil(q * sample_rate / frequencies).astype(np.int64)
    # The mean of a periodic cosine-sum window is its constant term, so its sum is that times the length. A period must
    # be longer than the number of terms for that; shorter kernels are summed out.
    sums = np.array([window(name, n).sum() if n < 8 else WINDOWS[name][0] * n for n in lengths.tolist()])
    if norm == "sqrt_length":
        scales = np.sqrt(lengths) / sums
    elif norm == "none":
        scales = 1 / sums
    else:
        scales = 1 / sums / 2 ** math.ceil(math.log2(lengths.max()))
    return Kernels(name, sample_rate, frequencies, -((lengths + 1) // 2), lengths, scales)


MEL_SCALES = ("slaney", "htk")
MEL_NORMS = ("slaney", None)
# Slaney's Auditory Toolbox (1998): linear below 1 kHz, 3 mel per 200 Hz; logarithmic above, 27 mel per factor 6.4.
_HZ_PER_MEL, _BREAK_HZ, _LOG_STEP = 200.0 / 3, 1000.0, math.log(6.4) / 27


def hz_to_mel(hz: np.ndarray, scale: str = "slaney") -> np.ndarray:
    """Frequencies in Hz as mel: Slaney's Auditory Toolbox scale or HTK's 2595 log10(1 + f / 700).

    >>> hz_to_mel(np.array([100.0, 1000.0, 6400.0]))
    array([ 1.5, 15. , 42. ])
    """
    hz = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1 + hz / 700.0)
    log_part = _BREAK_HZ / _HZ_PER_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, log_part)


def mel_to_hz(mel: np.ndarray, scale: str = "slaney") -> np.ndarray:
    """The inverse of `hz_to_mel`.

    >>> mel_to_hz(np.array([1.5, 15.0, 42.0]))
    array([ 100., 1000., 6400.])
    """
    mel = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return 700.0 * (10 ** (mel / 2595.0) - 1)
    log_part = _BREAK_HZ * np.exp(_LOG_STEP * np.maximum(mel - _BREAK_HZ / _HZ_PER_MEL, 0.0))
    return np.where(mel < _BREAK_HZ / _HZ_PER_MEL, mel * _HZ_PER_MEL, log_part)


def mel_frequencies(n_mels: int, f_min: float, f_max: float, scale: str = "slaney") -> np.ndarray:
    """Corners and centres of n_mels triangular bands, evenly spaced in mel: (n_mels + 2,) float64, in Hz.

    Band k rises from entry k, peaks at k + 1 and falls to k + 2.
    """
    check_whole("n_mels", n_mels)
    check_choice("mel_scale", scale, MEL_SCALES)
    check_range(f_min, f_max, lowest=0.0)
    low, high = hz_to_mel(np.array([f_min, f_max]), scale)
    return mel_to_hz(np.linspace(low, high, n_mels + 2), scale)


def mel_bank(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    f_min: float = 0.0,
    f_max: float | None = None,
    scale: str = "slaney",
    norm: str | None = "slaney",
) -> np.ndarray:
    """Triangular mel bands over the FFT's grid.

    Args:
        sample_rate: in Hz.
        n_fft: length of the FFT, which has n_fft // 2 + 1 bins.
        n_mels: number of bands, at most the FFT's bins.
        f_min, f_max: lowest and highest corner in Hz; f_max None is half the sample rate.
        scale: "slaney" or "htk".
        norm: "slaney" divides each triangle by half its width in Hz (equal area); None leaves its peak at 1.

    Returns:
        (n_mels, n_fft // 2 + 1) float64. Bands narrower than the grid may hold no bin at all: their row is 0.
    """
    f_max = _check_mel(sample_rate, n_fft, n_mels, f_min, f_max, scale, norm)
    corners = mel_frequencies(n_mels, f_min, f_max, scale)
    grid = fft_frequencies(sample_rate, n_fft)
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    bank = np.maximum(0.0, np.minimum((grid - low) / (peak - low), (high - grid) / (high - peak)))
    return bank * 2 / (high - low) if norm == "slaney" else bank


def _check_mel(
    sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float | None, scale: str, norm: str | None
) -> float:
    """Check the numbers of a mel bank without building it; returns f_max with None resolved, in Hz."""
    check_positive("sample_rate", sample_rate)
    check_even("n_fft", n_fft)
    check_whole("n_mels", n_mels)
    check_choice("mel_scale", scale, MEL_SCALES)
    check_choice("norm", norm, MEL_NORMS)
    f_max = sample_rate / 2 if f_max is None else f_max
    check_range(f_min, f_max, lowest=0.0)
    if f_max > sample_rate / 2:
        raise ValueError(f"f_max {f_max:g} Hz > half the sample rate, {sample_rate / 2:g} Hz; choose a lower f_max")
    if n_mels > n_fft // 2 + 1:
        grid = n_fft // 2 + 1
        raise ValueError(f"n_mels {n_mels} > {grid} bins of n_fft {n_fft}; choose fewer bands or a longer n_fft")
    return f_max
