"""Launches recorded in a CUDA graph: from the third call of a shape on, the values that each call had without."""

import copy
import pickle
import threading

import pytest
import torch
from test_all_transforms import FAMILIES
from test_ways import noise

from sweep.engines import derivatives
from sweep.engines.tables import Tables, collected
from sweep.transforms import CQT, STFT, recorded
from sweep.transforms.transform import Transform


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


def test_nothing_is_recorded_of_what_else_may_change():
    """Parameters, those that replicas hide, and whatever a transform of another hand may look at; copies begin anew."""
    assert not Transform.many_launches
    clips, front_end = (torch.zeros(1, 99),), CQT(f_min=440.0, n_bins=2, trainable=True)
    hidden = front_end._replicate_for_data_parallel()
    hidden._modules = {}
    assert not list(hidden.parameters())
    assert recorded._record(front_end, clips, None) is recorded._record(hidden, clips, None) is None
    assert copy.copy(front_end)._recorder is not front_end._recorder


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
def test_nothing_is_recorded_while_paused():
    transform, x = CQT().cuda(), noise(1, 16384, device="cuda")
    with torch.no_grad():
        with recorded.paused():
            for _ in range(5):
                transform(x)
        assert not transform._recorder._entries
        for _ in range(3):
            transform(x)
    assert [type(entry) for entry in transform._recorder._entries.values()] == [recorded._Recording]


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


def pulled(call, x: torch.Tensor) -> torch.Tensor:
    """The gradient of a fixed weighted sum of values by the clips."""
    leaf = x.detach().requires_grad_()
    y = call(leaf)
    y = torch.view_as_real(y) if y.is_complex() else y
    weights = torch.cos(torch.arange(y.numel(), device=y.device, dtype=torch.float64)).to(y.dtype).view_as(y)
    return torch.autograd.grad(y, leaf, weights)[0]


def near(actual: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    assert float((actual - wanted).norm()) < tolerance * float(wanted.norm())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("name", FAMILIES)
def test_replayed_gradients_are_those_of_each_call(name):
    """And the float64 path's, as near as gradients of un-recorded float32 calls."""
    transform, clips = FAMILIES[name](), [noise(2, 3000, device="cuda") * (i + 1) for i in range(6)]
    expected = [pulled(lambda v: transform._framed(v, None), x) for x in clips]
    found = [pulled(transform, x) for x in clips]
    recordings = [e for e in transform._recorder._entries.values() if isinstance(e, recorded._Recording)]
    assert [isinstance(e.back, recorded._Recording) for e in recordings] == [True] * transform.many_launches
    other = torch.cuda.Stream()
    other.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(other):
        again = [pulled(transform, x) for x in clips]
    torch.cuda.synchronize()
    for x, *gradients, wanted in zip(clips, found, again, expected, strict=True):  # none was written over
        for gradient in gradients:
            near(gradient, wanted, 1e-4)  # sums in no fixed order
            near(gradient, pulled(transform, x.double()), 1e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_recorded_gradients_among_threads_graphs_and_second_derivatives():
    transform = STFT(n_fft=1024, scale="log", pad_mode="constant", accuracy="fast")
    clips = [noise(1, 8000 + 8 * i, device="cuda") for i in range(4)]
    expected = [pulled(transform, x.double()) for x in clips]
    results: dict[int, list] = {}

    def work(i: int) -> None:
        results[i] = [pulled(transform, clips[i]) for _ in range(8)]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(clips))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, wanted in enumerate(expected):
        for gradient in results[i]:
            near(gradient, wanted, 1e-2)
        near(pulled(transform, clips[i]), wanted, 1e-2)

    def curved(x: torch.Tensor) -> torch.Tensor:
        leaf = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(transform(leaf).square().sum(), leaf, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), leaf)[0]

    near(curved(clips[0]), curved(clips[0].double()), 1e-2)
    compiled = torch.compile(transform, backend="aot_eager", fullgraph=True)
    near(pulled(compiled, clips[0]), expected[0], 1e-2)
    static, graph = clips[0].clone(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        inside = pulled(transform, static)
    graph.replay()
    near(inside, expected[0], 1e-2)
