"""What every engine offers, so that whoever holds one asks it and never its class."""

import math
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn


class Engine(nn.Module):
    """One way to evaluate a bank of kernels.

    An engine gives `forward`; the rest has an answer here: one part, frozen taps, nothing by GPU kernels.

    Args:
        kernels: the bank, a `sweep.filters.Kernels` or what has its lags and taps.
        hop_length: samples between frames.
        pad_mode: "constant" or "reflect".

    Attributes:
        name: what a sentence calls it.
        reason: why it was chosen, a short sentence; "" if nobody chose.
        trained: the taps are, or were, parameters: they may differ from what the bank's formula gives.
    """

    name: ClassVar[str]
    reason: str = ""
    trained: bool = False

    def __init__(self, kernels, hop_length: int, pad_mode: str):
        super().__init__()
        self.kernels, self.hop_length, self.pad_mode = kernels, hop_length, pad_mode

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, samples) -> real and imaginary parts, (batch, bins, frames) each.

        Args:
            x: clips.
            phase: False: only the magnitude has to be right.
        """
        raise NotImplementedError

    def parts(self, device: torch.device) -> list["Engine"]:
        """The engines that serve a device, in the order of the bins."""
        return [self]

    def because(self, reason: str) -> Self:
        """The engine itself, with the reason why it was chosen."""
        self.reason = reason
        return self

    def describe(self, device: torch.device) -> str:
        """What evaluates the bank on a device and why: "banded: all kernels have 2,048 samples, ..."."""
        return "; ".join(f"{part.name}: {part.reason}" if part.reason else part.name for part in self.parts(device))

    @property
    def trainable(self) -> bool:
        """Whether the taps are parameters."""
        return False

    def kernel(self, bin: int) -> tuple[int, np.ndarray]:
        """A trainable bin's first lag, in samples, and its complex128 taps, as they are now.

        Raises:
            ValueError: the taps are not trainable.
        """
        raise ValueError(f"engine {self.name}: its taps are frozen; choose trainable=True to have them as they are now")

    def frozen(self, tf32: bool) -> "Engine":
        """The bank as it is now, without parameters.

        Args:
            tf32: let CUDA's matrix products round their factors to TF32, if it was trainable.
        """
        return self

    @property
    def has_gpu_kernels(self) -> bool:
        """Whether `finish_into` and `gradient` may do anything."""
        return False

    def finish_into(self, x: torch.Tensor, finish, out: torch.Tensor, first: int) -> bool:
        """Write finished values into (batch, all bins, frames), these bins from `first` on, by a GPU kernel.

        Args:
            x: (batch, samples) float32 on CUDA.
            finish: a `sweep.engines.finish.Finish`.
            out: what is written to.
            first: the bin of it that is this bank's first.

        Returns:
            False where no GPU kernel serves, and nothing was written.
        """
        return False

    def gradient(self, x: torch.Tensor, finish, by_out: torch.Tensor) -> torch.Tensor | None:
        """The gradient by the clips, given that by the finished values, (batch, bins, frames); None: not by kernels."""
        return None

    def aliasing(self, bin: int) -> float:
        """How strongly a bin shows the mirror image of a tone, in dB; -inf where the rate is not lowered."""
        return -math.inf
