"""check_model passes the models of the package, and says in a line what is wrong with others."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from sweep.registry import models
from sweep.testing import check_model
from sweep.training.model import Model, Segmental, output_layer

SMALL = {
    "linear": {},
    "conv": {"channels": 2, "width": 16},
    "crnn": {"channels": 2, "hidden": 8},
    "cnn": {},
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in ("cnn", "crnn"))) for name in models.names()]
)
def test_our_models(name):
    before, random_numbers = models.names(), torch.random.get_rng_state()
    check_model(models[name], **SMALL[name])
    assert models.names() == before  # it was registered for the time of the check alone
    assert torch.equal(torch.random.get_rng_state(), random_numbers)


# Models of another hand


class Framewise(Segmental):
    """A model of another hand that is right: a layer for every frame, and dropout."""

    SEES = "segment"
    HEADS = ("frames",)

    def __init__(self, features, bias=None, every: int = 2):
        super().__init__(features, bias)
        self.every, self.times = every, features.times[::every]
        self.dropout = nn.Dropout(0.5)
        self.layer = output_layer(features.channels * features.bins, 128, bias and bias["frames"])

    def forward(self, features):
        return {"frames": self.layer(self.dropout(features.flatten(1, 2).transpose(1, 2)[:, :: self.every]))}


class Middle(Model):
    """The middle frame and a layer: what those below do wrong in one way."""

    SEES = "window"

    def __init__(self, features, bias=None):
        super().__init__(features, bias)
        self.first = nn.Linear(features.channels * features.bins, 8)
        self.last = output_layer(8, 128, bias and bias["frames"])

    def seen(self, x):
        return x[..., x.shape[-1] // 2].flatten(1)

    def forward(self, x):
        return {"frames": self.last(self.first(self.seen(x)).tanh()).unsqueeze(1)}


class Random(Middle):
    def seen(self, x):
        return nn.functional.dropout(super().seen(x), 0.5, training=True)


class Counting(Middle):
    """What it does in training depends on how often it was called, which no checkpoint knows."""

    steps = 0

    def seen(self, x):
        self.steps += self.training
        return super().seen(x) * (1 + self.steps)


class BySize(Middle):
    def seen(self, x):
        return super().seen(x) / len(x)


class Unused(Middle):
    def __init__(self, features, bias=None):
        super().__init__(features, bias)
        self.spare = nn.Linear(3, 4)


class Elsewhere(Middle):
    """What it draws in training follows from no seed."""

    def seen(self, x):
        return super().seen(x) + (random.random() if self.training else 0)


class NumPy(Middle):
    def __init__(self, features, bias=None):
        super().__init__(features, bias)
        self.first.weight.data.copy_(torch.from_numpy(np.random.standard_normal(self.first.weight.shape)))


class Unsaved(Middle):
    def __init__(self, features, bias=None):
        super().__init__(features, bias)
        self.factor = torch.rand(())

    def seen(self, x):
        return super().seen(x) * self.factor


class Divided(Middle):
    def seen(self, x):
        return super().seen(x) / x.flatten(1).norm(dim=1)[:, None]


class Rooted(Middle):
    def seen(self, x):
        scale = self.first.weight.square().mean() * super().seen(x).square().sum(1, keepdim=True)
        return super().seen(x) + scale.sqrt()


class Probability(Middle):
    def __init__(self, features, bias=None):
        super().__init__(features, bias and {head: value.sigmoid() for head, value in bias.items()})


class NeedsBias(Middle):
    def __init__(self, features, bias=None):
        super().__init__(features, {"frames": bias["frames"]})


class Squeezed(Middle):
    def forward(self, x):
        return {"frames": self.last(self.first(self.seen(x)).squeeze()).unsqueeze(1)}


class Fixed(Middle):
    """It takes 84 bins alone, which the first shape has."""

    def seen(self, x):
        return super().seen(x).view(len(x), -1, 84)[:, 0]


class OnMeta(Middle):
    """It reads a value, which a run's count of its products cannot."""

    def seen(self, x):
        return super().seen(x) * (1.0 if x.flatten()[0].item() else 1.0)


WRONG_MODELS = {
    Random: "logits of frames differ by .* at a second call in evaluation; draw at random only if .*",
    Counting: r"weights, model\.\S+ first, differ between a training that was interrupted and resumed and one .*",
    Elsewhere: r"weights, model\.\S+ first, differ between two trainings of the same seed; draw from PyTorch's .*",
    BySize: r"logits of frames of a clip alone differ by [\d.]+ from those in a batch of five",
    Unused: "no gradient reaches spare.weight; use it in forward, or leave it out",
    NumPy: "first.weight starts otherwise with the same seed; draw from PyTorch's generator",
    Unsaved: "logits of frames are others after load_state_dict; make what it keeps a parameter or a buffer",
    Divided: r"logits of frames are not finite, 640 of 640; look for a division by 0",
    Rooted: r"gradient of first.weight is not finite on silence; keep 0 from roots and divisions",
    Probability: r'logits of frames start [\d.]+ from bias\["frames"\] on average: it holds logits; let the last .*',
    NeedsBias: r"NeedsBias\(features, None\) raises TypeError: 'NoneType' object is not subscriptable",
    Squeezed: r"logits of frames have shape \(128, 1\): need \(1, 1, 128\), \(batch, times, 128\)",
    Fixed: r"forward of features \(2, 1, 1024, 33\) raises RuntimeError: shape '\[2, -1, 84\]' is invalid .*",
    OnMeta: r"a short training raises RuntimeError: Tensor.item\(\) cannot be called on meta tensors",
}


@pytest.mark.parametrize("cls", WRONG_MODELS, ids=lambda cls: cls.__name__)
def test_a_wrong_model_is_told_in_a_line(cls):
    before = models.names()
    with pytest.raises(ValueError, match=rf"^model {cls.__name__}: {WRONG_MODELS[cls]}$") as told:
        check_model(cls)
    assert "\n" not in str(told.value) and models.names() == before


def test_a_right_model_of_another_hand():
    check_model(Framewise, every=3)
    with pytest.raises(ValueError, match=r"^model Framewise: Framewise\(features, None\) raises TypeError: .*'depth'$"):
        check_model(Framewise, depth=4)
