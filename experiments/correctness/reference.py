"""What each front-end should give: the sums of its own documentation written out in NumPy, float64.

Nothing of what is under test is used: ours from tests/definition.py, and the two other conventions here.
"""

import numpy as np

from sweep.representations import Representation
from tests.definition import BLOCK, constant_q, fft, fourier, frames, hann, inner_products, mel_bank, wave

CONVENTIONS = ("ours", "librosa", "HTK")


def expected(r: Representation, x: np.ndarray, convention: str = "ours") -> np.ndarray:
    """(clips, samples) -> (clips, bins, frames): power for Mel, magnitude for the rest, complex for constant-Q.

    Args:
        r: the transform.
        x: the clips.
        convention: "ours"; "librosa", whose constant-Q kernels have other lengths; "HTK", Mel bands of HTK's scale with
            peaks of 1.
    """
    x = x.astype(np.float64)
    if r.family == "cqt":
        if convention == "librosa":
            return librosa_constant_q(x, r)
        return constant_q(x, r.sample_rate, r.f_min, r.n_bins, r.bins_per_octave, r.hop_length, r.pad_mode)
    if r.family == "mel":
        numbers = (r.sample_rate, r.n_fft, r.n_mels, r.f_min, r.f_max or r.sample_rate / 2)
        bank = htk_bank(*numbers) if convention == "HTK" else mel_bank(*numbers)
        return np.einsum("mk,ckt->cmt", bank, np.abs(fft(x, r.n_fft, r.hop_length, r.pad_mode)) ** 2)
    if r.scale == "fft":
        return np.abs(fft(x, r.n_fft, r.hop_length, r.pad_mode))
    k = np.arange(r.n_fft // 2 + 1) / (r.n_fft // 2 + 1)
    frequencies = r.f_min * (r.f_max / r.f_min) ** k
    return np.abs(fourier(x, frequencies, r.sample_rate, r.n_fft, r.hop_length, r.pad_mode))


def librosa_lengths(frequencies: np.ndarray, bins_per_octave: int, sample_rate: float) -> np.ndarray:
    """Of librosa's wavelets since 0.10, in samples, not rounded: sample_rate / (f_k (2^(2/b) - 1) / (2^(2/b) + 1))."""
    squared = 2 ** (2 / bins_per_octave)
    return sample_rate / frequencies * (squared + 1) / (squared - 1)


def librosa_taps(frequencies: np.ndarray, lengths: np.ndarray, sample_rate: float, lags: np.ndarray) -> np.ndarray:
    """(bins, lags) complex: Hann from floor(-l/2) to floor(l/2) - 1, over its sum, times sqrt(l)."""
    first, end = np.floor(-lengths / 2)[:, None], np.floor(lengths / 2)[:, None]
    window = hann(lags - first, end - first)
    return np.sqrt(lengths)[:, None] / ((end - first) / 2) * window * wave(frequencies, sample_rate, lags)


def librosa_constant_q(x: np.ndarray, r: Representation) -> np.ndarray:
    """librosa.filters.wavelet's filters at the full rate on every frame, times the root of their lengths."""
    frequencies = r.f_min * 2 ** (np.arange(r.n_bins) / r.bins_per_octave)
    lengths = librosa_lengths(frequencies, r.bins_per_octave, r.sample_rate)
    parts = []
    for first in range(0, r.n_bins, BLOCK):
        some = slice(first, first + BLOCK)
        reach = int(np.ceil(lengths[some].max() / 2)) + 1
        lags = np.arange(-reach, reach)
        framed = frames(x, lags, r.hop_length, r.pad_mode)
        parts.append(inner_products(framed, librosa_taps(frequencies[some], lengths[some], r.sample_rate, lags)))
    return np.concatenate(parts, axis=1)


def htk_bank(sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float) -> np.ndarray:
    """Triangles with peaks of 1, straight and evenly spaced on HTK's scale, 2595 log10(1 + f / 700) (the HTK Book)."""

    def mel(frequency):
        return 2595 * np.log10(1 + frequency / 700)

    corners = np.linspace(mel(f_min), mel(f_max), n_mels + 2)
    grid = mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)
    return np.stack([np.interp(grid, corners[k : k + 3], [0, 1, 0]) for k in range(n_mels)])
