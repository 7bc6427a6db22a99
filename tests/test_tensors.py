"""Tensors at the edges, by property over front-ends: empty, tiny and huge ones, threads, what is none."""

import copy
import sys
import threading

import numpy as np
import pytest
import torch
from conftest import FOUR, ROWS, each

from sweep.engines.tables import Tables
from sweep.transforms import (
    CFP,
    CQT,
    LEAF,
    MFCC,
    STFT,
    VQT,
    FilterBank,
    Gammatone,
    LogBandSpectrogram,
    MelSpectrogram,
    SincNet,
)

# Each engine, each kind of output, trained and not; short clips.
SMALL = {"sample_rate": 8000, "hop_length": 64}
HIGH = {**SMALL, "f_min": 400.0, "n_bins": 13, "bins_per_octave": 6}
PERIODS = {**SMALL, "n_fft": 512, "win_length": 255, "f_min": 100.0, "f_max": 1000.0, "bins_per_octave": 12}
FEW = {"n_filters": 10, "filter_length": 101, "pool_length": 151, "f_max": 3500.0}
FRONT_ENDS = {
    **{f"grid, {o}": STFT(**SMALL, n_fft=256, output=o) for o in ("magnitude", "power", "complex")},
    "linear, direct": STFT(**SMALL, n_fft=256, scale="linear", f_max=3000.0, n_bins=40, engine="direct"),
    "log, banded": STFT(**SMALL, n_fft=256, scale="log", f_max=3000.0, n_bins=40, engine="banded"),
    **{f"cqt, {o}": CQT(**HIGH, output=o) for o in ("magnitude", "power", "complex")},
    "cqt, spectral": CQT(**HIGH, engine="spectral", norm="none"),
    **{f"cqt, {a}": CQT(**HIGH, algorithm=a) for a in ("1992", "1992v2", "2010", "2010v2", "nnaudio")},
    "cqt, librosa": CQT(**HIGH, algorithm="librosa", bandwidth="both_bins"),
    **{f"cfp, {s}": CFP(**PERIODS, spectrum=s) for s in ("compressed", "magnitude")},
    "vqt": VQT(**HIGH, gamma=40.0),
    "bank": FilterBank(frequencies=[700.0], taps=[np.hanning(60) * 1j ** np.arange(60)], hop_length=64),
    "cqt, trained": CQT(**HIGH, trainable=True),
    **{f"mel, {p}": MelSpectrogram(**SMALL, n_fft=256, n_mels=20, power=p) for p in (0.5, 1.0, 2.0, 3.0)},
    "grid, part": STFT(**SMALL, n_fft=256, first_bin=1, n_bins=100, win_length=200, window=("kaiser", 9.0)),
    "log bands": LogBandSpectrogram(**SMALL, n_fft=256, f_min=100.0, normalized="window"),
    "log bands, trained": LogBandSpectrogram(**SMALL, n_fft=256, corners="fft_bins", power=2.0, trainable=True),
    "mel, direct": MelSpectrogram(**SMALL, n_fft=256, n_mels=20, engine="direct"),
    "mel, trained": MelSpectrogram(**SMALL, n_fft=256, n_mels=20, trainable=True),
    **{f"gammatone, {p}": Gammatone(**SMALL, n_fft=256, n_bands=20, power=p) for p in (1.0, 2.0)},
    "mfcc": MFCC(**SMALL, n_fft=256, n_mels=20),
    "mfcc, trained": MFCC(**SMALL, n_fft=256, n_mels=20, trainable=True, nonnegative=True),
    "leaf": LEAF(**SMALL, **FEW, n_fft=256),
    "leaf, trained": LEAF(**SMALL, **FEW, n_fft=256, trainable=True),
    "leaf, energies": LEAF(**SMALL, **FEW, n_fft=256, pcen=False),
    "sincnet": SincNet(**SMALL, **FEW),
    "sincnet, trained": SincNet(**SMALL, **FEW, trainable=True),
}
every = pytest.mark.parametrize("transform", FRONT_ENDS.values(), ids=FRONT_ENDS)
real_ones = {name: t for name, t in FRONT_ENDS.items() if "complex" not in name and "mfcc" not in name}
# PCEN's values are normal even where the energies that it divides are not: float32 ends at 3e38.
scaling = {name: t for name, t in real_ones.items() if name not in ("leaf", "leaf, trained")}
every_real = pytest.mark.parametrize("transform", real_ones.values(), ids=real_ones)


def noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def fresh(transform):
    """A copy that has no tables yet."""
    transform = copy.deepcopy(transform)
    for module in transform.modules():
        for tables in vars(module).values():
            if isinstance(tables, Tables):
                tables._entries = {}
    return transform


def calls(transform) -> list:
    signed = transform.output == "complex" or isinstance(transform, MFCC)
    return [transform] if signed else [transform, lambda x: transform.log(x, 1e-5)]


# No clips


@every
@pytest.mark.parametrize("shape", [(0,), (2, 0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_no_clips_have_the_type_the_shape_and_the_graph_of_some(transform, shape, dtype):
    for call in calls(transform):
        x = torch.zeros(*shape, 1000, dtype=dtype, requires_grad=True)
        some, y = call(torch.zeros(1, 1000, dtype=dtype)), call(x)
        assert (y.dtype, y.shape, y.requires_grad) == (some.dtype, (*shape, *some.shape[1:]), True)
        y.abs().sum().backward()
        assert x.grad.shape == x.shape
        assert all(p.grad is not None and not p.grad.any() for p in transform.parameters())


@each(FOUR)
def test_no_clips_of_a_row(representation):
    x = torch.zeros(0, 16384, dtype=torch.float64, requires_grad=True)
    y = representation.transform()(x)
    assert (y.dtype, y.shape, y.requires_grad) == (torch.float64, (0, representation.n_bins, 33), True)


def test_no_spectra_have_no_waveforms():
    stft = STFT(n_fft=64, hop_length=16, output="complex")
    for leading in ((0,), (2, 0)):
        spectra = torch.zeros(*leading, 33, 9, dtype=torch.complex128, requires_grad=True)
        x = stft.inverse(spectra)
        assert (x.dtype, x.shape, x.requires_grad) == (torch.float64, (*leading, 128), True)
        x.sum().backward()
    assert stft.inverse(torch.zeros(2, 33, 9, dtype=torch.complex64, requires_grad=True), length=0).requires_grad


# Amplitudes at the ends of float32


def error(y: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest error of values that are normal in float32, relative to them or to a thousandth of the clip's peak."""
    size = expected.abs()
    least, most = torch.finfo(torch.float32).tiny, torch.finfo(torch.float32).max
    normal = (size > 2 * least) & (size < most)
    floor = size.masked_fill(~normal, 0).amax((-2, -1), keepdim=True) / 1000
    return float(((y.double() - expected).abs() / size.maximum(floor))[normal].max()) if normal.any() else 0.0


AMPLITUDES = [1e-37, 1e-30, 1e-21, 1e-19, 1.0, 1e17, 1e19, 1e30, 1e37]


@pytest.mark.parametrize("flush", [False, True], ids=["", "flushed"])
@pytest.mark.parametrize("transform", scaling.values(), ids=scaling)
def test_magnitudes_are_right_wherever_they_are_normal(transform, flush):
    x = noise(len(AMPLITUDES), 2000) * torch.tensor(AMPLITUDES, dtype=torch.float64)[:, None]
    x = x.float()
    if flush:  # samples that count as 0
        x[x.abs() < torch.finfo(torch.float32).tiny] = 0
    expected = transform.double()(x.double()).detach()
    transform.float()
    assert torch.set_flush_denormal(flush)
    try:
        together, alone, log = transform(x), [transform(clip) for clip in x], transform.log(x, 1e-3)
    finally:
        torch.set_flush_denormal(False)
    # A cepstrum's value may be what is left of much larger ones, and its root magnifies their rounding: 4e-3.
    bar = 1e-2 if isinstance(transform, CFP) else 2e-4
    assert error(together.detach(), expected) < bar
    assert error(torch.stack(alone).detach(), expected) < bar
    finite = expected < 1e37
    torch.testing.assert_close(log.double()[finite], torch.log(expected + 1e-3)[finite], rtol=bar / 2, atol=bar / 2)


@each([*FOUR, ROWS["linear-256"], ROWS["mel-512-128"], ROWS["cqt-96"]])
def test_magnitudes_of_a_row(representation, music):
    transform, x = representation.transform(accuracy="exact"), music[:1].double()
    for amplitude in (1e-36, 1e-21, 1e19, 1e33):
        scaled = (x * amplitude).float()
        assert error(transform(scaled), transform(scaled.double())) < 2e-2  # of a bin alone, next to louder ones


@pytest.mark.parametrize("name", ["grid, magnitude", "cqt, magnitude", "cqt, spectral", "log, banded", "mel, 1.0"])
@pytest.mark.parametrize("amplitude", [1e-36, 1e-21, 1e19, 1e35])
def test_gradients_of_magnitudes_are_right(name, amplitude):
    transform, gradients = FRONT_ENDS[name], []
    single = (noise(2, 1500) * amplitude).float()
    for x in (single.double().requires_grad_(), single.requires_grad_()):
        y = transform(x)
        y.backward(torch.sin(torch.arange(y.numel())).view_as(y).to(y.dtype))
        gradients.append(x.grad.double())
    assert (gradients[1] - gradients[0]).norm() < 1e-4 * gradients[0].norm()


@pytest.mark.parametrize("name", ["grid, magnitude", "cqt, magnitude", "mel, 1.0"])
def test_a_quiet_part_of_a_clip(name):
    x = noise(1, 4000)
    x[:, :2500] *= 1e-25
    y, expected = (FRONT_ENDS[name](some)[..., :20] for some in (x.float(), x.float().double()))
    assert error(y, expected) < 1e-4


@every_real
def test_what_is_not_finite_stays_in_its_clip(transform):
    x = noise(3, 1500).float()
    x[0, 700], x[2, 700] = torch.nan, torch.inf
    y = transform(x)
    assert y[1].isfinite().all() and not y[0].isfinite().all() and not y[2].isfinite().all()
    torch.testing.assert_close(y[1], transform(x[1]), rtol=1e-4, atol=1e-5)


# Threads


def test_threads_share_tables():
    """Each asks for more tables than are kept; a lookup that another thread interrupts must not fail."""
    tables, failures, stop = Tables(), [], threading.Event()

    def work(first: int) -> None:
        i = first
        while not stop.is_set():
            i += 1
            try:
                assert tables.get(i % 12, lambda key=i % 12: key) == i % 12
            except Exception as error:
                failures.append(error)
                return

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work, args=(5 * i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    stop.wait(1.0)
    stop.set()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert not failures and len(tables._entries) <= 8


# Other than clips on a device


@every
def test_a_meta_tensor_gives_the_shape(transform):
    for call in calls(transform):
        some, y = call(torch.zeros(2, 1000)), call(torch.empty(2, 1000, device="meta"))
        assert (y.shape, y.dtype, y.device.type) == (some.shape, some.dtype, "meta") or list(transform.parameters())


WRONG = {
    "array": (np.zeros(9000, np.float32), TypeError, ["numpy.ndarray", "torch.as_tensor(waveform)"]),
    "list": ([0.0] * 9000, TypeError, ["list", "torch.as_tensor(waveform)"]),
    "None": (None, TypeError, ["NoneType", "torch.Tensor"]),
    "sparse": (torch.zeros(9000).to_sparse(), ValueError, ["sparse_coo", "waveform.to_dense()"]),
    "complex": (torch.zeros(9000, dtype=torch.complex64), ValueError, ["complex64", "waveform.real"]),
    "quantized": (torch.quantize_per_tensor(torch.zeros(9), 1.0, 0, torch.qint8), ValueError, ["qint8", "dequantize"]),
    "number": (torch.tensor(1.0), ValueError, ["()", "(..., samples)"]),
}


@pytest.mark.parametrize("name", WRONG)
@each(FOUR)
def test_what_is_no_clip_is_told_with_the_remedy(representation, name):
    value, kind, parts = WRONG[name]
    transform = representation.transform()
    for call in (transform, lambda v: transform.log(v, 1e-5)):
        with pytest.raises(kind) as caught:
            call(value)
        text = str(caught.value)
        assert [part for part in parts if part not in text] == [] and "\n" not in text


def test_what_is_no_spectrum_is_told_too():
    with pytest.raises(TypeError, match="spectrum of type numpy.ndarray: needs a torch.Tensor; choose torch.as_tensor"):
        STFT(output="complex").inverse(np.zeros((1025, 9), np.complex64))
