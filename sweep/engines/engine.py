"""Define the interface of all engines, so that callers need not know an engine's class."""

import math
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn


class Engine(nn.Module):
    """The base class of the ways to evaluate a bank of kernels.

    An engine defines `forward`. The other methods have defaults here: one part, frozen taps, no GPU kernels.

    Args:
        kernels: bank of kernels, a `sweep.filters.Kernels` or an object with the same lags and taps.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".

    Attributes:
        name: name of the engine in messages.
        reason: reason for choosing it, a short sentence; "" if it was asked for.
        trained: whether the taps are, or were, parameters, so that they may differ from the bank's formula.
    """

    name: ClassVar[str]
    reason: str = ""
    trained: bool = False

    def __init__(self, kernels, hop_length: int, pad_mode: str):
        super().__init__()
        self.kernels, self.hop_length, self.pad_mode = kernels, hop_length, pad_mode

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (batch, samples) to real and imaginary parts, (batch, bins, frames) each.

        Args:
            x: clips, (batch, samples).
            phase: whether the phase has to be right, too; False: only the magnitude.
        """
        raise NotImplementedError

    def parts(self, device: torch.device) -> list["Engine"]:
        """Return the engines that serve a device, in the order of the bins."""
        return [self]

    def because(self, reason: str) -> Self:
        """Set the reason why the engine was chosen; return the engine."""
        self.reason = reason
        return self

    def describe(self, device: torch.device) -> str:
        """Say which engine evaluates the bank on a device and why: "banded: all kernels have 2,048 samples, ..."."""
        return "; ".join(f"{part.name}: {part.reason}" if part.reason else part.name for part in self.parts(device))

    @property
    def trainable(self) -> bool:
        """Whether the taps are parameters."""
        return False

    def kernel(self, bin: int) -> tuple[int, np.ndarray]:
        """Return a trainable bin's first lag, in samples, and its current complex128 taps.

        Raises:
            ValueError: the taps are not trainable.
        """
        raise ValueError(f"engine {self.name}: its taps are frozen; choose trainable=True to have them as they are now")

    def frozen(self, tf32: bool) -> "Engine":
        """Return an engine for the bank with its current taps and without parameters.

        Args:
            tf32: whether CUDA's matrix products may round their factors to TF32, if the bank was trainable.
        """
        return self

    def multiply_adds(self, samples: int) -> float:
        """Return how many real multiply-adds the engine takes on a CPU for a clip of so many samples.

        An FFT of n real points counts as 1.25 n log2 n: half of the 5 n log2 n operations by which FFTs of complex
        points are compared (Frigo and Johnson, Proc. IEEE 93, 2005), two operations to a multiply-add. A product of
        complex numbers counts as 4.
        """
        raise NotImplementedError

    @property
    def is_product(self) -> bool:
        """Whether most of the work is a few matrix products, beside which a GPU's memory has time for other work."""
        return False

    @property
    def has_gpu_kernels(self) -> bool:
        """Whether `finish_into` and `gradient` are implemented."""
        return False

    def finish_into(self, x: torch.Tensor, finish, out: torch.Tensor, first: int) -> bool:
        """Write finished values of this bank into (batch, all bins, frames) from bin `first` on, by a GPU kernel.

        Args:
            x: clips, (batch, samples) float32 on CUDA.
            finish: last step of the computation, a `sweep.engines.finish.Finish`.
            out: output tensor, (batch, all bins, frames).
            first: bin of `out` at which this bank begins.

        Returns:
            False if no GPU kernel serves; nothing was written then.
        """
        return False

    def gradient(self, x: torch.Tensor, finish, by_out: torch.Tensor) -> torch.Tensor | None:
        """Return the clips' gradient, given that of the finished values, (batch, bins, frames); None: no GPU kernel."""
        return None

    def aliasing(self, bin: int) -> float:
        """Return how strongly a bin responds to the mirror image of a tone, in dB; -inf at the full rate."""
        return -math.inf
