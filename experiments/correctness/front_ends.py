"""The transforms of the paper's figures, and every front-end that computes one: ours in each mode, other libraries."""

import functools
import io
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass

import numpy as np
import torch

from experiments.rows import like
from experiments.speed import nnaudios, peers, peers_outside_torch
from experiments.speed.peers_outside_torch import Unavailable
from sweep.config import ACCURACIES
from sweep.filters import CONSTANT_Q_ALGORITHMS
from sweep.representations import Representation
from sweep.transforms import CQT

CPU = torch.device("cpu")
# nnAudio's CQT1992 holds Fourier kernels of every frequency up to half the rate, as long as the longest kernel, in
# float64 while it builds them: 8 GiB at 55 Hz and 24 bins per octave.
MOST_KERNEL_BYTES = 2**30


def constant_q(name: str, f_min: float, n_bins: int) -> Representation:
    """A constant-Q transform of 24 bins per octave."""
    return like("cqt-24", name, f_min=f_min, n_bins=n_bins)


TRANSFORMS = {
    r.name: r
    for r in (
        like("linear-2048", "stft", scale="fft", pad_mode="reflect"),
        like("log-2048", "log-stft", f_min=55.0, f_max=22_050.0),
        like("mel-2048-128", "mel", f_min=55.0, f_max=None),
        constant_q("cqt", 55.0, 207),  # up to 21,096 Hz, as in the paper
        constant_q("cqt-below", 55.0, 196),  # up to 15,354 Hz, 0.348 of the sample rate
        constant_q("cqt-220", 220.0, 159),  # up to 21,096 Hz, kernels short enough for nnAudio's CQT1992
    )
}


@dataclass(frozen=True)
class FrontEnd:
    """Something that computes one of the transforms.

    Attributes:
        name: of the library, and of the algorithm where it has several.
        mode: our accuracy, or engine; "" for others.
        build: from a transform to a function of (clips, samples) float32 to (clips, bins, frames): power for Mel,
            complex for constant-Q, magnitude otherwise.
        modules: that have to import.
        conventions: family -> of `reference.CONVENTIONS`, where it is not ours.
        family: that it is for; None for all.
    """

    name: str
    build: Callable
    mode: str = ""
    modules: tuple[str, ...] = ()
    conventions: tuple[tuple[str, str], ...] = ()
    family: str | None = None

    @property
    def label(self) -> str:
        """Name and mode."""
        return f"{self.name} {self.mode}".strip()

    def convention(self, r: Representation) -> str:
        """That its documentation gives it."""
        return dict(self.conventions).get(r.family, "ours")


def missing(front_end: FrontEnd) -> str | None:
    """Why it cannot run here, or None."""
    return peers.not_importable(front_end.modules)


def build_ours(r: Representation, accuracy: str, algorithm: str = "exact", engine: str = "auto") -> Callable:
    if r.family != "cqt":
        return r.transform(accuracy=accuracy, engine=engine)
    settings = {
        key: getattr(r, key)
        for key in ("f_min", "n_bins", "bins_per_octave", "pad_mode", "sample_rate", "hop_length", "window")
    }
    return CQT(**settings, output="complex", accuracy=accuracy, algorithm=algorithm)


def build_nnaudio(r: Representation, version: str | None = None) -> Callable:
    from nnAudio import features

    if r.family != "cqt":
        return nnaudios.build(r, CPU, "nnAudio")
    numbers = {"sr": r.sample_rate, "hop_length": r.hop_length, "fmin": r.f_min, "n_bins": r.n_bins}
    width = 2 ** int(np.ceil(np.log2(r.context)))
    size = 2 * 8 * (width // 2 + 1) * width
    if version == "CQT1992" and size > MOST_KERNEL_BYTES:
        raise Unavailable(f"not run: its Fourier kernels take {size / 2**30:.0f} GiB")
    quiet = {} if version == "CQT1992" else {"verbose": False}
    with redirect_stdout(io.StringIO()):
        module = getattr(features, version)(
            **numbers, bins_per_octave=r.bins_per_octave, pad_mode="constant", output_format="Complex", **quiet
        )
    return lambda x: torch.view_as_complex(module(x).contiguous())


def build_librosa(r: Representation) -> Callable:
    import librosa

    if r.family != "cqt":
        return peers_outside_torch.build_librosa(r, CPU)
    numbers = {"sr": r.sample_rate, "hop_length": r.hop_length, "fmin": r.f_min, "n_bins": r.n_bins}

    def transformed(x: torch.Tensor) -> np.ndarray:
        with warnings.catch_warnings():  # that the longest kernels are longer than the clip
            warnings.simplefilter("ignore")
            return librosa.cqt(x.numpy(), **numbers, bins_per_octave=r.bins_per_octave, pad_mode="constant")

    return transformed


def build_diffsptk(r: Representation) -> Callable:
    if r.family == "mel":
        logarithm = peers.build_diffsptk(r, CPU)
        return lambda x: logarithm(x).exp()
    if r.family != "cqt":
        return peers.build_diffsptk(r, CPU)
    import diffsptk

    bins = {"f_min": r.f_min, "n_bin": r.n_bins, "n_bin_per_octave": r.bins_per_octave}
    cqt = diffsptk.CQT(r.hop_length, int(r.sample_rate), **bins)
    return lambda x: cqt(x).transpose(-1, -2)


def front_ends() -> list[FrontEnd]:
    """All of them, ours first."""
    ours = [
        FrontEnd("ours", functools.partial(build_ours, accuracy=mode, algorithm="exact"), mode) for mode in ACCURACIES
    ]
    for algorithm in CONSTANT_Q_ALGORITHMS[1:]:
        for mode in ACCURACIES[:2] if algorithm == "1992" else ("exact",):  # what it leaves out depends on the mode
            build = functools.partial(build_ours, accuracy=mode, algorithm=algorithm)
            ours.append(FrontEnd(f"ours {algorithm}", build, mode, family="cqt"))
    direct = functools.partial(build_ours, accuracy="exact", engine="direct")
    ours.append(FrontEnd("ours", direct, "direct", family="log"))  # of constant-Q it is 1992v2
    nnaudio = {"modules": ("nnAudio.features",)}
    return [
        *ours,
        FrontEnd("nnAudio STFT", build_nnaudio, **nnaudio, family="linear"),
        FrontEnd("nnAudio STFT", build_nnaudio, **nnaudio, family="log"),
        FrontEnd("nnAudio Mel", build_nnaudio, **nnaudio, family="mel"),
        *(
            FrontEnd(f"nnAudio {version}", functools.partial(build_nnaudio, version=version), **nnaudio, family="cqt")
            for version in ("CQT1992", "CQT1992v2", "CQT2010", "CQT2010v2")
        ),
        FrontEnd("librosa", build_librosa, modules=("librosa",), conventions=(("cqt", "librosa"),)),
        FrontEnd("torch.stft", lambda r: peers.build_torch(r, CPU), family="linear"),
        FrontEnd("torchaudio", lambda r: peers.build_torchaudio(r, CPU), modules=("torchaudio.transforms",)),
        FrontEnd(
            "diffsptk", build_diffsptk, modules=("diffsptk",), conventions=(("cqt", "librosa"), ("mel", "HTK"))
        ),
    ]  # fmt: skip
