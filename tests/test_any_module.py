"""A front-end is compiled, copied, pickled and moved like any other module, and takes clips of any length in turn."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
from test_module import error, every, on_each_device

from sweep.transforms import CQT


@pytest.mark.long  # torch.compile of all these front-ends
@every
@on_each_device
def test_compiled(front_end, settings, device, music):
    torch._dynamo.reset()
    transform = front_end(**settings).to(device)
    compiled = torch.compile(transform, backend="aot_eager")  # traced forward and backward, but without a compiler
    for samples in (16384, 9000):
        x = music[:2, :samples].to(device)
        assert error(compiled(x), transform(x)) < 1e-6


def test_a_compiled_front_end_trains(music):
    torch._dynamo.reset()
    transform = CQT(f_min=440.0, n_bins=24, trainable=True)
    torch.compile(transform, backend="aot_eager")(music[0]).sum().backward()
    expected = copy.deepcopy(transform)
    expected.zero_grad()
    expected(music[0]).sum().backward()
    for actual, wanted in zip(transform.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, wanted.grad)


@every
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_copied_and_pickled(front_end, settings, used, music):
    transform = front_end(**settings)
    expected = front_end(**settings)(music[0])
    if used:
        transform(music[0])
    for copied in (copy.deepcopy(transform), pickle.loads(pickle.dumps(transform))):
        assert torch.equal(copied(music[0]), expected)


@every
def test_many_clip_lengths_in_turn(front_end, settings, music):
    """More of them than tables are kept, and back to the first."""
    transform = front_end(**settings)
    first = transform(music[0])
    for samples in range(4100, 5000, 100):
        last = transform(music[0, :samples])
    assert torch.equal(last, front_end(**settings)(music[0, :samples]))
    assert torch.equal(transform(music[0]), first)


@every
def test_trained_after_inference_mode(front_end, settings, music):
    """Tables made in inference mode could not be saved for a backward pass."""
    transform = front_end(**settings)
    with torch.inference_mode():
        transform(music[0])
    x = music[0].clone().requires_grad_()
    transform(x).abs().sum().backward()
    assert x.grad.abs().max() > 0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@every
def test_moved_to_the_gpu_and_back(front_end, settings, music):
    transform = front_end(**settings)
    expected = transform(music[0])
    there = transform.cuda()(music[0].cuda())
    assert there.is_cuda and error(there, expected) < 2e-4  # either may be 1e-4 off
    assert torch.equal(transform.cpu()(music[0]), expected)


def numpys(value: object, seen: set[int]) -> list[str]:
    """Names of attributes, of a module and what it holds, that are NumPy's whole numbers."""
    if id(value) in seen or not hasattr(value, "__dict__"):
        return []
    seen.add(id(value))
    parts = [*vars(value).items(), *(value.named_children() if isinstance(value, torch.nn.Module) else ())]
    own = type(value).__module__.startswith("sweep")
    return [name for name, part in parts if own and isinstance(part, np.integer)] + [
        name for _, part in parts for name in numpys(part, seen)
    ]


@every
def test_whole_numbers_may_be_numpys(front_end, settings, music):
    """As from np.arange: they become Python's, which have bit_length() and which torch.compile does not trace."""
    given = {name: p.default for name, p in inspect.signature(front_end).parameters.items()} | settings
    others = ("basis_norm", "sample_rate")  # a choice, and a number that need not be whole
    whole = {name: np.int64(value) for name, value in given.items() if type(value) is int and name not in others}
    assert "hop_length" in whole
    transform = front_end(**{**settings, **whole})
    assert torch.equal(transform(music[0]), front_end(**settings)(music[0]))
    assert numpys(transform, set()) == []
