"""Define window functions, what frames are windowed with, and the names of the ways to pad a clip."""

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from sweep.checks import check_choice, check_even, check_whole, shown

# Cosine-sum windows: the coefficients a_j of sum_j (-1)^j a_j cos(2 pi j n / length) (Harris 1978).
WINDOWS = {
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.50, 0.08),
    "boxcar": (1.0,),
}
PAD_MODES = ("constant", "reflect")
# What the magnitude is divided by, in torchaudio's words; False and "none" are the same.
NORMALIZATIONS = (False, "none", "window", "frame_length")

_GAUSSIAN = "shifted_gaussian"
Window: TypeAlias = str | tuple  # a name, or a name and parameters, which can be hashed


def as_window(value: object) -> Window:
    """Return a window's name, or its name with parameters as a tuple, as it may stand in a frozen dataclass.

    Whether SciPy has a window of that name, `window` says.

    Args:
        value: a name, or a list or tuple of a name and numbers: "hann", ["kaiser", 14.0].

    Raises:
        ValueError: it is something else.

    >>> as_window(["kaiser", 14.0]), as_window(["hann"])
    (('kaiser', 14.0), 'hann')
    """
    name, *parameters = value if isinstance(value, list | tuple) and value else (value,)
    parameters = [tuple(p) if isinstance(p, list | tuple) else p for p in parameters]
    numbers = [number for p in parameters for number in (p if isinstance(p, tuple) else (p,)) if number is not None]
    plain = all(isinstance(n, int | float | np.number) and math.isfinite(n) for n in numbers)
    if not isinstance(name, str) or not name or not plain:
        raise ValueError(f'window {shown(repr(value))}: needs a name, or a name and numbers such as ["kaiser", 14.0]')
    return (name, *parameters) if parameters else name


def has_formula(name: Window) -> bool:
    """Return whether a window has values between its samples: one of `WINDOWS`, or a shifted Gaussian."""
    return name in WINDOWS or name[0] == _GAUSSIAN


def window(name: Window, length: int, positions: np.ndarray | None = None, symmetric: bool = False) -> np.ndarray:
    """Compute a periodic window, or its values at some positions.

    Args:
        name: one of `WINDOWS`; any window of scipy.signal.get_window, by its name or as ("kaiser", 14.0), which imports
            SciPy; or ("shifted_gaussian", centre, width), exp(-((n / length - centre) / (width / 2))^2 / 2), shares
            of the length (Transkun).
        length: length in samples, at least 1: the period.
        positions: positions to evaluate it at, in samples from its first; None: 0 .. length - 1. The window is 0
            outside that range. SciPy's have values at whole positions only.
        symmetric: whether the last sample equals the first (numpy.hanning); the period is then length - 1.

    Returns:
        float64 of the shape of `positions`.

    Raises:
        ValueError: there is no such window, its parameters are wrong, or SciPy would have it and is not installed.

    >>> window("hann", 4)
    array([0. , 0.5, 1. , 0.5])
    """
    name = as_window(name)
    check_whole("window length", length)
    check_choice("symmetric", symmetric, (False, True))
    n = np.arange(length) if positions is None else np.asarray(positions)
    inside = (n >= 0) & ((n <= length - 1) if symmetric else (n < length))
    if name in WINDOWS:
        angle = 2 * np.pi * n / (max(1, length - 1) if symmetric else length)
        values = sum((-1) ** j * a * np.cos(j * angle) for j, a in enumerate(WINDOWS[name]))
        return np.where(inside, values if length > 1 or not symmetric else 1.0, 0.0)
    if _GAUSSIAN in (name, name[0]):
        centre, width = _centre_and_width(name, symmetric)
        return np.where(inside, np.exp(-0.5 * ((n - centre * length) / (width * length / 2)) ** 2), 0.0)
    values = _scipys(name, int(length), bool(symmetric))
    if positions is None:
        return values.copy()
    whole = np.rint(n).astype(np.int64)
    if (whole != n).any():
        raise ValueError(f"window {shown(repr(name))}: SciPy gives no values between its samples")
    return np.where(inside, values[np.clip(whole, 0, length - 1)], 0.0)


def _centre_and_width(name: Window, symmetric: bool) -> tuple[float, float]:
    """Return the parameters of a shifted Gaussian."""
    numbers = name[1:] if isinstance(name, tuple) else ()
    if len(numbers) != 2 or not all(isinstance(n, int | float | np.number) for n in numbers) or numbers[1] <= 0:
        needs = f"needs centre and width, above 0, as shares of its length: [{_GAUSSIAN}, 0.5, 0.25]"
        raise ValueError(f"window {shown(repr(name))}: {needs}")
    if symmetric:
        raise ValueError(f"symmetric True: {_GAUSSIAN} has its centre where it is told; choose symmetric=False")
    return numbers


@lru_cache(maxsize=32)
def _scipys(name: Window, length: int, symmetric: bool) -> np.ndarray:
    """Return a window of scipy.signal.get_window, (length,) float64; it is kept, so nobody may write into it."""
    choices = f"choose {', '.join(WINDOWS)}, {_GAUSSIAN} or a window of scipy.signal.get_window"
    try:
        from scipy.signal import get_window
    except ImportError:
        raise ValueError(f"window {shown(repr(name))}: needs SciPy; pip install scipy, or {choices}") from None
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(get_window(name, length, fftbins=not symmetric), dtype=np.float64)
    except (ValueError, TypeError, IndexError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")[:80]
        raise ValueError(f"window {shown(repr(name))}: {reason}; {choices}") from None
    if values.shape != (length,) or not np.isfinite(values).all() or not values.any():
        raise ValueError(f"window {shown(repr(name))}: no window of {length} samples; {choices}")
    values.flags.writeable = False
    return values


def frame_window(
    name: Window,
    n_fft: int,
    win_length: int | None = None,
    symmetric: bool = False,
    normalized: bool | str = False,
) -> np.ndarray:
    """Compute what a frame is multiplied by: a window, centred in zeros if it is shorter than the FFT.

    Args:
        name: window, as `window` takes it.
        n_fft: length of the FFT in samples, even.
        win_length: length of the window in samples, at most n_fft; None is n_fft.
        symmetric: whether the window's last sample equals its first.
        normalized: what the window is divided by, one of `NORMALIZATIONS`: "window", the root of the sum of its
            squares; "frame_length", the root of n_fft.

    Returns:
        (n_fft,) float64.

    >>> frame_window("hann", 8, 4, normalized="frame_length") * 8**0.5
    array([0. , 0. , 0. , 0.5, 1. , 0.5, 0. , 0. ])
    """
    win_length = check_win_length(n_fft, win_length)
    taps, left = window(name, win_length, symmetric=symmetric), (n_fft - win_length) // 2
    return np.pad(taps, (left, n_fft - win_length - left)) * window_scale(taps, n_fft, normalized)


def check_win_length(n_fft: int, win_length: int | None) -> int:
    """Return the length of a frame's window in samples: win_length, or n_fft if it is None."""
    n_fft = check_even("n_fft", n_fft)
    if win_length is None:
        return n_fft
    win_length = check_whole("win_length", win_length)
    if win_length > n_fft:
        raise ValueError(f"win_length {win_length} > n_fft {n_fft}; choose a shorter win_length or a longer n_fft")
    return win_length


def window_scale(taps: np.ndarray, n_fft: int, normalized: bool | str) -> float:
    """Return the factor of a window that `normalized` asks for, given the window without it and the FFT's length."""
    check_choice("normalized", normalized, NORMALIZATIONS)
    if normalized in (False, "none"):
        return 1.0
    return float(1 / np.sqrt((taps**2).sum() if normalized == "window" else n_fft))


def kaiser(length: int, attenuation: float) -> np.ndarray:
    """Compute the Kaiser window of a filter designed by the window method (Kaiser 1974).

    Args:
        length: taps of the filter.
        attenuation: attenuation of the stop band in dB, above 50.

    Returns:
        (length,) float64, symmetric, 1 in the middle.
    """
    return np.kaiser(length, 0.1102 * (attenuation - 8.7))
