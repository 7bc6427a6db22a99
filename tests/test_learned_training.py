"""What training does to SincNet and LEAF: gradients, bounds, what is saved, and silence."""

import io
import math

import numpy as np
import pytest
import torch
from definition import relative_l2
from test_learned import SMALL, each, noise
from torch.autograd import gradcheck
from torch.func import functional_call

from sweep.transforms import LEAF, SincNet


@pytest.mark.parametrize("front_end, numbers", [(LEAF, {}), (LEAF, {"pcen": False}), (SincNet, {})])
def test_gradients_by_finite_differences(front_end, numbers):
    made = front_end(**SMALL | {"n_filters": 3, "f_max": 4000.0} | numbers, trainable=True).double()  # within bounds
    names, values = zip(*((name, value.detach()) for name, value in made.named_parameters()), strict=True)

    def function(x, *values):
        return functional_call(made, dict(zip(names, values, strict=True)), x)

    inputs = [noise(1, 120), *values]
    # Steps of 1e-6 of a radian turn an outer tap by 3e-5; in float64 differences are then right to 1e-6.
    assert gradcheck(function, [t.requires_grad_() for t in inputs], eps=1e-6, atol=1e-5, rtol=1e-4)


@each
def test_every_value_is_trained_and_saved(front_end):
    made, x = front_end(**SMALL, trainable=True), noise(2, 800).float()
    assert all(p.shape == (6,) for p in made.parameters())
    optimizer = torch.optim.SGD(made.parameters(), lr=1e-3 if front_end is LEAF else 100.0)
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    made.log(x, 1e-5).square().sum().backward()
    optimizer.step()
    assert all((p != before[name]).any() for name, p in made.named_parameters())
    file = io.BytesIO()
    torch.save(made.state_dict(), file)
    other = front_end(**SMALL, trainable=True)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert torch.equal(other(x), made(x))
    frozen = made.frozen()
    assert frozen.state_dict() == {} and frozen.trainable_kernels() is None and not list(frozen.parameters())
    assert relative_l2(frozen(x), made(x).detach().numpy()) < 1e-6
    assert relative_l2(made(x), front_end(**SMALL)(x).numpy()) > 1e-5
    with pytest.raises(ValueError, match="frozen: it has no parameters"):
        frozen.frozen()


@pytest.mark.parametrize("rate", [1e3, -1e3])
@each
def test_values_stay_within_their_bounds_and_come_back(front_end, rate):
    """After a step that is far too large the values in use lie within their bounds, and have a gradient."""
    made, x = front_end(**SMALL, trainable=True), noise(2, 800).float()
    with torch.no_grad():
        for p in made.parameters():
            p += rate
    y = made(x)
    y.sum().backward()
    assert y.isfinite().all() and (y >= 0).all()
    values = made.frozen()._values
    unit = math.sqrt(2 * math.log(2)) / math.pi
    if front_end is LEAF:
        bounds = {"centres": (0, math.pi), "widths": (4 * unit, 61 * unit), "pooling": (2 / 41, 0.5)}
        bounds |= {"alpha": (0, 1), "delta": (1e-3, math.inf), "root": (1, math.inf), "smooth": (0, 1)}
        for name, (low, high) in bounds.items():
            assert ((values[name] >= low) & (values[name] <= high)).all(), name
    else:
        bottom, top = 50 + values["low"], 100 + values["low"] + values["band"]
        assert (bottom >= 50).all() and (top - bottom >= 50).all() and (top <= 8000).all()
    assert all(p.grad.isfinite().all() for p in made.parameters())
    moved = [name for name, p in made.named_parameters() if p.grad.any()]
    assert "learned.low" in moved or {"learned.centres", "learned.widths", "learned.pooling"} & set(moved)


def test_a_value_beyond_its_bound_is_led_back():
    made = LEAF(**SMALL, trainable=True)
    with torch.no_grad():
        made.learned.pooling += 1  # wider than the bound, though all should be narrow
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    for _ in range(20):
        optimizer.zero_grad()
        made(noise(1, 400).float()).mean().backward()
        made.learned.pooling.grad.sign_()
        optimizer.step()
    assert (made.learned.pooling != 1.4).all()


@each
def test_a_kernel_is_the_filter_as_it_is_now(front_end):
    made = front_end(**SMALL, trainable=True)
    bank = made.trainable_kernels()
    assert len(bank) == 6 and (bank.lengths == 61).all() and (bank.first_lags == -30).all()
    np.testing.assert_array_equal(bank.frequencies, made.frequencies)
    lags = np.arange(-30, 31)
    np.testing.assert_allclose(made.kernel(1)[1], bank.taps(1, lags), atol=1e-5)
    with torch.no_grad():
        made.learned["centres" if front_end is LEAF else "low"].mul_(1.2)
    first, taps = made.kernel(1)
    assert first == -30 and abs(taps - bank.taps(1, lags)).max() > 1e-3
    with pytest.raises(IndexError, match="no bin 6; choose one of 0 to 5"):
        made.kernel(6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("trainable", [False, True])
@each
def test_silence(front_end, trainable, dtype):
    x = torch.zeros(2, 2000, dtype=dtype)
    x[1, 1200:] = noise(800).to(dtype)
    x.requires_grad_()
    made = front_end(**SMALL, trainable=trainable)
    y = made(x)
    level = ((1e-5 / (1e-12 + 1e-5) ** 0.96 + 2) ** 0.5 - 2**0.5) if front_end is LEAF else 0.0
    torch.testing.assert_close(y[0], torch.full_like(y[0], level), rtol=1e-4, atol=1e-12)
    (y.sum() + made.log(x, 1e-5).sum()).backward()
    assert not x.grad[0].any() and x.grad[1].any() and x.grad.isfinite().all()
    assert all(p.grad.isfinite().all() for p in made.parameters())
