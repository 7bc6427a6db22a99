"""torch.func's transforms and forward-mode differentiation do what autograd does, by property over front-ends."""

import pytest
import torch
from test_tensors import FRONT_ENDS, calls, every, fresh, noise
from torch.autograd import forward_ad


@every
def test_torch_func_does_what_autograd_does(transform):
    x, direction = noise(2, 700), noise(2, 700).flip(1)
    for call in calls(transform):

        def parts(v, call=call):
            y = call(v)
            return torch.view_as_real(y) if y.is_complex() else y

        expected = parts(x)
        torch.testing.assert_close(torch.func.vmap(parts)(x), expected)
        values, tangent = torch.func.jvp(parts, (x,), (direction,))
        torch.testing.assert_close(values, expected)
        _, pulled = torch.func.vjp(parts, x)
        weights = torch.cos(torch.arange(expected.numel(), dtype=torch.float64)).view_as(expected)
        (gradient,) = pulled(weights)
        torch.testing.assert_close((tangent * weights).sum(), (gradient * direction).sum())
        leaf = x.clone().requires_grad_()
        (wanted,) = torch.autograd.grad((parts(leaf) * weights).sum(), leaf)
        torch.testing.assert_close(gradient, wanted)
        each_alone = torch.func.vmap(torch.func.grad(lambda v: (parts(v) ** 2).sum()))(x)  # noqa: B023
        (wanted,) = torch.autograd.grad((parts(leaf) ** 2).sum(), leaf)
        torch.testing.assert_close(each_alone, wanted)


@every
def test_tables_made_within_torch_func_serve_later(transform):
    x, expected = noise(2, 700), transform(noise(2, 700))
    for make in (torch.func.vmap, lambda f: lambda v: torch.func.jvp(f, (v,), (v,))[0]):
        new = fresh(transform)
        torch.testing.assert_close(make(new)(x), expected)
        torch.testing.assert_close(new(x), expected)


def test_a_jacobian_in_both_modes():
    stft, x = FRONT_ENDS["linear, direct"], noise(130)
    torch.testing.assert_close(torch.func.jacrev(stft)(x), torch.func.jacfwd(stft)(x))


@every
@pytest.mark.parametrize("amplitude", [0.0, 1e-30, 1.0])
def test_tangents_are_finite_and_0_on_silence(transform, amplitude):
    x = (amplitude * noise(1, 700)).float()
    x[:, 350:] = 0
    for call in calls(transform):
        with forward_ad.dual_level():
            tangent = forward_ad.unpack_dual(call(forward_ad.make_dual(x, torch.ones_like(x)))).tangent
        assert tangent.isfinite().all()
        assert torch.func.jvp(call, (x,), (torch.ones_like(x),))[1].isfinite().all()
