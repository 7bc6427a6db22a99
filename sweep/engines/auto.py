"""The choice of an engine, and the mixture of direct and spectral that serves most banks best."""

from functools import partial

import torch
from torch import nn

from sweep.checks import check_choice
from sweep.engines.banded import Banded
from sweep.engines.direct import Direct
from sweep.engines.engine import Engine
from sweep.engines.framed import Framed
from sweep.engines.octaves import Octaves
from sweep.engines.spectral import Spectral
from sweep.filters import Kernels

ENGINES = ("auto", "direct", "spectral", "banded")
# What each accuracy allows: the spectral engine's tolerance, and TF32 in CUDA's matrix products. The relative L2 error
# on music is 0.3 to 1.5 of the tolerance: below 1e-5, 1e-4 and 1e-3.
ACCURACIES = {"exact": (3e-6, False), "high": (7e-5, False), "fast": (5e-4, True)}
# By device, what experiments/engines/README.md measures; a test holds these to its tables.
#
# Samples of equally long kernels from which one small FFT a frame is worth more than their products.
_BANDED_FROM = {"cpu": 1024, "cuda": 1024}
# Samples of a kernel up to which its taps cost less than its slice of the spectrum: in float32, with TF32 if all
# kernels are equally long, and for kernels of many lengths, which share no frames.
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
    """The engine that a front-end's arguments ask for, with the reason why it is that one.

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
    bins_per_octave: int,
    hop_length: int,
    pad_mode: str,
    *,
    engine: str,
    accuracy: str,
    trainable: bool,
    max_samples: int | None = None,
) -> Engine:
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
    # What falls below the share has no bound of its own, so half of the tolerance (experiments/engines/README.md).
    framed = partial(Framed, tolerance=tolerance / 2, tf32=tf32)
    if algorithm == "1992":
        return framed(kernels, hop_length, pad_mode).because(asked)
    make = framed if algorithm == "2010" else partial(Direct, tf32=tf32)
    return Octaves(kernels, bins_per_octave, hop_length, pad_mode, make).because(asked)


def are_equal(kernels: Kernels) -> bool:
    """Whether all kernels have one length and one first lag."""
    parts = (kernels.lengths, kernels.first_lags)
    return all(part.min() == part.max() for part in parts)


class Auto(Engine):
    """Equal kernels through the banded engine; else short ones through the direct engine, long ones the spectral.

    Args:
        kernels: the bank, its kernels not growing longer from bin to bin.
        hop_length, pad_mode, tolerance, tf32: as for `Direct` and `Spectral`.
        direct_up_to: samples of a kernel up to which it is evaluated directly, and then nothing is banded; None: what
            was measured to be best.
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
            if banded.half_width <= length / 8:  # Hann's; not Hamming's, which falls off slowly
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

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [engine(x, phase) for engine in self.parts(x.device)]
        real, imag = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return real, imag


def _of(count: int, kernels: Kernels) -> str:
    return "all kernels have" if count == len(kernels) else f"{count} of {len(kernels)} kernels have"
