"""Define each bin of a spectrogram in float64: windows, frequencies, Fourier and constant-Q kernels, mel bands.

This package is the definition; every engine evaluates the same sums faster and is tested against it. A frame is centred
on a sample. A kernel is a set of complex taps over *lags*, the distances from that centre in samples. A bin is

    y_k = sum_n taps_k[n] x[centre + n]

Errors name the argument, its value and the remedy; callers that know a file's name put it in front.
"""

from sweep.filters.cepstrum import dct_matrix
from sweep.filters.cfp import CFP_NORMS, CFP_SPECTRA, CFP_WINDOWS, cfp_banks, cfp_frequencies, cfp_window
from sweep.filters.constant_q import (
    CONSTANT_Q_ALGORITHMS,
    CONSTANT_Q_BANDWIDTHS,
    CONSTANT_Q_BASIS_NORMS,
    CONSTANT_Q_NORMS,
    ConstantQ,
    constant_q_kernels,
)
from sweep.filters.frequencies import (
    STFT_SCALES,
    constant_q_frequencies,
    fft_frequencies,
    linear_frequencies,
    log_frequencies,
    stft_frequencies,
)
from sweep.filters.gammatone import GAMMATONE_NORMS, erb, erb_frequencies, gammatone_bank
from sweep.filters.kernels import Kernels, fourier_kernels
from sweep.filters.learned import leaf_gabors, sincnet_bands
from sweep.filters.log_bands import LOG_BAND_CORNERS, LOG_BAND_NORMS, log_band_bank, log_band_corners
from sweep.filters.mel import (
    MEL_NORMS,
    MEL_SCALES,
    MEL_TRIANGLES,
    hz_to_mel,
    mel_bank,
    mel_frequencies,
    mel_to_hz,
)
from sweep.filters.windows import (
    NORMALIZATIONS,
    PAD_MODES,
    WINDOWS,
    as_window,
    frame_window,
    has_formula,
    window,
)

__all__ = [
    "CFP_NORMS", "CFP_SPECTRA", "CFP_WINDOWS", "CONSTANT_Q_ALGORITHMS", "CONSTANT_Q_BANDWIDTHS",
    "CONSTANT_Q_BASIS_NORMS", "CONSTANT_Q_NORMS", "GAMMATONE_NORMS", "LOG_BAND_CORNERS", "LOG_BAND_NORMS", "MEL_NORMS",
    "MEL_SCALES", "MEL_TRIANGLES", "NORMALIZATIONS", "PAD_MODES", "STFT_SCALES", "WINDOWS", "ConstantQ", "Kernels",
    "as_window", "cfp_banks", "cfp_frequencies", "cfp_window", "constant_q_frequencies", "constant_q_kernels",
    "dct_matrix", "erb", "erb_frequencies", "fft_frequencies", "fourier_kernels", "frame_window", "gammatone_bank",
    "has_formula", "hz_to_mel", "leaf_gabors", "linear_frequencies", "log_band_bank", "log_band_corners",
    "log_frequencies", "mel_bank", "mel_frequencies", "mel_to_hz", "sincnet_bands", "stft_frequencies", "window",
]  # fmt: skip
