"""The metrics that can rank the rows of a table, and the counts that each follows from."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sweep.checks import check_choice

Ratio = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Metric:
    """A score that can rank rows; higher is better.

    Attributes:
        name: name of the score, one of `sweep.results.scoring.SCORES`.
        words: name in a sentence.
        counts: entry of a recording's "blocks" that holds the counts of each block of time; "" if the score does not
            follow from counts, as average precision does not.
        ratio: function from (blocks, n) counts to the numerator and the denominator of each block. The score of a
            recording is the ratio of their sums.
    """

    name: str
    words: str
    counts: str = ""
    ratio: Ratio | None = None


def _accuracy(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return counts[:, 2], counts[:, 0] + counts[:, 1] - counts[:, 2]


def _f1(matched: int) -> Ratio:
    """Return the ratio of an F-measure, 2 matched / (reference + estimated), whose matches are in this column."""
    return lambda counts: (2 * counts[:, matched], counts[:, 0] + counts[:, 1])


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", "frames", _accuracy),
        Metric("f_measure", "frame F-measure", "frames", _f1(2)),
        Metric("note_f1", "note F1", "notes", _f1(2)),
        Metric("note_offset_f1", "note F1 with offsets", "notes", _f1(3)),
        Metric("average_precision", "average precision"),
    )
}
"""The metrics by name; `metric=NAME` chooses one."""


@dataclass(frozen=True)
class Ranking:
    """How the rows of a table are ranked, as the last command of a sweep asked for it.

    Attributes:
        metric: name of the metric, one of METRICS.
        margin: how much less than the highest a row may score to be good enough.

    Raises:
        ValueError: there is no such metric, or the margin is not 0 to 1.
    """

    metric: str = "accuracy"
    margin: float = 0.01

    def __post_init__(self):
        check_choice("metric", self.metric, METRICS)
        if not 0 <= self.margin <= 1:
            raise ValueError(f"margin {self.margin}: needs a number from 0 to 1, such as 0.01")
