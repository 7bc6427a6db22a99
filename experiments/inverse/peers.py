"""The ways back that are compared: ours, librosa's, torchaudio's, nnAudio's and its successor's, as they come."""

import functools
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sweep.transforms import CQT, STFT, MelSpectrogram

SEED = 0  # of the first phases, each library's own numbers


@dataclass(frozen=True)
class Method:
    """A way back.

    Attributes:
        name: in the tables.
        build: from a `measure.Case` to a function that inverts its clips' transform, of this library; building it, with
            the transform, is the set-up.
        n_iter: iterations, as far as they are a number.
        package, modules: on PyPI, and what has to import; None is ours.
        devices: it computes on.
        slow: a setting that it is not asked for on a CPU, and why.
    """

    name: str
    build: Callable[[Any], Callable[[], torch.Tensor]]
    n_iter: int | str = ""
    package: str | None = None
    modules: tuple[str, ...] = ()
    devices: tuple[str, ...] = ("cpu", "cuda")
    slow: tuple[str, str] = ("", "")

    def refuses(self, settings: str, device: str) -> str:
        """Why it is not run, or nothing."""
        if device not in self.devices:
            return f"computes on {' and '.join(self.devices)} only"
        return self.slow[1] if device == "cpu" and settings == self.slow[0] else ""


def version(package: str | None) -> str:
    """The package and its version, of torch for ours."""
    try:
        return f"{package or 'torch'} {importlib.metadata.version(package or 'torch')}"
    except importlib.metadata.PackageNotFoundError:
        return package or ""


def stft(numbers: dict) -> STFT:
    """The magnitude that Griffin-Lim is given; reflect padding, as torchaudio's and librosa's are told."""
    return STFT(**numbers)


def mel(numbers: dict) -> MelSpectrogram:
    """The bands, of power."""
    return MelSpectrogram(**numbers)


def mel_stft(numbers: dict) -> STFT:
    """The magnitude whose bands they are."""
    return STFT(sample_rate=numbers["sample_rate"])


# Constant-Q


def _ours(case, **options) -> Callable:
    front_end = CQT(output="complex", **case.numbers)
    bins, length = front_end(case.clips), case.clips.shape[1]
    return lambda: front_end.inverse(bins, length=length, **options)


def _librosa_icqt(case) -> Callable:
    import librosa

    rate, hop, _, per_octave = case.numbers.values()
    options = {"sr": rate, "hop_length": hop, "bins_per_octave": per_octave}
    bins = librosa.cqt(case.clips.numpy(), n_bins=case.numbers["n_bins"], **options)
    return lambda: torch.from_numpy(librosa.icqt(bins, length=case.clips.shape[1], **options))


def _nnaudio2(case) -> Callable:
    from nnAudio2.features.cqt import CQT1992v2, iCQT

    rate, hop, bins, per_octave = case.numbers.values()
    options = {"sr": rate, "hop_length": hop, "n_bins": bins, "bins_per_octave": per_octave, "verbose": False}
    device, length = case.clips.device, case.clips.shape[1]
    front_end, back = CQT1992v2(output_format="Complex", **options).to(device), iCQT(**options).to(device)
    spectrum = front_end(case.clips, normalization_type="librosa")
    return lambda: back(spectrum, length=length)


# Griffin-Lim: 32 iterations, momentum 0.99, random first phases


def _griffin_lim(case, n_iter: int, momentum: float = 0.99) -> Callable:
    front_end, length = stft(case.numbers), case.clips.shape[1]
    values = front_end(case.clips)

    def work() -> torch.Tensor:
        generator = torch.Generator(values.device).manual_seed(SEED)
        return front_end.griffin_lim(values, length, n_iter=n_iter, momentum=momentum, generator=generator)

    return work


def _librosa_griffinlim(case, n_iter: int) -> Callable:
    import librosa

    values, length = stft(case.numbers)(case.clips).numpy(), case.clips.shape[1]
    options = {**case.numbers, "n_iter": n_iter, "length": length, "pad_mode": "reflect", "random_state": SEED}
    return lambda: torch.from_numpy(librosa.griffinlim(values, **options))


def _torchaudio_griffin_lim(case, n_iter: int) -> Callable:
    import torchaudio.transforms

    values, length = stft(case.numbers)(case.clips), case.clips.shape[1]
    back = torchaudio.transforms.GriffinLim(**case.numbers, n_iter=n_iter, power=1.0, length=length)
    return functools.partial(back.to(values.device), values)


def _nnaudio_griffin_lim(case, n_iter: int) -> Callable:
    from nnAudio.features.griffin_lim import Griffin_Lim

    values, length = stft(case.numbers)(case.clips), case.clips.shape[1]
    back = Griffin_Lim(n_fft=case.numbers["n_fft"], n_iter=n_iter, hop_length=512, device=str(values.device))
    return lambda: torch.nn.functional.pad(back(values), (0, length))[:, :length]


# Mel bands to a magnitude


def _mel(case) -> Callable:
    front_end = mel(case.numbers)
    bands = front_end(case.clips)
    return lambda: front_end.stft_magnitude(bands)


def _librosa_mel(case) -> Callable:
    import librosa

    bands = mel(case.numbers)(case.clips).numpy()
    return lambda: torch.from_numpy(np.asarray(librosa.feature.inverse.mel_to_stft(bands, sr=22050)))


def _torchaudio_mel(case) -> Callable:
    import torchaudio.transforms

    front_end, device = mel(case.numbers), case.clips.device
    bands, options = front_end(case.clips), {"n_stft": 1025, "n_mels": 128, "sample_rate": 22050}
    # On a CPU the default driver wants a bank of full rank, which this one is not quite in float32.
    options |= {"norm": "slaney", "mel_scale": "slaney", "driver": "gelsd" if device.type == "cpu" else "gels"}
    back = torchaudio.transforms.InverseMelScale(**options).to(device)
    return lambda: back(bands).sqrt()


_SLOW = ("22.05 kHz, hop 256, 36 per octave", "its kernels alone take minutes on a CPU")
_LIBROSA = {"package": "librosa", "modules": ("librosa",), "devices": ("cpu",)}
_TORCHAUDIO = {"package": "torchaudio", "modules": ("torchaudio.transforms",)}
_NNAUDIO = {"package": "nnAudio", "modules": ("nnAudio.features.griffin_lim",)}
METHODS = {
    "constant-Q": [
        Method("ours", _ours, "32 at most"),
        Method("ours, tolerance 1e-2", functools.partial(_ours, tolerance=1e-2), "32 at most"),
        Method("ours, 3 iterations", functools.partial(_ours, n_iter=3), 3),
        Method("librosa", _librosa_icqt, **_LIBROSA),
        Method("nnAudio2", _nnaudio2, 32, "nnaudio2", ("nnAudio2.features.cqt",), slow=_SLOW),
    ],
    "Griffin-Lim": [
        method
        for n in (8, 32, 128)
        for method in (
            Method("ours", functools.partial(_griffin_lim, n_iter=n), n),
            Method("ours, momentum 0", functools.partial(_griffin_lim, n_iter=n, momentum=0.0), n),
            Method("librosa", functools.partial(_librosa_griffinlim, n_iter=n), n, **_LIBROSA),
            Method("torchaudio", functools.partial(_torchaudio_griffin_lim, n_iter=n), n, **_TORCHAUDIO),
            Method("nnAudio", functools.partial(_nnaudio_griffin_lim, n_iter=n), n, **_NNAUDIO),
        )
    ],
    "mel": [
        Method("ours", _mel, 32),
        Method("librosa", _librosa_mel, **_LIBROSA),
        Method("torchaudio", _torchaudio_mel, **_TORCHAUDIO),
    ],
}  # fmt: skip
