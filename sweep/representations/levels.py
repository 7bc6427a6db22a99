"""Levels: how a clip is scaled before it is transformed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from sweep.fields import positive
from sweep.registry import levels
from sweep.representations.step import Step, divided

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Level(Step):
    """Scale of a clip, (batch, samples) -> (batch, samples).

    Attributes:
        WORDS: the level in words, for the remarks under a table.
        FRAMED: whether it is taken of the padded clip, sample by sample as often as frames hold it.
    """

    PLACE = "level."
    WORDS: ClassVar[str]
    FRAMED: ClassVar[bool] = False

    def __call__(self, x: "torch.Tensor", weight: "torch.Tensor | None" = None) -> "torch.Tensor":
        """Scale clips; `weight` is the number of frames that hold each sample, (samples,), where FRAMED."""
        raise NotImplementedError


@levels.register("window")
@dataclass(frozen=True, kw_only=True)
class Window(Level):
    """x / (||x||_2 + offset): each window has the norm 1 (Cheuk et al. 2020)."""

    WORDS = "divided by its L2 norm"

    offset: float = positive(default=1e-7)
    """Number added to the norm before the division."""

    def __call__(self, x: "torch.Tensor", weight: "torch.Tensor | None" = None) -> "torch.Tensor":
        from sweep.representations.unit_norm import unit_norm

        return unit_norm(x, self.offset)


@levels.register("file")
@dataclass(frozen=True, kw_only=True)
class File(Level):
    """x: the samples as the file has them, full scale 1."""

    WORDS = "as the file has it, full scale 1"

    def __call__(self, x: "torch.Tensor", weight: "torch.Tensor | None" = None) -> "torch.Tensor":
        return x


@levels.register("rms")
@dataclass(frozen=True, kw_only=True)
class RMS(Level):
    """x / sqrt(mean(x^2)); digital silence stays 0."""

    WORDS = "divided by its root mean square"

    def __call__(self, x: "torch.Tensor", weight: "torch.Tensor | None" = None) -> "torch.Tensor":
        mean = x.square().mean(dim=-1, keepdim=True)
        silent = mean == 0
        return divided(x, mean.masked_fill(silent, 1.0).sqrt())


@levels.register("peak")
@dataclass(frozen=True, kw_only=True)
class Peak(Level):
    """x / max |x|; digital silence stays 0."""

    WORDS = "divided by its peak"

    def __call__(self, x: "torch.Tensor", weight: "torch.Tensor | None" = None) -> "torch.Tensor":
        return divided(x, x.abs().amax(dim=-1, keepdim=True))


@levels.register("frames")
@dataclass(frozen=True, kw_only=True)
class Frames(Level):
    """(x - m) / (s + offset), where m and s^2 are mean and unbiased variance over the samples of all frames.

    A sample counts as often as frames hold it, and so do the zeros of the padding, which are scaled too (Transkun).
    """

    WORDS = "less the mean and divided by the deviation of its framed samples"
    FRAMED = True

    offset: float = positive(default=1e-8)
    """Number added to the deviation before the division."""

    def __call__(self, x: "torch.Tensor", weight: "torch.Tensor | None" = None) -> "torch.Tensor":
        total = weight.sum()
        mean = (x * weight).sum(dim=-1, keepdim=True) / total
        variance = ((x - mean).square() * weight).sum(dim=-1, keepdim=True) / (total - 1)
        silent = variance == 0
        deviation = variance.masked_fill(silent, 1.0).sqrt().masked_fill(silent, 0.0)
        return (x - mean) / (deviation + self.offset)
