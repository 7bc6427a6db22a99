"""How alike two orders of the same rows are, Kendall's tau, and how much of an order is chance."""

from typing import NamedTuple

import numpy as np
from scipy import special

_DRAWS = 2000
_SPLITS = 200
_FEWEST_HALVED = 4  # units: two halves of two


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute Kendall's tau-b along the last axis; NaN if all values of one side are tied.

    Args:
        first, second: (..., n) values to rank.

    Returns:
        (...) tau-b in -1..1.

    >>> float(kendall(np.array([1, 2, 3]), np.array([1, 3, 2])).round(3))  # 2 pairs agree, 1 does not
    0.333
    """
    upper = np.triu_indices(first.shape[-1], 1)
    one, two = (np.sign(side[..., upper[0]] - side[..., upper[1]]) for side in (first, second))
    scale = np.sqrt((one != 0).sum(-1) * (two != 0).sum(-1))
    return np.where(scale > 0, (one * two).sum(-1) / np.maximum(scale, 1), np.nan)


def kendall_interval(
    first: np.ndarray,
    second: np.ndarray,
    *,
    strata: int = 1,
    level: float = 0.95,
    draws: int = _DRAWS,
    paired: bool = True,
) -> tuple[float, float]:
    """Compute a t-interval of Kendall's tau between the rows' means, with a bootstrap over units as standard deviation.

    The jackknife is not used because it overestimates the variance of a step function such as tau; bootstrap
    percentiles are not used because resampled means are noisier than the means, so their tau is too low.
    experiments/certainty measures the coverage.

    Args:
        first, second: (rows, units) scores.
        strata: number of means removed from the units' deviations, as in `certainty.intervals`.
        level: probability that the interval contains the true tau.
        draws: number of bootstrap samples.
        paired: whether both are scores at the same units; if not, each side's units are drawn by themselves.

    Returns:
        Lower and upper end, within -1..1; NaN with too few units.
    """
    units = min(first.shape[1], second.shape[1])
    if units - strata < 2 or np.isnan(tau := float(kendall(first.mean(1), second.mean(1)))):
        return np.nan, np.nan
    generator = np.random.default_rng(0)
    weights = [generator.multinomial(n, np.full(n, 1 / n), size=draws) / n for n in (first.shape[1], second.shape[1])]
    drawn = weights[0] @ first.T, weights[0 if paired else 1] @ second.T
    deviation = np.nanstd(kendall(*drawn), ddof=1) * np.sqrt(units / (units - strata))
    half = special.stdtrit(units - strata, 0.5 + level / 2) * deviation
    return max(tau - half, -1.0), min(tau + half, 1.0)


class Halves(NamedTuple):
    """Kendall's tau between orders that each rest on half of the units.

    Attributes:
        first, second: mean tau between two halves of the same order: what other units alone change.
        across: mean tau between a half of the first and the other half of the second: what both change.
    """

    first: float
    second: float
    across: float


def halves(first: np.ndarray, second: np.ndarray, *, paired: bool = True, splits: int = _SPLITS) -> Halves | None:
    """Compare orders from halves of the units, drawn at random: a tau means something only beside these.

    Args:
        first, second: (rows, units) scores.
        paired: whether both are scores at the same units; no unit is then in both halves that are compared.
        splits: number of draws.

    Returns:
        The three mean taus; None with fewer than four units on a side.
    """
    if min(first.shape[1], second.shape[1]) < _FEWEST_HALVED:
        return None
    generator, taus = np.random.default_rng(0), []
    for _ in range(splits):
        order = generator.permutation(first.shape[1])
        a, b = _split(first, order)
        c, d = _split(second, order if paired else generator.permutation(second.shape[1]))
        taus.append([kendall(a, b), kendall(c, d), (kendall(a, d) + kendall(b, c)) / 2])
    return Halves(*np.nanmean(taus, axis=0).tolist()) if np.isfinite(taus).any(0).all() else None


def _split(scores: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    middle = len(order) // 2
    return scores[:, order[:middle]].mean(1), scores[:, order[middle:]].mean(1)


class Carried(NamedTuple):
    """The unit that carries most of an order.

    Attributes:
        unit: its place.
        share: its share of the variance between the means of the better half of the rows; 1 / units were even.
        tau: Kendall's tau between the order of all rows and the one without the unit.
    """

    unit: int
    share: float
    tau: float


def carried(scores: np.ndarray) -> Carried:
    """Find the unit that carries most of how far the better half of the rows lie apart.

    Args:
        scores: (rows, units) scores, two of each at least.

    >>> carried(np.array([[0.5, 0.5, 0.9], [0.5, 0.5, 0.6], [0.2, 0.2, 0.2]])).unit
    2
    """
    means = scores.mean(1)
    upper = scores[means >= np.median(means)]
    apart = upper - upper.mean(0)
    parts = (apart * apart.mean(1, keepdims=True)).mean(0)
    at = int(parts.argmax())
    share = parts[at] / max(parts.sum(), np.finfo(float).tiny)
    return Carried(at, float(share), float(kendall(means, np.delete(scores, at, axis=1).mean(1))))
