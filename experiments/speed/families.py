"""The families beyond the 34 rows, VQT, gammatone, MFCC and CFP: what is timed, and who else has them."""

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from experiments.speed.nnaudios import PACKAGES
from experiments.speed.peers_outside_torch import Unavailable, quietly
from sweep.config import ACCURACIES
from sweep.engines.framing import n_frames
from sweep.transforms import CFP, MFCC, VQT, Gammatone


@dataclass(frozen=True)
class FrontEnd:
    """A transform with its numbers: to a case what a row's representation is.

    Attributes:
        name, family: in the tables.
        build: class of the transform.
        settings: its numbers.
    """

    name: str
    family: str
    build: Callable
    settings: dict[str, Any] = field(hash=False)

    @functools.cached_property
    def n_bins(self) -> int:
        """Values of a frame, those of all channels."""
        made = self.build(**self.settings)
        return made.n_bins * made.n_channels

    def n_frames(self, samples: int) -> int:
        """The number of frames of a clip."""
        return n_frames(samples, self.settings["hop_length"])

    def transform(self, accuracy: str) -> torch.nn.Module:
        """The front-end at an accuracy."""
        if self.build is CFP:
            if accuracy != "exact":
                raise Unavailable("has one accuracy")
            return CFP(**self.settings)
        return self.build(**self.settings, accuracy=accuracy)


AT_44100 = {"sample_rate": 44100, "hop_length": 512}
NNAUDIOS_CFP = {"sample_rate": 16000, "hop_length": 320, "n_fft": 8000, "win_length": 2049, "bins_per_octave": 48}
FAMILIES = (
    FrontEnd("vqt-12-84", "vqt", VQT, {**AT_44100, "f_min": 55.0, "n_bins": 84, "bins_per_octave": 12, "gamma": 20.0}),
    FrontEnd("gammatone-64", "gammatone", Gammatone, {**AT_44100, "n_fft": 2048, "n_bands": 64, "f_min": 50.0}),
    FrontEnd("mfcc-20", "mfcc", MFCC, {**AT_44100, "n_fft": 2048, "n_mels": 128, "n_mfcc": 20}),
    FrontEnd(
        "cfp-16k", "cfp", CFP,
        {**NNAUDIOS_CFP, "f_min": 80.0, "f_max": 1000.0, "norm": "window", "spectrum": "magnitude"},
    ),
)  # fmt: skip


def build_ours(front_end: FrontEnd, device: torch.device, accuracy: str) -> Callable:
    return front_end.transform(accuracy=accuracy).to(device)


def build_nnaudio(front_end: FrontEnd, device: torch.device, library: str) -> Callable:
    features, s = importlib.import_module(PACKAGES[library][1]), front_end.settings
    numbers = {"sr": s["sample_rate"], "hop_length": s["hop_length"], "verbose": False}
    match front_end.family:
        case "vqt":
            bins = {"n_bins": s["n_bins"], "bins_per_octave": s["bins_per_octave"], "gamma": s["gamma"]}
            return features.VQT(**numbers, **bins, fmin=s["f_min"], pad_mode="constant").to(device)
        case "gammatone":
            return features.Gammatonegram(**numbers, n_fft=s["n_fft"], n_bins=s["n_bands"], fmin=s["f_min"]).to(device)
        case "mfcc":
            return features.MFCC(**numbers, n_mfcc=s["n_mfcc"], n_mels=s["n_mels"], n_fft=s["n_fft"]).to(device)
    import scipy.signal  # nnAudio 0.3.4 calls a window by a name that SciPy dropped in 1.13

    scipy.signal.blackmanharris = scipy.signal.windows.blackmanharris
    with np.errstate(divide="ignore"):
        cfp = features.Combined_Frequency_Periodicity().to(device)
    return lambda x: torch.stack(cfp(x), dim=1)


def build_librosa(front_end: FrontEnd, device: torch.device) -> Callable:
    import librosa

    s = front_end.settings
    form = {"sr": s["sample_rate"], "hop_length": s["hop_length"]}
    match front_end.family:
        case "vqt":
            form |= {key: s[key] for key in ("n_bins", "bins_per_octave", "gamma")}
            return quietly(lambda x: np.abs(librosa.vqt(x.numpy(), **form, fmin=s["f_min"], pad_mode="constant")))
        case "mfcc":
            form |= {key: s[key] for key in ("n_fft", "n_mels", "n_mfcc")}
            return lambda x: librosa.feature.mfcc(y=x.numpy(), **form, pad_mode="reflect")
    raise Unavailable("has no such transform")


def build_torchaudio(front_end: FrontEnd, device: torch.device) -> Callable:
    from torchaudio import transforms

    if front_end.family != "mfcc":
        raise Unavailable("has no such transform")
    s = front_end.settings
    mel = {"n_fft": s["n_fft"], "hop_length": s["hop_length"], "n_mels": s["n_mels"]}
    mel |= {"norm": "slaney", "mel_scale": "slaney"}
    return transforms.MFCC(int(s["sample_rate"]), s["n_mfcc"], melkwargs=mel).to(device)


def comparable(y: torch.Tensor, front_end: FrontEnd) -> torch.Tensor:
    """nnAudio's CFP with two more frames: it drops the first and the last."""
    return torch.nn.functional.pad(y, (1, 1)) if front_end.family == "cfp" else y


def peers(make: Callable, device: str) -> list:
    """These families' front-ends on a device, ours first; `make` is `peers.Peer`."""
    found = [make("ours", functools.partial(build_ours, accuracy=mode), mode) for mode in ACCURACIES]
    for library, (package, module) in PACKAGES.items():
        common = {"name": library, "build": functools.partial(build_nnaudio, library=library), "package": package}
        common |= {"modules": (module,), "comparable": comparable}
        found.append(make(**common, note="CFP: without the first and the last frame"))
        if device == "cuda":
            found.append(make(**common, mode="TF32", tf32=True, shares=library))
    modules = ("librosa.core", "librosa.feature")
    on_cpu = {"devices": ("cpu",), "differentiable": False}
    note = "VQT: kernels 3 % longer, the clip halved for each octave; MFCC: dB below the loudest of all clips"
    found.append(make("librosa", build_librosa, package="librosa", modules=modules, **on_cpu, note=note))
    found.append(make("torchaudio", build_torchaudio, package="torchaudio", modules=("torchaudio.transforms",)))
    return found
