"""The base class of a row's steps: level, compression, normalisation and stack, each a few keys and a formula."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweep.fields import Group, text

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Step(Group):
    """A step from audio to features; its formula stands in the docstring of its class.

    A step is applied to float32 or float64 tensors of any device, and gradients go through it. Its arithmetic is its
    definition: in float64 it is exact to rounding.
    """

    name: str = text()
    """Registered name of the step."""

    @property
    def per_clip(self) -> bool:
        """Whether a value depends on all of a clip, so that a part of the clip gives other values."""
        return False


def divided(values: "torch.Tensor", by: "torch.Tensor") -> "torch.Tensor":
    """Divide, but leave values as they are where they would be divided by 0."""
    return values / by.masked_fill(by == 0, 1.0)


def over(values: "torch.Tensor", what: str) -> tuple[int, ...]:
    """Return the dimensions of (batch, channels, bins, frames) that a "clip" or a "channel" spans."""
    return (1, 2, 3) if what == "clip" else (2, 3)
