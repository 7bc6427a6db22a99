"""What CUDA does in one kernel and the CPU in several, against NumPy in float64."""

import numpy as np
import pytest
import torch
from conftest import DEVICES

from sweep.representations.unit_norm import unit_norm
from sweep.training.one_pass import cross_entropy_gradient


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("length", [1, 1000, 16_384, 50_001])  # the last does not stay in a program's registers
def test_windows_of_unit_norm(device, length):
    audio = torch.randn(7, length, generator=torch.Generator().manual_seed(0)) * torch.logspace(-6, 1, 7)[:, None]
    audio[3] = 0
    x = audio.double().numpy()
    expected = x / (np.sqrt((x**2).sum(axis=1, keepdims=True)) + 1e-7)
    actual = unit_norm(audio.to(device), 1e-7).cpu()
    assert actual.dtype == torch.float32 and (actual[3] == 0).all()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("device", DEVICES)
def test_windows_of_unit_norm_that_lie_apart(device):
    audio = torch.randn(5, 2000, device=device)[::2, ::3]
    torch.testing.assert_close(unit_norm(audio, 0.1), unit_norm(audio.contiguous(), 0.1))


@pytest.mark.parametrize("device", DEVICES)
def test_a_gradient_goes_through_unit_norm(device):
    audio = torch.randn(3, 50, dtype=torch.float64, device=device, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: unit_norm(x, 0.1), audio)
    assert unit_norm(audio.detach().float().requires_grad_(), 0.1).requires_grad


@pytest.mark.parametrize("device", DEVICES)
def test_the_gradient_of_the_cross_entropy(device):
    logits = 5 * torch.randn(37, 128, generator=torch.Generator().manual_seed(0))
    logits[0, :2] = torch.tensor([200.0, -200.0])
    target = (torch.rand(37, 128, generator=torch.Generator().manual_seed(1)) < 0.1).float()
    z, y = logits.double().numpy(), target.double().numpy()
    with np.errstate(over="ignore"):
        expected = (1 / (1 + np.exp(-z)) - y) * 0.3
    actual = cross_entropy_gradient(logits.to(device), target.to(device), 0.3).cpu()
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-7)
