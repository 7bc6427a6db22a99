"""Check a compression on values from 0 to large ones."""

from typing import Any

import torch

from sweep.checks import called, naming
from sweep.registry.keyed import as_group
from sweep.representations.compressions import Compression

_SHAPE = 2, 2, 6, 20  # batch, channels, bins, frames
_RATE = 43.0  # frames a second
_ALIKE = 1e-4  # difference that is rounding, relative to the value, or to 1


def check_compression(cls: type[Compression], **keys: Any) -> None:
    """Check that a compression maps values of at least 0 to finite ones of the same shape, one by one.

    Checked, of zeros, of values up to 1e8 and of both: shape, dtype, finite values and gradients; float32 agrees with
    float64; `fused_offset` is what it says; and unless `per_clip` is true, a value depends on none of another bin,
    channel or later frame. No value depends on another clip.

    Args:
        cls: the compression's class.
        keys: its keys.

    Raises:
        ValueError: names the class, what is wrong and the remedy, in one line.
    """
    step = as_group(cls).from_tree({"name": cls.__name__, **keys})
    with naming(f"compression {cls.__name__}"):
        values = _values()
        for x in (values, torch.zeros_like(values), values.fill_(0.0).add_(1e8), _values()):
            for dtype in (torch.float64, torch.float32):
                _check_values(step, x.to(dtype))
        _check_precision(step)
        _check_fused(step)
        _check_independence(step)


def _values() -> torch.Tensor:
    """Make values of all sizes and zeros among them: _SHAPE, float64."""
    generator = torch.Generator().manual_seed(0)
    values = 10 ** (12 * torch.rand(_SHAPE, dtype=torch.float64, generator=generator) - 8)
    return values.masked_fill(torch.rand(_SHAPE, generator=generator) < 0.1, 0.0)


def _check_values(step: Compression, x: torch.Tensor) -> None:
    largest, dtype = float(x.max()), str(x.dtype).removeprefix("torch.")
    x = x.clone().requires_grad_()
    y = called("a call", step, x, _RATE)
    if not isinstance(y, torch.Tensor) or y.shape != x.shape or y.dtype != x.dtype:
        found = f"{tuple(y.shape)} {y.dtype}" if isinstance(y, torch.Tensor) else type(y).__name__
        raise ValueError(f"makes {found} of {tuple(x.shape)} {x.dtype}; keep the shape and the type")
    if not y.isfinite().all():
        raise ValueError(f"is not finite in {dtype} for {_first(x, y)}; values go from 0 to {largest:g}, add an offset")
    if y.requires_grad:
        (gradient,) = torch.autograd.grad(y.sum(), x)
        if not gradient.isfinite().all():
            raise ValueError(
                f"its gradient is not finite in {dtype} for {_first(x, gradient)}; mask such values, or add an offset"
            )


def _first(x: torch.Tensor, found: torch.Tensor) -> str:
    return f"the value {x.detach()[~found.isfinite()][0].item():g}"


def _check_precision(step: Compression) -> None:
    x = _values()
    exact, single = step(x, _RATE), step(x.float(), _RATE).double()
    if (by := _largest_difference(single, exact)) > _ALIKE:
        raise ValueError(f"differs by {by:.2g} between float32 and float64; avoid differences of large numbers")


def _check_fused(step: Compression) -> None:
    offset = step.fused_offset
    if offset is None:
        return
    x = _values() + 1e-6
    if (by := _largest_difference(step(x, _RATE), (x + offset).log())) > _ALIKE:
        raise ValueError(f"fused_offset {offset}: is for log(x + offset), from which it differs by {by:.2g}; give None")


def _check_independence(step: Compression) -> None:
    """Compare some cells before and after others have changed."""
    x = _values()
    before = step(x, _RATE)
    changes: dict[str, tuple[slice, ...]] = {"clip": (slice(1, 2),)}
    if not step.per_clip:
        whole = slice(None)
        changes |= {"channel": (whole, slice(1, 2)), "bin": (whole, whole, slice(3, 6))}
        changes |= {"later frame": (whole, whole, whole, slice(10, 20))}
    for what, place in changes.items():
        for factor in (1e3, 0.0):
            y = x.clone()
            y[place] *= factor
            kept = torch.ones(_SHAPE, dtype=torch.bool)
            kept[place] = False
            if (by := _largest_difference(step(y, _RATE)[kept], before[kept])) > _ALIKE:
                remedy = "map each clip by itself" if what == "clip" else "let per_clip be true, it says false"
                raise ValueError(f"a value changes by {by:.2g} with one of another {what}; {remedy}")


def _largest_difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float(((found - expected).abs() / expected.abs().clamp(min=1)).max())
