"""Two convolutions and a linear layer."""

import torch
import torch.nn.functional as F
from torch import nn

from sweep.data.recording import N_NOTES
from sweep.registry import models


@models.register("cnn")
class CNN(nn.Module):
    """Two convolutions, the first along frequency, the second over all frames, and a linear layer (Cheuk et al. 2020b).

    Conv2d(n_channels, 128, (128, 1), stride (2, 1)) - ReLU - Conv2d(128, 256, (1, n_frames)) - ReLU - flatten - Linear.
    Where there are fewer than 128 bins, the first convolution spans them all.

    Args:
        n_bins, n_frames: number of bins and of frames of the features.
        bias: initial value of a trained output bias, (128,); None for no bias.
        n_channels: number of channels of the features.
    """

    KERNEL = 128  # bins

    def __init__(self, n_bins: int, n_frames: int, bias: torch.Tensor | None = None, n_channels: int = 1):
        super().__init__()
        height = min(self.KERNEL, n_bins)
        self.along_frequency = nn.Conv2d(n_channels, 128, (height, 1), stride=(2, 1))
        self.over_time = nn.Conv2d(128, 256, (1, n_frames))
        self.output = nn.Linear(256 * ((n_bins - height) // 2 + 1), N_NOTES, bias=bias is not None)
        if bias is not None:
            with torch.no_grad():
                self.output.bias.copy_(bias)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute logits: (batch, n_channels, n_bins, n_frames) -> (batch, 128)."""
        # Each convolution is one matrix product over all places, whose sums have a fixed order.
        kernels = self.along_frequency.weight.flatten(1)
        places = features.unfold(2, self.along_frequency.kernel_size[0], 2)  # (batch, channels, places, frames, bins)
        places = places.movedim(1, 3).flatten(3)
        x = F.linear(places, kernels, self.along_frequency.bias).relu_()
        kernels = self.over_time.weight.squeeze(2).transpose(1, 2).flatten(1)  # (256, frames x 128)
        x = F.linear(x.flatten(2), kernels, self.over_time.bias).relu_()
        return self.output(x.transpose(1, 2).flatten(1))
