"""Smooth values in time by an exponential moving average."""

import torch
import torch.nn.functional as F


def smoothed(x: torch.Tensor, share: torch.Tensor | float, before: torch.Tensor) -> torch.Tensor:
    """Compute m[n] = (1 - share) m[n - 1] + share x[n] over the last dimension.

    With y[n] = share x[n] and a = 1 - share, m[n] is the sum of a^k y[n - k]. Adding to a sum of the last s values a^s
    times that of s values before doubles s, so that a few passes over all values replace one step for each.

    Args:
        x: values, (..., n).
        share: share of the new value, 0 to 1: a number, or one for each series, (..., 1).
        before: m[-1], broadcast to (..., 1).
    """
    kept, step = 1 - share, 1
    y = share * x
    y = torch.cat([y[..., :1] + kept * before, y[..., 1:]], dim=-1)
    while step < x.shape[-1]:
        y = y + kept**step * F.pad(y[..., :-step], (step, 0))
        step *= 2
    return y
