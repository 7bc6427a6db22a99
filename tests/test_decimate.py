"""The lower rate: what it can hold stays as it is, what it cannot is gone; and its kernel's source on the host."""

import ctypes
import shutil

import numpy as np
import pytest
import torch
from conftest import DEVICES
from emulation import compile_for_the_host, on_the_host

from sweep.engines.gpu import decimate
from sweep.engines.gpu.decimate import Decimator


@pytest.mark.parametrize("factor", [2, 8, 64])
@pytest.mark.parametrize("ripple", [1e-4, 1e-6])
def test_what_passes(factor, ripple):
    samples, before = 300 * factor + 1, 5 * factor
    lower = Decimator(factor, 0.4, ripple)
    count = (samples + 2 * before) // factor
    # Sines at shares of the lower rate; far from the clip's ends, which are steps and not in the band.
    inside = slice(count // 3, 2 * count // 3)
    at = factor * np.arange(count) - before
    for share, kept in ((0.01, 1), (0.25, 1), (0.4, 1), (0.6, 0), (0.9, 0), (factor / 2 - 0.1, 0)):
        if share > factor / 2:
            continue
        clip = torch.from_numpy(np.sin(2 * np.pi * share / factor * np.arange(samples) + 0.3))[None]
        y = lower(clip, before, (1, count, count), count)[0].numpy()
        expected = kept * factor * np.sin(2 * np.pi * share / factor * at + 0.3)
        assert len(y) == count and np.abs(y - expected)[inside].max() < 3 * ripple * factor


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("ripple", [1e-4, 6e-7])
@pytest.mark.parametrize("factor", [2, 4, 16, 32, 64])
def test_blocks_are_parts_of_the_whole(factor, ripple, device):
    """The whole by NumPy's convolution, of the taps that the design gave."""
    lower, x = Decimator(factor, 0.4, ripple), torch.randn(3, 20_001, generator=torch.Generator().manual_seed(0))
    n_blocks, advance, wanted = 3, 5000 // factor, 9000 // factor
    assert lower._kernel_serves(x.to(device)) == (device == "cuda")
    low = lower(x.to(device), 1000, (n_blocks, advance, wanted), wanted + 100).cpu()
    assert low.shape == (9, wanted + 100) and not low[:, wanted:].any()
    for i, block in enumerate(low[:, :wanted].double().numpy()):
        clip = np.pad(x[i // n_blocks].double().numpy(), (1000 + lower.reach, 20_000))
        whole = np.convolve(clip, lower.taps, "valid")[::factor][i % n_blocks * advance :][:wanted]
        np.testing.assert_allclose(block, whole, rtol=0, atol=2e-6 * np.abs(whole).max())


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
@pytest.mark.parametrize("factor, passed", [(2, 0.4), (4, 0.45), (8, 0.4), (32, 0.4), (64, 0.3)])
def test_the_kernels_source(factor, passed, tmp_path):
    lower, x = Decimator(factor, passed, 1e-4), torch.randn(2, 12_001, generator=torch.Generator().manual_seed(0))
    blocks, points = (2, 4000 // factor, 9000 // factor), 9000 // factor + 1100
    library = compile_for_the_host(tmp_path, decimate, {"FACTOR": factor, "THREADS": decimate._threads(factor)})
    kernel = on_the_host(library.run_decimate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decimate, "_kernel", lambda _: kernel)
        low = lower._by_kernel(x, 1000, blocks, points)
    expected = lower(x.double(), 1000, blocks, points)
    torch.testing.assert_close(low.double(), expected, rtol=0, atol=2e-6 * expected.abs().max().item())
    assert ctypes.sizeof(decimate._Job) == 28


@pytest.mark.parametrize("device", DEVICES)
def test_a_gradient_goes_through(device):
    x = torch.randn(2, 60, dtype=torch.float64, device=device, requires_grad=True)
    lower = Decimator(2, 0.2, 1e-2)
    assert torch.autograd.gradcheck(lambda clips: lower(clips, 6, (2, 10, 20), 24), x)
    assert lower(x.detach().float().requires_grad_(), 6, (2, 10, 20), 24).requires_grad
