"""Gradients repeat to the bit where torch is asked for deterministic algorithms: of every family, by every engine."""

import pytest
import torch
from conftest import DEVICES, ROWS
from test_all_transforms import FAMILIES, clips

from sweep.engines import framing
from sweep.transforms import CQT, STFT, MelSpectrogram


@pytest.fixture
def deterministic():
    """What torch calls so: an operation that cannot repeat raises. With threads, between which sums could be split."""
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


def gradients(transform, x: torch.Tensor) -> list[torch.Tensor]:
    """By the clips, and by the taps if they are trained."""
    x = x.detach().requires_grad_()
    y = transform(x)
    y = torch.view_as_real(y) if y.is_complex() else y
    weights = torch.cos(torch.arange(y.numel(), dtype=y.dtype, device=y.device)).view_as(y)
    return list(torch.autograd.grad((y * weights).sum(), [x, *transform.parameters()]))


# Of engines that families choose at other sizes, and with the clip's mirror image at its ends.
LONG = {"sample_rate": 8000, "hop_length": 64, "f_min": 100.0}
ENGINES = {
    "spectral, reflected": lambda: CQT(**LONG, n_bins=48, bins_per_octave=12, pad_mode="reflect"),
    "spectral, complex": lambda: CQT(**LONG, n_bins=48, bins_per_octave=12, output="complex"),
    "banded, reflected": lambda: STFT(**LONG, f_max=3000.0, n_fft=1024, scale="log", n_bins=70, pad_mode="reflect"),
    "direct, reflected": lambda: STFT(**LONG, f_max=3000.0, n_fft=256, scale="log", n_bins=70, pad_mode="reflect"),
    "FFT, reflected": lambda: STFT(n_fft=512, hop_length=100),
    "bands, reflected": lambda: MelSpectrogram(n_fft=512, hop_length=100, n_mels=40),
    **{name: lambda name=name: CQT(**LONG, n_bins=24, algorithm=name) for name in ("1992", "2010", "2010v2")},
    **{name: lambda name=name: CQT(**LONG, n_bins=24, algorithm=name) for name in ("librosa", "nnaudio")},
}


def check(transform, x: torch.Tensor, usual: list[torch.Tensor]) -> None:
    """Twice the same, and what they are without the flag up to rounding."""
    once, again = gradients(transform, x), gradients(transform, x)
    assert all(map(torch.equal, once, again))
    for gradient, wanted in zip(once, usual, strict=True):
        # On CUDA other operations compute it, and the direction of small values decides.
        assert float((gradient - wanted).norm()) < (1e-2 if x.is_cuda else 1e-4) * float(wanted.norm())


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("trainable", [False, True])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name, trainable, device, request):
    family = FAMILIES[name]
    if trainable and not family.takes("trainable"):
        pytest.skip("it has no kernels")
    transform = family(**({"trainable": True} if trainable else {})).to(device)
    x = clips(0, 9000).float().to(device)
    usual = gradients(transform, x)
    request.getfixturevalue("deterministic")
    check(transform, x, usual)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ENGINES)
def test_every_engine(name, device, request):
    transform, x = ENGINES[name]().to(device), clips(0, 8000, samples=4000).float().to(device)
    usual = gradients(transform, x)
    request.getfixturevalue("deterministic")
    check(transform, x, usual)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("accuracy", ["exact", "high", "fast"])
@pytest.mark.parametrize("name", ["linear-512", "log-1024", "log-4096", "mel-2048-128", "cqt-12", "cqt-96"])
def test_rows_on_a_gpu(name, accuracy, deterministic):
    """A hundred windows, so many that programs of a kernel meet in the same sums."""
    transform = ROWS[name].transform(accuracy=accuracy).cuda()
    x = torch.randn(100, 16384, generator=torch.Generator().manual_seed(0)).cuda()
    once, again = gradients(transform, x), gradients(transform, x)
    assert all(map(torch.equal, once, again))


@pytest.mark.parametrize("left, right", [(0, 0), (3, 0), (0, 4), (9, 9)])
def test_a_mirror_image_is_torchs(left, right, deterministic):
    x = torch.arange(20.0, dtype=torch.float64).view(2, 10).requires_grad_()
    y, expected = framing.pad(x, left, right, "reflect"), torch.nn.functional.pad(x, (left, right), mode="reflect")
    assert torch.equal(y, expected)
    weights = torch.arange(y.numel(), dtype=torch.float64).view_as(y)
    assert torch.equal(*(torch.autograd.grad((part * weights).sum(), x)[0] for part in (y, expected)))
