"""Power spectrum summed over mel bands."""

from dataclasses import dataclass
from typing import Any

from sweep import filters
from sweep.fields import choice, even, number, positive, whole
from sweep.registry import families
from sweep.representations.representation import Representation


@families.register("mel")
@dataclass(frozen=True, kw_only=True)
class Mel(Representation):
    """Power spectrum summed over mel bands."""

    TRANSFORM = "MelSpectrogram"
    ORDER, COLOUR, MARKER = 2, "#E69F00", "^"
    TRAINED_PARTS = ("bank", "kernels")

    n_fft: int = even()
    """Window length in samples."""
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
    win_length: int | None = whole(also=(None,), default=None)
    """Length of the window in samples, centred in n_fft; null is n_fft."""
    symmetric: bool = choice(False, True, default=False)
    """Whether the window is symmetric instead of periodic."""
    normalized: str = choice("none", "window", "frame_length", default="none")
    """Number that the magnitude is divided by: the root of the sum of the window's squares, or of n_fft."""

    def measure(self) -> dict[str, Any]:
        numbers = (self.sample_rate, self.n_fft, self.n_mels, self.f_min, self.f_max, self.mel_scale, self.norm)
        bank = filters.mel_bank(*numbers, self.triangles)
        corners = filters.mel_frequencies(self.n_mels, self.f_min, self.f_max or self.sample_rate / 2, self.mel_scale)
        empty = int((bank.sum(axis=1) == 0).sum())
        return {"frequencies": corners[1:-1], "context": self.n_fft, "empty_filters": empty}

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"nonnegative": True}  # a logarithm follows
