"""Check that a model gives what a run needs of it, before it is trained."""

import contextlib
from collections.abc import Iterator

import numpy as np
import torch

from sweep.checks import called, naming, shown
from sweep.data.covering import by_segments
from sweep.data.recording import N_NOTES
from sweep.representations.clock import SAMPLE_RATE
from sweep.training.model import Features, Model

HEADS = ("frames", "onsets")
_ALIKE = 1e-3  # difference of a clip's logits that is rounding, relative to the largest, or to 1
_EVEN = 1e-7  # s by which times may be unevenly spaced: a hundredth of a sample


def check_model(model: Model, name: str, features: Features, sample_rate: int | None = None) -> None:
    """Check a built model on two clips of noise, in evaluation; it and PyTorch's random numbers stay as they are.

    Args:
        model: the model, on any device.
        name: name of its class, for the message.
        features: shape of the features that it was built for.
        sample_rate: rate of the row in Hz, whose whole samples a segment's times have to be apart; None: any will do.

    Raises:
        ValueError: names the model, what is wrong and the remedy, in one line.
    """
    with naming(f"model {name}"):
        _check_weights(model)
        _check_heads(model.HEADS)
        _check_times(model, features, sample_rate)
        with _evaluated(model):
            _check_logits(model, features)


def _check_weights(model: Model) -> None:
    weights = dict(model.named_parameters())
    for key, weight in weights.items():
        if torch.nn.parameter.is_lazy(weight):
            raise ValueError(f"{key}: has no shape yet; give its layer the sizes that features has")
    if not any(weight.requires_grad for weight in weights.values()):
        raise ValueError("has no weights to train; make its layers attributes, several an nn.ModuleList")


def _check_heads(heads: tuple[str, ...]) -> None:
    if not isinstance(heads, tuple) or "frames" not in heads or not set(heads) <= set(HEADS):
        raise ValueError(f'HEADS {shown(heads)}: choose ("frames",) or ("frames", "onsets")')


def _check_times(model: Model, features: Features, sample_rate: int | None) -> None:
    """Check the instants of the estimates: those that targets are read at and recordings are covered by."""
    times, last = getattr(model, "times", None), max(2 * features.middle, features.times[-1])
    if not isinstance(times, np.ndarray) or times.dtype != np.float64 or times.ndim != 1 or not len(times):
        kind = f"{times.dtype} {times.shape}" if isinstance(times, np.ndarray) else shown(times)
        raise ValueError(
            f"times {kind}: needs a float64 array of seconds, (times,); leave the base's or set self.times"
        )
    outside = times[~((times >= min(0.0, features.times[0]) - _EVEN) & (times <= last + _EVEN))]
    if len(outside):
        raise ValueError(
            f"times {outside[0]:g} s: outside the clip of {last:g} s; count seconds from the clip's first sample"
        )
    sees = getattr(model, "SEES", None)
    if sees is not None and (sees == "segment") != (len(times) > 1):
        raise ValueError(
            f"SEES {shown(repr(sees))}: gives estimates of {len(times)} instants; a window has one, a segment several"
        )
    if len(times) == 1:
        if abs(times[0] - features.middle) > 1 / SAMPLE_RATE:
            raise ValueError(f"times {times[0]:g} s: needs the window's middle, {features.middle:g} s, features.middle")
        return
    gaps = np.diff(times)
    if gaps.min() <= 0 or np.ptp(gaps) > _EVEN:
        raise ValueError(
            f"times from {gaps.min():g} to {gaps.max():g} s apart: need to rise evenly; choose features.times, or "
            "every so many of them"
        )
    if sample_rate is not None:
        by_segments(times, round(2 * features.middle * sample_rate), sample_rate, 0.0)


@contextlib.contextmanager
def _evaluated(model: Model) -> Iterator[None]:
    """Put a model into evaluation for a block, after which weights, buffers, modes and random numbers are as before."""
    before = [value.detach().clone() for value in _tensors(model)]
    modes = [(module, module.training) for module in model.modules()]
    gpus = {value.device for value in before if value.device.type == "cuda"}
    with torch.random.fork_rng(list(gpus)), torch.no_grad():
        try:
            model.eval()
            yield
        finally:
            for value, old in zip(_tensors(model), before, strict=True):
                value.copy_(old)
            for module, training in modes:
                module.training = training


def _tensors(model: Model) -> list[torch.Tensor]:
    return [*model.parameters(), *model.buffers()]


def _check_logits(model: Model, features: Features) -> None:
    shape = 2, features.channels, features.bins, features.frames
    clips = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(next(model.parameters()).device)
    logits = checked_logits(model, clips)
    for head, value in checked_logits(model, clips).items():
        if (by := difference(value, logits[head])) > _ALIKE:
            raise ValueError(
                f"logits of {head} differ by {by:.2g} at a second call in evaluation; draw at random only if "
                "self.training, and keep nothing from call to call"
            )
    for head, value in checked_logits(model, torch.cat([clips[:1], 1 - 2 * clips[1:]])).items():
        if (by := difference(value[0], logits[head][0])) > _ALIKE:
            raise ValueError(
                f"logits of {head} of a clip differ by {by:.2g} with the other clips of its batch in evaluation; use "
                "no mean over the batch, but nn.BatchNorm's, and mind which dimension is the batch"
            )


def checked_logits(model: Model, clips: torch.Tensor) -> dict[str, torch.Tensor]:
    """Compute a model's logits of some clips, and check that they are what a run needs.

    Args:
        model: the model.
        clips: features, (batch, channels, bins, frames), on its device.

    Raises:
        ValueError: what is wrong and the remedy, in one line.
    """
    logits = called(f"forward of features {tuple(clips.shape)}", model, clips)
    if not isinstance(logits, dict):
        raise ValueError(f"forward returns {_kind(logits)}: needs a dict of logits, (batch, times, 128), by head")
    if set(logits) != set(model.HEADS):
        found, named = (", ".join(map(str, heads)) or "none" for heads in (logits, model.HEADS))
        raise ValueError(f"forward gives the heads {shown(found)} and HEADS names {named}; let them agree")
    wanted = len(clips), len(model.times), N_NOTES
    for head, value in logits.items():
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            raise ValueError(f"logits of {head} are {_kind(value)}: need a tensor of floating type")
        if tuple(value.shape) != wanted:
            raise ValueError(f"logits of {head} have shape {tuple(value.shape)}: need {wanted}, (batch, times, 128)")
        if not value.isfinite().all():
            count = int((~value.isfinite()).sum())
            raise ValueError(f"logits of {head} are not finite, {count} of {value.numel()}; look for a division by 0")
    return logits


def difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Return the largest difference of logits, relative to the largest that is expected, or to 1 if that is more."""
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1))


def _kind(value: object) -> str:
    return f"a tensor of {value.dtype}" if isinstance(value, torch.Tensor) else f"of type {type(value).__name__}"
