"""The float64 definition of every front-end: the sums of PROTOCOL section 1 written out, with nothing from `sweep`."""

import math

import numpy as np

# Bins whose taps are in memory at a time: 32 of 32,767 complex taps are 17 MB.
BLOCK = 32


def definition(representation, x: np.ndarray) -> np.ndarray:
    """What a representation is of (clips, samples): (clips, bins, frames), complex for all families but Mel."""
    r = representation
    if r.family == "cqt":
        return constant_q(x, r.sample_rate, r.f_min, r.n_bins, r.bins_per_octave, r.hop_length, r.pad_mode)
    if r.family == "mel":
        bank = mel_bank(r.sample_rate, r.n_fft, r.n_mels, r.f_min, r.f_max)
        return np.einsum("mk,ckt->cmt", bank, np.abs(fft(x, r.n_fft, r.hop_length, r.pad_mode)) ** r.power)
    k = np.arange(r.n_fft // 2 + 1) / (r.n_fft // 2 + 1)
    linear, log = r.f_min + k * (r.f_max - r.f_min), r.f_min * (r.f_max / r.f_min) ** k
    frequencies = linear if r.family == "linear" else log
    return fourier(x, frequencies, r.sample_rate, r.n_fft, r.hop_length, r.pad_mode)


def frames(
    x: np.ndarray, lags: np.ndarray, hop_length: int, pad_mode: str, some: np.ndarray | None = None
) -> np.ndarray:
    """(clips, frames, lags): the samples at the frames' centres, t hop_length, plus each lag; all frames or some."""
    samples = x.shape[-1]
    t = np.arange(1 + samples // hop_length) if some is None else some
    index = hop_length * t[:, None] + lags
    if pad_mode == "reflect":
        index = np.abs(index)
        return x[:, np.where(index < samples, index, 2 * (samples - 1) - index)]
    return np.where((index >= 0) & (index < samples), x[:, np.clip(index, 0, samples - 1)], 0.0)


def hann(n: np.ndarray, length) -> np.ndarray:
    """The periodic Hann window at positions n, 0 outside 0 .. length - 1."""
    return np.where((n >= 0) & (n < length), 0.5 - 0.5 * np.cos(2 * np.pi * n / length), 0.0)


def wave(frequencies: np.ndarray, sample_rate: float, n: np.ndarray) -> np.ndarray:
    """exp(-2 pi i n f / sample_rate), (frequencies, n); NumPy's complex exp would take twice as long."""
    angle = 2 * np.pi / sample_rate * frequencies[:, None] * n
    return np.cos(angle) - 1j * np.sin(angle)


def inner_products(framed: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """(clips, frames, lags) times (bins, lags) complex -> (clips, bins, frames) complex."""
    return (framed @ taps.real.T + 1j * (framed @ taps.imag.T)).swapaxes(1, 2)


def fft(x: np.ndarray, n_fft: int, hop_length: int, pad_mode: str) -> np.ndarray:
    """Short-time Fourier transform on the FFT's grid, by NumPy's FFT."""
    n = np.arange(n_fft)
    return np.fft.rfft(frames(x, n - n_fft // 2, hop_length, pad_mode) * hann(n, n_fft)).swapaxes(1, 2)


def fourier_taps(frequencies: np.ndarray, sample_rate: float, n_fft: int) -> np.ndarray:
    """(bins, n_fft) complex taps, whose phase is 0 at the frame's first sample."""
    n = np.arange(n_fft)
    return hann(n, n_fft) * wave(frequencies, sample_rate, n)


def fourier(x, frequencies, sample_rate, n_fft, hop_length, pad_mode) -> np.ndarray:
    """Short-time Fourier transform at any frequencies."""
    framed = frames(x, np.arange(n_fft) - n_fft // 2, hop_length, pad_mode)
    return inner_products(framed, fourier_taps(frequencies, sample_rate, n_fft))


def constant_q_lengths(frequencies: np.ndarray, bins_per_octave: int, sample_rate: float) -> np.ndarray:
    """l_k = ceil(Q sample_rate / f_k)."""
    return np.ceil(sample_rate / frequencies / (2 ** (1 / bins_per_octave) - 1)).astype(int)


def constant_q_taps(frequencies, lengths, sample_rate, lags) -> np.ndarray:
    """(bins, lags) complex taps: Hann of l_k around lag 0, over its sum l_k / 2, times sqrt(l_k)."""
    length = lengths[:, None]
    envelope = np.sqrt(length) / (length / 2) * hann(lags + np.ceil(length / 2), length)
    return envelope * wave(frequencies, sample_rate, lags)


def constant_q(x, sample_rate, f_min, n_bins, bins_per_octave, hop_length, pad_mode) -> np.ndarray:
    """Constant-Q transform. Under zero padding, lags as long as the clip meet no sample and are left out."""
    frequencies = f_min * 2 ** (np.arange(n_bins) / bins_per_octave)
    lengths = constant_q_lengths(frequencies, bins_per_octave, sample_rate)
    parts = []
    for first in range(0, n_bins, BLOCK):
        some = slice(first, first + BLOCK)
        reach = math.ceil(lengths[some].max() / 2)
        if pad_mode == "constant":
            reach = min(reach, x.shape[-1])
        lags = np.arange(-reach, reach)
        framed = frames(x, lags, hop_length, pad_mode)
        parts.append(inner_products(framed, constant_q_taps(frequencies[some], lengths[some], sample_rate, lags)))
    return np.concatenate(parts, axis=1)


def mel_bank(sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float) -> np.ndarray:
    """Slaney's triangles of equal area: linear up to 1 kHz with 3 mel per 200 Hz, then 27 mel per factor 6.4."""
    hz = np.array([f_min, f_max])
    low, high = np.where(hz < 1000, hz * 3 / 200, 15 + 27 * np.log(hz / 1000) / np.log(6.4))
    mel = np.linspace(low, high, n_mels + 2)
    corners = np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))
    grid = np.arange(n_fft // 2 + 1) * sample_rate / n_fft
    triangles = [np.interp(grid, corners[k : k + 3], [0, 1, 0]) for k in range(n_mels)]
    return np.stack(triangles) * (2 / (corners[2:] - corners[:-2]))[:, None]


def below_peak(actual, expected: np.ndarray, exponent: float = 1.0) -> float:
    """By how many dB the error of the worst bin lies below the loudest bin of its clip; of several clips, the least.

    Args:
        actual, expected: (clips, ..., bins, frames), magnitudes to a power.
        exponent: that power; decibels are of the magnitude itself.
    """
    actual = np.asarray(actual.detach().cpu() if hasattr(actual, "detach") else actual, float)
    one, other = (np.abs(values).reshape(len(expected), -1) ** (1 / exponent) for values in (actual, expected))
    return float(20 * np.log10(other.max(axis=1) / np.abs(one - other).max(axis=1)).min())


def relative_l2(actual, expected: np.ndarray) -> float:
    """Norm of the difference over the norm of what was expected; of several clips (first dimension), the worst."""
    actual = np.asarray(actual.detach().cpu() if hasattr(actual, "detach") else actual)
    difference = (actual - expected).reshape(len(expected), -1)
    return float(
        (np.linalg.norm(difference, axis=1) / np.linalg.norm(expected.reshape(len(expected), -1), axis=1)).max()
    )
