"""One linear layer."""

import torch
from torch import nn

from sweep.data.recording import N_NOTES
from sweep.registry import models


@models.register("linear")
class Linear(nn.Module):
    """One linear layer over all channels, bins and frames, its weights starting at 0 (Cheuk et al. 2020).

    Args:
        n_bins, n_frames: number of bins and of frames of the features.
        bias: initial value of a trained output bias, (128,); None for no bias.
        n_channels: number of channels of the features.
    """

    def __init__(self, n_bins: int, n_frames: int, bias: torch.Tensor | None = None, n_channels: int = 1):
        super().__init__()
        self.output = nn.Linear(n_channels * n_bins * n_frames, N_NOTES, bias=bias is not None)
        nn.init.zeros_(self.output.weight)
        if bias is not None:
            with torch.no_grad():
                self.output.bias.copy_(bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute logits: (batch, n_channels, n_bins, n_frames) -> (batch, 128)."""
        return self.output(features.flatten(1))
