"""The larger model of the paper's comparison: convolutions, then a bidirectional LSTM, a note roll out."""

import torch
from torch import nn

from sweep.data.recording import N_NOTES


class CRNN(nn.Module):
    """Three convolutions over frequency and time, a linear layer, a bidirectional LSTM and a linear layer.

    Cheuk et al. (2020) say CNN and biLSTM; the sizes here are those of the acoustic model in Onsets and Frames
    (Hawthorne et al. 2018), without its dropout: 48, 48 and 96 channels of 3 x 3, frequency halved after the second and
    the third, 768 features a frame, 128 LSTM units in each direction.

    Args:
        n_bins: of the spectrogram.
    """

    def __init__(self, n_bins: int):
        super().__init__()

        def convolution(inputs: int, outputs: int) -> list[nn.Module]:
            return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

        self.convolutions = nn.Sequential(
            *convolution(1, 48), *convolution(48, 48), nn.MaxPool2d((2, 1)), *convolution(48, 96), nn.MaxPool2d((2, 1))
        )
        self.dense = nn.Linear(96 * (n_bins // 4), 768)
        self.lstm = nn.LSTM(768, 128, batch_first=True, bidirectional=True)
        self.output = nn.Linear(256, N_NOTES)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, n_bins, frames) -> (batch, frames, 128) logits."""
        x = self.convolutions(features[:, None]).flatten(1, 2).transpose(1, 2)
        return self.output(self.lstm(self.dense(x).relu())[0])
