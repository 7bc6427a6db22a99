"""Compute mel scales, and triangular mel bands over the FFT's grid."""

import math

import numpy as np

from sweep.checks import check_choice, check_even, check_positive, check_range, check_whole
from sweep.filters.frequencies import fft_frequencies
from sweep.filters.triangles import normalised, triangular_bands

MEL_SCALES = ("slaney", "htk")
MEL_NORMS = ("slaney", None)
MEL_TRIANGLES = ("hz", "mel")
# Slaney's Auditory Toolbox (1998): linear below 1 kHz, 3 mel per 200 Hz; logarithmic above, 27 mel per factor 6.4.
_HZ_PER_MEL, _BREAK_HZ, _LOG_STEP = 200.0 / 3, 1000.0, math.log(6.4) / 27


def hz_to_mel(hz: np.ndarray, scale: str = "slaney") -> np.ndarray:
    """Convert frequencies from Hz to mel: Slaney's Auditory Toolbox scale or HTK's 2595 log10(1 + f / 700).

    >>> hz_to_mel(np.array([100.0, 1000.0, 6400.0]))
    array([ 1.5, 15. , 42. ])
    """
    hz = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return 2595.0 * np.log10(1 + hz / 700.0)
    log_part = _BREAK_HZ / _HZ_PER_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, log_part)


def mel_to_hz(mel: np.ndarray, scale: str = "slaney") -> np.ndarray:
    """Convert frequencies from mel to Hz, the inverse of `hz_to_mel`.

    >>> mel_to_hz(np.array([1.5, 15.0, 42.0]))
    array([ 100., 1000., 6400.])
    """
    mel = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return 700.0 * (10 ** (mel / 2595.0) - 1)
    log_part = _BREAK_HZ * np.exp(_LOG_STEP * np.maximum(mel - _BREAK_HZ / _HZ_PER_MEL, 0.0))
    return np.where(mel < _BREAK_HZ / _HZ_PER_MEL, mel * _HZ_PER_MEL, log_part)


def mel_frequencies(n_mels: int, f_min: float, f_max: float, scale: str = "slaney") -> np.ndarray:
    """Compute corners and centres of n_mels triangular bands, evenly spaced in mel: (n_mels + 2,) float64, in Hz.

    Band k rises from entry k, peaks at k + 1 and falls to k + 2.
    """
    check_whole("n_mels", n_mels)
    check_choice("mel_scale", scale, MEL_SCALES)
    check_range(f_min, f_max, lowest=0.0)
    return mel_to_hz(_mel_corners(n_mels, f_min, f_max, scale), scale)


def _mel_corners(n_mels: int, f_min: float, f_max: float, scale: str) -> np.ndarray:
    low, high = hz_to_mel(np.array([f_min, f_max]), scale)
    return np.linspace(low, high, n_mels + 2)


def mel_bank(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    f_min: float = 0.0,
    f_max: float | None = None,
    scale: str = "slaney",
    norm: str | None = "slaney",
    triangles: str = "hz",
) -> np.ndarray:
    """Build triangular mel bands over the FFT's grid.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of the FFT, which has n_fft // 2 + 1 bins.
        n_mels: number of bands, at most the FFT's bins.
        f_min, f_max: lowest and highest corner in Hz; f_max None is half the sample rate.
        scale: "slaney" or "htk".
        norm: normalisation: "slaney" divides each triangle by half its width in Hz (equal area); None keeps peaks of 1.
        triangles: what the triangles are linear in: "hz" (librosa, torchaudio) or "mel"
            (tf.signal.linear_to_mel_weight_matrix, which takes HTK's scale).

    Returns:
        (n_mels, n_fft // 2 + 1) float64. A band narrower than the grid may hold no bin; its row is 0.
    """
    f_max = _check_mel(sample_rate, n_fft, n_mels, f_min, f_max, scale, norm)
    check_choice("triangles", triangles, MEL_TRIANGLES)
    corners, grid = mel_frequencies(n_mels, f_min, f_max, scale), fft_frequencies(sample_rate, n_fft)
    if triangles == "hz":
        return normalised(triangular_bands(corners, grid), corners, norm)
    bank = triangular_bands(_mel_corners(n_mels, f_min, f_max, scale), hz_to_mel(grid, scale))
    return normalised(bank, corners, norm)


def _check_mel(
    sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float | None, scale: str, norm: str | None
) -> float:
    """Check the arguments of a mel bank without building it; return f_max in Hz with None resolved."""
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
