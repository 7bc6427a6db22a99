"""The front-ends that are compared, ours in each accuracy mode and other libraries, each built for a representation.

A builder takes a representation and a device and returns a function of (clips, samples) float32 clips on that device.
Where a library cannot compute what is asked for, its builder raises Unavailable with the reason. What differs from
ours stands in the peer's note.
"""

import functools
import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from experiments.speed import families, nnaudios
from experiments.speed import peers_outside_torch as outside
from experiments.speed.peers_outside_torch import Unavailable, kind
from sweep import filters, transforms  # noqa: F401 - imported before any clock starts
from sweep.config import ACCURACIES
from sweep.representations import Representation


@dataclass(frozen=True)
class Peer:
    """A front-end of the comparison.

    Attributes:
        name: in the tables.
        mode: precision or accuracy.
        build: from a representation and a device to a function of clips.
        package: on PyPI, whose version is written down; None is torch alone.
        modules: that have to import.
        devices: it computes on.
        differentiable: has a gradient to the waveform.
        tf32: float32 products and convolutions of its CUDA calls may be rounded to TF32.
        shares: the peer whose built module this one is, in another mode.
        few: clips that are timed, where all would take too long or too much memory; None: all.
        like: what our transform is told, to compare outputs.
        comparable: makes the output what ours is.
        note: what differs from ours.
    """

    name: str
    build: Callable
    mode: str = "float32"
    package: str | None = None
    modules: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu", "cuda")
    differentiable: bool = True
    tf32: bool = False
    shares: str | None = None
    few: int | None = None
    like: dict = field(default_factory=dict)
    comparable: Callable = lambda y, r: y
    note: str = ""

    @property
    def label(self) -> str:
        """Its name in the tables: with its mode where it has several."""
        return f"{self.name} {self.mode}" if self.name == "ours" or self.tf32 else self.name


def missing(peer: Peer, device: str) -> str | None:
    """Why this peer cannot run here, or None. Imports it, so that no set-up time holds an import."""
    if device not in peer.devices:
        return f"computes on {' and '.join(peer.devices)} only"
    return not_importable(peer.modules)


def not_importable(modules: tuple[str, ...]) -> str | None:
    """Why one of some modules does not import, or None."""
    for module in modules:
        try:
            importlib.import_module(module)
        except Exception as error:  # a library built for another machine raises what it likes
            return f"does not import: {reason(error)}"
    return None


def reason(error: Exception) -> str:
    """One line about an error, without the folders of this machine."""
    lines = str(error).strip().splitlines()
    if isinstance(error, MemoryError) or any("allocate memory" in line for line in lines):
        return "needs more than half of the free memory"
    text = re.sub(r"(?<![\w.])/(?:[^\s/:'\"]+/)+", "", lines[0] if lines else "")
    return text[:160] if isinstance(error, Unavailable) else f"{type(error).__name__}: {text[:160]}"


def build_ours(representation: Representation, device: torch.device, **options: str) -> Callable:
    if options.get("engine") == "specux" and kind(representation) not in ("fft", "mel"):
        raise Unavailable("is an engine of the FFT's grid")
    return representation.transform(**options).to(device)


def build_torch(representation: Representation, device: torch.device) -> Callable:
    """A few lines of PyTorch, as one writes them without a library."""
    r = representation
    if r.family == "cqt":
        raise Unavailable("torch has no constant-Q transform")
    window = torch.hann_window(r.n_fft, device=device)
    if kind(r) in ("linear", "log"):
        n = np.arange(r.n_fft)
        turns = np.exp(-2j * np.pi * np.outer(n, r.frequencies) / r.sample_rate) * window.cpu().numpy()[:, None]
        taps = torch.from_numpy(np.concatenate([turns.real, turns.imag], axis=1)).float().to(device)

        def framed(x: torch.Tensor) -> torch.Tensor:
            padded = torch.nn.functional.pad(x, (r.n_fft // 2, r.n_fft // 2))
            real, imag = (padded.unfold(-1, r.n_fft, r.hop_length) @ taps).chunk(2, dim=-1)
            return (real.square() + imag.square()).sqrt().transpose(1, 2)

        return framed
    stft = functools.partial(
        torch.stft, n_fft=r.n_fft, hop_length=r.hop_length, window=window, pad_mode="reflect", return_complex=True
    )
    if kind(r) == "fft":
        return lambda x: stft(x).abs()
    bank = filters.mel_bank(r.sample_rate, r.n_fft, r.n_mels, r.f_min, r.f_max, r.mel_scale, r.norm)
    bank = torch.from_numpy(bank).float().to(device)
    return lambda x: bank @ stft(x).abs().square()


def build_torchaudio(representation: Representation, device: torch.device) -> Callable:
    from torchaudio.transforms import MelSpectrogram, Spectrogram

    r = representation
    if kind(r) == "fft":
        return Spectrogram(r.n_fft, hop_length=r.hop_length, power=1.0).to(device)
    if r.family == "mel":
        band = {"f_min": r.f_min, "f_max": r.f_max, "n_mels": r.n_mels, "norm": "slaney", "mel_scale": "slaney"}
        return MelSpectrogram(int(r.sample_rate), r.n_fft, hop_length=r.hop_length, **band).to(device)
    raise Unavailable("has no such transform")


def build_diffsptk(representation: Representation, device: torch.device) -> Callable:
    import diffsptk

    r = representation
    if r.family == "cqt":
        bins = {"f_min": r.f_min, "n_bin": r.n_bins, "n_bin_per_octave": r.bins_per_octave}
        cqt = diffsptk.CQT(r.hop_length, int(r.sample_rate), **bins).to(device)
        return lambda x: cqt(x).abs().transpose(-1, -2)
    if kind(r) in ("linear", "log"):
        raise Unavailable("has no STFT at these frequencies")
    options = {"window": "hanning", "norm": "none", "symmetric": False, "mode": "reflect", "eps": 0}
    form = "magnitude" if kind(r) == "fft" else "power"
    stft = diffsptk.STFT(r.n_fft, r.hop_length, r.n_fft, **options, out_format=form).to(device)
    if kind(r) == "fft":
        return lambda x: stft(x).transpose(-1, -2)
    numbers = {"fft_length": r.n_fft, "n_channel": r.n_mels, "sample_rate": int(r.sample_rate), "floor": 1e-10}
    band = {"f_min": r.f_min, "f_max": r.f_max, "use_power": True}
    bank = diffsptk.MelFilterBankAnalysis(**numbers, **band).to(device)
    return lambda x: bank(stft(x)).transpose(-1, -2)


def build_flashmel(representation: Representation, device: torch.device) -> Callable:
    from flashmel import MelSpectrogram

    r = representation
    if r.family != "mel":
        raise Unavailable("has Mel alone")
    if r.n_mels > 256:
        raise Unavailable("has at most 256 bands")
    band = {"f_min": r.f_min, "f_max": r.f_max, "n_mels": r.n_mels, "norm": "slaney", "mel_scale": "slaney"}
    return MelSpectrogram(sample_rate=int(r.sample_rate), n_fft=r.n_fft, hop_length=r.hop_length, **band).to(device)


def peers(device: str, workload: str) -> list[Peer]:
    """All front-ends of a workload on a device, ours first. Kapre and tf.signal run in a process of their own."""
    if workload == "families":
        return families.peers(Peer, device)
    return [
        *(Peer("ours", functools.partial(build_ours, accuracy=mode), mode) for mode in ACCURACIES),
        Peer(
            "ours", functools.partial(build_ours, engine="specux"), "specux", package="specux", modules=("specux",),
            devices=("cpu",), note='engine="specux", which computes the same at every accuracy',
        ),
        *nnaudios.peers(Peer, device, workload),
        Peer("torch", build_torch, note="torch.stft and abs; a bank's product; or frames times taps"),
        Peer("torchaudio", build_torchaudio, package="torchaudio", modules=("torchaudio.transforms",)),
        Peer(
            "diffsptk", build_diffsptk, package="diffsptk", modules=("diffsptk",), like={"mel": outside.HTK_PEAKS},
            comparable=lambda y, r: y.exp() if r.family == "mel" else y,
            note="one frame fewer; Mel: HTK's scale, peaks of 1, and its logarithm; CQT: librosa's octaves",
        ),
        Peer(
            "flashmel", build_flashmel, package="flashmel", modules=("flashmel",), devices=("cuda",),
            differentiable=False,
        ),
        *outside.peers(Peer),
    ]  # fmt: skip
