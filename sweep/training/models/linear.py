"""One linear layer."""

from collections.abc import Mapping

import torch
from torch import nn

from sweep.data.recording import N_NOTES
from sweep.registry import models
from sweep.training.model import Features, Model, output_layer


@models.register("linear")
class Linear(Model):
    """One linear layer over all channels, bins and frames, its weights starting at 0 (Cheuk et al. 2020)."""

    def __init__(self, features: Features, bias: Mapping[str, torch.Tensor] | None = None):
        super().__init__(features)
        inputs = features.channels * features.bins * features.frames
        self.output = output_layer(inputs, N_NOTES, bias and bias["frames"])
        nn.init.zeros_(self.output.weight)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits: (batch, channels, bins, frames) -> (batch, 1, 128)."""
        return {"frames": self.output(features.flatten(1)).unsqueeze(1)}
