"""The peers that bring kernels of their own: librosa, essentia, auvux-dsp and specux."""

import warnings
from collections.abc import Callable

import numpy as np
import torch

from sweep.representations import Representation

HTK_PEAKS = {"mel_scale": "htk", "norm": None}


class Unavailable(Exception):
    """A library cannot compute what is asked for; the message says why."""


def kind(representation: Representation) -> str:
    """What has to be computed: "fft" (an STFT on the FFT's grid), "linear", "log", "mel" or "cqt"."""
    return representation.scale if representation.family in ("linear", "log") else representation.family


def quietly(function: Callable) -> Callable:
    """A function without its warnings: librosa's that the longest kernels are longer than the clip."""

    def quiet(x: torch.Tensor) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(x)

    return quiet


def build_librosa(representation: Representation, device: torch.device) -> Callable:
    import librosa

    r = representation
    if kind(r) == "fft":
        form = {"n_fft": r.n_fft, "hop_length": r.hop_length, "pad_mode": "reflect"}
        return lambda x: np.abs(librosa.stft(x.numpy(), **form))
    if r.family == "mel":
        form = {"sr": r.sample_rate, "n_fft": r.n_fft, "hop_length": r.hop_length, "pad_mode": "reflect"}
        form |= {"n_mels": r.n_mels, "fmin": r.f_min, "fmax": r.f_max}
        return lambda x: librosa.feature.melspectrogram(y=x.numpy(), **form)
    if r.family == "cqt":
        form = {"sr": r.sample_rate, "hop_length": r.hop_length, "fmin": r.f_min, "n_bins": r.n_bins}
        form |= {"bins_per_octave": r.bins_per_octave, "pad_mode": "constant"}
        return quietly(lambda x: np.abs(librosa.cqt(x.numpy(), **form)))
    raise Unavailable("has no STFT at these frequencies")


def build_essentia(representation: Representation, device: torch.device) -> Callable:
    """Frame by frame, as essentia's Python interface goes through a clip."""
    import essentia
    from essentia import standard

    essentia.log.infoActive = essentia.log.warningActive = False
    r = representation
    if r.family == "cqt":
        size = 2 ** int(np.ceil(np.log2(r.context)))
        window = standard.Windowing(type="square", normalized=False, zeroPhase=True)
        bins = {"numberBins": r.n_bins, "binsPerOctave": r.bins_per_octave, "minFrequency": r.f_min}
        steps = [window, standard.SpectrumCQ(**bins, sampleRate=r.sample_rate)]
    elif kind(r) in ("linear", "log"):
        raise Unavailable("has no STFT at these frequencies")
    else:
        size = r.n_fft
        window = standard.Windowing(type="hann", size=size, normalized=False, zeroPhase=False)
        steps = [window, standard.Spectrum(size=size)]
        if r.family == "mel":
            band = {"lowFrequencyBound": r.f_min, "highFrequencyBound": r.f_max or r.sample_rate / 2}
            form = {"warpingFormula": "slaneyMel", "weighting": "linear", "normalize": "unit_tri", "type": "power"}
            bank = {"inputSize": size // 2 + 1, "numberBands": r.n_mels, "sampleRate": r.sample_rate}
            steps.append(standard.MelBands(**bank, **band, **form, log=False))

    def by_frame(x: torch.Tensor) -> np.ndarray:
        clips = []
        for clip in x.numpy():
            spectra = []
            for frame in standard.FrameGenerator(clip, frameSize=size, hopSize=r.hop_length, startFromZero=False):
                for step in steps:
                    frame = step(frame)  # noqa: PLW2901
                spectra.append(frame)
            clips.append(np.array(spectra))
        return np.stack(clips).transpose(0, 2, 1)

    return by_frame


def build_auvux(representation: Representation, device: torch.device) -> Callable:
    from auvux import dsp

    dsp.set_num_threads(torch.get_num_threads())
    r = representation
    form = {"sr": r.sample_rate, "hop_length": r.hop_length}
    if kind(r) == "fft":
        return dsp.STFT(**form, n_fft=r.n_fft, pad_mode="reflect", output="magnitude")
    if r.family == "mel":
        band = {"n_mels": r.n_mels, "fmin": r.f_min, "fmax": r.f_max}
        return dsp.MelSpectrogram(**form, n_fft=r.n_fft, pad_mode="reflect", **band)
    if r.family == "cqt":
        return dsp.CQT(**form, n_bins=r.n_bins, bins_per_octave=r.bins_per_octave, fmin=r.f_min)
    raise Unavailable("has no STFT at these frequencies")


def build_specux(representation: Representation, device: torch.device) -> Callable:
    import specux
    from specux import transforms

    specux.set_num_threads(torch.get_num_threads())
    r = representation
    if kind(r) == "fft":
        return transforms.Spectrogram(n_fft=r.n_fft, hop_length=r.hop_length, power=1.0).to(device)
    if r.family == "mel":
        band = {"f_min": r.f_min, "f_max": r.f_max, "n_mels": r.n_mels}
        form = {"sample_rate": r.sample_rate, "n_fft": r.n_fft, "hop_length": r.hop_length}
        return transforms.MelSpectrogram(**form, **band).to(device)
    if r.family == "cqt":
        form = {"sample_rate": r.sample_rate, "hop_length": r.hop_length, "f_min": r.f_min}
        return transforms.CQT(**form, n_bins=r.n_bins, bins_per_octave=r.bins_per_octave).to(device)
    raise Unavailable("has no STFT at these frequencies")


def peers(make: Callable) -> list:
    """These peers; `make` is `peers.Peer`."""
    octaves = "CQT: librosa's kernels, the clip halved for each octave down"
    on_cpu = {"devices": ("cpu",), "differentiable": False}
    return [
        make(
            "librosa", build_librosa, package="librosa", modules=("librosa.core", "librosa.feature"), **on_cpu,
            note=octaves,
        ),
        make(
            "essentia", build_essentia, package="essentia", modules=("essentia.standard",), **on_cpu,
            note="a loop over frames in Python, one thread, zeros at the ends; CQT: kernels cut off at a threshold",
        ),
        make("auvux-dsp", build_auvux, package="auvux-dsp", modules=("auvux.dsp",), note=octaves),
        make("specux", build_specux, package="specux", modules=("specux.transforms",), note=octaves),
    ]  # fmt: skip
