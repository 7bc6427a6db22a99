"""Define each bin of a spectrogram in float64: windows, frequencies, Fourier and constant-Q kernels, mel bands.

This package is the definition; every engine evaluates the same sums faster and is tested against it. A frame is centred
on a sample. A kernel is a set of complex taps over *lags*, the distances from that centre in samples. A bin is

    y_k = sum_n taps_k[n] x[centre + n]

Errors name the argument, its value and the remedy; callers that know a file's name put it in front.
"""

from sweep.filters.cfp import CFP_NORMS, CFP_SPECTRA, CFP_WINDOWS, cfp_banks, cfp_frequencies, cfp_window
from sweep.filters.frequencies import (
    STFT_SCALES,
    constant_q_frequencies,
    fft_frequencies,
    linear_frequencies,
    log_frequencies,
    stft_frequencies,
)
from sweep.filters.kernels import (
    CONSTANT_Q_ALGORITHMS,
    CONSTANT_Q_BANDWIDTHS,
    CONSTANT_Q_NORMS,
    Kernels,
    constant_q_kernels,
    fourier_kernels,
)
from sweep.filters.mel import MEL_NORMS, MEL_SCALES, hz_to_mel, mel_bank, mel_frequencies, mel_to_hz
from sweep.filters.windows import PAD_MODES, WINDOWS, window

__all__ = [
    "CFP_NORMS", "CFP_SPECTRA", "CFP_WINDOWS", "CONSTANT_Q_ALGORITHMS", "CONSTANT_Q_BANDWIDTHS", "CONSTANT_Q_NORMS",
    "MEL_NORMS", "MEL_SCALES", "PAD_MODES", "STFT_SCALES", "WINDOWS", "Kernels", "cfp_banks", "cfp_frequencies",
    "cfp_window", "constant_q_frequencies", "constant_q_kernels", "fft_frequencies", "fourier_kernels", "hz_to_mel",
    "linear_frequencies", "log_frequencies", "mel_bank", "mel_frequencies", "mel_to_hz", "stft_frequencies", "window",
]  # fmt: skip
