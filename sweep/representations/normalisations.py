"""Normalisations: how compressed values are scaled within a clip."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.fields import choice, number, positive
from sweep.registry import normalisations
from sweep.representations.step import Step, divided, over

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Normalisation(Step):
    """Scale of compressed values, (batch, channels, bins, frames) to the same shape; clips do not meet."""

    PLACE = "normalisation."

    def __call__(self, y: "torch.Tensor") -> "torch.Tensor":
        """Scale compressed values."""
        raise NotImplementedError


@normalisations.register("none")
@dataclass(frozen=True, kw_only=True)
class Unscaled(Normalisation):
    """y."""

    def __call__(self, y: "torch.Tensor") -> "torch.Tensor":
        return y


@normalisations.register("minmax")
@dataclass(frozen=True, kw_only=True)
class MinMax(Normalisation):
    """(y - min) / (max - min + offset); 0 where all values of a clip are equal and the offset is 0."""

    offset: float = number(0, default=0.0)
    """Number added to the span before the division."""
    over: str = choice("clip", "channel", default="clip")
    """What minimum and maximum span: all of a clip, or one channel of it."""

    @property
    def per_clip(self) -> bool:
        return True

    def __call__(self, y: "torch.Tensor") -> "torch.Tensor":
        spans = over(y, self.over)
        low = y.amin(dim=spans, keepdim=True)
        return divided(y - low, y.amax(dim=spans, keepdim=True) - low + self.offset)


@normalisations.register("affine")
@dataclass(frozen=True, kw_only=True)
class Affine(Normalisation):
    """(y + shift) / scale."""

    shift: float = number(-1e6, default=0.0)
    """Number added to the value."""
    scale: float = positive(default=1.0)
    """Number that the sum is divided by."""

    def __call__(self, y: "torch.Tensor") -> "torch.Tensor":
        return (y + self.shift) / self.scale


@normalisations.register("whisper")
@dataclass(frozen=True, kw_only=True)
class Whisper(Normalisation):
    """(max(y, max - range) + range / 2) / (range / 2): Whisper's, for base-10 logarithms (Radford et al. 2023)."""

    range: float = positive(default=8.0)
    """Difference from the maximum at which values are cut off."""

    @property
    def per_clip(self) -> bool:
        return True

    def __call__(self, y: "torch.Tensor") -> "torch.Tensor":
        top = y.amax(dim=over(y, "clip"), keepdim=True)
        return (y.maximum(top - self.range) + self.range / 2) / (self.range / 2)
