"""Compute the weights of gammatone filters, as wide as the ear's, over the FFT's grid."""

import math

import numpy as np

from sweep.checks import check_choice, check_even, check_positive, check_range, check_whole
from sweep.filters.frequencies import fft_frequencies

GAMMATONE_NORMS = ("n_fft", None)
# Glasberg and Moore (1990): ERB(f) = f / _EAR_Q + _LEAST_ERB Hz, the equivalent rectangular bandwidth of the ear at f.
_EAR_Q, _LEAST_ERB = 9.26449, 24.7
# Decay rate of the envelope in ERBs at which a filter of order 4 is as wide as the ear's (Patterson et al. 1992).
_DECAY = 1.019
# The roots of s^4 - 6 s^2 + 1, where the numerator below is 0.
_ROOTS = (math.sqrt(2) + 1, math.sqrt(2) - 1, 1 - math.sqrt(2), -math.sqrt(2) - 1)


def erb(frequencies: np.ndarray) -> np.ndarray:
    """Compute the ear's equivalent rectangular bandwidth at some frequencies, f / 9.26449 + 24.7, in Hz.

    >>> erb(np.array([0.0, 9264.49]))
    array([  24.7, 1024.7])
    """
    return np.asarray(frequencies, dtype=np.float64) / _EAR_Q + _LEAST_ERB


def erb_frequencies(n_bands: int, f_min: float, f_max: float) -> np.ndarray:
    """Compute centre frequencies that are equally many equivalent rectangular bandwidths (ERB) apart.

    f_k + c = (f_min + c) ((f_max + c) / (f_min + c))^(k / n_bands), c = 9.26449 x 24.7 Hz, so that f_max itself is the
    first one left out (Slaney 1993).

    Args:
        n_bands: number of bands, at least 1.
        f_min, f_max: lowest centre and open upper end, in Hz, 0 <= f_min < f_max.

    Returns:
        (n_bands,) float64, in Hz.

    >>> erb_frequencies(3, 100.0, 1000.0).round(1)
    array([100. , 281.5, 563. ])
    """
    check_whole("n_bands", n_bands)
    check_range(f_min, f_max, lowest=0.0)
    c = _EAR_Q * _LEAST_ERB
    return (f_min + c) * ((f_max + c) / (f_min + c)) ** (np.arange(n_bands) / n_bands) - c


def gammatone_bank(
    sample_rate: float,
    n_fft: int,
    n_bands: int,
    f_min: float = 50.0,
    f_max: float | None = None,
    norm: str | None = "n_fft",
) -> np.ndarray:
    """Build the magnitude responses of gammatone filters over the FFT's grid.

    A gammatone filter has the impulse response t^3 exp(-b t) cos(w t), b = 2 pi 1.019 ERB (Patterson et al. 1992). Its
    Laplace transform is with p = s + b, but for a factor,

        (p^4 - 6 p^2 w^2 + w^4) / (p^2 + w^2)^4,   the product of (p + r w) / (p^2 + w^2), r = 1 + 2^0.5, 1 - 2^0.5, ...

    over the four roots r of the numerator. Slaney (1993) samples the impulse response of each factor, exp(-b t)
    (cos w t + r sin w t). With a = exp(-b / sample_rate), v = w / sample_rate and z = exp(2 pi i f / sample_rate), the
    product of the four is, but for a factor,

        H(f) = the product of z (z - a (cos v - r sin v)) / (z^2 - 2 a z cos v + a^2) over r.

    The weight of a bin is |H(f)| / |H(centre)|, as of Ellis' `fft2gammatonemx` (2009). No weight is 0: the skirts fall
    off slowly.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of the FFT in samples, even.
        n_bands: number of bands.
        f_min, f_max: lowest centre and open upper end of the centres, in Hz; f_max None is half the sample rate.
        norm: normalisation: "n_fft" divides by n_fft (Ellis, nnAudio); None keeps weights of 1 at the centre.

    Returns:
        (n_bands, n_fft // 2 + 1) float64.

    Raises:
        ValueError: a number is out of its range.
    """
    check_positive("sample_rate", sample_rate)
    check_even("n_fft", n_fft)
    check_choice("norm", norm, GAMMATONE_NORMS)
    f_max = sample_rate / 2 if f_max is None else f_max
    centres = erb_frequencies(n_bands, f_min, f_max)
    if f_max > sample_rate / 2:
        raise ValueError(f"f_max {f_max:g} Hz > half the sample rate, {sample_rate / 2:g} Hz; choose a lower f_max")
    bank = _responses(centres, fft_frequencies(sample_rate, n_fft), sample_rate)
    bank /= _responses(centres, centres[:, None], sample_rate)
    return bank / n_fft if norm == "n_fft" else bank


def _responses(centres: np.ndarray, at: np.ndarray, sample_rate: float) -> np.ndarray:
    """Compute |H| of each centre's filter at some frequencies in Hz: (centres, frequencies), or one row for each."""
    v = 2 * np.pi * centres[:, None] / sample_rate
    a = np.exp(-2 * np.pi * _DECAY * erb(centres[:, None]) / sample_rate)
    z = np.exp(2j * np.pi * at / sample_rate)
    pole = a * np.exp(1j * v)
    once = np.abs((z - pole) * (z - pole.conj()))
    return np.prod([np.abs(z - a * (np.cos(v) - r * np.sin(v))) / once for r in _ROOTS], axis=0)
