"""A small network for wind players, who seldom play more than one note at a time."""

from collections.abc import Mapping

import torch
from torch import nn

from sweep.training.model import Features, Model, output_layer


class Glance(Model):
    """A hidden layer over the loudest frame of each bin.

    Args:
        features, bias: arguments of every model.
        hidden: units of the hidden layer.
        leak: slope of the units below 0.
    """

    LEARNING_RATE = 0.01

    def __init__(
        self,
        features: Features,
        bias: Mapping[str, torch.Tensor] | None = None,
        hidden: int = 24,
        leak: float = 0.1,
    ):
        super().__init__(features)
        self.hidden = nn.Sequential(nn.Linear(features.channels * features.bins, hidden), nn.LeakyReLU(leak))
        self.output = output_layer(hidden, 128, bias and bias["frames"])

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits: (batch, channels, bins, frames) -> (batch, 1, 128)."""
        loudest = features.amax(dim=-1).flatten(1)
        return {"frames": self.output(self.hidden(loudest)).unsqueeze(1)}
