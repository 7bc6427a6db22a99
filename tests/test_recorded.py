"""Launches recorded in a CUDA graph: from the third call of a shape on, the values that each call had without."""

import pickle
import threading

import pytest
import torch
from test_all_transforms import FAMILIES
from test_ways import noise

from sweep.engines import derivatives
from sweep.engines.tables import Tables, collected
from sweep.transforms import CQT, recorded


@pytest.fixture
def made(monkeypatch) -> list:
    """Records on a CPU: what is recorded is a computation here, and replaying computes. Returns what is recorded."""

    class Recording:
        def __init__(self, front_end, inputs, offset):
            self.front_end, self.inputs, self.offset, self.back = (
                front_end,
                [t.detach().clone() for t in inputs],
                offset,
                0,
            )

        def replay(self, *given):
            for place, numbers in zip(self.inputs, given, strict=True):
                place.copy_(numbers)
            if len(given) == 2:
                return recorded._gradient(self.front_end, self.inputs, self.offset)
            return self.front_end._framed(self.inputs[0], self.offset).clone()

    def captured(front_end, inputs, offset):
        made.append((*(tuple(t.shape) for t in inputs), offset))
        return Recording(front_end, inputs, offset)

    made = []
    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda index: 0, raising=False)
    monkeypatch.setattr(recorded, "_Recording", Recording)
    monkeypatch.setattr(recorded, "_captured", captured)
    monkeypatch.setattr(recorded, "serves", lambda x: not derivatives.transformed(x))
    return made


def test_a_shape_is_recorded_at_its_third_call(made):
    class Plain:
        _framed, parameters = staticmethod(lambda x, offset: x + 1), list

    recorder, x = recorded.Recorder(), torch.zeros(1, 9)
    for offset in (None, 0.1):
        assert [float(recorder(Plain, x, offset)[0, 0]) for _ in range(5)] == [1] * 5
        assert made.pop() == ((1, 9), offset) and not made
    for n in range(1, 20):
        recorder(Plain, torch.zeros(1, n), None)
    assert len(recorder._entries) <= 8 and not pickle.loads(pickle.dumps(recorder))._entries


@pytest.mark.parametrize("name", ['STFT(scale="log")', "CFP()", "CQT()"])
def test_a_gradient_is_recorded_after_its_values(made, name):
    """And a second one, several at once, and hooks, are those of each call."""
    transform, x = FAMILIES[name](), noise(2, 2, 1500)
    leaf = x.clone().requires_grad_()
    y = transform._framed(leaf.flatten(0, 1), None).unflatten(0, (2, 2))
    by = noise(*y.shape)
    (wanted,) = torch.autograd.grad(y, leaf, by, create_graph=True)
    (second,) = torch.autograd.grad(wanted.square().sum(), leaf)
    for call in range(4):
        y, seen = transform(leaf), []
        y.register_hook(seen.append)
        torch.testing.assert_close(torch.autograd.grad(y, leaf, by, retain_graph=True)[0], wanted.detach())
        assert len(seen) == 1 and len(made) == (2 if call >= 2 else 0)
        both = torch.stack([by, 2 * by])
        (several,) = torch.autograd.grad(y, leaf, both, retain_graph=True, is_grads_batched=True)
        torch.testing.assert_close(several, torch.stack([wanted, 2 * wanted]).detach())
        (again,) = torch.autograd.grad(y, leaf, by, create_graph=True)
        torch.testing.assert_close(again, wanted)
        torch.testing.assert_close(torch.autograd.grad(again.square().sum(), leaf)[0], second)
    with torch.no_grad():
        assert not transform(leaf).requires_grad
    gradient = torch.ops.sweep.front_end_gradient(by, leaf, transform._name, None)
    torch.testing.assert_close(gradient, wanted.detach())
    assert len(made) == 2


def test_parameters_get_their_gradient(made):
    transform = CQT(f_min=440.0, n_bins=12, trainable=True)
    for _ in range(4):
        x = noise(1, 3000).requires_grad_()
        gradients = torch.autograd.grad(transform(x).sum(), [x, *transform.parameters()])
        assert all(g.any() for g in gradients)


def test_tables_that_any_thread_looks_up_are_collected():
    tables = Tables()
    tables.get("before", lambda: 1)
    with collected() as used:
        assert tables.get("before", lambda: 1) == 1
        thread = threading.Thread(target=lambda: tables.get("new", lambda: 2))  # as autograd has
        thread.start()
        thread.join()
    tables.get("after", lambda: 3)
    assert used == [1, 2]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", FAMILIES)
def test_replayed_values_are_those_of_each_call(name):
    transform, clips = FAMILIES[name](), [noise(2, 3000, device="cuda") * (i + 1) for i in range(6)]
    expected = [transform._framed(x, None) for x in clips]
    first = transform(clips[0])
    found = [first, *(transform(x) for x in clips[1:])]
    for y, wanted in zip(found, expected, strict=True):  # none was written over by a later call
        torch.testing.assert_close(y, wanted)
    recordings = [e for e in transform._recorder._entries.values() if isinstance(e, recorded._Recording)]
    assert len(recordings) == transform.many_launches
    other = torch.cuda.Stream()
    other.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(other):
        again = [transform(x) for x in clips]
    torch.cuda.synchronize()
    for y, wanted in zip(again, expected, strict=True):
        torch.testing.assert_close(y, wanted)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_recording_outlives_its_tables_and_inference_mode():
    cqt, x = CQT(f_min=220.0, n_bins=24), noise(1, 6000, device="cuda")
    with torch.inference_mode():
        expected = [cqt(x) for _ in range(4)][0].clone()
    for samples in range(3000, 4200, 100):  # other tables take their place
        cqt(noise(1, samples, device="cuda"))
    leaf = x.clone().requires_grad_()
    cqt(leaf).sum().backward()
    torch.testing.assert_close(cqt(x), expected)
    assert leaf.grad.any()
    trained = CQT(f_min=220.0, n_bins=24, trainable=True).cuda()
    with torch.no_grad():
        values = [trained(x) for _ in range(4)]
        for parameter in trained.parameters():
            parameter.data = 2 * parameter.data
        torch.testing.assert_close(trained(x), 2 * values[-1])
