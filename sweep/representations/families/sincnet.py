"""Band-pass filters between two cut-off frequencies, and the peaks of their output."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import positive
from sweep.registry import families
from sweep.representations.learned import Learned


@families.register("sincnet")
@dataclass(frozen=True, kw_only=True)
class Sinc(Learned):
    """Learnable band-pass filters and the peaks of their output: SincNet's first layer."""

    TRANSFORM = "SincNet"
    ORDER, COLOUR, MARKER = 5, "#882255", "*"

    f_max: float | None = positive(also=(None,), default=None)
    """Highest frequency that the filters begin at in Hz, before min_low_hz and min_band_hz are added; null is as much
    as half the sample rate allows."""
    min_low_hz: float = positive(default=50.0)
    """Least lower cut-off frequency in Hz."""
    min_band_hz: float = positive(default=50.0)
    """Least bandwidth in Hz."""

    def measure(self) -> dict[str, Any]:
        numbers = (self.n_filters, self.sample_rate, self.f_min, self.f_max, self.min_low_hz, self.min_band_hz)
        low, band = filters.sincnet_bands(*numbers)
        return self.measured(self.min_low_hz + low + (self.min_band_hz + band) / 2)
