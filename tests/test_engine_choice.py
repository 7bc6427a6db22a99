"""Which engine runs and why: what a front-end says is what it does, and its kernels can be asked for."""

import numpy as np
import pytest
import torch
from conftest import ALL_34, each
from definition import constant_q_taps, fourier_taps

from sweep.engines import Engine
from sweep.engines.gpu import nvrtc
from sweep.transforms import CFP, CQT, LEAF, MFCC, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram

LOG = {"scale": "log", "n_bins": 40}
SAYS = {
    "banded": (STFT, LOG, "banded: all kernels have 2,048 samples, from 1,024 on a CPU"),
    "short": (STFT, LOG | {"n_fft": 512}, "direct: all kernels have at most 1,024 samples, the limit on a CPU"),
    "wide window": (
        STFT,
        LOG | {"window": "hamming"},
        "spectral: all kernels have more than 1,024 samples, the limit on a CPU; the hamming window's spectrum is too "
        "wide for banded",
    ),
    "mixed": (
        CQT,
        {},
        "spectral: 66 of 84 kernels have more than 512 samples, the limit on a CPU; direct: 18 of 84 kernels have at "
        "most 512 samples, the limit on a CPU",
    ),
    "asked": (STFT, {"engine": "direct"}, 'direct: engine="direct" was asked for'),
    "spectral": (CQT, {"engine": "spectral"}, 'spectral: engine="spectral" was asked for'),
    "trained": (CQT, {"f_min": 440.0, "n_bins": 12, "trainable": True}, "direct: the taps are trained"),
    "1992": (CQT, {"algorithm": "1992"}, 'framed: algorithm="1992" was asked for'),
    "1992v2": (CQT, {"algorithm": "1992v2"}, 'direct: algorithm="1992v2" was asked for'),
    "2010": (CQT, {"algorithm": "2010"}, 'octaves: algorithm="2010" was asked for'),
    "librosa": (CQT, {"algorithm": "librosa"}, 'cascade: algorithm="librosa" was asked for'),
    "cfp": (CFP, {}, "torch's FFT: of each frame, of its spectrum and of its cepstrum"),
    "leaf": (LEAF, {}, "torch's FFT: 40 filters at every sample, by blocks"),
    "fft": (STFT, {}, "torch's FFT: bins on the FFT's grid; the fused FFT kernel needs CUDA"),
    "mel": (
        MelSpectrogram,
        {"nonnegative": True},
        "torch's FFT: bands of the FFT's bins; the fused FFT kernel needs CUDA",
    ),
    "mel, lower rate": (
        MelSpectrogram,
        {"accuracy": "fast", "f_max": 4000.0},
        "torch's FFT: bands of the FFT's bins at 1/4 of the sample rate, for no band reaches far up; the fused FFT "
        "kernel needs CUDA",
    ),
    "log bands": (
        LogBandSpectrogram,
        {},
        "torch's FFT: bands of the FFT's bins; the fused FFT kernel needs CUDA",
    ),
    "log bands, lower rate": (
        LogBandSpectrogram,
        {"accuracy": "fast", "f_max": 4000.0},
        "torch's FFT: bands of the FFT's bins at 1/4 of the sample rate, for no band reaches far up; the fused FFT "
        "kernel needs CUDA",
    ),
    "no lower rate": (
        LogBandSpectrogram,
        {"accuracy": "fast", "f_max": 4000.0, "window": "blackmanharris"},
        "torch's FFT: bands of the FFT's bins; the fused FFT kernel needs CUDA",
    ),
    "mel, trained bank": (
        MelSpectrogram,
        {"trainable": "bank"},
        "torch's FFT: bands of the FFT's bins; the bank is trained",
    ),
}


@pytest.mark.parametrize("name", SAYS)
def test_it_says_which_engine_and_why(name):
    make, settings, expected = SAYS[name]
    front_end = make(**settings)
    assert front_end.engine_on("cpu") == front_end.engine_on(torch.device("cpu")) == expected
    assert f"on cpu: {expected}\n" in repr(front_end) and f"on cuda: {front_end.engine_on('cuda')}\n" in repr(front_end)


def test_it_says_so_of_cuda_where_there_is_none(monkeypatch):
    banded = STFT(**LOG).engine_on("cuda")
    assert banded == "banded: all kernels have 2,048 samples, from 1,024 on CUDA"
    assert STFT(**LOG, window="hamming").engine_on("cuda").startswith("direct: all kernels have at most 2,048 samples")
    monkeypatch.setattr(nvrtc, "available", lambda: False)
    assert STFT().engine_on("cuda").endswith("the fused FFT kernel needs NVRTC, which comes with torch for CUDA")
    monkeypatch.setattr(nvrtc, "available", lambda: True)
    assert STFT().engine_on("cuda") == "fused FFT kernel: bins on the FFT's grid"
    assert STFT(first_bin=1, window="blackmanharris").engine_on("cuda") == "fused FFT kernel: bins on the FFT's grid"
    assert LogBandSpectrogram().engine_on("cuda") == "fused FFT kernel: bands of the FFT's bins"
    assert Gammatone().engine_on("cuda") == "fused FFT kernel: the FFT's bins, whose bands are one product"
    assert Gammatone(n_fft=512).engine_on("cuda") == "fused FFT kernel: bands of the FFT's bins"
    assert MFCC().engine_on("cuda") == MelSpectrogram().engine_on("cuda")
    assert MelSpectrogram().engine_on("cuda:1") == "fused FFT kernel: bands of the FFT's bins"
    assert STFT(n_fft=1000).engine_on("cuda").endswith("takes n_fft 256, 512, 1024, 2048, 4096, 8192")
    assert MelSpectrogram(power=0.5).engine_on("cuda").endswith("takes power 1 or 2")
    assert 'output="complex"' in STFT(output="complex").engine_on("cuda")


@each([r for r in ALL_34 if r.family != "mel"])
def test_what_it_names_is_what_runs(representation):
    """And what runs covers all bins once, on either device."""
    front_end, ran = representation.transform(), []
    for module in front_end.modules():
        if isinstance(module, Engine):
            module.register_forward_hook(lambda engine, *_: ran.append(engine))
    front_end(torch.randn(1, 4000))
    assert ran == front_end.engine.parts(torch.device("cpu"))
    assert [part.split(":")[0] for part in front_end.engine_on("cpu").split("; ")] == [engine.name for engine in ran]
    for device in ("cpu", "cuda"):
        parts = front_end.engine.parts(torch.device(device))
        frequencies = np.concatenate([part.kernels.frequencies for part in parts])
        np.testing.assert_array_equal(frequencies, representation.frequencies)


@pytest.mark.parametrize("name", ["spectral", "1992", "2010", "fft", "mel", "mel, trained bank"])
def test_what_has_no_trainable_kernels_says_so(name):
    make, settings, _ = SAYS[name]
    front_end = make(**settings)
    assert front_end.trainable_kernels() is None
    assert (front_end.trainable_bank() is None) == (name != "mel, trained bank")
    with pytest.raises(ValueError, match=f"{make.__name__}.kernel: no taps are parameters; choose trainable=True"):
        front_end.kernel(0)


def test_a_trainable_kernel_is_the_definitions_and_then_what_training_makes_of_it():
    stft = STFT(n_fft=256, **LOG, trainable=True)
    first, taps = stft.kernel(7)
    frequencies = 50 * 120 ** (np.arange(40) / 40)  # 50 Hz to 6 kHz
    lags = first + np.arange(256)
    wanted = fourier_taps(frequencies[7:8], 44_100, 256)[0] * np.exp(2j * np.pi * 128 * frequencies[7] / 44_100)
    assert first == -128 and np.abs(taps - wanted).max() < 1e-6  # the parameters are float32
    bank = stft.trainable_kernels()
    np.testing.assert_allclose(bank.taps(7, lags), wanted, atol=1e-9)
    with torch.no_grad():
        for parameter in stft.parameters():
            parameter.mul_(2)
    assert np.abs(stft.kernel(7)[1] - 2 * wanted).max() < 2e-6
    assert stft.frozen().trainable_kernels() is None
    assert stft.frozen().engine_on("cpu") == "direct: the taps were trained"
    for bin in (-1, 40):
        with pytest.raises(IndexError, match=f"STFT.kernel: no bin {bin}; choose one of 0 to 39"):
            stft.kernel(bin)


def test_a_kernel_of_a_group_of_several_lengths():
    cqt = CQT(f_min=440.0, n_bins=24, trainable=True)
    frequencies = 440 * 2 ** (np.arange(24) / 12)
    lengths = np.ceil(44_100 / frequencies / (2 ** (1 / 12) - 1)).astype(int)
    for bin in (0, 11, 23):
        first, taps = cqt.kernel(bin)
        lags = first + np.arange(len(taps))
        wanted = constant_q_taps(frequencies[bin : bin + 1], lengths[bin : bin + 1], 44_100, lags)[0]
        assert np.abs(taps - wanted).max() < 1e-6
