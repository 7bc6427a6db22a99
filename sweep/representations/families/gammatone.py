"""Spectrum weighted by gammatone filters."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import choice, number, positive, whole
from sweep.registry import families
from sweep.representations.windowed import Windowed


@families.register("gammatone")
@dataclass(frozen=True, kw_only=True)
class Gammatone(Windowed):
    """Spectrum weighted by gammatone filters, as wide as the ear's."""

    TRANSFORM = "Gammatone"
    ORDER, COLOUR, MARKER = 2.7, "#000000", "p"
    TRAINED_PARTS = ("bank", "kernels")

    n_bands: int = whole()
    """Number of bands."""
    f_min: float = number(0)
    """Lowest centre in Hz."""
    f_max: float | None = positive(also=(None,), default=None)
    """Open upper end of the centres in Hz; null is half the sample rate."""
    norm: str | None = choice(*filters.GAMMATONE_NORMS, default=None)
    """Normalisation of the weights: divided by n_fft (n_fft), or 1 at the centre (null)."""
    power: float = positive()
    """Exponent of the magnitude before it is summed."""

    def measure(self) -> dict[str, Any]:
        numbers = (self.n_bands, self.f_min, self.f_max)
        filters.gammatone_bank(self.sample_rate, self.n_fft, *numbers)  # checks them
        f_max = self.f_max or self.sample_rate / 2
        return {"frequencies": filters.erb_frequencies(self.n_bands, self.f_min, f_max), "context": self.n_fft}

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"nonnegative": True}  # logarithms and roots follow
