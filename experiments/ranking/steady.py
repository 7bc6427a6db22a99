"""Which rows hold under every model, metric and set: what each loses at worst, and which pairs never change places."""

from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.ranking.orders import Key, Order
from experiments.ranking.words import EXPLAINED

_DRAWS = 2000


class Fared(NamedTuple):
    """How a row fares over all orders of the same rows.

    Attributes:
        row: name of the row.
        place, lowest: mean of its places, and the lowest of them; 1 is the best.
        loss, low, high: what it loses against the highest row where it loses most, and the 95 % interval of a bootstrap
            over the units of each set, in which both the order and the highest row may become others.
        first: share of the bootstrap's draws in which it loses least of all rows.
        where: model, metric and set where it loses most.
    """

    row: str
    place: float
    lowest: int
    loss: float
    low: float
    high: float
    first: float
    where: Key


class Held(NamedTuple):
    """What holds of the same rows in several orders.

    Attributes:
        orders: the model, metric and set of each order.
        fared: the rows; the one that loses least at worst comes first.
        agreed: pairs of rows (higher, lower) that every order has the same way round.
    """

    orders: list[Key]
    fared: list[Fared]
    agreed: list[tuple[str, str]]


def steady(found: dict[Key, Order], most: bool = False) -> Held | None:
    """Compare the rows that are in every order, by the metrics of EXPLAINED.

    Args:
        found: orders by model, metric and set.
        most: whether orders of fewer rows than the longest are left out.

    Returns:
        What holds; None if no two rows are in every order.
    """
    orders = {key: order for key, order in found.items() if key[1] in EXPLAINED}
    longest = max((len(order.rows) for order in orders.values()), default=0)
    orders = {key: order for key, order in orders.items() if not most or len(order.rows) == longest}
    first = next(iter(orders.values())).rows if orders else []
    rows = [row for row in first if all(row in order.rows for order in orders.values())]
    if len(rows) < 2:
        return None
    scores = {key: order.scores[[order.rows.index(row) for row in rows]] for key, order in orders.items()}
    scores = {key: of_order[:, np.isfinite(of_order).all(0)] for key, of_order in scores.items()}
    means = pd.DataFrame({key: of_order.mean(1) for key, of_order in scores.items()}, rows)
    places, lost = means.rank(ascending=False, method="min"), means.max() - means
    worst = _worst(scores)
    low, high = np.quantile(worst, [0.025, 0.975], axis=1)
    firsts = np.bincount(worst.argmin(0), minlength=len(rows)) / worst.shape[1]
    fared = [
        Fared(
            row, places.loc[row].mean(), int(places.loc[row].max()), lost.loc[row].max(), *drawn, lost.loc[row].idxmax()
        )
        for row, *drawn in zip(rows, low, high, firsts, strict=True)
    ]
    return Held(list(orders), sorted(fared, key=lambda it: it.loss), _agreed(means))


def without(found: dict[Key, Order], most: bool = False) -> dict[str, Held]:
    """Return what holds without each of the sets, by the set that is left out."""
    sets = dict.fromkeys(key[2] for key in found)
    rest = {name: steady({key: it for key, it in found.items() if key[2] != name}, most) for name in sets}
    return {name: held for name, held in rest.items() if held}


def _worst(scores: dict[Key, np.ndarray]) -> np.ndarray:
    """What each row loses where it loses most, (rows, draws); orders of one set share the units that are drawn."""
    generator, weights, worst = np.random.default_rng(0), dict[tuple[str, int], np.ndarray](), None
    for key, of_order in scores.items():
        units = of_order.shape[1]
        if (key[2], units) not in weights:
            weights[key[2], units] = generator.multinomial(units, np.full(units, 1 / units), size=_DRAWS).T / units
        means = of_order @ weights[key[2], units]
        lost = means.max(0) - means
        worst = lost if worst is None else np.maximum(worst, lost)
    return worst


def _agreed(means: pd.DataFrame) -> list[tuple[str, str]]:
    pairs = []
    for one, other in combinations(means.index, 2):
        signs = set(np.sign(means.loc[one] - means.loc[other]))
        if signs in ({1.0}, {-1.0}):
            pairs.append((one, other) if signs == {1.0} else (other, one))
    return pairs
