"""STFT magnitude at linearly or logarithmically spaced frequencies."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import choice, number, positive, whole
from sweep.registry import families
from sweep.representations.windowed import Windowed


@dataclass(frozen=True, kw_only=True)
class Fourier(Windowed):
    """STFT magnitude at frequencies of one's choice."""

    TRANSFORM = "STFT"

    scale: str = choice(*filters.STFT_SCALES)
    """Spacing of the bins; `fft` is the FFT's own grid."""
    n_bins: int | None = whole(also=(None,))
    """Number of bins; null is n_fft / 2 + 1."""
    f_min: float = number(0)
    """Lowest bin in Hz."""
    f_max: float = positive()
    """Open upper end of the bins: frequency of the first bin beyond the highest, in Hz."""
    first_bin: int = whole(least=0, default=0)
    """Lowest bin of the FFT's own grid; 1 leaves out 0 Hz."""
    power: int = choice(1, 2, default=1)
    """Exponent of the magnitude."""

    def measure(self) -> dict[str, Any]:
        numbers = (self.sample_rate, self.n_fft, self.scale, self.n_bins, self.f_min, self.f_max, self.first_bin)
        return {"frequencies": filters.stft_frequencies(*numbers), "context": self.n_fft}

    def arguments(self) -> dict[str, Any]:
        numbers = super().arguments()
        return {"output": "power" if numbers.pop("power") == 2 else "magnitude", **numbers}


@families.register("linear")
@dataclass(frozen=True, kw_only=True)
class Linear(Fourier):
    """STFT magnitude, bins equally far apart."""

    ORDER, COLOUR, MARKER = 0, "#0072B2", "o"


@families.register("log")
@dataclass(frozen=True, kw_only=True)
class Log(Fourier):
    """STFT magnitude, bins of constant frequency ratio."""

    ORDER, COLOUR, MARKER = 1, "#009E73", "s"
