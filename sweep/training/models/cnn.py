"""Two convolutions and a linear layer."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import nn

from sweep.data.recording import N_NOTES
from sweep.registry import models
from sweep.training.model import Features, Model, output_layer


@models.register("cnn")
class CNN(Model):
    """Two convolutions, the first along frequency, the second over all frames, and a linear layer (Cheuk et al. 2020b).

    Conv2d(channels, 128, (128, 1), stride (2, 1)) - ReLU - Conv2d(128, 256, (1, frames)) - ReLU - flatten - Linear.
    Where there are fewer than 128 bins, the first convolution spans them all.
    """

    KERNEL = 128  # bins

    def __init__(self, features: Features, bias: Mapping[str, torch.Tensor] | None = None):
        super().__init__(features)
        height = min(self.KERNEL, features.bins)
        self.along_frequency = nn.Conv2d(features.channels, 128, (height, 1), stride=(2, 1))
        self.over_time = nn.Conv2d(128, 256, (1, features.frames))
        places = (features.bins - height) // 2 + 1
        self.output = output_layer(256 * places, N_NOTES, bias and bias["frames"])

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits: (batch, channels, bins, frames) -> (batch, 1, 128)."""
        # Each convolution is one matrix product over all places, whose sums have a fixed order.
        kernels = self.along_frequency.weight.flatten(1)
        places = features.unfold(2, self.along_frequency.kernel_size[0], 2)  # (batch, channels, places, frames, bins)
        places = places.movedim(1, 3).flatten(3)
        x = F.linear(places, kernels, self.along_frequency.bias).relu_()
        kernels = self.over_time.weight.squeeze(2).transpose(1, 2).flatten(1)  # (256, frames x 128)
        x = F.linear(x.flatten(2), kernels, self.over_time.bias).relu_()
        return {"frames": self.output(x.transpose(1, 2).flatten(1)).unsqueeze(1)}
