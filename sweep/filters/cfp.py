"""Define the combined frequency and periodicity representation: its window and its triangles (Su and Yang 2015)."""

import numpy as np

from sweep.checks import check_choice, check_even, check_positive, check_range, check_whole
from sweep.filters.windows import WINDOWS

# Cosine-sum windows: those of `WINDOWS` and the four-term Blackman-Harris window (Harris 1978).
CFP_WINDOWS = {**WINDOWS, "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168)}
CFP_NORMS = ("window_in_use", "window")
CFP_SPECTRA = ("compressed", "magnitude")


def cfp_window(name: str, length: int) -> np.ndarray:
    """Compute a symmetric window, whose last sample equals its first: (length,) float64.

    >>> cfp_window("hann", 5)
    array([0. , 0.5, 1. , 0.5, 0. ])
    """
    check_choice("window", name, CFP_WINDOWS)
    check_whole("win_length", length, least=2)
    angle = 2 * np.pi * np.arange(length) / (length - 1)
    return sum((-1) ** j * a * np.cos(j * angle) for j, a in enumerate(CFP_WINDOWS[name]))


def cfp_frequencies(f_min: float, f_max: float, bins_per_octave: int) -> np.ndarray:
    """Compute the centres of the triangles and the upper end of the last one, in Hz.

    f_i = f_min 2^(i / bins_per_octave), as many as lie below f_max. Triangle i rises from f_(i - 1), peaks at f_i and
    falls to f_(i + 1), so there is none for the last of them, and none for f_0 either, whose row stays 0.

    Returns:
        (bins + 1,) float64.
    """
    check_positive("f_min", f_min)
    check_range(f_min, f_max)
    check_whole("bins_per_octave", bins_per_octave)
    steps = np.arange(int(np.ceil(np.log2(f_max / f_min) * bins_per_octave)) + 1)
    centres = f_min * 2.0 ** (steps / bins_per_octave)
    centres = centres[centres < f_max]
    if len(centres) < 3:
        raise ValueError(
            f"f_min {f_min:g} and f_max {f_max:g}: fewer than three bins of {bins_per_octave} per octave lie between; "
            "choose a higher f_max"
        )
    return centres


def cfp_banks(
    sample_rate: float, n_fft: int, f_min: float, f_max: float, bins_per_octave: int
) -> tuple[np.ndarray, np.ndarray]:
    """Build the triangles over the points of a spectrum, and those over the points of a cepstrum.

    Point j of the spectrum stands at j sample_rate / 2 / (n_fft / 2 - 1) Hz, slightly above the FFT's own j
    sample_rate / n_fft, as published; point j of the cepstrum, the period of j samples, at sample_rate / j. Triangles
    are linear in Hz with peaks of 1. One that is narrower than the spectrum's grid takes the nearest point if its ends
    are rounded to the same, and else stays 0.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of the FFT, even.
        f_min, f_max, bins_per_octave: arguments of `cfp_frequencies`.

    Returns:
        (bins, points) float64 each.

    Raises:
        ValueError: a number is out of its range.
    """
    check_positive("sample_rate", sample_rate)
    check_even("n_fft", n_fft)
    centres = cfp_frequencies(f_min, f_max, bins_per_octave)
    if f_max > sample_rate / 2:
        raise ValueError(f"f_max {f_max:g} Hz > half the sample rate, {sample_rate / 2:g} Hz; choose a lower f_max")
    step = sample_rate / n_fft
    if round(f_max / step) >= n_fft // 2 or round(sample_rate / f_min) > n_fft // 2:
        raise ValueError(f"n_fft {n_fft} is too short for {f_min:g} to {f_max:g} Hz; choose a longer n_fft")
    points = np.arange(round(f_max / step) + 1)
    ends = np.rint(centres / step).astype(np.int64)
    first, last = ends[:-2, None], ends[2:, None]
    grid = points * (sample_rate / 2 / (n_fft // 2 - 1))
    spectrum = np.where((points >= first) & (points <= last), _triangles(centres, grid), 0.0)
    spectrum = np.where(first == last, points == first, spectrum)
    periods = np.arange(round(sample_rate / f_min) + 1)
    cepstrum = _triangles(centres, sample_rate / np.maximum(periods, 0.5))
    cepstrum[:, 0] = 0.0
    return np.pad(spectrum, ((1, 0), (0, 0))), np.pad(cepstrum, ((1, 0), (0, 0)))


def _triangles(centres: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Compute the triangles of all centres but the first and the last, (bins - 1, points); 0 at their very peak.

    A point that lies exactly on a centre has no weight: the published inequalities are strict.
    """
    low, peak, high = centres[:-2, None], centres[1:-1, None], centres[2:, None]
    bank = np.maximum(0.0, np.minimum((grid - low) / (peak - low), (high - grid) / (high - peak)))
    return np.where(grid == peak, 0.0, bank)
