"""The kernels on CUDA against PyTorch in float64, and what they leave to PyTorch."""

import conftest
import numpy as np
import pytest
import torch
from conftest import FOUR, ROWS, each, synthesised_music

from sweep.engines.gpu import fft, fused
from sweep.training.adam import Adam
from sweep.transforms import CQT, STFT, Gammatone, LogBandSpectrogram, MelSpectrogram

pytestmark = list(conftest.gpu)
OFFSET = 0.01  # so large that the logarithm does not magnify the rounding of values near 0


def test_the_kernels_are_there():
    """Else the other tests would compare PyTorch with itself."""
    x = clips()
    assert STFT()._fused.serves(x) and MelSpectrogram()._fused.serves(x) and fused.serves(x)


def clips(samples: int = 20001, count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, samples, generator=torch.Generator().manual_seed(seed)).cuda() * 0.1


def error(y: torch.Tensor, expected: torch.Tensor) -> float:
    return float((y.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("n_fft", sorted(fft._LAUNCHES))
@pytest.mark.parametrize("hop_length", [512, 77])
@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
def test_stft(n_fft, hop_length, pad_mode):
    for output in ("magnitude", "power"):
        stft = STFT(n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode, output=output)
        x = clips()
        assert stft._fused.serves(x)
        expected = stft(x.double())
        y = stft(x)
        assert y.shape == expected.shape and error(y, expected) < 1e-6
        log = stft.log(x, OFFSET)
        assert log.is_contiguous() and error(log, torch.log(expected + OFFSET)) < 1e-6


@pytest.mark.parametrize("n_fft", sorted(fft._LAUNCHES))
def test_blocks_of_several_rounds_and_a_part_of_one(n_fft, monkeypatch):
    groups = fft._LAUNCHES[n_fft][0]
    monkeypatch.setattr(fft, "_each", lambda n_fft, total, most, device: max(groups, most // groups * groups))
    x = clips(16384, 5)
    for transform in (STFT(n_fft=n_fft), MelSpectrogram(n_fft=n_fft, n_mels=64)):
        expected = transform(x.double())
        assert error(transform(x), expected) < 1e-6
        assert error(transform.log(x, OFFSET), torch.log(expected + OFFSET)) < 1e-6


def test_stft_of_the_lowest_bins_and_of_samples_at_odd_addresses():
    stft = STFT(n_fft=1024, n_bins=100)
    x = clips(3001).flatten()[1:].unfold(0, 3000, 3001)
    expected = STFT(n_fft=1024)(x.double())[:, :100]
    assert error(stft(x), expected) < 1e-6


def test_other_lengths_types_and_powers_are_left_to_pytorch():
    assert not STFT(n_fft=1000)._fused.serves(clips())
    assert not STFT()._fused.serves(clips().double())
    assert not MelSpectrogram(power=0.5)._fused.serves(clips())
    x = clips()
    assert error(STFT(n_fft=1000)(x), STFT(n_fft=1000)(x.double())) < 1e-6
    assert error(MelSpectrogram(power=0.5)(x), MelSpectrogram(power=0.5)(x.double())) < 1e-5


@pytest.mark.parametrize(("n_fft", "n_mels"), [(256, 20), (512, 256), (2048, 128), (4096, 2048)])
@pytest.mark.parametrize("power", [1, 2])
def test_mel(n_fft, n_mels, power):
    mel = MelSpectrogram(n_fft=n_fft, n_mels=n_mels, power=power)
    x = clips()
    expected = mel(x.double())
    assert error(mel(x), expected) < 1e-6
    assert error(mel.log(x, OFFSET), torch.log(expected + OFFSET)) < 1e-6


@pytest.mark.parametrize("pad_mode", ["reflect", "constant"])
@pytest.mark.parametrize(
    "make",
    [
        lambda pad_mode: STFT(n_fft=512, pad_mode=pad_mode),
        lambda pad_mode: STFT(n_fft=2048, n_bins=200, output="power", pad_mode=pad_mode),
        lambda pad_mode: STFT(n_fft=1024, first_bin=1, win_length=1000, normalized="window", pad_mode=pad_mode),
        lambda pad_mode: STFT(n_fft=1024, first_bin=500, n_bins=9, output="power", pad_mode=pad_mode),
        lambda pad_mode: MelSpectrogram(n_fft=1024, n_mels=80, pad_mode=pad_mode),
        lambda pad_mode: LogBandSpectrogram(n_fft=2048, corners="fft_bins", symmetric=True, pad_mode=pad_mode),
        lambda pad_mode: MelSpectrogram(n_fft=4096, n_mels=300, power=1, pad_mode=pad_mode),
        lambda pad_mode: Gammatone(n_fft=512, norm=None, pad_mode=pad_mode),
        lambda pad_mode: Gammatone(n_fft=2048, norm=None, pad_mode=pad_mode),
    ],
)
def test_gradient(make, pad_mode):
    transform, x = make(pad_mode), clips(9000)
    gradients = []
    for dtype in (torch.float64, torch.float32):
        some = x.to(dtype).requires_grad_()
        y = transform.log(some, OFFSET)
        y.backward(torch.sin(torch.arange(y.numel(), device="cuda", dtype=dtype)).view_as(y))
        gradients.append(some.grad)
    assert error(gradients[1], gradients[0]) < 1e-5


@pytest.mark.parametrize("accuracy, bound", [("exact", 1e-5), ("high", 1e-5), ("fast", 3e-3)])
@each([*FOUR, ROWS["linear-1024"], ROWS["cqt-48"]])
def test_the_gradient_of_the_logarithm(representation, accuracy, bound):
    """Against that of the very same sums in float64."""
    x, transform = clips(16384, 4).requires_grad_(), representation.transform(accuracy=accuracy)
    offset = 1.0  # with less, the direction of small values, which rounding turns, decides
    y, expected = transform.log(x, offset), transform.log(x.double(), offset)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(1)).cuda()
    (gradient,) = torch.autograd.grad(y, x, direction)
    (wanted,) = torch.autograd.grad(expected, x, direction.double())
    assert error(gradient, wanted.double()) < bound


@each([ROWS["linear-512"], ROWS["linear-1024"], ROWS["cqt-12"]])
def test_the_gradient_of_the_logarithm_of_nothing_but_the_value(representation):
    """Bins and frames that fill up a block are 0, whose logarithm is not asked for."""
    x, transform = clips(16384, 2).requires_grad_(), representation.transform(accuracy="high")
    (gradient,) = torch.autograd.grad(transform.log(x, 0.0).sum(), x)
    assert gradient.isfinite().all() and gradient.any()


@each([ROWS["linear-512"], ROWS["log-2048"], ROWS["cqt-12"]])
def test_what_is_not_a_number_stays_so(representation):
    x = clips(16384, 2)
    x[0, 8000] = torch.tensor(0x7FFFFFFF, dtype=torch.int32).view(torch.float32)  # as arithmetic on CUDA makes it
    y = representation.transform(accuracy="fast").log(x, OFFSET)
    assert y[0].isnan().any() and y[1].isfinite().all()


def test_a_gradient_under_autocast_is_float32():
    x, cqt = clips(80_000, 2).requires_grad_(), CQT(f_min=110, n_bins=36)
    y = cqt(x)
    with torch.autocast("cuda", dtype=torch.float16):
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
    (wanted,) = torch.autograd.grad(cqt(x.double()).square().sum(), x)
    assert error(gradient, wanted.double()) < 1e-3


@pytest.mark.parametrize("accuracy", ["high", "fast"])
def test_the_gradient_of_a_long_clip_cut_into_blocks(accuracy):
    x, cqt = clips(80_000, 2).requires_grad_(), CQT(f_min=110, n_bins=36, accuracy=accuracy)
    (gradient,) = torch.autograd.grad(cqt(x).square().sum(), x)
    (wanted,) = torch.autograd.grad(cqt(x.double()).square().sum(), x)
    assert error(gradient, wanted.double()) < 1e-3


def test_a_gradient_of_the_gradient_and_one_in_a_fixed_order():
    x, cqt = clips(16384, 2).requires_grad_(), ROWS["cqt-24"].transform()

    def penalty(x):
        (gradient,) = torch.autograd.grad(cqt(x).sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), x)[0]

    assert error(penalty(x), penalty(x.double()).double()) < 1e-2
    torch.use_deterministic_algorithms(True)
    try:
        first, second = (torch.autograd.grad(cqt(x).sum(), x)[0] for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(first, second)


def test_the_gradient_on_silence_is_zero():
    x = torch.zeros(2, 8000, device="cuda", requires_grad=True)
    STFT(n_fft=512)(x).sum().backward()
    assert (x.grad == 0).all()


@pytest.mark.parametrize("accuracy", ["fast", "high", "exact"])
@each([*FOUR, ROWS["linear-2048"], ROWS["cqt-288"]])
def test_the_logarithm_in_the_kernel(representation, accuracy):
    transform = representation.transform(accuracy=accuracy).cuda()
    x = torch.from_numpy(np.stack([synthesised_music(), synthesised_music()[::-1]])).float().cuda()
    assert error(transform.log(x, OFFSET), torch.log(transform(x).double() + OFFSET)) < 1e-6


def test_kernels_in_a_graph():
    x = clips(16384)
    for transform in (row.transform(accuracy="fast") for row in FOUR):
        expected = transform.log(x, 1e-5)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            y = transform.log(x, 1e-5)
        y.zero_()
        graph.replay()
        assert torch.equal(y, expected)


@pytest.mark.parametrize("accuracy, bound", [("exact", 1e-5), ("high", 1e-4), ("fast", 1e-3)])
@pytest.mark.parametrize("f_min, n_bins", [(32.7, 12), (55, 48)])
def test_a_long_clip_at_a_lower_rate(f_min, n_bins, accuracy, bound):
    cqt = CQT(f_min=f_min, n_bins=n_bins, accuracy=accuracy)
    x = clips(200_000, 2)
    expected = CQT(f_min=f_min, n_bins=n_bins, accuracy="exact")(x.double())
    assert error(cqt(x), expected) < bound
    (plan,) = next(iter(cqt.engine.parts(x.device)[0]._tables._entries.values()))
    assert plan.factor > 1


def test_adam_is_torchs():
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(128, 1000, device="cuda")) for _ in range(2))
    rate = torch.tensor(1e-2, device="cuda")
    optimizers = [make([p], lr=rate, fused=True) for make, p in ((Adam, ours), (torch.optim.Adam, theirs))]
    for step in range(30):
        gradient = torch.randn(128, 1000, device="cuda") * 10.0 ** (step % 5 - 4)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    for key, value in optimizers[0].state_dict()["state"][0].items():
        torch.testing.assert_close(value, optimizers[1].state_dict()["state"][0][key], rtol=1e-5, atol=1e-7)


@each(FOUR)
def test_kernels_under_torch_compile(representation):
    transform, x = representation.transform(accuracy="fast"), clips(16384)
    compiled = torch.compile(transform.log, backend="aot_eager")
    torch.testing.assert_close(compiled(x, OFFSET), transform.log(x, OFFSET), rtol=1e-5, atol=1e-5)


def test_a_lower_rate_under_torch_compile():
    cqt, x = CQT(f_min=55, n_bins=48), clips(200_000, 2)
    torch.testing.assert_close(torch.compile(cqt, backend="aot_eager")(x), cqt(x), rtol=1e-5, atol=1e-5)
