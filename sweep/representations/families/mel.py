"""Power spectrum summed over mel bands."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import choice, number, positive, whole
from sweep.registry import families
from sweep.representations.windowed import Windowed


@families.register("mel")
@dataclass(frozen=True, kw_only=True)
class Mel(Windowed):
    """Power spectrum summed over mel bands."""

    TRANSFORM = "MelSpectrogram"
    ORDER, COLOUR, MARKER = 2, "#E69F00", "^"
    TRAINED_PARTS = ("bank", "kernels")

    n_mels: int = whole()
    """Number of bands."""
    f_min: float = number(0)
    """Lowest corner of the lowest band in Hz."""
    f_max: float | None = positive(also=(None,))
    """Highest corner of the highest band in Hz; null is half the sample rate."""
    mel_scale: str = choice(*filters.MEL_SCALES)
    """Formula from Hz to mel, Slaney's or HTK's."""
    norm: str | None = choice(*filters.MEL_NORMS)
    """Normalisation of the bands: equal area (slaney) or peak 1 (null)."""
    power: float = positive()
    """Exponent of the magnitude before it is summed."""
    triangles: str = choice(*filters.MEL_TRIANGLES, default="hz")
    """What the triangles are linear in."""

    def measure(self) -> dict[str, Any]:
        numbers = (self.sample_rate, self.n_fft, self.n_mels, self.f_min, self.f_max, self.mel_scale, self.norm)
        bank = filters.mel_bank(*numbers, self.triangles)
        corners = filters.mel_frequencies(self.n_mels, self.f_min, self.f_max or self.sample_rate / 2, self.mel_scale)
        empty = int((bank.sum(axis=1) == 0).sum())
        return {"frequencies": corners[1:-1], "context": self.n_fft, "empty_filters": empty}

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"nonnegative": True}  # logarithms and roots follow
