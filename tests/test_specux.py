"""The engine "specux", an optional package: its values against sums in float64, and what it leaves to PyTorch."""

import copy
import pickle
import sys
import threading

import numpy as np
import pytest
import torch
from definition import below_peak, fft, mel_bank, relative_l2
from test_band_spectrograms import triangles
from test_decibels import signals
from test_gammatone import weights
from test_grid_blocks import plain
from torch.utils.data import DataLoader

from sweep.engines import BELOW_PEAK
from sweep.transforms import CQT, MFCC, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram

RATE = {"sample_rate": 8000, "hop_length": 64}
CORNERS = 60 * 2 ** (np.arange(44) / 12)
LOW = {**RATE, "n_fft": 2048, "f_min": 60.0, "f_max": 700.0}  # so low that "fast" would take a lower rate
# Front-end, its numbers, and the sum; 40 Mel bands are summed by specux, fewer by a product.
KINDS = {
    "magnitude": (STFT, {**RATE, "n_fft": 1024}, lambda x: np.abs(fft(x, 1024, 64, "reflect"))),
    "power": (
        STFT, {**RATE, "n_fft": 500, "hop_length": 77, "output": "power", "pad_mode": "constant"},
        lambda x: np.abs(fft(x, 500, 77, "constant")) ** 2,
    ),
    "some bins": (
        STFT, {**RATE, "n_fft": 254, "first_bin": 3, "n_bins": 50},
        lambda x: np.abs(fft(x, 254, 64, "reflect"))[:, 3:53],
    ),
    "small hop": (STFT, {**RATE, "n_fft": 128, "hop_length": 1}, lambda x: np.abs(fft(x, 128, 1, "reflect"))),
    "hop beyond the window": (
        STFT, {**RATE, "n_fft": 128, "hop_length": 300}, lambda x: np.abs(fft(x, 128, 300, "reflect")),
    ),
    "mel": (
        MelSpectrogram, {**LOW, "n_mels": 40},
        lambda x: mel_bank(8000, 2048, 40, 60.0, 700.0) @ np.abs(fft(x, 2048, 64, "reflect")) ** 2,
    ),
    "few bands of magnitudes": (
        LogBandSpectrogram, {**LOW, "pad_mode": "constant"},
        lambda x: triangles(CORNERS[CORNERS <= 700], np.fft.rfftfreq(2048, 1 / 8000))
        @ np.abs(fft(x, 2048, 64, "constant")),
    ),
    "gammatone": (
        Gammatone, {**RATE, "n_fft": 512, "n_bands": 20},
        lambda x: weights(8000, 512, 20, 50.0, 4000.0) / 512 @ np.abs(fft(x, 512, 64, "reflect")) ** 2,
    ),
}  # fmt: skip


@pytest.fixture
def specux():
    return pytest.importorskip("specux")


@pytest.fixture
def counted(specux, monkeypatch):
    """The calls that reach specux."""
    from sweep.engines.specux_grid import SpecuxGrid

    calls, plain = [], SpecuxGrid.values
    monkeypatch.setattr(SpecuxGrid, "values", lambda *given, **options: calls.append(1) or plain(*given, **options))
    return calls


def clips(samples: int = 5000) -> torch.Tensor:
    return torch.randn(3, samples, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("accuracy", ["exact", "high", "fast"])
@pytest.mark.parametrize("name", KINDS)
def test_the_definition_at_the_promised_accuracy(name, accuracy, counted):
    build, settings, define = KINDS[name]
    x = np.stack([*signals(6001, 8000), clips(6001)[0].numpy()]).astype(float)
    expected, front_end = define(x), build(**settings, accuracy=accuracy, engine="specux")
    values = front_end(torch.from_numpy(x).float())
    assert counted and front_end.engine_on("cpu").startswith("specux: ")
    assert below_peak(values, expected, front_end.exponent) > BELOW_PEAK[accuracy]  # 120 dB
    assert relative_l2(values[-1:], expected[-1:]) < 4e-7  # of noise; at most 1.8e-7 measured
    logarithm = front_end.log(torch.from_numpy(x).float(), 1e-3)
    assert logarithm.is_contiguous() and torch.equal(logarithm, torch.log(values + 1e-3))


def test_coefficients(counted):
    x = clips()
    actual, expected = (MFCC(**RATE, n_fft=512, n_mels=64, engine=e)(x) for e in ("specux", "direct"))
    assert counted and relative_l2(actual, expected.numpy()) < 4e-7  # 1.1e-7 measured


@pytest.mark.parametrize("name", KINDS)
def test_gradients(name, counted):
    build, settings, _ = KINDS[name]
    front_end, usual, x = build(**settings, engine="specux"), build(**settings), clips().requires_grad_()
    exact = x.detach().double().requires_grad_()
    values, expected = front_end(x), plain(usual, exact)
    assert bool(counted) == (name != "small hop")  # very many frames at a sample: PyTorch adds their gradients up
    weights = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    (wanted,) = torch.autograd.grad(expected, exact, weights)
    (gradient,) = torch.autograd.grad(values, x, weights.float(), retain_graph=True)
    assert (gradient - wanted).norm() < 2e-6 * wanted.norm()  # 1.1e-6 measured on "some bins", others 1e-7 to 6e-7
    assert torch.equal(torch.autograd.grad(values, x, weights.float())[0], gradient)  # in a fixed order
    firsts = (torch.autograd.grad(f(x).square().mean(), x, create_graph=True)[0] for f in (front_end, usual))
    actual, expected = (torch.autograd.grad(first.square().sum(), x)[0] for first in firsts)
    assert expected.any() and (actual - expected).norm() < 1e-5 * expected.norm()


@pytest.mark.parametrize("front_end", [STFT, MelSpectrogram])
def test_silence_float64_and_transforms(front_end, counted):
    made, usual, x = front_end(**RATE, n_fft=256, engine="specux"), front_end(**RATE, n_fft=256), clips()
    assert torch.equal(made(x.double()), usual(x.double()))
    torch.testing.assert_close(torch.func.vmap(made)(x), usual(x), rtol=1e-5, atol=1e-5)
    assert not counted
    silent = x.clone()
    silent[1], silent[2, 2000:] = 0, 0
    (gradient,) = torch.autograd.grad(made(silent.requires_grad_()).sum(), silent)
    assert counted and gradient.isfinite().all() and not gradient[1].any()
    with torch.no_grad():
        assert not made(silent).requires_grad


def test_quiet_loud_and_silent_clips(counted):
    made, usual, x = (f(**RATE, n_fft=256) for f in (lambda **k: STFT(**k, engine="specux"), STFT, lambda **k: clips()))
    for scale in (1e-36, 1e-22, 1e-3, 1e15, 1e25):
        torch.testing.assert_close(made(x * scale) / scale, usual(x * scale) / scale, rtol=1e-4, atol=1e-5)
    x[1, 1000:3000] = 0  # silence
    x[2] *= 1e-30
    torch.testing.assert_close(made(x), usual(x), rtol=1e-4, atol=0)
    assert made(x)[2].min() > 0 and made(torch.zeros(2, 4000)).eq(0).all()
    gradients = [torch.autograd.grad(f(z).sum(), z)[0] for f in (made, usual) for z in (x.clone().requires_grad_(),)]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)
    x[0, 7] = torch.nan
    assert torch.equal(made(x).isnan(), usual(x).isnan())
    with pytest.raises(ValueError, match="too short for reflect padding"):
        made(x[:, :100])


def test_layouts_copies_and_compilation(counted):
    made, x = MelSpectrogram(**RATE, n_fft=512, n_mels=64, engine="specux"), clips()
    expected = made(x)
    for view in (x.T.contiguous().T, torch.stack([x, x], -1)[..., 0], x.reshape(3, 1, -1), torch._neg_view(-x)):
        assert torch.equal(made(view).reshape(expected.shape), expected)
    for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert torch.equal(other(x), expected)
    done = len(counted)
    compiled, z = torch.compile(made, backend="aot_eager", fullgraph=True), x.clone().requires_grad_()
    assert torch.equal(compiled(x), expected) and len(counted) > done
    assert torch.equal(*(torch.autograd.grad(f(z).square().sum(), z)[0] for f in (compiled, made)))
    with torch.inference_mode(), torch.autocast("cpu"):
        assert torch.equal(made(x), expected)


def test_threads_are_torchs(specux):
    made, x, before = STFT(engine="specux"), clips(40_000), torch.get_num_threads()
    expected, wrong = made(x), []
    try:
        for count in (2, 1):
            torch.set_num_threads(count)
            assert torch.equal(made(x), expected) and specux.get_num_threads() == count

        def work(count):
            torch.set_num_threads(count)
            wrong.extend(n for n in range(20) if not torch.equal(made(x), expected))

        threads = [threading.Thread(target=work, args=(1 + n % 2,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not wrong and not any(thread.is_alive() for thread in threads)
        torch.set_num_threads(2)
        assert torch.equal(made(x), expected)  # specux's threads run; a forked worker has none of them
        loader = DataLoader(x, batch_size=3, num_workers=1, collate_fn=lambda some: made(torch.stack(some)), timeout=60)
        assert torch.equal(next(iter(loader)), expected)
    finally:
        torch.set_num_threads(before)


REFUSED = {
    "output 'phase'": lambda: STFT(output="phase", engine="specux"),
    'choose scale="fft"': lambda: STFT(scale="log", engine="specux"),
    "trainable=False": lambda: STFT(trainable=True, engine="specux"),
    "trainable 'bank'": lambda: MelSpectrogram(trainable="bank", engine="specux"),
    "power 1.5": lambda: MelSpectrogram(power=1.5, engine="specux"),
    "engine \"specux\" computes": lambda: CQT(engine="specux"),
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_it_cannot_do_is_one_line(message, specux):
    with pytest.raises(ValueError, match=message) as error:
        REFUSED[message]()
    assert "choose" in str(error.value) and "\n" not in str(error.value)


def test_without_the_package_the_line_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "specux", None)
    with pytest.raises(ImportError, match=r'engine "specux".*pip install "spectrogram-sweep\[cpu\]"') as error:
        MelSpectrogram(engine="specux")
    assert "\n" not in str(error.value)
    MelSpectrogram(), CQT()
