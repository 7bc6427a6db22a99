"""How much of the orders is chance: halves of the units beside each tau, and the unit that carries most of an order."""

from typing import NamedTuple

import numpy as np

from experiments.ranking.orders import Alike, Key, Order, common
from sweep.report import tau


class Beside(NamedTuple):
    """A pair of orders, and how far orders from halves of their units agree."""

    pair: Alike
    halves: tau.Halves


class Unit(NamedTuple):
    """The unit that carries most of an order: its name, its share of the spread, and tau without it."""

    order: Key
    name: str
    share: float
    tau: float


def beside(pair: Alike, found: dict[Key, Order]) -> Beside | None:
    """Compare halves of two orders' units, on the rows that both have; None with too few units."""
    _, sides, paired = common(found[pair.one], found[pair.other])
    split = tau.halves(*sides, paired=paired)
    return split and Beside(pair, split)


def carrying(key: Key, order: Order) -> Unit:
    """Find the unit that carries most of an order, of those that every row has a score at."""
    known = np.isfinite(order.scores).all(0)
    units = [unit for unit, has in zip(order.sample.units, known, strict=True) if has]
    at, share, rest = tau.carried(order.scores[:, known])
    return Unit(key, units[at], share, rest)
