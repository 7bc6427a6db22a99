"""nnAudio 0.3.4 and its successor nnaudio2, which have the same classes: both built for a representation."""

import contextlib
import functools
import importlib
import io
import os
from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch

from experiments.speed.peers_outside_torch import Unavailable, kind
from sweep.representations import Representation

os.environ.setdefault("NNAUDIO_DISABLE_CITATION_REMINDER", "1")  # nnaudio2 prints when it is imported

PACKAGES = {"nnAudio": ("nnAudio", "nnAudio.features"), "nnAudio2": ("nnaudio2", "nnAudio2.features")}
# They store every kernel as long as the longest, rounded up to a power of two. Beyond this CQT1992v2 is left out, with
# the reason: at 72 bins per octave 16 windows are 140 GFLOP. CQT2010v2 stands for nnAudio there.
MOST_KERNEL_BYTES = {"cpu": 2**28, "cuda": 2**34}
# Clips that CQT1992 is timed on: its STFT is a product with every FFT bin of the longest kernel.
FEW_CLIPS = {"cpu": 1, "cuda": 16}


def build(representation: Representation, device: torch.device, library: str, version: str = "CQT1992v2") -> Callable:
    features, r = importlib.import_module(PACKAGES[library][1]), representation
    if version != "CQT1992v2" and r.family != "cqt":
        raise Unavailable("a constant-Q algorithm")
    with contextlib.redirect_stdout(io.StringIO()):  # CQT1992 prints
        return _module(features, r, device, version).to(device)


def _module(features: ModuleType, r: Representation, device: torch.device, version: str) -> torch.nn.Module:
    numbers = {"sr": r.sample_rate, "hop_length": r.hop_length, "fmin": r.f_min}
    quiet = {} if version == "CQT1992" else {"verbose": False}
    match kind(r):
        case "mel":
            return features.MelSpectrogram(n_fft=r.n_fft, n_mels=r.n_mels, fmax=r.f_max, **numbers, **quiet)
        case "cqt":
            width = 2 ** int(np.ceil(np.log2(r.context)))
            size, most = 8 * width * r.n_bins, MOST_KERNEL_BYTES[device.type]
            if version == "CQT1992v2" and size > most:
                raise Unavailable(f"not run: its kernels are {size / 2**30:.1f} GiB, over {most / 2**30:.1f} GiB")
            bins = {"n_bins": r.n_bins, "bins_per_octave": r.bins_per_octave, "pad_mode": "constant"}
            return getattr(features, version)(**numbers, **bins, **quiet)
    scale = kind(r)
    grid = {"freq_scale": "no" if scale == "fft" else scale, "fmax": r.f_max, "pad_mode": r.pad_mode}
    return features.STFT(n_fft=r.n_fft, **grid, output_format="Magnitude", **numbers, **quiet)


def peers(make: Callable, device: str, workload: str) -> list:
    """nnAudio's algorithms, on CUDA in float32 and in TF32; nnaudio2 and the slow algorithms on the paper's clips only.

    Args:
        make: `peers.Peer`.
        device: "cpu" or "cuda".
        workload: "paper" or "sweep".
    """
    notes = {
        "CQT1992v2": "CQT1992v2 where it is a constant-Q transform",
        "CQT2010v2": "filters and halves the clip for each octave down",
        "CQT2010": "the same with each octave's kernels in the frequency domain",
        "CQT1992": "a product with all bins of an FFT as long as the longest kernel, then with the kernels' spectra",
    }
    libraries = {"nnAudio": notes, "nnAudio2": {"CQT1992v2": "", "CQT2010v2": ""} if workload == "paper" else {}}
    found = []
    for library, versions in libraries.items():
        package, module = PACKAGES[library]
        for version in versions if workload == "paper" else list(versions)[:2]:
            common = {
                "name": library if version == "CQT1992v2" else f"{library} {version}",
                "build": functools.partial(build, library=library, version=version),
                "package": package,
                "modules": (module,),
                "few": FEW_CLIPS[device] if version == "CQT1992" else None,
            }
            found.append(make(**common, note=notes[version]))
            if device == "cuda":
                found.append(make(**common, mode="TF32", tf32=True, shares=common["name"]))
    return found
