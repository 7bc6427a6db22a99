"""Which of the rows' choices explains how far their scores lie apart: shares of R^2 of a linear model on the choices.

R^2 is divided among the choices by their order of entry, averaged over all orders (Lindeman, Merenda and Gold 1980;
Shapley 1953), so choices that go together share what they explain; what a choice explains beyond all others is its own.
"""

from functools import cache
from itertools import combinations
from math import factorial
from typing import NamedTuple

import numpy as np

from sweep import row
from sweep.representations import Representation

PITCH = 440.0  # Hz, at which the window of a constant-Q row is measured
FACTORS = ("rate", "window", "hop", "scale", "bins", "compression", "stack")
_CURVED = ("window", "bins")  # with a square: more is not better without end
_RIDGE = 1e-10  # share of the squares that is added to each column's, so that columns that go together are solved for


@cache
def choices(name: str) -> dict[str, float | str]:
    """Return the choices of a row, by FACTORS.

    Numbers are logarithms to base 2: of the rate in Hz, of the window and the hop in ms, of the bins of a channel. The
    window of a constant-Q row is that of its kernel at PITCH. Words: the frequency scale; the compression, a logarithm,
    dB that end some way below the maximum, or weaker than a logarithm; whether there are several channels.
    """
    it = row(name)
    words = {"scale": _scale(it), "compression": _compression(it), "stack": "several" if it.n_channels > 1 else "one"}
    milliseconds = 1000 * np.array([_window(it), it.hop_length]) / it.sample_rate
    numbers = [it.sample_rate, *milliseconds, it.bins]
    return dict(zip(("rate", "window", "hop", "bins"), np.log2(numbers).tolist(), strict=True)) | words


def _window(it: Representation) -> float:
    if it.family == "cqt":
        return it.context * min(member.f_min for member in it.members) / PITCH
    return min(it.context, getattr(it, "win_length", None) or it.context)


def _scale(it: Representation) -> str:
    if it.family in ("log", "log_bands", "cfp"):
        return "logarithmic"
    return {"cqt": "constant-Q"}.get(it.family, it.family)


def _compression(it: Representation) -> str:
    if it.compression.name == "db" and it.compression.range is not None:
        return "dB with a range"
    return "logarithm" if it.compression.name in ("log", "db") else "weaker"


def design(found: list[dict[str, float | str]]) -> dict[str, np.ndarray]:
    """Return the columns of each choice: (rows, columns), of mean 0; a choice that all rows share has none.

    Args:
        found: choices of each row.
    """
    columns = {}
    for factor in found[0]:
        values = [choice[factor] for choice in found]
        if isinstance(values[0], str):
            made = np.array([[value == level for level in sorted(set(values))[1:]] for value in values], float)
        else:
            numbers = np.array(values, float) - np.mean(values)
            made = np.stack([numbers, numbers**2][: 1 + (factor in _CURVED)], axis=1)
        made = made.reshape(len(found), -1) - (made.mean(0) if made.size else 0)
        if made.size and np.abs(made).max() > 1e-9:
            columns[factor] = made / np.maximum(made.std(0), 1e-9)
    return columns


class Share(NamedTuple):
    """What one choice explains of how far the rows' scores lie apart.

    Attributes:
        factor: one of FACTORS.
        columns: number of its columns in the linear model.
        share, low, high: its share of the variance over the rows, and the 95 % interval of a bootstrap over rows.
        own: what it explains beyond all other choices.
        chance: share that as many columns explain of scores that have nothing to do with them.
        known: share of its columns' variance that the other choices explain, 1: it cannot be told from them.
    """

    factor: str
    columns: int
    share: float
    low: float
    high: float
    own: float
    chance: float
    known: float


def shares(scores: np.ndarray, columns: dict[str, np.ndarray], draws: int = 500) -> list[Share]:
    """Divide the variance of the rows' scores among their choices.

    Args:
        scores: (rows,) mean scores.
        columns: columns of each choice, `design`.
        draws: number of bootstrap samples.
    """
    rows, weights = len(scores), np.ones((1, len(scores)))
    drawn = np.random.default_rng(0).multinomial(rows, np.full(rows, 1 / rows), size=draws).astype(float)
    explained = _explained(scores, columns, np.concatenate([weights, drawn]))
    everything = frozenset(columns)
    found = []
    for factor, own in columns.items():
        others = [name for name in columns if name != factor]
        share = 0.0
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(others) - size) / factorial(len(columns))
            for subset in map(frozenset, combinations(others, size)):
                share = share + weight * (explained[subset | {factor}] - explained[subset])
        low, high = np.quantile(share[1:], [0.025, 0.975]) if draws else (np.nan, np.nan)
        alone = explained[everything][0] - explained[everything - {factor}][0]
        rest = {name: columns[name] for name in others}
        known = np.mean([_explained(column, rest, weights)[frozenset(rest)][0] for column in own.T])
        chance = own.shape[1] / (rows - 1)
        found.append(Share(factor, own.shape[1], float(share[0]), low, high, float(alone), chance, float(known)))
    return found


def rank(columns: dict[str, np.ndarray]) -> tuple[int, int]:
    """Return the rank of the linear model without its mean, and the number of its columns; less: it is deficient."""
    matrix = np.concatenate(list(columns.values()), axis=1)
    return int(np.linalg.matrix_rank(matrix)), matrix.shape[1]


def _explained(
    scores: np.ndarray, columns: dict[str, np.ndarray], weights: np.ndarray
) -> dict[frozenset[str], np.ndarray]:
    """R^2 of each set of choices, for each of some weights of the rows: (draws,)."""
    matrix = np.concatenate([np.empty((len(scores), 0)), *columns.values()], axis=1)
    places, first = {}, 0
    for factor, own in columns.items():
        places[factor] = range(first, first := first + own.shape[1])
    total = weights.sum(1, keepdims=True)
    x = matrix - (weights @ matrix / total)[:, None]  # (draws, rows, columns), centred with the draw's own mean
    y = scores - weights @ scores[:, None] / total
    products = np.einsum("dr,dri,drj->dij", weights, x, x)
    against = np.einsum("dr,dri,dr->di", weights, x, y)
    variance = (weights * y**2).sum(1)
    found = {frozenset(): np.zeros(len(weights))}
    for size in range(1, len(columns) + 1):
        for subset in combinations(columns, size):
            at = [place for factor in subset for place in places[factor]]
            square, right = products[:, at][:, :, at], against[:, at]
            # A draw may hold one value of a choice, whose column is then 0.
            ridge = _RIDGE * np.maximum(np.trace(square, axis1=1, axis2=2), 1e-3)
            square = square + ridge[:, None, None] * np.eye(len(at))
            fitted = (right * np.linalg.solve(square, right[:, :, None])[:, :, 0]).sum(1)
            found[frozenset(subset)] = np.clip(fitted / np.maximum(variance, 1e-30), 0, 1)
    return found
