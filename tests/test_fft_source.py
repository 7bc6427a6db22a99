"""The FFT kernel's source, compiled for the host with a thread for each of a GPU's, against PyTorch in float64."""

import shutil

import numpy as np
import pytest
import torch
from emulation import compile_for_the_host, on_the_host

from sweep.engines import derivatives
from sweep.engines.gpu import fft
from sweep.transforms import MFCC, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram, bands

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")


@pytest.fixture
def emulated(tmp_path, monkeypatch):
    def emulate(n_fft: int, groups: int) -> None:
        def kernel(name: str, n_fft: int, *, lanes: int, power: int, log: bool, first: int, fixed: bool = False):
            size = {"N": n_fft, "GROUPS": groups, "BLOCKS": 1}
            wanted = {"BANDED": int(lanes > 0), "LANES": max(1, lanes), "POWER": power, "LOG": int(log), "FIRST": first}
            wanted |= {"GRADIENT": 1, "FIXED": int(fixed)}
            return on_the_host(compile_for_the_host(tmp_path, fft, {**size, **wanted})["run_" + name])

        monkeypatch.setitem(fft._LAUNCHES, n_fft, (groups, 1))
        monkeypatch.setattr(fft, "_kernel", kernel)

    return emulate


# Of each: a front-end, frames at a time in a block, samples of a clip.
CASES = {
    "empty bands": (lambda: MelSpectrogram(n_fft=256, n_mels=129, f_min=300.0, f_max=9000.0, norm=None), 2, 700),
    "one band": (lambda: MelSpectrogram(n_fft=256, n_mels=1, f_min=2000.0, f_max=5000.0), 2, 700),
    "many bands": (lambda: MelSpectrogram(n_fft=256, n_mels=100, pad_mode="constant"), 4, 900),
    "magnitudes": (lambda: MelSpectrogram(n_fft=512, n_mels=60, hop_length=200, power=1), 2, 1501),
    "lowest bins": (lambda: STFT(n_fft=1024, n_bins=100, output="power", pad_mode="constant"), 2, 2000),
    "from the second bin": (lambda: STFT(n_fft=256, first_bin=1, win_length=200, pad_mode="constant"), 2, 700),
    "from the middle": (lambda: STFT(n_fft=256, first_bin=100, n_bins=20, output="power"), 2, 700),
    "log bands": (lambda: LogBandSpectrogram(n_fft=512, corners="fft_bins", norm="area", symmetric=True), 2, 1501),
    "gammatone": (lambda: Gammatone(n_fft=256, n_bands=9, f_min=100.0, norm=None), 2, 700),
    "two lanes of four frames": (lambda: MelSpectrogram(n_fft=256, n_mels=18, f_min=100.0), 4, 900),
    "wide bands": (lambda: MelSpectrogram(n_fft=2048, n_mels=20), 1, 2500),
    "long": (lambda: STFT(n_fft=4096, hop_length=1024), 1, 5000),
}


@pytest.mark.long  # thousands of CUDA threads, one after the other
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradient(name, emulated):
    make, groups, samples = CASES[name]
    transform = make()
    emulated(transform.n_fft, groups)
    x = torch.randn(3, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    single = x.detach().float().requires_grad_()
    expected, y = transform(x), transform._fused(single, None)
    torch.testing.assert_close(y.double(), expected, rtol=2e-5, atol=1e-5 * expected.detach().max().item())
    direction = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (expected * direction).sum().backward()
    (y * direction).sum().backward()
    torch.testing.assert_close(single.grad.double(), x.grad, rtol=0, atol=1e-5 * x.grad.abs().max().item())
    log = transform._fused(single.detach(), 0.1)
    torch.testing.assert_close(log.double(), torch.log(expected + 0.1), rtol=1e-4, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("amplitude", [1e-34, 1e-21, 1e19, 1e33])
def test_quiet_and_loud_magnitudes_and_their_gradient(amplitude, emulated):
    """Squares of these leave float32; beside them a clip as usual, and silence."""
    stft = STFT(n_fft=256, hop_length=100)
    emulated(256, 2)
    x = torch.randn(3, 500, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x = (x * torch.tensor([amplitude, 1.0, 0.0])[:, None]).float()
    single, double = x.clone().requires_grad_(), x.double().requires_grad_()
    y, expected = stft._fused(single, None), stft(double)
    torch.testing.assert_close(y[0].double() / amplitude, expected[0] / amplitude, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(y[1:].double(), expected[1:], rtol=1e-4, atol=1e-4)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (y * direction).sum().backward()
    (expected * direction).sum().backward()
    torch.testing.assert_close(single.grad.double(), double.grad, rtol=0, atol=1e-4 * float(double.grad.abs().max()))
    log = stft._fused(x, 0.1 * amplitude)
    torch.testing.assert_close(log[0].double(), torch.log(expected[0] + 0.1 * amplitude), rtol=0, atol=1e-3)


def test_a_bank_of_all_bins_as_training_leaves_it(emulated):
    bank = np.random.default_rng(0).standard_normal((5, 129))
    emulated(256, 2)
    dense = fft.FusedFFT(np.hanning(256), 64, "constant", 129, 2, bank)
    x = torch.randn(2, 700, generator=torch.Generator().manual_seed(0))
    frames = torch.nn.functional.pad(x.double(), (128, 128)).unfold(-1, 256, 64) * torch.from_numpy(np.hanning(256))
    expected = torch.fft.rfft(frames).abs().square() @ torch.from_numpy(bank).T
    torch.testing.assert_close(dense(x, None).double(), expected.transpose(1, 2), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("pad_mode, samples", [("reflect", 256), pytest.param("constant", 300, marks=pytest.mark.long)])
def test_a_gradient_in_a_fixed_order(pad_mode, samples, emulated, monkeypatch):
    """Twice the same, though a thread of the host's comes when it will; the last frame ends in the clip or beyond."""
    monkeypatch.setattr(derivatives, "in_any_order", lambda: False)
    stft = STFT(n_fft=256, hop_length=128, pad_mode=pad_mode)
    emulated(256, 2)
    x = torch.randn(1, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    y = stft(x)
    direction = torch.randn(y.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (expected,) = torch.autograd.grad(y, x, direction)
    values, by = x.detach().float(), direction.float()
    once, again = (stft._fused.backward(values, by) for _ in range(2))
    assert torch.equal(once, again)
    torch.testing.assert_close(once.double(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    lazy = torch.complex(by, -by).conj().imag  # whose memory holds the opposite of what it says
    assert lazy.is_neg() and torch.equal(stft._fused.backward(values, lazy), once)


def test_float32_is_computed_whatever_torchs_default_is(emulated, monkeypatch):
    stft, x = STFT(n_fft=256, hop_length=128), torch.randn(1, 700, generator=torch.Generator().manual_seed(0))
    emulated(256, 2)
    expected = stft._fused(x, None)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(stft._fused(x, None), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_bands_too_many_for_a_small_gpu_are_turned_around_in_memory(emulated, monkeypatch):
    class Properties:
        multi_processor_count, shared_memory_per_block_optin = 1, 3000  # the points take 2,176, the bands 1,200

    def within_limits(*arguments, **options):
        def launch(blocks: int, threads: int, shared_bytes: int, *rest) -> None:
            assert shared_bytes <= Properties.shared_memory_per_block_optin
            kernel(*arguments, **options)(blocks, threads, shared_bytes, *rest)

        return launch

    mel = MelSpectrogram(n_fft=256, n_mels=100)
    emulated(256, 2)
    kernel = fft._kernel
    monkeypatch.setattr(fft, "_kernel", within_limits)
    monkeypatch.setattr(fft, "_properties", lambda device: Properties)
    x = torch.randn(2, 900, generator=torch.Generator().manual_seed(0))
    log = mel._fused(x, 0.1)
    assert log.is_contiguous()
    torch.testing.assert_close(log.double(), torch.log(mel(x.double()) + 0.1), rtol=1e-4, atol=1e-4)


def test_bands_of_all_bins_are_a_product_after_the_kernel(emulated, monkeypatch):
    monkeypatch.setattr(bands, "_PRODUCT_FROM", 100)
    gammatone = Gammatone(n_fft=256, n_bands=9, f_min=100.0)
    assert gammatone._fused.bank is None and gammatone._fused.n_bins == 129
    emulated(256, 2)
    x = torch.randn(2, 700, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    single, expected = x.detach().float().requires_grad_(), gammatone(x)
    monkeypatch.setattr(gammatone._fused, "serves", lambda x: x.dtype == torch.float32)
    y = gammatone(single)
    torch.testing.assert_close(y.double(), expected, rtol=2e-5, atol=1e-5 * expected.detach().max().item())
    direction = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (expected * direction).sum().backward()
    (y * direction).sum().backward()
    torch.testing.assert_close(single.grad.double(), x.grad, rtol=0, atol=1e-5 * x.grad.abs().max().item())
    log = gammatone.log(single.detach(), 1e-3)
    torch.testing.assert_close(log.double(), torch.log(expected + 1e-3), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "make, offset",
    [
        (lambda: STFT(n_fft=256), None),
        (lambda: MelSpectrogram(n_fft=256, n_mels=20), 0.1),
        (lambda: MFCC(n_fft=256), None),
    ],
    ids=["grid", "mel, log", "mfcc"],
)
def test_the_operator_of_a_compiled_front_end(make, offset, emulated, monkeypatch):
    """Values are not computed again for a gradient that needs none; MFCC's and a logarithm's does."""
    transform, launched = make(), []
    x = torch.randn(2, 700, generator=torch.Generator().manual_seed(0))
    double, single = x.double().requires_grad_(), x.requires_grad_()
    expected = transform(double) if offset is None else transform.log(double, offset)
    emulated(256, 2)
    kernel = fft._kernel

    def counted(name, *arguments, **options):
        launch = kernel(name, *arguments, **options)
        return lambda *given: launched.append(name) or launch(*given)

    monkeypatch.setattr(fft, "_kernel", counted)
    monkeypatch.setattr(fft.FusedFFT, "serves", lambda self, x: x.dtype == torch.float32)
    torch._dynamo.reset()
    compiled = torch.compile(transform if offset is None else transform.log, backend="aot_eager", fullgraph=True)
    y = compiled(single) if offset is None else compiled(single, offset)
    direction = torch.randn(expected.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    (expected * direction).sum().backward()
    y.backward(direction.float())
    again = isinstance(transform, MFCC) or offset is not None
    assert launched == ["spectrogram"] * (2 if again else 1) + ["gradient"]
    torch.testing.assert_close(y.double(), expected, rtol=1e-4, atol=1e-4)
    assert (single.grad - double.grad).norm() < 1e-4 * double.grad.norm()
