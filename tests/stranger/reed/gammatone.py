"""A gammatone filter bank (Patterson et al. 1992), which models the cochlea, and the loudness of its channels."""

import numpy as np
import torch
from torch import nn

from sweep.representations import Representation
from sweep.representations.compressions import Compression
from sweep.transforms.transform import Transform


class Gammatone(Transform):
    """Magnitudes of complex gammatone filters at every hop: (..., samples) -> (..., bins, frames)."""

    engine, exponent = None, 1.0

    def __init__(self, frequencies: np.ndarray, sample_rate: int, hop_length: int, length: int):
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=length)
        t = np.arange(length) / sample_rate
        width = 1.019 * 24.7 * (4.37e-3 * frequencies + 1)  # Hz, Glasberg and Moore 1990
        envelope = t**3 * np.exp(-2 * np.pi * width[:, None] * t)
        waves = 2 * np.pi * frequencies[:, None] * t
        kernels = np.stack([np.cos(waves), np.sin(waves)]) * envelope / envelope.sum(1, keepdims=True)
        self.register_buffer("kernels", torch.from_numpy(kernels).flatten(0, 1).unsqueeze(1), persistent=False)

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        padded = nn.functional.pad(x, (self.context // 2, self.context // 2)).unsqueeze(1)
        parts = nn.functional.conv1d(padded, self.kernels.to(x.dtype), stride=self.hop_length)
        values = torch.hypot(*parts.chunk(2, dim=1))
        return values if offset is None else (values + offset).log()

    def _fft_multiply_adds(self, samples: int) -> float:
        return (1 + samples // self.hop_length) * self.kernels.numel()

    def _describe_fft(self, device: torch.device) -> str:
        return "torch's convolution"


class GammatoneBank(Representation):
    """Magnitudes of gammatone filters, as broad as the ear's."""

    ROWS = {"cochlea-loud": {"n_bins": 32, "compression": {"name": "cube-root"}}}
    COLOUR = "#CC3311"

    n_bins: int = 48
    """Number of filters."""
    f_min: float = 60.0
    """Centre of the lowest filter in Hz."""
    f_max: float = 6000.0
    """Centre of the highest filter in Hz."""

    def measure(self) -> dict:
        if self.f_min >= self.f_max:
            raise ValueError(f"f_min {self.f_min}: is not below f_max {self.f_max}; choose a lower one")
        return {"frequencies": np.geomspace(self.f_min, self.f_max, self.n_bins), "context": 2048}

    def transform(self, samples: int | None = None, **options) -> Gammatone:
        return Gammatone(self.frequencies, self.sample_rate, self.hop_length, self.context)


class CubeRoot(Compression):
    """factor x^(1/3), roughly as loud as it sounds (Stevens 1957)."""

    factor: float = 1.0
    """Factor of the root."""

    def __call__(self, x: torch.Tensor, frame_rate: float) -> torch.Tensor:
        return self.factor * (x + 1e-9) ** (1 / 3)
