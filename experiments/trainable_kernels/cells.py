"""The six models of the experiment, each behind a fixed and a trainable front-end, with what was published of them."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from experiments.trainable_kernels.sines import SAMPLES
from sweep.transforms import CQT, STFT, MelSpectrogram

HOP = 512
FRAMES = 1 + SAMPLES // HOP
FRONT_ENDS, HEADS = ("STFT", "Mel", "CQT"), ("FC", "CNN")
PARTS = ("published", "fair", "separate")  # of the experiment: the README says what is done in each


@dataclass(frozen=True)
class Cell:
    """One model.

    Attributes:
        front_end: of `FRONT_ENDS`.
        head: of `HEADS`.
        trainable: whether the kernels are (Mel: and the bank).
        wide: Mel with 1024 samples and 64 bands instead of 512 and 32, as the published fixed CNN was.
    """

    front_end: str
    head: str
    trainable: bool
    wide: bool = False

    def __str__(self) -> str:
        return f"{self.front_end} {self.head} {'trainable' if self.trainable else 'fixed'}"


CELLS = [Cell(f, h, trainable) for f in FRONT_ENDS for h in HEADS for trainable in (False, True)]
# Cheuk et al. 2020: front-end, head -> learning rates trainable and fixed, test MSE trainable and fixed.
PUBLISHED = {
    ("STFT", "FC"): (1e-4, 1e-4, 3.80e-6, 1.87e-5),
    ("STFT", "CNN"): (1e-4, 1e-4, 3.49e-6, 2.28e-5),
    ("Mel", "FC"): (1e-6, 5e-5, 1.24e-5, 2.36e-3),
    ("Mel", "CNN"): (1e-5, 8e-5, 4.73e-6, 4.70e-4),
    ("CQT", "FC"): (8e-7, 8e-7, 4.13e-6, 1.00e-2),
    ("CQT", "CNN"): (3e-6, 3e-6, 8.74e-6, 1.94e-2),
}


def published_rate(cell: Cell) -> float:
    """The learning rate of the paper's run."""
    return PUBLISHED[cell.front_end, cell.head][0 if cell.trainable else 1]


def published_mse(cell: Cell) -> float:
    """The test MSE of the paper's run after 60 epochs."""
    return PUBLISHED[cell.front_end, cell.head][2 if cell.trainable else 3]


class FrontEnd(nn.Module):
    """Waves (batch, 8820) -> features (batch, bins, 18).

    The constant-Q kernels are divided by their windows' sums, and what they give is multiplied by the roots of their
    lengths: the published runs trained them so. The product is the usual constant-Q transform, but Adam moves every tap
    by about the learning rate a step, so that what lies in the taps and what stays outside decides how fast they move.

    Args:
        cell: whose; the frozen kernels go through the direct engine too, so that both sides start from the same sums.
    """

    def __init__(self, cell: Cell):
        super().__init__()
        options = {"hop_length": HOP, "trainable": cell.trainable, "engine": "direct"}
        scale = np.ones(1)
        if cell.front_end == "STFT":
            self.transform = STFT(n_fft=64, **options)
        elif cell.front_end == "Mel":
            n_fft, n_mels = (1024, 64) if cell.wide else (512, 32)
            # As published: the bank is made for 22,050 Hz, the waves have 44,100.
            self.transform = MelSpectrogram(sample_rate=22_050, n_fft=n_fft, n_mels=n_mels, **options)
        else:
            self.transform = CQT(f_min=200.0, n_bins=82, norm="none", **options)
            scale = np.sqrt(self.transform.engine.kernels.lengths)
        self.register_buffer("scale", torch.from_numpy(scale).float()[:, None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.transform(x) * self.scale


def build_head(cell: Cell, bins: int) -> nn.Module:
    """Features (batch, bins, 18) -> (batch, 1) between 0 and 1."""
    if cell.head == "FC":
        return nn.Sequential(nn.Flatten(), nn.Linear(bins * FRAMES, 1), nn.Sigmoid())
    convolutions = [nn.Unflatten(1, (1, bins)), nn.Conv2d(1, 1, 4), nn.Conv2d(1, 1, 4)]
    return nn.Sequential(*convolutions, nn.Flatten(), nn.ReLU(), nn.Linear((bins - 6) * (FRAMES - 6), 1), nn.Sigmoid())


def bin_taps(front_end: FrontEnd, bin: int) -> np.ndarray:
    """(2, taps) float32: real and imaginary part of the kernel of a bin.

    A kernel is the gradient of what it gives by the samples that it meets.
    """
    engine = front_end.transform.engine
    middle, lengths, firsts = FRAMES // 2, engine.kernels.lengths, engine.kernels.first_lags
    x = torch.zeros(1, SAMPLES, device=front_end.scale.device, requires_grad=True)
    parts = [torch.autograd.grad(part[0, bin, middle], x, retain_graph=True)[0][0] for part in engine(x)]
    first = middle * HOP + int(firsts[bin])
    return torch.stack(parts)[:, first : first + int(lengths[bin])].cpu().numpy()
