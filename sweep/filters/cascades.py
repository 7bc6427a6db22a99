"""Define the approximations by which librosa and nnAudio evaluate a constant-Q bank octave by octave.

Both halve the rate once for each octave down and use the top octave's kernels again (Schoerkhuber and Klapuri 2010).
What sets their result apart from the sum of the whole kernels is their low-pass filter, that each halving cuts off what
lies beyond the clip, and in librosa that small values of the kernels' spectra count as zero.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweep.filters.kernels import Kernels
from sweep.filters.windows import kaiser

# Share of a kernel's spectrum, summed as magnitudes, that librosa leaves out: the default of its argument `sparsity`.
SPARSITY = 0.01


@dataclass(frozen=True)
class Cascade:
    """How a library evaluates a constant-Q bank octave by octave.

    Attributes:
        low_pass: taps of the filter before a halving.
        first_lag: lag of the first tap: sample m at half the rate is sum_n low_pass[n] x[2 m + first_lag + n].
        rounds_up: whether the half of an odd number of samples is rounded up.
        early: function that returns how often the rate is halved before the top octave: for the share of half the rate
            that the top bin reaches up to, the number of octaves and the hop.
        taps: function that returns the first lag and the complex taps, (bins, lags), of one octave's kernels.
    """

    low_pass: np.ndarray
    first_lag: int
    rounds_up: bool
    early: Callable[[float, int, int], int]
    taps: Callable[[Kernels], tuple[int, np.ndarray]]


def whole_taps(kernels: Kernels) -> tuple[int, np.ndarray]:
    """Return the first lag that any kernel has, and all taps from there on, (bins, lags) complex128."""
    lags = np.arange(kernels.first_lags.min(), kernels.last_lags.max() + 1)
    return int(lags[0]), np.stack([kernels.taps(k, lags) for k in range(len(kernels))])


def sparse_taps(kernels: Kernels, share: float = SPARSITY) -> tuple[int, np.ndarray]:
    """Return kernels without the least values of their spectra, and without negative frequencies, as librosa has them.

    A frame has n_fft samples, the power of two above the longest kernel. Of the n_fft / 2 + 1 magnitudes of a kernel's
    spectrum the smallest count as zero, as many as together make up less than `share` of all.

    Args:
        kernels: bank of kernels, those of one octave at its rate.
        share: share of the sum of magnitudes to leave out.

    Returns:
        The first lag, -n_fft / 2, and (bins, n_fft) complex128 taps.
    """
    n_fft = 1 << (int(kernels.lengths.max()) - 1).bit_length()
    first, taps = whole_taps(kernels)
    framed = np.zeros((len(kernels), n_fft), dtype=np.complex128)
    framed[:, np.arange(first, first + taps.shape[1]) % n_fft] = taps
    spectra = np.fft.ifft(framed)[:, : n_fft // 2 + 1]
    magnitudes = np.abs(spectra)
    in_order = np.sort(magnitudes)
    left_out = np.cumsum(in_order, axis=1) < share * in_order.sum(axis=1, keepdims=True)
    least = np.take_along_axis(in_order, left_out.sum(axis=1, keepdims=True), axis=1)
    kept = np.where(magnitudes >= least, spectra, 0)
    return -(n_fft // 2), np.fft.fftshift(np.fft.fft(kept, n_fft), axes=1)


def _librosa_low_pass() -> np.ndarray:
    """Compute a filter like soxr_hq's: passes 0.913 of the lower band, stops half the lower rate by 126 dB."""
    passed, stopped, attenuation = 0.913 / 4, 0.25, 126.0  # in turns per sample of the higher rate
    reach = math.ceil((attenuation - 7.95) / (14.36 * (stopped - passed)) / 2)  # Kaiser's formula for its length
    n = np.arange(-reach, reach + 1)
    taps = np.sinc((passed + stopped) * n) * kaiser(len(n), attenuation)
    return taps / taps.sum()


def _librosa_early(share: float, octaves: int, hop_length: int) -> int:
    halvings = math.ceil(-math.log2(share)) - 2
    return max(0, min(halvings, (hop_length & -hop_length).bit_length() - octaves))


def _nnaudio_low_pass() -> np.ndarray:
    """Compute nnAudio's filter, scipy.signal.firwin2(256, [0, 0.4995, 0.5005, 1], [1, 1, 0, 0])."""
    grid, lags = np.linspace(0, 1, 257), np.arange(256)
    gains = (grid < 0.5) + 0.5 * (grid == 0.5)
    taps = np.fft.irfft(gains * np.exp(-0.5j * np.pi * 255 * grid))[:256]
    return taps * (0.54 - 0.46 * np.cos(2 * np.pi * lags / 255))


def _no_early(share: float, octaves: int, hop_length: int) -> int:
    return 0


_LIBROSA, _NNAUDIO = _librosa_low_pass(), _nnaudio_low_pass()
# nnAudio's filter has an even length, so each halving brings the clip forward by half a sample of the higher rate.
CASCADES = {
    "librosa": Cascade(_LIBROSA, -(len(_LIBROSA) // 2), True, _librosa_early, sparse_taps),
    "nnaudio": Cascade(_NNAUDIO, -127, False, _no_early, whole_taps),
}
