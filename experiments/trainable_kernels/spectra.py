"""The spectra of kernels before and after training: what the pictures draw and the table says."""

import numpy as np

from experiments.trainable_kernels.cells import Cell, FrontEnd, bin_taps
from sweep.data.recording import SAMPLE_RATE

SHOWN = {"STFT": (2, 6), "Mel": (6, 24), "CQT": (12, 36)}  # bins whose taps are kept
_POINTS = 1 << 14


def initial_taps(front_end: str, bin: int) -> tuple[float, np.ndarray]:
    """A kernel's frequency in Hz on these waves, and its taps when training begins, (2, taps) float32."""
    whole = FrontEnd(Cell(front_end, "FC", True))
    kernels = whole.transform.engine.kernels
    return float(kernels.frequencies[bin] / kernels.sample_rate * SAMPLE_RATE), bin_taps(whole, bin)


def spectrum(taps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies in Hz and magnitudes of a kernel's real part."""
    grid = np.fft.rfftfreq(_POINTS, 1 / SAMPLE_RATE)
    return grid, np.abs(np.fft.rfft(taps[0], _POINTS))


def loudest_above(taps: np.ndarray, frequency: float) -> tuple[float, float]:
    """What a kernel hears loudest above its own main lobe, and where.

    Args:
        taps: (2, taps).
        frequency: its own, in Hz.

    Returns:
        dB against what it hears at its own frequency, and the multiple of that frequency.
    """
    grid, heard = spectrum(taps)
    lobe = 2 * SAMPLE_RATE / taps.shape[1]  # of a Hann window
    above = grid > frequency + 1.1 * lobe
    best = int(np.argmax(np.where(above, heard, 0)))
    own = heard[np.abs(grid - frequency) < lobe / 2].max()
    return 20 * np.log10(heard[best] / own), grid[best] / frequency
