"""Choose an engine for a bank, and combine the direct and the spectral engine, the fastest way for most banks."""

from functools import partial

import torch
from torch import nn

from sweep.checks import check_choice
from sweep.engines.banded import Banded
from sweep.engines.cascade import Cascaded
from sweep.engines.direct import Direct
from sweep.engines.engine import Engine
from sweep.engines.framed import Framed
from sweep.engines.octaves import Octaves
from sweep.engines.spectral import Spectral
from sweep.filters import ConstantQ, Kernels
from sweep.filters.cascades import CASCADES

ENGINES = ("auto", "direct", "spectral", "banded", "specux")
# For each accuracy, the spectral engine's tolerance and whether CUDA's matrix products may use TF32. The relative L2
# error on music is 0.3 to 1.5 of the tolerance: below 1e-5, 1e-4 and 1e-3.
ACCURACIES = {"exact": (3e-6, False), "high": (7e-5, False), "fast": (5e-4, True)}
# For each accuracy, and for engine="direct" at any, how far below a clip's loudest bin the error of its worst bin lies
# at least, in dB of magnitude: models see logarithms, which the L2 error says little of. A row's worst signals are
# broad ones, an impulse and a sweep, to which what is left out of each kernel's spectrum adds up (measured in
# experiments/accuracy/README.md). On a CPU "direct" keeps 115 and "fast" 60; tensor cores, which round their sums to
# zero, cost the first 20 dB in kernels as long as a clip, and TF32 the second 2.
BELOW_PEAK = {"direct": 95, "exact": 90, "high": 70, "fast": 55}
# Thresholds by device, measured in experiments/engines/README.md; a test compares them with its tables.
#
# Length in samples from which the banded engine is faster than the direct one for equally long kernels.
_BANDED_FROM = {"cpu": 1024, "cuda": 1024}
# Length in samples up to which the direct engine is faster than the spectral one for a kernel: in float32, with TF32
# if all kernels are equally long, and for kernels of many lengths, which share no frames.
_DIRECT_UP_TO = {"cpu": (1024, 1024, 512), "cuda": (2048, 4096, 512)}
_ON = {"cpu": "on a CPU", "cuda": "on CUDA"}


def build(
    kernels: Kernels,
    hop_length: int,
    pad_mode: str,
    *,
    engine: str,
    accuracy: str,
    trainable: bool,
    max_samples: int | None = None,
) -> Engine:
    """Build the engine that a front-end's arguments ask for; its `reason` says why it was chosen.

    Args:
        kernels: bank of kernels to evaluate.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        engine: name of the engine, one of `ENGINES`; a trainable bank is always direct.
        accuracy: accuracy to reach, one of `ACCURACIES`.
        trainable: whether the taps are parameters.
        max_samples: length of the longest clip for a trainable bank, in samples; None: any length.
    """
    check_choice("engine", engine, ENGINES)
    check_choice("accuracy", accuracy, ACCURACIES)
    if engine == "specux":
        raise ValueError(
            'engine "specux" computes magnitudes on the FFT\'s grid, and bands of them, without kernels; '
            'choose scale="fft" and trainable=False, or engine="auto"'
        )
    tolerance, tf32 = ACCURACIES[accuracy]
    if trainable:
        if engine in ("spectral", "banded"):
            raise ValueError(f'engine "{engine}" has no taps to train; choose engine="direct" or "auto"')
        direct = Direct(kernels, hop_length, pad_mode, trainable=True, max_samples=max_samples)
        return direct.because("the taps are trained")
    asked = f'engine="{engine}" was asked for'
    if engine == "banded":
        if not are_equal(kernels):
            raise ValueError('engine "banded" needs kernels of one length, as an STFT has; choose engine="auto"')
        return Banded(kernels, hop_length, pad_mode, tolerance, tf32=tf32).because(asked)
    if engine == "direct":
        return Direct(kernels, hop_length, pad_mode, tf32=tf32).because(asked)
    if engine == "spectral":
        return Spectral(kernels, hop_length, pad_mode, tolerance, tf32=tf32).because(asked)
    return Auto(kernels, hop_length, pad_mode, tolerance, tf32=tf32)


def build_published(
    algorithm: str,
    kernels: Kernels,
    shape: ConstantQ,
    hop_length: int,
    pad_mode: str,
    *,
    engine: str,
    accuracy: str,
    trainable: bool,
    max_samples: int | None = None,
) -> Engine:
    """Build the engine that evaluates a constant-Q bank by a published algorithm, or as a library does.

    Args:
        algorithm: "1992", "1992v2", "2010", "2010v2", "librosa" or "nnaudio", as `sweep.transforms.CQT` describes them.
        kernels: bank of kernels, bins from low to high.
        shape: what made it.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        engine: "auto"; for "1992v2" also "direct", which is the same.
        accuracy: one of `ACCURACIES`; sets which values of the kernels' spectra count as zero, and the use of TF32.
        trainable: whether the taps are parameters; only those of "1992v2" can be.
        max_samples: length of the longest clip for a trainable bank, in samples; None: any length.
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
    asked = f'algorithm="{algorithm}" was asked for'
    if algorithm == "1992v2":
        direct = Direct(
            kernels,
            hop_length,
            pad_mode,
            trainable,
            tf32=tf32 and not trainable,
            max_samples=max_samples if trainable else None,
        )
        return direct.because(asked)
    if algorithm in CASCADES:
        return Cascaded(kernels, shape, hop_length, pad_mode, CASCADES[algorithm]).because(asked)
    # The values left out have no error bound, so half of the tolerance is used (experiments/engines/README.md).
    framed = partial(Framed, tolerance=tolerance / 2, tf32=tf32)
    if algorithm == "1992":
        return framed(kernels, hop_length, pad_mode).because(asked)
    make = framed if algorithm == "2010" else partial(Direct, tf32=tf32)
    return Octaves(kernels, shape.equivalent(kernels.frequencies), hop_length, pad_mode, make).because(asked)


def are_equal(kernels: Kernels) -> bool:
    """Return whether all kernels have the same length and the same first lag."""
    parts = (kernels.lengths, kernels.first_lags)
    return all(part.min() == part.max() for part in parts)


class Auto(Engine):
    """Evaluates equally long kernels by the banded engine, other short ones directly and long ones by the spectral.

    Args:
        kernels: bank of kernels whose lengths do not grow from bin to bin.
        hop_length, pad_mode, tolerance, tf32: arguments of `Direct` and `Spectral`.
        direct_up_to: longest kernel that is evaluated directly, in samples; the banded engine is then not used. None:
            the fastest choice by measurement.
    """

    name = "auto"

    def __init__(
        self,
        kernels: Kernels,
        hop_length: int,
        pad_mode: str,
        tolerance: float,
        tf32: bool,
        direct_up_to: int | None = None,
    ):
        super().__init__(kernels, hop_length, pad_mode)
        self.engines = nn.ModuleDict()  # "cpu" and "cuda" themselves are methods of every module
        for device in _ON:
            self.engines[f"on_{device}"] = nn.ModuleList(self._choose(device, tolerance, tf32, direct_up_to))

    def _choose(self, device: str, tolerance: float, tf32: bool, direct_up_to: int | None) -> list[Engine]:
        kernels, bank = self.kernels, (self.hop_length, self.pad_mode)
        equal, length, least, on = are_equal(kernels), int(kernels.lengths[0]), _BANDED_FROM[device], _ON[device]
        wide = ""
        if equal and least <= length and direct_up_to is None:
            banded = Banded(kernels, *bank, tolerance, tf32=tf32)
            if banded.half_width <= length / 8:  # true for a Hann window; not for Hamming, which falls off slowly
                return [banded.because(f"all kernels have {length:,} samples, from {least:,} {on}")]
            wide = f"; the {kernels.window} window's spectrum is too wide for banded"
        plain, rounded, mixed = _DIRECT_UP_TO[device]
        limit = direct_up_to or ((rounded if tf32 else plain) if equal else mixed)
        long = int((kernels.lengths > limit).sum())
        engines: list[Engine] = []
        if long:
            reason = f"{_of(long, kernels)} more than {limit:,} samples, the limit {on}{wide}"
            engines.append(Spectral(kernels[:long], *bank, tolerance, tf32=tf32).because(reason))
        if long < len(kernels):
            reason = f"{_of(len(kernels) - long, kernels)} at most {limit:,} samples, the limit {on}{wide}"
            engines.append(Direct(kernels[long:], *bank, tf32=tf32).because(reason))
        return engines

    def parts(self, device: torch.device) -> list[Engine]:
        return list(self.engines["on_cuda" if device.type == "cuda" else "on_cpu"])

    def multiply_adds(self, samples: int) -> float:
        return sum(part.multiply_adds(samples) for part in self.parts(torch.device("cpu")))

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [engine(x, phase) for engine in self.parts(x.device)]
        real, imag = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return real, imag


def _of(count: int, kernels: Kernels) -> str:
    return "all kernels have" if count == len(kernels) else f"{count} of {len(kernels)} kernels have"
