"""A model that does not give what a run needs is told so in one line, before it is trained."""

import numpy as np
import pytest
import torch
from conftest import DEVICES
from torch import nn

from sweep.registry import models
from sweep.training.contract import check_model
from sweep.training.model import Features, Model

WINDOW = Features(2, 20, np.arange(33) * 512 / 44_100, 8192 / 44_100)


class Mine(Model):
    """What a class of another hand looks like, and all that it needs."""

    SEES = "window"

    def __init__(self, features, bias=None):
        super().__init__(features, bias)
        self.layer = nn.Linear(features.channels * features.bins * features.frames, 128)

    def seen(self, x):
        return self.layer(x.flatten(1)).unsqueeze(1)

    def forward(self, features):
        return {"frames": self.seen(features)}


def mine(times=None, HEADS=("frames",), SEES="window", forward=None) -> Model:
    """A model that is wrong in one way."""
    given = {"HEADS": HEADS, "SEES": SEES} | ({"forward": forward} if forward else {})
    model = type("Mine", (Mine,), given)(WINDOW)
    if times is not None:
        model.times = times
    return model


def raising(self, x):
    raise RuntimeError("mat1 and mat2 cannot\nbe multiplied")


def counting(self, x):
    self.calls = getattr(self, "calls", 0) + 1
    return {"frames": self.seen(x) + self.calls}


WRONG_MODELS = {
    "another shape": (
        mine(forward=lambda self, x: {"frames": self.seen(x)[..., :88]}),
        r"logits of frames have shape \(2, 1, 88\): need \(2, 1, 128\), \(batch, times, 128\)",
    ),
    "no times in the shape": (
        mine(forward=lambda self, x: {"frames": self.seen(x)[:, 0]}),
        r"logits of frames have shape \(2, 128\): need \(2, 1, 128\), .*",
    ),
    "a missing head": (
        mine(HEADS=("frames", "onsets")),
        "forward gives the heads frames and HEADS names frames, onsets; let them agree",
    ),
    "an extra head": (
        mine(forward=lambda self, x: {"frames": self.seen(x), "pedal": self.seen(x)}),
        "forward gives the heads frames, pedal and HEADS names frames; let them agree",
    ),
    "a head that is none": (mine(HEADS=("frames", "pedal")), r"HEADS \('frames', 'pedal'\): choose .*"),
    "no frames": (mine(HEADS=("onsets",)), r"HEADS \('onsets',\): choose .*"),
    "heads that are text": (mine(HEADS="frames"), r'HEADS frames: choose \("frames",\) or .*'),
    "a tensor": (
        mine(forward=lambda self, x: self.seen(x)),
        r"forward returns a tensor of torch.float32: needs a dict of logits, \(batch, times, 128\), by head",
    ),
    "nothing": (mine(forward=lambda self, x: None), "forward returns of type NoneType: needs a dict .*"),
    "whole numbers": (
        mine(forward=lambda self, x: {"frames": (self.seen(x) > 0).long()}),
        "logits of frames are a tensor of torch.int64: need a tensor of floating type",
    ),
    "not finite": (
        mine(forward=lambda self, x: {"frames": self.seen(x).log()}),
        r"logits of frames are not finite, \d+ of 256; look for a division by 0",
    ),
    "raises": (
        mine(forward=raising),
        r"forward of features \(2, 2, 20, 33\) raises RuntimeError: mat1 and mat2 cannot be multiplied",
    ),
    "meets other clips": (
        mine(forward=lambda self, x: {"frames": self.seen(x - x.mean(0))}),
        r"logits of frames of a clip differ by [\d.e+-]+ with the other clips of its batch in evaluation; use .*",
    ),
    "draws at random": (
        mine(forward=lambda self, x: {"frames": self.seen(nn.functional.dropout(x))}),
        r"logits of frames differ by [\d.e+-]+ at a second call in evaluation; draw at random only if .*",
    ),
    "counts": (mine(forward=counting), "logits of frames differ by .* keep nothing from call to call"),
    "seconds from the middle": (
        mine(times=np.arange(-16, 17) / 100, SEES="segment"),
        r"times -0.16 s: outside the clip of 0.371519 s; count seconds from the clip's first sample",
    ),
    "milliseconds": (mine(times=np.array([186.0])), r"times 186 s: outside the clip of 0.371519 s; .*"),
    "uneven": (
        mine(times=np.array([0.0, 0.01, 0.03]), SEES="segment"),
        "times from 0.01 to 0.02 s apart: need to rise evenly; choose features.times, or every so many of them",
    ),
    "falling": (mine(times=WINDOW.times[::-1].copy(), SEES="segment"), "times from -0.01.* need to rise evenly; .*"),
    "between samples": (
        mine(times=np.arange(10) * 0.01001, SEES="segment"),
        r"times of a model's estimates, .*: need to be evenly spaced by whole samples",
    ),
    "not the middle": (mine(times=np.array([0.0])), "times 0 s: needs the window's middle, 0.18576 s, features.middle"),
    "float32": (mine(times=np.float32([0.1])), r"times float32 \(1,\): needs a float64 array of seconds, \(times,\).*"),
    "a list": (mine(times=[0.1]), r"times \[0.1\]: needs a float64 array of seconds, \(times,\); .*"),
    "NaN": (mine(times=np.array([np.nan])), "times nan s: outside the clip of .*"),
    "sees a window": (
        mine(times=WINDOW.times),
        "SEES 'window': gives estimates of 33 instants; a window has one, a segment several",
    ),
    "sees a segment": (mine(SEES="segment"), "SEES 'segment': gives estimates of 1 instants; a window has one, .*"),
    "trains nothing": (mine().requires_grad_(False), "has no weights to train; make its layers attributes, .*"),
}


@pytest.mark.parametrize("kind", WRONG_MODELS)
def test_a_wrong_model_is_told_in_a_line(kind):
    model, line = WRONG_MODELS[kind]
    with pytest.raises(ValueError, match=rf"^model mine: {line}$") as told:
        check_model(model, "mine", WINDOW, 44_100)
    assert "\n" not in str(told.value)


def test_lazy_layers():
    model = mine()
    model.layer = nn.LazyLinear(128)
    with pytest.raises(ValueError, match="^model mine: layer.weight: has no shape yet; give its layer the sizes .*"):
        check_model(model, "mine", WINDOW)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("device", DEVICES)
def test_a_right_model_passes_and_is_left_as_it_was(name, device):
    """Also in the middle of a training: its modes, its weights, its running means, and what is drawn next."""
    torch.manual_seed(0)
    model = models[name](WINDOW, {head: torch.zeros(128) for head in models[name].HEADS}).to(device)
    model(torch.randn(3, 2, 20, 33, device=device))
    model.get_submodule(next(name for name, _ in model.named_children())).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes, random = [module.training for module in model.modules()], torch.random.get_rng_state()
    check_model(model, name, WINDOW, 44_100)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes and len(set(modes)) == 2
    assert torch.equal(torch.random.get_rng_state(), random) and all(p.grad is None for p in model.parameters())


def test_buffers_that_change_in_evaluation_are_restored():
    class Counting(Mine):
        def __init__(self, features):
            super().__init__(features)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x):
            self.calls += 1
            return {"frames": self.seen(x)}

    model = Counting(WINDOW)
    check_model(model, "counting", WINDOW)
    assert model.calls == 0
