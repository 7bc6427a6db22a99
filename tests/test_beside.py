"""Features that are computed beside the steps of a group, on a stream of their own."""

import contextlib
from dataclasses import replace

import pytest
import torch
from conftest import ROWS
from test_steps import GPU, recordings, steps_for, train

import sweep.training.steps
from sweep.data.windows import draw_windows
from sweep.training.steps import Steps, part_count
from sweep.training.transcriber import Transcriber


@pytest.mark.parametrize("name", [pytest.param(n, marks=GPU) for n in ("linear-512", "log-4096")])
@pytest.mark.parametrize("capture", [True, False])
@pytest.mark.parametrize("placement", ["auto", "host"])
def test_features_beside_the_steps_are_those_before_them(monkeypatch, placement, name, capture):
    store = recordings("cuda", placement)
    _, steps = steps_for(store, name)
    assert steps.parts > 1 and steps.beside not in (None, torch.cuda.current_stream())
    beside, weights = train(store, [range(95)], name=name, capture=capture)
    monkeypatch.setattr(sweep.training.steps, "_PARTS", 1)
    before, as_well = train(store, [range(95)], name=name, capture=capture)
    torch.testing.assert_close(beside, before, rtol=1e-3, atol=0)
    for key in weights:
        torch.testing.assert_close(weights[key], as_well[key], rtol=1e-2, atol=1e-6)


def test_matrix_products_alone_are_computed_beside_the_steps():
    cuda = torch.device("cuda")
    beside = [name for name, row in ROWS.items() if row.front_end(accuracy="fast").is_product_on(cuda)]
    assert beside == [name for name in ROWS if name.startswith(("linear", "log"))]
    of_many_lengths = replace(ROWS["cqt-12"], algorithm="1992v2").front_end(accuracy="fast")
    assert not of_many_lengths.is_product_on(cuda)
    module, steps = steps_for(recordings("cpu"), "linear-512")
    assert steps.parts == 1 and steps.beside is None  # a CPU has one stream
    assert part_count(module, cuda) == sweep.training.steps._PARTS
    noisy = replace(module.protocol, augment=replace(module.protocol.augment, noise=0.01))
    module.protocol = noisy  # its random numbers are drawn for a whole group
    assert part_count(module, cuda) == 1


class Stream:
    """A stream that writes down what it is told; the tests' stand-in where there is no GPU."""

    def __init__(self, name: str, told: list[str]):
        self.name, self.told = name, told

    def wait_stream(self, other: "Stream") -> None:
        self.told.append(f"{self.name} waits for {other.name}")

    def record_event(self) -> int:
        self.told.append(f"{self.name} marks")
        return self.told.count(f"{self.name} marks")

    def wait_event(self, event: int) -> None:
        self.told.append(f"{self.name} waits for mark {event}")


def with_streams(monkeypatch) -> tuple[Transcriber, Steps, list[str]]:
    """A transcriber and steps on a CPU, four to a group, each a part of its own, and what two streams are told."""
    told: list[str] = []
    now = [Stream("main", told)]

    @contextlib.contextmanager
    def stream(other):
        now.append(other)
        yield
        now.pop()

    monkeypatch.setattr(torch.cuda, "current_stream", lambda: now[-1])
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(sweep.training.steps, "group_length", lambda *_: 4)
    module, steps = steps_for(recordings("cpu"), "linear-256")
    steps.parts, steps.beside = 4, Stream("beside", told)
    varied, logits = module.varied, module.logits
    monkeypatch.setattr(module, "varied", lambda x: (told.append(f"{now[-1].name} hears {len(x)}"), varied(x))[1])
    monkeypatch.setattr(module, "logits", lambda x: (told.append(f"{now[-1].name} steps"), logits(x))[1])
    return module, steps, told


def test_a_step_waits_for_its_own_features(monkeypatch):
    module, steps, told = with_streams(monkeypatch)
    drawn = {"batch_size": 16, "length": 16384, "seed": 0}
    losses = steps(draw_windows(steps.recordings, range(7), **drawn)).wait()
    fork = ["main hears 16", "beside waits for main"] + 3 * ["beside hears 16", "beside marks"] + ["main steps"]
    assert told[: len(fork)] == fork
    waits = [line for mark in (1, 2, 3) for line in (f"main waits for mark {mark}", "main steps")]
    assert told[len(fork) :][:7] == [*waits, "main waits for beside"]
    monkeypatch.undo()
    alone, weights = train(recordings("cpu"), [range(7)], name="linear-256")
    torch.testing.assert_close(losses, alone, rtol=1e-5, atol=0)
    torch.testing.assert_close(module.state_dict(), weights, rtol=1e-4, atol=1e-7)


def test_streams_join_after_an_error(monkeypatch):
    """Otherwise the capture of a graph could not end, and would hide the error."""
    module, steps, told = with_streams(monkeypatch)
    monkeypatch.setattr(module, "logits", lambda _: {}["no memory"])
    with pytest.raises(KeyError, match="no memory"):
        steps(draw_windows(steps.recordings, range(4), batch_size=16, length=16384, seed=0))
    assert told[-1] == "main waits for beside"
