"""Spectrum summed over triangular bands of constant frequency ratio."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import choice, positive, whole
from sweep.registry import families
from sweep.representations.windowed import Windowed


@families.register("log_bands")
@dataclass(frozen=True, kw_only=True)
class LogBands(Windowed):
    """Spectrum summed over triangular bands of constant frequency ratio."""

    TRANSFORM = "LogBandSpectrogram"
    ORDER, COLOUR, MARKER = 2.5, "#CC79A7", "v"
    TRAINED_PARTS = ("bank", "kernels")

    f_min: float = positive()
    """Lowest corner of the lowest band in Hz."""
    f_max: float | None = positive(also=(None,), default=None)
    """Highest corner of the highest band in Hz; null where n_bands tells it, or for half the sample rate."""
    n_bands: int | None = whole(also=(None,), default=None)
    """Number of bands, where their corners are exact; null for as many as reach up to f_max."""
    bins_per_octave: int = whole()
    """Bands per octave."""
    corners: str = choice(*filters.LOG_BAND_CORNERS, default="exact")
    """Corners of the triangles: f_min 2^(k / bins_per_octave), or the FFT's bins nearest to the scale of A4."""
    norm: str | None = choice(*filters.LOG_BAND_NORMS, default=None)
    """Normalisation of the bands: equal area (slaney), weights that sum to 1 (area), or peak 1 (null)."""
    power: float = positive()
    """Exponent of the magnitude before it is summed."""

    def measure(self) -> dict[str, Any]:
        numbers = (self.sample_rate, self.n_fft, self.f_min, self.f_max, self.n_bands, self.bins_per_octave)
        centres = filters.log_band_corners(*numbers, self.corners)[1:-1]
        bank = filters.log_band_bank(*numbers, self.corners, self.norm)
        return {"frequencies": centres, "context": self.n_fft, "empty_filters": int((bank.sum(axis=1) == 0).sum())}

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"nonnegative": True}  # logarithms and roots follow
