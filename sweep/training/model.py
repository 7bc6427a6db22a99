"""What a model is: from the features of a clip to the logits of its heads, at instants that it says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import nn

__all__ = ["Features", "Model", "Segmental", "output_layer", "projection"]


@dataclass(frozen=True, eq=False)
class Features:
    """Shape of what a model sees.

    Attributes:
        channels, bins: channels, and bins of each.
        times: centres of the frames in seconds from the clip's first sample, (frames,) float64, evenly spaced.
        middle: middle of the clip, in seconds.
    """

    channels: int
    bins: int
    times: np.ndarray
    middle: float

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.times)


class Model(nn.Module):
    """Base of the models; a class of its own needs no more than this one's attributes and `forward`.

    Its arguments beside the two below are the model's keys in a configuration.

    Args:
        features: shape of the features.
        bias: initial value of each head's trained output bias, (128,) by the head's name; None: no output bias.

    Attributes:
        HEADS: what `forward` gives: "frames", whether a note sounds, and perhaps "onsets", whether it begins.
        SEES: "window" if it says one instant of a clip, "segment" if it says several.
        LEARNING_RATE: value of `model.learning_rate`, which protocol=paper takes; None: there is none.
        times: instants of the estimates in seconds from the clip's first sample, (times,) float64, evenly spaced. One
            for a model that says what sounds in the middle of a clip; here that, and for a `Segmental` one all frames.
    """

    HEADS: ClassVar[tuple[str, ...]] = ("frames",)
    SEES: ClassVar[str] = "window"
    LEARNING_RATE: ClassVar[float | None] = None

    def __init__(self, features: Features, bias: Mapping[str, torch.Tensor] | None = None):
        super().__init__()
        self.times = np.array([features.middle])

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits: (batch, channels, bins, frames) -> (batch, times, 128) for each head."""
        raise NotImplementedError


class Segmental(Model):
    """Base of the models that say of every frame of a clip, a segment of some seconds, what sounds and begins in it."""

    HEADS = ("frames", "onsets")
    SEES = "segment"

    def __init__(self, features: Features, bias: Mapping[str, torch.Tensor] | None = None):
        super().__init__(features, bias)
        self.times = features.times


def output_layer(width: int, notes: int, bias: torch.Tensor | None) -> nn.Linear:
    """Make a head's last layer: its bias starts at a given value, (notes,), or there is none."""
    layer = nn.Linear(width, notes, bias=bias is not None)
    if bias is not None:
        with torch.no_grad():
            layer.bias.copy_(bias)
    return layer


def projection(n_bins: int, width: int) -> torch.Tensor:
    """Build a fixed random projection, (width, n_bins), that keeps the mean square of white features.

    Its rows are orthonormal if there are more bins than features; otherwise its columns are, times a factor. In the
    second case no information is lost, and the model has as many weights as for a larger representation.
    """
    random = torch.empty(width, n_bins, dtype=torch.float64)
    nn.init.orthogonal_(random, generator=torch.Generator().manual_seed(0))
    return (random * max(1.0, width / n_bins) ** 0.5).float()
