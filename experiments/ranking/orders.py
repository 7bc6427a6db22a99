"""How alike are two orders of the rows: by other models, metrics, sets; and which rows may be the best under all."""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from experiments.ranking.samples import models_of, of_model
from sweep.report.certainty import compare
from sweep.report.rankings import FEWEST_ROWS
from sweep.report.tau import kendall, kendall_interval
from sweep.report.units import Sample

Key = tuple[str, str, str]  # model, metric, set
VARIED = ("model", "metric", "set")


class Order(NamedTuple):
    """Scores of one model's rows by one metric on one set: their names and (rows, units) means over the seeds."""

    rows: list[str]
    scores: np.ndarray
    sample: Sample


class Alike(NamedTuple):
    """Kendall's tau of two orders.

    Attributes:
        one, other: model, metric and set of each.
        tau, low, high: tau and its 95 % interval over units, NaN with too few.
        rows: number of rows that both have.
        paired: whether both are scores at the same units.
    """

    one: Key
    other: Key
    tau: float
    low: float
    high: float
    rows: int
    paired: bool

    @property
    def varied(self) -> list[str]:
        """In what the two differ, of VARIED."""
        return [name for name, a, b in zip(VARIED, self.one, self.other, strict=True) if a != b]


def orders(found: dict[tuple[str, str], Sample]) -> dict[Key, Order]:
    """Return the order of each model, metric and set; of units only those that every row has a score at."""
    made = {}
    for (name, metric), sample in found.items():
        for model in models_of(sample):
            rows, scores = of_model(sample, model)
            means = np.nanmean(scores, axis=1) if scores.size else scores[:, 0]
            if len(rows) >= FEWEST_ROWS and means.size:
                made[model, metric, name] = Order(rows, means, sample)
    return made


def common(first: Order, second: Order) -> tuple[list[str], list[np.ndarray], bool]:
    """Return the rows that two orders share, their (rows, units) scores, and whether these are at the same units."""
    rows = [row for row in first.rows if row in second.rows]
    sides = [side.scores[[side.rows.index(row) for row in rows]] for side in (first, second)]
    paired = first.sample.units == second.sample.units and first.sample.kind == second.sample.kind
    if paired:
        known = np.isfinite(sides).all((0, 1))
        return rows, [side[:, known] for side in sides], True
    return rows, [side[:, np.isfinite(side).all(0)] for side in sides], False


def alike(one: Key, other: Key, found: dict[Key, Order], interval: bool = True) -> Alike | None:
    """Compare two orders on the rows that both have; None with fewer than FEWEST_ROWS, or if all are level."""
    first, second = found[one], found[other]
    rows, sides, paired = common(first, second)
    if len(rows) < FEWEST_ROWS:
        return None
    tau = float(kendall(sides[0].mean(1), sides[1].mean(1)))
    if np.isnan(tau):
        return None
    strata = max(first.sample.strata, second.sample.strata)
    ends = kendall_interval(*sides, strata=strata, paired=paired) if interval else (np.nan, np.nan)
    return Alike(one, other, tau, *ends, len(rows), paired)


def pairs(found: dict[Key, Order]) -> Iterator[Alike]:
    """Yield the comparison of each two orders that differ in the model, the metric or the set alone."""
    for one, other in combinations(found, 2):
        if sum(a != b for a, b in zip(one, other, strict=True)) == 1 and (pair := alike(one, other, found)):
            yield pair


class Best(NamedTuple):
    """Rows that cannot be told from the best on one set by one metric.

    Attributes:
        of_model: by model, the rows of its set; None where there are too few units to compare rows.
        rows: by model, the number of its rows.
    """

    of_model: dict[str, list[str] | None]
    rows: dict[str, int]

    @property
    def whole(self) -> list[str]:
        """The models that have the most rows and whose rows can be compared; [] if there is none."""
        most = max(self.rows.values())
        return [model for model, rows in self.of_model.items() if rows is not None and self.rows[model] == most]

    def everywhere(self, models: list[str]) -> list[str]:
        """Return the rows that may be the best under each of some models, in the order of the first."""
        first, *others = (self.of_model[model] for model in models)
        return [row for row in first if all(row in other for other in others)]


def best_rows(sample: Sample) -> Best:
    """Find for each model the rows that `certainty.compare` cannot tell from the best, with 95 % confidence."""
    found, counts = {}, {}
    for model in models_of(sample):
        rows, scores = of_model(sample, model)
        result = compare(scores, strata=sample.strata)
        told = np.isfinite(result.loss).any()
        found[model] = [row for row, best in zip(rows, result.best, strict=True) if best] if told else None
        counts[model] = len(rows)
    return Best(found, counts)
