"""Onsets and Frames: convolutions, recurrence, and an onset head that feeds the frame head."""

from collections.abc import Mapping

import torch
from torch import nn

from sweep.data.recording import N_NOTES
from sweep.registry import models
from sweep.training.convolutions import Convolutions
from sweep.training.model import Features, Segmental, output_layer


@models.register("crnn")
class CRNN(Segmental):
    """The form of Onsets and Frames (Hawthorne et al. 2018), over a segment: convolutions and an LSTM for each head.

    The frame head sees the onset head's probabilities, through which no gradient flows, beside its own first guess.

    Args:
        features, bias: arguments of every model.
        channels: channels of the first convolutions.
        width: values of each frame before the recurrence.
        hidden: values of each direction of the recurrence.
        dropout: share of a frame's values that are set to 0 in training.
    """

    def __init__(
        self,
        features: Features,
        bias: Mapping[str, torch.Tensor] | None = None,
        channels: int = 16,
        width: int = 256,
        hidden: int = 128,
        dropout: float = 0.2,
    ):
        super().__init__(features)
        bias = bias or {}
        self.onset_frame = Convolutions(features, channels, width, dropout)
        self.onset_memory = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.onsets = output_layer(2 * hidden, N_NOTES, bias.get("onsets"))
        self.sounding_frame = Convolutions(features, channels, width, dropout)
        self.guess = output_layer(width, N_NOTES, bias.get("frames"))
        self.memory = nn.LSTM(2 * N_NOTES, hidden, batch_first=True, bidirectional=True)
        self.frames = output_layer(2 * hidden, N_NOTES, bias.get("frames"))

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits: (batch, channels, bins, frames) -> (batch, frames, 128) for each head."""
        onsets = self.onsets(self.onset_memory(self.onset_frame(features))[0])
        guess = self.guess(self.sounding_frame(features)).sigmoid()
        both = torch.cat([onsets.detach().sigmoid(), guess], dim=2)
        return {"frames": self.frames(self.memory(both)[0]), "onsets": onsets}
