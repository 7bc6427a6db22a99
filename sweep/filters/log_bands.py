"""Compute triangular bands of constant frequency ratio over the FFT's grid."""

import math

import numpy as np

from sweep.checks import check_choice, check_even, check_positive, check_range, check_whole
from sweep.filters.frequencies import fft_frequencies
from sweep.filters.triangles import normalised, triangular_bands

LOG_BAND_CORNERS = ("exact", "fft_bins")
LOG_BAND_NORMS = ("slaney", "area", None)
_A4 = 440.0  # Hz


def log_band_corners(
    sample_rate: float,
    n_fft: int,
    f_min: float,
    f_max: float | None = None,
    n_bands: int | None = None,
    bins_per_octave: int = 12,
    corners: str = "exact",
) -> np.ndarray:
    """Compute corners and centres of triangular bands of constant ratio: (bands + 2,) float64, in Hz.

    Band k rises from entry k, peaks at k + 1 and falls to k + 2. `corners` says where they lie:

        exact     f_min 2^(k / bins_per_octave), k = 0 .. n_bands + 1; the highest may lie above half the sample rate
        fft_bins  the FFT's bins nearest to 440 Hz 2^(i / bins_per_octave), i whole, from f_min to f_max, each bin once
                  and none at half the sample rate: low bands get further apart than the ratio (Boeck and Schedl 2012)

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of the FFT in samples, even.
        f_min: lowest corner in Hz; with "fft_bins" the lowest frequency whose nearest bin is one.
        f_max: highest corner likewise, at most half the sample rate; None is that half, or n_bands tells.
        n_bands: number of bands where the corners are exact; None: as many as reach up to f_max.
        bins_per_octave: number of bands per octave.
        corners: "exact" or "fft_bins".

    Raises:
        ValueError: a number is out of its range, f_max and n_bands are both given, or there is no band.

    >>> log_band_corners(8000, 256, 100.0, n_bands=2, bins_per_octave=1)
    array([100., 200., 400., 800.])
    """
    check_positive("sample_rate", sample_rate)
    check_even("n_fft", n_fft)
    check_whole("bins_per_octave", bins_per_octave)
    check_choice("corners", corners, LOG_BAND_CORNERS)
    half = sample_rate / 2
    check_positive("f_min", f_min)
    check_range(f_min, half if f_max is None else f_max)
    if f_max is not None and f_max > half:
        raise ValueError(f"f_max {f_max:g} Hz > half the sample rate, {half:g} Hz; choose a lower f_max")
    if n_bands is not None:
        check_whole("n_bands", n_bands)
        if corners == "fft_bins":
            raise ValueError(f'n_bands {n_bands}: f_min and f_max tell it where corners="fft_bins"; choose None')
        if f_max is not None:
            raise ValueError(f"n_bands {n_bands} and f_max {f_max:g}: one of them tells the other; choose None for one")
    top = half if f_max is None else f_max
    if corners == "exact":
        # A corner that is f_max itself counts, whatever the logarithm rounds to.
        count = math.floor(bins_per_octave * math.log2(top / f_min) + 1e-9) + 1 if n_bands is None else n_bands + 2
        found = f_min * 2.0 ** (np.arange(count) / bins_per_octave)
    else:
        found = _nearest_bins(n_fft, _aligned(f_min, top, bins_per_octave), sample_rate) * sample_rate / n_fft
    if len(found) < 3:
        raise ValueError(
            f"f_min {f_min:g} Hz to {top:g} Hz: {len(found)} corners, and a band needs 3; choose a wider range"
        )
    return found


def log_band_bank(
    sample_rate: float,
    n_fft: int,
    f_min: float,
    f_max: float | None = None,
    n_bands: int | None = None,
    bins_per_octave: int = 12,
    corners: str = "exact",
    norm: str | None = None,
) -> np.ndarray:
    """Build triangular bands of constant frequency ratio over the FFT's grid; the triangles are linear in Hz.

    Args:
        sample_rate, n_fft, f_min, f_max, n_bands, bins_per_octave, corners: arguments of `log_band_corners`.
        norm: normalisation: "slaney" divides each triangle by half its width in Hz, "area" by the sum of its weights;
            None keeps peaks of 1.

    Returns:
        (n_bands, n_fft // 2 + 1) float64. A band narrower than the grid may hold no bin; its row is 0.
    """
    check_choice("norm", norm, LOG_BAND_NORMS)
    found = log_band_corners(sample_rate, n_fft, f_min, f_max, n_bands, bins_per_octave, corners)
    return normalised(triangular_bands(found, fft_frequencies(sample_rate, n_fft)), found, norm)


def _aligned(f_min: float, f_max: float, bins_per_octave: int) -> np.ndarray:
    """Return the frequencies 440 Hz 2^(i / bins_per_octave), i whole, from f_min to f_max, in Hz."""
    low, high = (
        round_(bins_per_octave * math.log2(f / _A4)) for round_, f in ((math.floor, f_min), (math.ceil, f_max))
    )
    grid = _A4 * 2.0 ** (np.arange(low, high + 1) / bins_per_octave)
    return grid[(grid >= f_min) & (grid <= f_max)]


def _nearest_bins(n_fft: int, frequencies: np.ndarray, sample_rate: float) -> np.ndarray:
    """Return the FFT's bins nearest to some frequencies, below half the sample rate, each once."""
    grid = fft_frequencies(sample_rate, n_fft)[:-1]
    above = np.clip(np.searchsorted(grid, frequencies), 1, len(grid) - 1)
    nearer_below = frequencies - grid[above - 1] < grid[above] - frequencies
    return np.unique(above - nearer_below)
