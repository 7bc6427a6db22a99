"""Convolutions, and two heads for every frame."""

from collections.abc import Mapping

import torch
from torch import nn

from sweep.data.recording import N_NOTES
from sweep.registry import models
from sweep.training.convolutions import Convolutions
from sweep.training.model import Features, Segmental, output_layer


@models.register("conv")
class Conv(Segmental):
    """Convolutions over a segment, a layer over all frequencies of a frame, one over its neighbours, and two heads.

    Args:
        features, bias: arguments of every model.
        channels: channels of the first convolutions.
        width: values of each frame.
        reach: frames that the last convolution spans.
        dropout: share of a frame's values that are set to 0 in training.
    """

    def __init__(
        self,
        features: Features,
        bias: Mapping[str, torch.Tensor] | None = None,
        channels: int = 16,
        width: int = 256,
        reach: int = 5,
        dropout: float = 0.2,
    ):
        super().__init__(features)
        self.frame = Convolutions(features, channels, width, dropout)
        self.neighbours = nn.Conv1d(width, width, reach, padding="same")
        self.dropout = nn.Dropout(dropout)
        self.outputs = nn.ModuleDict({head: output_layer(width, N_NOTES, bias and bias[head]) for head in self.HEADS})

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits: (batch, channels, bins, frames) -> (batch, frames, 128) for each head."""
        x = self.frame(features)
        x = x + self.dropout(self.neighbours(x.transpose(1, 2)).transpose(1, 2).relu())
        return {head: self.outputs[head](x) for head in self.HEADS}
