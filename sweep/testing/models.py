"""Check a model: what it gives and keeps, its gradients, where it starts, and a short training."""

from typing import Any

import numpy as np
import torch

from sweep.checks import called, naming
from sweep.data.recording import N_NOTES
from sweep.training import contract
from sweep.training.model import Features, Model

_HOP = 512 / 44_100  # s between frames
# Channels, bins and frames: few bins and many, several channels; 33 frames are a window's, 129 a segment's.
_SHAPES = (1, 84, 33), (1, 1024, 33), (6, 88, 33), (1, 144, 129)
_PRIORS = {"frames": torch.linspace(-4, -1, N_NOTES), "onsets": torch.linspace(-5, -7, N_NOTES)}
_PRIOR = 0.7  # mean distance of the first logits of a pitch from its prior, at most


def check_model(cls: type[Model], **keys: Any) -> None:
    """Check a model on features of several shapes and in a short training; the class need not be registered.

    Checked: all of `sweep.training.contract`; silence gives finite logits; a finite gradient reaches every weight; the
    same seed gives the same weights, and a state_dict all of them; clips are independent in evaluation; without `bias`
    it works too, and with it the logits start about it if the class uses it. Two trainings of six steps on made
    recordings, one of them interrupted and resumed, end with the same weights and scores, bit for bit. It takes some
    seconds on a CPU.

    Args:
        cls: the model's class.
        keys: keys of the model, such as a small width.

    Raises:
        ValueError: names the class, what is wrong and the remedy, in one line.
    """
    from sweep.testing.training import check_training  # here: it imports Lightning

    with naming(f"model {cls.__name__}"), torch.random.fork_rng(devices=[]):
        for shape in _SHAPES:
            features = _features(*shape)
            contract.check_model(_built(cls, features, keys, None), cls.__name__, features)
            model = _built(cls, features, keys, _PRIORS)
            contract.check_model(model, cls.__name__, features, 44_100)
            _check_start(cls, features, keys)
            _stir(model)
            _check_batches(model, features)
            _check_gradients(model, features)
        _check_state(cls, features, keys)
        check_training(cls, keys, len(model.times) > 1)


def _features(channels: int, bins: int, frames: int) -> Features:
    return Features(channels, bins, np.arange(frames) * _HOP, (frames - 1) / 2 * _HOP)


def _built(cls: type[Model], features: Features, keys: dict[str, Any], bias: Any, seed: int = 0) -> Model:
    """Build a model as a run does: after the seed, with a start of each head's bias or None."""
    torch.manual_seed(seed)
    given = None if bias is None else {head: bias[head].clone() for head in cls.HEADS if head in bias}
    return called(f"{cls.__name__}(features, {'None' if bias is None else 'bias'})", cls, features, given, **keys)


def _clips(features: Features, clips: int) -> torch.Tensor:
    shape = clips, features.channels, features.bins, features.frames
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def _stir(model: Model) -> None:
    """Move all weights a little, as a few steps do: layers that start at 0 hide what lies behind them."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.02 * torch.randn(weight.shape, generator=generator)


def _check_start(cls: type[Model], features: Features, keys: dict[str, Any]) -> None:
    """Compare the first logits with the bias, unless the class makes no difference of it."""
    x = _clips(features, 8)
    found = []
    for shift in (0.0, 1.0):
        bias = {head: prior + shift for head, prior in _PRIORS.items()}
        with torch.no_grad():
            found.append(_built(cls, features, keys, bias).eval()(x))
    for head in cls.HEADS:
        if torch.equal(found[0][head], found[1][head]):
            continue
        away = float((found[0][head].mean(dim=(0, 1)) - _PRIORS[head]).abs().mean())
        if away > _PRIOR:
            raise ValueError(
                f'logits of {head} start {away:.2g} from bias["{head}"] on average: it holds logits; let the last '
                "layer's bias start there, as output_layer does"
            )


def _check_batches(model: Model, features: Features) -> None:
    """Compare clips alone with the same in a batch, in evaluation, and look at silence."""
    x = _clips(features, 5)
    with torch.no_grad():
        together = contract.checked_logits(model.eval(), x)
        alone = [contract.checked_logits(model, clip[None]) for clip in x]
        for training in (False, True):
            contract.checked_logits(model.train(training), torch.zeros_like(x))
    for head, value in together.items():
        by = contract.difference(torch.cat([one[head] for one in alone]), value)
        if by > 1e-3:
            raise ValueError(f"logits of {head} of a clip alone differ by {by:.2g} from those in a batch of five")


def _check_gradients(model: Model, features: Features) -> None:
    model.train()
    for what, x in (("silence", torch.zeros_like(_clips(features, 4))), ("noise", _clips(features, 4))):
        model.zero_grad()
        logits = model(x)
        generator = torch.Generator().manual_seed(3)
        total = sum((value * torch.randn(value.shape, generator=generator)).sum() for value in logits.values())
        called("backward", total.backward)
        for key, weight in model.named_parameters():
            if weight.grad is not None and not weight.grad.isfinite().all():
                raise ValueError(f"gradient of {key} is not finite on {what}; keep 0 from roots and divisions")
            if what == "noise" and weight.requires_grad and (weight.grad is None or not weight.grad.any()):
                raise ValueError(f"no gradient reaches {key}; use it in forward, or leave it out")


def _check_state(cls: type[Model], features: Features, keys: dict[str, Any]) -> None:
    """Build the model again, with the same seed and with another, and carry its state over."""
    model, same, other = (_built(cls, features, keys, _PRIORS, seed) for seed in (0, 0, 1))
    state = model.state_dict()
    for key, value in same.state_dict().items():
        if not torch.equal(value, state[key]):
            raise ValueError(f"{key} starts otherwise with the same seed; draw from PyTorch's generator")
    called("load_state_dict", other.load_state_dict, state)
    x = _clips(features, 2)
    with torch.no_grad():
        given, loaded = model.eval()(x), other.eval()(x)
    for head, value in given.items():
        if not torch.equal(value, loaded[head]):
            raise ValueError(
                f"logits of {head} are others after load_state_dict; make what it keeps a parameter or a buffer"
            )
