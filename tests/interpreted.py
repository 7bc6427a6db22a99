"""The Triton kernels in Triton's interpreter, on the CPU: pytest on this file, with TRITON_INTERPRET=1.

Their launchers are called as on CUDA, with clips on the CPU, and compared with PyTorch in float64.
"""

import numpy as np
import pytest
import torch
from conftest import ROWS

from sweep.data import cutting
from sweep.engines import Auto, slices
from sweep.engines import finish as finish_module
from sweep.engines.finish import Finish, _in_pytorch
from sweep.engines.gpu import fused as kernels_of_finish
from sweep.engines.gpu import kernels
from sweep.representations import unit_norm
from sweep.training import adam, one_pass
from sweep.transforms import CQT, STFT

triton = pytest.importorskip("triton")
tl = triton.language
BOUNDS = {"fast": 1e-3, "high": 1e-5}  # TF32's, and float32's by three products


@pytest.fixture(autouse=True)
def tables_of_the_kernels(monkeypatch):
    """What a plan makes for CUDA only."""
    make = slices.Plan.make_tables

    def make_all(plan, device, dtype):
        make(plan, device, dtype)
        if dtype == torch.float32:
            plan.fused = plan.fuse()

    monkeypatch.setattr(slices.Plan, "make_tables", make_all)


# Front-ends of each engine and, in parts, of all; and the samples of a clip.
REFLECT = {"n_fft": 256, "scale": "log", "n_bins": 40, "f_min": 50, "f_max": 10_000, "sample_rate": 44_100}
FRONT_ENDS = {
    "direct": (lambda accuracy: ROWS["linear-256"].transform(accuracy=accuracy), 4000),
    "direct, mirrored": (lambda accuracy: STFT(**REFLECT, pad_mode="reflect", accuracy=accuracy), 1000),
    "banded": (lambda accuracy: ROWS["log-1024"].transform(accuracy=accuracy), 4000),
    "spectral": (lambda accuracy: ROWS["cqt-12"].transform(accuracy=accuracy), 9000),
    "spectral, in blocks": (lambda accuracy: CQT(f_min=110, n_bins=13, accuracy=accuracy), 80_000),
}


def parts(transform) -> list:
    """The engines that CUDA would use."""
    return transform.engine.parts(torch.device("cuda"))


@pytest.mark.parametrize("finish", [Finish(), Finish(power=True), Finish(offset=0.3)], ids=["plain", "power", "log"])
@pytest.mark.parametrize("accuracy", BOUNDS)
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_values_and_gradient(name, accuracy, finish):
    make, samples = FRONT_ENDS[name]
    transform = make(accuracy)
    x = 0.1 * torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    for engine in parts(transform):
        expected = _in_pytorch([engine], x, finish)
        direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
        (wanted,) = torch.autograd.grad(expected, x, direction.double())
        out = torch.full((2, expected.shape[1] + 3, expected.shape[2]), torch.nan)
        served = engine.finish_into(x.detach().float(), finish, out, 2)
        assert served == (accuracy == "fast" or engine.name != "direct")  # cuBLAS does the others sooner
        if served:
            assert out[:, :2].isnan().all() and out[:, -1:].isnan().all()
            assert distance(out[:, 2:-1], expected.detach()) < 3 * BOUNDS[accuracy]
        gradient = engine.gradient(x.detach().float(), finish, direction)
        assert distance(gradient, wanted) < 5 * BOUNDS[accuracy]


@pytest.mark.parametrize("offset", [None, 0.3])
@pytest.mark.parametrize("name", FRONT_ENDS)
def test_the_operator_of_a_compiled_front_end(name, offset, monkeypatch):
    """As on CUDA: the values' kernels run once, forward, and the gradient's once."""
    make, samples = FRONT_ENDS[name]
    transform, run, on_cuda = make("fast"), [], torch.device("cuda")
    x = 0.1 * torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    leaf = x.clone().requires_grad_()
    expected = transform(leaf) if offset is None else transform.log(leaf, offset)
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
    (wanted,) = torch.autograd.grad(expected, leaf, direction.double())
    served = lambda x: x.dtype == torch.float32 and not torch.compiler.is_compiling()  # noqa: E731
    monkeypatch.setattr(kernels_of_finish, "serves", served)
    parts_of = Auto.parts
    monkeypatch.setattr(Auto, "parts", lambda self, device: parts_of(self, on_cuda))
    write = finish_module._by_kernels
    monkeypatch.setattr(finish_module, "_by_kernels", lambda *a: run.append("values") or write(*a))
    torch._dynamo.reset()
    compiled = torch.compile(transform if offset is None else transform.log, backend="aot_eager", fullgraph=True)
    single = x.float().requires_grad_()
    y = compiled(single) if offset is None else compiled(single, offset)
    (gradient,) = torch.autograd.grad(y, single, direction)
    assert run == ["values"]
    assert distance(y.detach(), expected.detach()) < 3e-3 and distance(gradient, wanted) < 5e-3


@pytest.mark.parametrize("name", ["direct", "banded", "spectral"])
def test_what_is_not_a_number_stays_so(name):
    """The one that a GPU's arithmetic gives, too: its bits are all set."""
    transform, finish = FRONT_ENDS[name][0]("fast"), Finish()
    x = torch.ones(2, 9000)
    x[0, 4500] = torch.tensor(0x7FFFFFFF, dtype=torch.int32).view(torch.float32)
    for engine in parts(transform):
        out = torch.zeros(2, len(engine.kernels), 1 + 9000 // transform.hop_length)
        engine.finish_into(x, finish, out, 0)
        assert out[0].isnan().any() and out[1].isfinite().all()


@pytest.mark.parametrize("amplitude", [1e-29, 1e-21, 1e19, 1e29])
@pytest.mark.parametrize("name", ["direct", "banded", "spectral"])
def test_quiet_and_loud_magnitudes_and_their_gradient(name, amplitude):
    """Squares of these leave float32."""
    make, samples = FRONT_ENDS[name]
    transform, finish = make("fast"), Finish(offset=0.1 * amplitude)
    x = amplitude * torch.randn(2, samples, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x.requires_grad_()
    for engine in parts(transform):
        expected = _in_pytorch([engine], x, finish)
        direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1))
        (wanted,) = torch.autograd.grad(expected, x, direction.double())
        out = torch.empty(2, *expected.shape[1:])
        engine.finish_into(x.detach().float(), finish, out, 0)
        assert (out - expected.detach()).abs().max() < 0.1
        assert distance(out.double().exp(), expected.detach().exp()) < 3e-3
        gradient = engine.gradient(x.detach().float(), finish, direction)
        assert distance(gradient.double() * amplitude, wanted * amplitude) < 1e-2


def test_factors_are_rounded_to_tf32():
    x = torch.cat([torch.randn(10_000) * 10.0 ** torch.randint(-20, 20, (10_000,)), torch.tensor([0.0, 1.0, -2.0])])
    out = torch.empty_like(x)
    _round[1,](x, out, len(x), SIZE=16_384)
    assert not (out.view(torch.int32) & 0x1FFF).any()
    assert ((out - x).abs() <= 2**-11 * x.abs()).all()


def test_adam_is_torchs():
    ours, theirs = (torch.nn.Parameter(torch.linspace(-1, 1, 5000)) for _ in range(2))
    rate, step = torch.tensor(1e-3), torch.zeros(())
    mean, square = torch.zeros(5000), torch.zeros(5000)
    reference = torch.optim.Adam([theirs], lr=1e-3)
    for i in range(3):
        theirs.grad = torch.randn(5000, generator=torch.Generator().manual_seed(i))
        reference.step()
        step += 1
        constants = 0.999, 1 - 0.9, 1 - 0.999, np.log(0.9), np.log(0.999), 1e-8
        adam._update[3,](ours.data, theirs.grad, mean, square, step, rate, 5000, *constants, SIZE=2048)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_windows_and_their_norm():
    samples, position = (
        torch.randint(-32768, 32768, (9000,), dtype=torch.int16),
        torch.tensor([0, 777, 6000, 8000, -10]),
    )
    windows, scaled = torch.empty(5, 3000), torch.empty(3, 3000)
    cutting._cut[5, 2](samples, position, windows, 9000, 3000, 1 / 32768, SAMPLES=2048)
    assert torch.equal(windows[:3], samples.unfold(0, 3000, 1)[position[:3]] / 32768)
    assert not windows[3, 1000:].any() and torch.equal(windows[3, :1000], samples[8000:] / 32768)
    assert not windows[4, :10].any() and torch.equal(windows[4, 10:], samples[:2990] / 32768)
    windows = windows[:3].contiguous()
    unit_norm._scale[3,](windows, scaled, 3000, 0.1, SAMPLES=2048)
    expected = windows.double() / (windows.double().norm(dim=1, keepdim=True) + 0.1)
    torch.testing.assert_close(scaled.double(), expected, rtol=1e-5, atol=1e-8)


def test_the_gradient_of_the_cross_entropy():
    logits, target, out = 3 * torch.randn(7, 128), (torch.rand(7, 128) < 0.1).float(), torch.empty(7, 128)
    one_pass._differentiate[2,](logits, target, out, out.numel(), 0.3, CELLS=512)
    torch.testing.assert_close(out.double(), (logits.double().sigmoid() - target) * 0.3, rtol=1e-5, atol=1e-7)


def distance(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The relative L2 error."""
    return float((actual - expected).norm() / expected.norm())


@triton.jit
def _round(x, out, n, SIZE: tl.constexpr):
    at = tl.arange(0, SIZE)
    tl.store(out + at, kernels.factor(tl.load(x + at, mask=at < n, other=0.0), True), mask=at < n)
