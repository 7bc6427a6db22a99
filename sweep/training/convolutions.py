"""Convolutions over frequency and time, which models of segments begin with."""

import math

import torch
from torch import nn

from sweep.training.model import Features

_PLACES = 256  # most places along frequency that the first convolution leaves


class Convolutions(nn.Module):
    """Four convolutions of 3 x 3 with pooling over frequency, and a layer over all frequencies of each frame.

    The first convolution strides over frequency so that at most 256 places are left. So the number of weights hardly
    depends on the number of bins, and each place sees a neighbourhood of bins, whatever their spacing.

    Args:
        features: shape of the features.
        channels: channels of the first two convolutions; the others have twice as many.
        width: values of each frame.
        dropout: share of the values that are set to 0 in training.
    """

    def __init__(self, features: Features, channels: int, width: int, dropout: float):
        super().__init__()
        stride = math.ceil(features.bins / _PLACES)
        places = math.ceil(features.bins / stride)
        sizes = [features.channels, channels, channels, 2 * channels, 2 * channels]
        self.convolutions, self.norms, self.pooling = nn.ModuleList(), nn.ModuleList(), []
        for i, (before, after) in enumerate(zip(sizes, sizes[1:], strict=False)):
            across = stride if i == 0 else 1
            shape, padding = (2 * across + 1, 3), (across, 1)
            self.convolutions.append(nn.Conv2d(before, after, shape, (across, 1), padding, bias=False))
            self.norms.append(nn.BatchNorm2d(after))
            self.pooling.append(2 if i and places > 1 else 1)
            places //= self.pooling[-1]
        self.all_frequencies = nn.Linear(sizes[-1] * places, width)
        self.dropout = nn.Dropout(dropout)
        self.to(memory_format=torch.channels_last)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute (batch, channels, bins, frames) -> (batch, frames, width)."""
        x = features.contiguous(memory_format=torch.channels_last)
        for convolution, norm, pooled in zip(self.convolutions, self.norms, self.pooling, strict=True):
            x = convolution(x)
            if pooled > 1:  # first, since the norm then has half as much to do
                x = nn.functional.max_pool2d(x, (pooled, 1))
            x = norm(x).relu_()
        x = x.flatten(1, 2).transpose(1, 2)
        return self.dropout(self.all_frequencies(x).relu_())
