"""The choice of an engine, and the mixture of both that serves most banks best."""

import torch
from torch import nn

from sweep.checks import check_choice
from sweep.engines.direct import Direct
from sweep.engines.spectral import Spectral
from sweep.filters import Kernels

ENGINES = ("auto", "direct", "spectral")
# What each accuracy allows: the spectral engine's tolerance, and TF32 in CUDA's matrix products. The relative L2 error
# on music is 0.3 to 1.5 of the tolerance: below 1e-5, 1e-4 and 1e-3.
ACCURACIES = {"exact": (3e-6, False), "high": (7e-5, False), "fast": (5e-4, True)}
# Kernels up to so many samples are evaluated directly: their slices of the spectrum are wider than they are worth.
# Milliseconds for 64 clips of 16,384 samples on two cores of an AMD EPYC (Zen 5), direct against spectral: log-1024 12
# and 63, log-2048 43 and 66, log-4096 179 and 121. cqt-12 with the limit at 1,024, 2,048, 4,096: 17, 19, 26.
# By device, and there without and with TF32.
_DIRECT_UP_TO = {"cpu": (2048, 2048), "cuda": (2048, 4096)}


def build(
    kernels: Kernels, hop_length: int, pad_mode: str, *, engine: str, accuracy: str, trainable: bool
) -> nn.Module:
    """The engine that a front-end's arguments ask for.

    Args:
        kernels: the bank.
        hop_length: samples between frames.
        pad_mode: "constant" or "reflect".
        engine: one of `ENGINES`; a trainable bank is direct.
        accuracy: one of `ACCURACIES`.
        trainable: the taps are parameters.
    """
    check_choice("engine", engine, ENGINES)
    check_choice("accuracy", accuracy, ACCURACIES)
    tolerance, tf32 = ACCURACIES[accuracy]
    if trainable:
        if engine == "spectral":
            raise ValueError('engine "spectral" has no taps to train; choose engine="direct" or "auto"')
        return Direct(kernels, hop_length, pad_mode, trainable=True)
    if engine == "direct":
        return Direct(kernels, hop_length, pad_mode, tf32=tf32)
    if engine == "spectral":
        return Spectral(kernels, hop_length, pad_mode, tolerance, tf32=tf32)
    return Auto(kernels, hop_length, pad_mode, tolerance, tf32=tf32)


class Auto(nn.Module):
    """Short kernels through the direct engine, long ones through the spectral.

    Args:
        kernels: the bank, its kernels not growing longer from bin to bin.
        hop_length, pad_mode, tolerance, tf32: as for `Direct` and `Spectral`.
    """

    def __init__(self, kernels: Kernels, hop_length: int, pad_mode: str, tolerance: float, tf32: bool):
        super().__init__()
        self.engines = nn.ModuleDict()  # "cpu" and "cuda" themselves are methods of every module
        for device, limit in _DIRECT_UP_TO.items():
            long = int((kernels.lengths > limit[tf32]).sum())
            engines = self.engines[f"on_{device}"] = nn.ModuleList()
            if long:
                engines.append(Spectral(kernels[:long], hop_length, pad_mode, tolerance, tf32=tf32))
            if long < len(kernels):
                engines.append(Direct(kernels[long:], hop_length, pad_mode, tf32=tf32))

    def parts(self, x: torch.Tensor, phase: bool = True) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """What each engine makes of its share of the bins, in their order."""
        engines = self.engines["on_cuda" if x.is_cuda else "on_cpu"]
        return [engine(x, phase) for engine in engines]

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        real, imag = (torch.cat(part, dim=1) for part in zip(*self.parts(x, phase), strict=True))
        return real, imag
