"""Define window functions and the names of the ways to pad a clip."""

import numpy as np

from sweep.checks import check_choice, check_whole

# Cosine-sum windows: the coefficients a_j of sum_j (-1)^j a_j cos(2 pi j n / length) (Harris 1978).
WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.50, 0.08),
    "boxcar": (1.0,),
}
PAD_MODES = ("constant", "reflect")


def window(name: str, length: int, positions: np.ndarray | None = None) -> np.ndarray:
    """Compute a periodic window, or its values at some positions.

    Args:
        name: name of the window, one of `WINDOWS`.
        length: period in samples, at least 1.
        positions: positions to evaluate it at, in samples from its first; None: 0 .. length - 1. The window is 0
            outside that range.

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


def kaiser(length: int, attenuation: float) -> np.ndarray:
    """Compute the Kaiser window of a filter designed by the window method (Kaiser 1974).

    Args:
        length: taps of the filter.
        attenuation: attenuation of the stop band in dB, above 50.

    Returns:
        (length,) float64, symmetric, 1 in the middle.
    """
    return np.kaiser(length, 0.1102 * (attenuation - 8.7))
