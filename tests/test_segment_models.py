"""What every model keeps: shapes by head, numbers that are finite, gradients, independent clips; and its size."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from configs import changed, make_config
from conftest import ALL_34, SYSTEMS, each, read_settings

from sweep.config import RunConfig
from sweep.registry import models
from sweep.representations import from_tree
from sweep.training.building import build_transcriber, count_weights, features_of
from sweep.training.model import Features, Model, Segmental

NAMES = models.names()
ROWS = [from_tree(read_settings(name)) for name in
        ("mel-512-128", "linear-4096", "cqt-12", "basic-pitch", "deep-salience", "tabcnn", "mt3")]  # fmt: skip
SMALL = Features(2, 90, np.arange(20) * 0.01, 0.1)
CONFIG = make_config("model=conv", "protocol=converged")


PRIORS = {"frames": torch.linspace(-4, -1, 128), "onsets": torch.linspace(-5, -7, 128)}


def made(name: str, features: Features, biased: bool = True) -> Model:
    torch.manual_seed(0)
    return models[name](features, {head: PRIORS[head] for head in models[name].HEADS} if biased else None)


def noise(features: Features, clips: int = 2) -> torch.Tensor:
    shape = clips, features.channels, features.bins, features.frames
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
@each(ROWS)
def test_the_contract(name, representation):
    """Logits by head of all times, in float32 throughout, finite of silence, with gradients for every weight."""
    features = features_of(representation, 16_384)
    model = made(name, features)
    segmental = issubclass(models[name], Segmental)
    frames = representation.times(representation.samples(16_384))
    np.testing.assert_array_equal(model.times, frames if segmental else [8192 / 44_100])
    assert model.HEADS == (("frames", "onsets") if segmental else ("frames",))
    for x in (torch.zeros_like(noise(features)), noise(features)):
        logits = model(x)
        assert set(logits) == set(model.HEADS)
        for value in logits.values():
            assert value.shape == (2, len(model.times), 128) and value.dtype == torch.float32
            assert value.isfinite().all()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    sum((value * torch.randn_like(value)).sum() for value in logits.values()).backward()
    for key, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all() and weight.grad.any(), key


@pytest.mark.parametrize("name", NAMES)
def test_clips_do_not_meet_in_evaluation_and_nothing_is_random_in_it(name):
    model, x = made(name, SMALL), noise(SMALL, 5)
    if name in ("conv", "crnn"):
        assert not torch.equal(model(x)["frames"], model(x)["frames"])  # dropout
    model.eval()
    with torch.no_grad():
        together, again = model(x), model(x)
        other = model(torch.cat([x[:1], 100 * x[1:]]))
        for head, value in together.items():
            assert torch.equal(value, again[head])
            alone = torch.cat([model(one[None])[head] for one in x])
            torch.testing.assert_close(value, alone, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(value[0], other[head][0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["conv", "crnn"])
def test_a_segments_frames_are_said_in_their_order(name):
    """A change of the features in some frames changes the logits most there."""
    model, x = made(name, SMALL).eval(), noise(SMALL, 1)
    for frame in (0, 7, 19):
        y = x.clone()
        y[..., frame] += 3
        with torch.no_grad():
            before, after = model(x), model(y)
        for head in model.HEADS:
            moved = (after[head] - before[head]).square().sum(2)[0]
            assert abs(int(moved.argmax()) - frame) <= 2


@pytest.mark.parametrize("name", NAMES)
def test_probabilities_start_about_the_prior(name):
    model = made(name, SMALL).eval()
    with torch.no_grad():
        for head, value in model(noise(SMALL, 8)).items():
            assert (value.mean((0, 1)) - PRIORS[head]).abs().max() < 0.8, head
            assert (value.mean() - PRIORS[head].mean()).abs() < 0.1, head
    assert all("bias" not in key for key, _ in made("linear", SMALL, biased=False).named_parameters())
    fewer = sum(p.numel() for p in model.parameters()) - sum(p.numel() for p in made(name, SMALL, False).parameters())
    assert fewer == 128 * {"linear": 1, "cnn": 1, "conv": 2, "crnn": 3}[name]


@each([*ALL_34, *SYSTEMS])
def test_the_weights_hardly_depend_on_the_bins(representation):
    assert 0.3e6 < count_weights(replace(CONFIG, representation=representation)) < 1.2e6


@pytest.mark.parametrize(("name", "sees"), [("conv", "window"), ("crnn", "window"), ("linear", "segment")])
def test_a_model_that_sees_something_else_than_it_is_said_to_is_told_in_a_line(name, sees):
    config: RunConfig = changed(CONFIG, model={"name": name, "sees": sees, "learning_rate": None})
    with pytest.raises(ValueError, match=rf"^model\.sees {sees}: {name} gives [^\n]*; a window has one[^\n]*$"):
        build_transcriber(config, None)
