"""The choice of an engine, and the mixture of direct and spectral that serves most banks best."""

from functools import partial

import torch
from torch import nn

from sweep.checks import check_choice
from sweep.engines.banded import Banded
from sweep.engines.direct import Direct
from sweep.engines.framed import Framed
from sweep.engines.octaves import Octaves
from sweep.engines.spectral import Spectral
from sweep.filters import Kernels

ENGINES = ("auto", "direct", "spectral", "banded")
# What each accuracy allows: the spectral engine's tolerance, and TF32 in CUDA's matrix products. The relative L2 error
# on music is 0.3 to 1.5 of the tolerance: below 1e-5, 1e-4 and 1e-3.
ACCURACIES = {"exact": (3e-6, False), "high": (7e-5, False), "fast": (5e-4, True)}
# What follows is read off experiments/engines (CPU), and off measurements like it (CUDA).
#
# Kernels up to so many samples are evaluated directly: their slices of the spectrum are wider than they are worth. By
# device; in float32, with TF32 if all kernels are equally long, and for kernels of many lengths, which share no frames.
# Two cores of an AMD EPYC (Zen 5), ms for 32 clips of 16,384 samples at "fast", direct against spectral: linear-512 3.4
# and 6.5, linear-1024 10.8 and 8.8, linear-2048 40 and 14; with the limit at 256, 512, 1,024, 2,048: cqt-12 2.3, 2.1,
# 3.0, 4.8, cqt-96 10.7, 10.9, 11.9, 16.9. On an H100, microseconds of a training step with 100 clips: in TF32 log-4096
# 599 and 814; in float32 log-2048 588 and 862, log-4096 1,677 and 1,157; in TF32 with the limit at 256, 512, 1,024:
# cqt-12 69, 60, 69.
# The banded engine serves equally long kernels from so many samples on. Two cores, "fast", banded against the better of
# the others: linear-512 3.1 and 3.4, but twice as long as direct on clips of 20 s; linear-1024 5.0 and 8.8, linear-2048
# 8.0 and 14, linear-4096 20 and 24. On an H100, ms for 1,000 clips, banded against direct at "fast": 512 samples 0.58
# and 0.41, 1,024 0.69 and 0.86 (cuBLAS) or 1.16 (Triton), 2,048 0.84 and 2.4, 4,096 1.4 and 3.8; at "high" 2,048 1.5
# and 4.4, 4,096 2.7 and 9.9.
_BANDED_FROM = {"cpu": 1024, "cuda": 1024}
_DIRECT_UP_TO = {"cpu": (1024, 1024, 512), "cuda": (2048, 4096, 512)}


def build(
    kernels: Kernels,
    hop_length: int,
    pad_mode: str,
    *,
    engine: str,
    accuracy: str,
    trainable: bool,
    max_samples: int | None = None,
) -> nn.Module:
    """The engine that a front-end's arguments ask for.

    Args:
        kernels: the bank.
        hop_length: samples between frames.
        pad_mode: "constant" or "reflect".
        engine: one of `ENGINES`; a trainable bank is direct.
        accuracy: one of `ACCURACIES`.
        trainable: the taps are parameters.
        max_samples: of the clips that a trainable bank meets; None: any.
    """
    check_choice("engine", engine, ENGINES)
    check_choice("accuracy", accuracy, ACCURACIES)
    tolerance, tf32 = ACCURACIES[accuracy]
    if trainable:
        if engine in ("spectral", "banded"):
            raise ValueError(f'engine "{engine}" has no taps to train; choose engine="direct" or "auto"')
        return Direct(kernels, hop_length, pad_mode, trainable=True, max_samples=max_samples)
    if engine == "banded":
        if not are_equal(kernels):
            raise ValueError('engine "banded" needs kernels of one length, as an STFT has; choose engine="auto"')
        return Banded(kernels, hop_length, pad_mode, tolerance, tf32=tf32)
    if engine == "direct":
        return Direct(kernels, hop_length, pad_mode, tf32=tf32)
    if engine == "spectral":
        return Spectral(kernels, hop_length, pad_mode, tolerance, tf32=tf32)
    return Auto(kernels, hop_length, pad_mode, tolerance, tf32=tf32)


def build_published(
    algorithm: str,
    kernels: Kernels,
    bins_per_octave: int,
    hop_length: int,
    pad_mode: str,
    *,
    engine: str,
    accuracy: str,
    trainable: bool,
    max_samples: int | None = None,
) -> nn.Module:
    """The evaluation of a constant-Q bank that a published algorithm prescribes.

    Args:
        algorithm: "1992", "1992v2", "2010" or "2010v2"; `sweep.transforms.CQT` says what they are.
        kernels: the bank, bins from low to high.
        bins_per_octave: bins per octave.
        hop_length: samples between frames.
        pad_mode: "constant" or "reflect".
        engine: "auto", or "direct" for "1992v2", which is nothing else.
        accuracy: one of `ACCURACIES`: what the frequency-domain kernels leave out, and TF32.
        trainable: the taps are parameters; only those of "1992v2" can be.
        max_samples: of the clips that a trainable bank meets; None: any.
    """
    check_choice("engine", engine, ENGINES)
    check_choice("accuracy", accuracy, ACCURACIES)
    if engine not in (("auto", "direct") if algorithm == "1992v2" else ("auto",)):
        raise ValueError(f'engine {engine!r} does not evaluate algorithm "{algorithm}"; choose engine="auto"')
    if trainable and algorithm != "1992v2":
        raise ValueError(
            f'trainable {trainable}: algorithm "{algorithm}" has no time-domain kernel for each bin to train; '
            'choose algorithm="1992v2" or "exact"'
        )
    tolerance, tf32 = ACCURACIES[accuracy]
    if algorithm == "1992v2":
        return Direct(
            kernels,
            hop_length,
            pad_mode,
            trainable,
            tf32=tf32 and not trainable,
            max_samples=max_samples if trainable else None,
        )
    # What falls below the share has no bound of its own, so half of the tolerance: 2e-6 to 4e-6, 5.5e-5 and 3e-4 on
    # music (cqt-12 to cqt-96).
    framed = partial(Framed, tolerance=tolerance / 2, tf32=tf32)
    if algorithm == "1992":
        return framed(kernels, hop_length, pad_mode)
    make = framed if algorithm == "2010" else partial(Direct, tf32=tf32)
    return Octaves(kernels, bins_per_octave, hop_length, pad_mode, make)


def are_equal(kernels: Kernels) -> bool:
    """Whether all kernels have one length and one first lag."""
    parts = (kernels.lengths, kernels.first_lags)
    return all(part.min() == part.max() for part in parts)


class Auto(nn.Module):
    """Equal kernels through the banded engine; else short ones through the direct engine, long ones the spectral.

    Args:
        kernels: the bank, its kernels not growing longer from bin to bin.
        hop_length, pad_mode, tolerance, tf32: as for `Direct` and `Spectral`.
        direct_up_to: samples of a kernel up to which it is evaluated directly, and then nothing is banded; None: what
            was measured to be best.
    """

    def __init__(
        self,
        kernels: Kernels,
        hop_length: int,
        pad_mode: str,
        tolerance: float,
        tf32: bool,
        direct_up_to: int | None = None,
    ):
        super().__init__()
        self.kernels = kernels
        self.engines = nn.ModuleDict()  # "cpu" and "cuda" themselves are methods of every module
        equal = are_equal(kernels)
        for device in ("cpu", "cuda"):
            engines = self.engines[f"on_{device}"] = nn.ModuleList()
            if equal and _BANDED_FROM[device] <= kernels.lengths[0] and direct_up_to is None:
                banded = Banded(kernels, hop_length, pad_mode, tolerance, tf32=tf32)
                if banded.half_width <= kernels.lengths[0] / 8:  # Hann's; not Hamming's, which falls off slowly
                    engines.append(banded)
                    continue
            plain, rounded, mixed = _DIRECT_UP_TO[device]
            limit = direct_up_to or ((rounded if tf32 else plain) if equal else mixed)
            long = int((kernels.lengths > limit).sum())
            if long:
                engines.append(Spectral(kernels[:long], hop_length, pad_mode, tolerance, tf32=tf32))
            if long < len(kernels):
                engines.append(Direct(kernels[long:], hop_length, pad_mode, tf32=tf32))

    def parts(self, x: torch.Tensor) -> nn.ModuleList:
        """The engines that serve a tensor's device, in the order of the bins."""
        return self.engines["on_cuda" if x.is_cuda else "on_cpu"]

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [engine(x, phase) for engine in self.parts(x)]
        real, imag = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return real, imag
