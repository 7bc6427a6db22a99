"""Compressions: what becomes of a spectrogram's values, one by one."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.fields import choice, number, positive
from sweep.registry import compressions
from sweep.representations.step import Step, over

if TYPE_CHECKING:
    import torch

_BASES = {"e": 1.0, 10: 1 / math.log(10)}  # factor of the natural logarithm


@dataclass(frozen=True, kw_only=True)
class Compression(Step):
    """Map of a spectrogram's values, (batch, channels, bins, frames) to the same shape."""

    PLACE = "compression."

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        """Compress values of at least 0, of so many frames a second."""
        raise NotImplementedError

    @property
    def fused_offset(self) -> float | None:
        """The number added before a plain natural logarithm, which front-ends take in one pass; None: another map."""
        return None


@compressions.register("none")
@dataclass(frozen=True, kw_only=True)
class Uncompressed(Compression):
    """x."""

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        return x


@compressions.register("log")
@dataclass(frozen=True, kw_only=True)
class Log(Compression):
    """log(max(x + offset, floor)), where a 0 counts as `zero` if that is given."""

    offset: float = number(0, default=0.0)
    """Number added to the value."""
    floor: float = number(0, default=0.0)
    """Least value whose logarithm is taken."""
    zero: float | None = positive(also=(None,), default=None)
    """Value that replaces 0; null leaves it."""
    base: str | int = choice("e", 10, default="e")
    """Base of the logarithm."""

    def check(self) -> None:
        if not (self.offset or self.floor or self.zero):
            raise ValueError("compression log: the logarithm of 0 is infinite; choose offset, floor or zero above 0")

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        if self.zero:
            x = x.masked_fill(x == 0, self.zero)
        if self.offset:
            x = x + self.offset
        if self.floor:
            x = x.clamp(min=self.floor)
        return x.log() if self.base == "e" else x.log10()

    @property
    def fused_offset(self) -> float | None:
        return self.offset if self.base == "e" and not (self.floor or self.zero) else None


@compressions.register("db")
@dataclass(frozen=True, kw_only=True)
class Decibels(Compression):
    """factor log10(max(x + offset, floor) / reference), and no less than its maximum minus the range.

    The factor is 10 for a power and 20 for a magnitude. A reference "max" is the maximum of max(x + offset, floor).
    """

    of: str = choice("power", "magnitude")
    """What the values are, which sets the factor."""
    offset: float = number(0, default=0.0)
    """Number added to the value."""
    floor: float = number(0, default=1e-10)
    """Least value whose logarithm is taken."""
    reference: float | str = positive(also=("max",), default=1.0)
    """Value of 0 dB; max is the largest value."""
    range: float | None = positive(also=(None,), default=None)
    """Decibels below the maximum at which values are cut off; null cuts off none."""
    over: str = choice("clip", "channel", default="clip")
    """What a maximum spans: all of a clip, or one channel of it."""

    def check(self) -> None:
        if not (self.offset or self.floor):
            raise ValueError("compression db: the logarithm of 0 is infinite; choose offset or floor above 0")

    @property
    def per_clip(self) -> bool:
        return self.reference == "max" or self.range is not None

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        if self.offset:
            x = x + self.offset
        y = (10 if self.of == "power" else 20) * (x.clamp(min=self.floor) if self.floor else x).log10()
        if self.per_clip:
            top = y.amax(dim=over(y, self.over), keepdim=True)
            if self.range is not None:
                y = y.maximum(top - self.range)
            if self.reference == "max":
                return y - top
        return y if self.reference == 1 else y - self._decibels(self.reference)

    def _decibels(self, value: Any) -> float:
        return (10 if self.of == "power" else 20) * math.log10(value)


@compressions.register("log1p")
@dataclass(frozen=True, kw_only=True)
class Log1p(Compression):
    """log(1 + factor x)."""

    factor: float = positive(default=1.0)
    """Factor of the value."""
    base: str | int = choice("e", 10, default=10)
    """Base of the logarithm."""

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        y = (self.factor * x).log1p()
        return y if self.base == "e" else y * _BASES[10]


@compressions.register("power")
@dataclass(frozen=True, kw_only=True)
class Power(Compression):
    """x^exponent, with a gradient of 0 where x is 0."""

    exponent: float = positive(default=0.5)
    """Exponent of the value."""

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        silent = x == 0
        return (x.masked_fill(silent, 1.0) ** self.exponent).masked_fill(silent, 0.0)


@compressions.register("pcen")
@dataclass(frozen=True, kw_only=True)
class PCEN(Compression):
    """(scale x / (epsilon + m)^gain + bias)^exponent - bias^exponent, per-channel energy normalisation.

    m is x smoothed in time: m[n] = (1 - b) m[n-1] + b scale x[n], from m[-1] = 1 on, with a time constant of
    `time_constant` seconds: b = (sqrt(1 + 4 T^2) - 1) / (2 T^2), T = time_constant frames per second. The formula and
    the defaults are librosa's (Wang et al. 2017; Lostanlen et al. 2019).
    """

    gain: float = number(0, default=0.98)
    """Exponent of the smoothed value."""
    bias: float = positive(default=2.0)
    """Number added before the root."""
    exponent: float = positive(default=0.5)
    """Exponent of the result."""
    time_constant: float = positive(default=0.4)
    """Time constant of the smoothing in seconds."""
    epsilon: float = positive(default=1e-6)
    """Number added to the smoothed value."""
    scale: float = positive(default=2.0**31)
    """Factor of the value."""

    def smoothing(self, frame_rate: float) -> float:
        """Return b for so many frames a second."""
        t = self.time_constant * frame_rate
        return (math.sqrt(1 + 4 * t * t) - 1) / (2 * t * t)

    def __call__(self, x: "torch.Tensor", frame_rate: float) -> "torch.Tensor":
        from sweep.engines.smoothing import smoothed  # imports torch

        x = self.scale * x
        smooth = smoothed(x, self.smoothing(frame_rate), before=x.new_ones(()))
        gained = x * (self.epsilon + smooth) ** -self.gain
        return (gained + self.bias) ** self.exponent - self.bias**self.exponent
