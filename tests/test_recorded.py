"""Launches recorded in a CUDA graph: from the third call of a shape on, the values that each call had without."""

import pickle

import pytest
import torch
from test_all_transforms import FAMILIES
from test_ways import noise

from sweep.engines.tables import Tables, collected
from sweep.transforms import CQT, recorded


def test_a_shape_is_recorded_at_its_third_call(monkeypatch):
    """Counted without a GPU: what is recorded is a number here, and replaying adds it."""

    class Recording:
        replay = staticmethod(lambda x: x + 1)

    monkeypatch.setattr(torch._C, "_cuda_getCurrentRawStream", lambda index: 0, raising=False)
    monkeypatch.setattr(recorded, "_Recording", Recording)
    made = []
    monkeypatch.setattr(recorded, "_record", lambda front_end, x, offset, stream: made.append(x.shape) or Recording())

    class Plain:
        _framed = staticmethod(lambda x, offset: x)

    recorder, x = recorded.Recorder(), torch.zeros(1, 9)
    assert [int(recorder(Plain, x, None)[0, 0]) for _ in range(5)] == [0, 0, 1, 1, 1] and len(made) == 1
    assert [int(recorder(Plain, x, 0.1)[0, 0]) for _ in range(3)] == [0, 0, 1] and len(made) == 2
    for n in range(1, 20):
        recorder(Plain, torch.zeros(1, n), None)
    assert len(recorder._entries) <= 8 and not pickle.loads(pickle.dumps(recorder))._entries


def test_tables_are_collected_by_the_thread_that_looks_them_up():
    tables = Tables()
    tables.get("before", lambda: 1)
    with collected() as used:
        assert [tables.get("before", lambda: 1), tables.get("new", lambda: 2)] == used == [1, 2]
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
