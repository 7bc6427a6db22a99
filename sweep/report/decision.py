"""Decide which two rows to name: the highest, and the cheapest that is good enough."""

import math
from dataclasses import dataclass

import pandas as pd

from sweep.report.columns import label_of
from sweep.report.units import BLOCKS, Sample
from sweep.results.metrics import Metric, Ranking


@dataclass(frozen=True)
class Decision:
    """Rows that a table lets one choose, and how far one can trust that.

    Attributes:
        metric: the metric that ranks the rows.
        margin: how much less than the highest a row may score to be good enough.
        done: lines of the table whose metric is known, with the column "label".
        highest: the line with the highest mean; None if no line has one.
        good_enough: the line with the least cost among those that are cheaper than the highest and score at most the
            margin less; None if there is none. Cost is the multiply-adds for a second of audio, then the parameters.
        less: how much less it scores here.
        at_most: upper 95 % bound of how much less it scores than the truly best row; NaN if that cannot be said.
        alike: whether it may be called as good for practical purposes: the bound is within the margin, and is about
            other music and other trainings too.
        unsure: why rows cannot be compared, in words; "" if they can.
        limits: limits of every claim, in words.
    """

    metric: Metric
    margin: float
    done: pd.DataFrame
    highest: pd.Series | None
    good_enough: pd.Series | None
    less: float
    at_most: float
    alike: bool
    unsure: str
    limits: list[str]

    @property
    def tied(self) -> pd.DataFrame:
        """The lines that cannot be told from the best."""
        return self.done[self.done.best_of_table.fillna(True).astype(bool)]


def decide(lines: pd.DataFrame, sample: Sample, margin: float = Ranking.margin) -> Decision:
    """Decide which rows of a table to name.

    Only scores and costs decide that follow from the configuration, so that the same scores give the same rows on
    every machine.

    Args:
        lines: lines of the table, `summarise`.
        sample: scores behind the lines.
        margin: how much less than the highest a row may score to be good enough.
    """
    done = lines.assign(label=label_of(lines))[(lines.status == "done") & lines.value.notna()]
    if done.empty:
        return Decision(sample.metric, margin, done, None, None, math.nan, math.nan, False, "", [])
    by_cost = done.sort_values(["multiply_adds", "parameters", "value"], ascending=[True, True, False], kind="stable")
    best = by_cost[by_cost.value == by_cost.value.max()].iloc[0]
    cost = ["multiply_adds", "parameters"]
    near = by_cost[by_cost.value >= best.value - margin - 1e-12]
    cheaper = near[[tuple(row) < tuple(best[cost]) for row in near[cost].itertuples(index=False, name=None)]]
    good = cheaper.iloc[0] if len(cheaper) else None
    less, at_most = math.nan, math.nan
    if good is not None:
        less, at_most = float(best.value - good.value), float(good.loss)
    seeds = int(done.seeds.max())
    alike = at_most <= margin and seeds > 1 and sample.kind != BLOCKS
    return Decision(
        sample.metric, margin, done, best, good, less, at_most, alike, _unsure(done, sample), _limits(done, sample)
    )


def _unsure(done: pd.DataFrame, sample: Sample) -> str:
    """Say why rows cannot be compared; "" if they can."""
    if not sample.units:
        if sample.blocks and sample.metric.ratio is None:
            return f"{sample.metric.words} has no blocks of time, so it takes six test recordings or more"
        return "these results share no test recordings, or hold no blocks of time"
    if not sample.comparable or done.best_of_table.isna().any():
        return f"{len(sample.units)} {sample.kind} are too few to compare rows"
    return ""


def _limits(done: pd.DataFrame, sample: Sample) -> list[str]:
    """List what the claims are limited to."""
    limits = []
    if (done.source == "demo").any():
        limits.append("synthetic demo data, not recorded music")
    elif sample.blocks:
        limits.append("these recordings only" if len(sample.recordings) > 1 else "this recording only")
    if done.changed.nunique() > 1:
        limits.append("rows with different settings")
    if int(done.seeds.max()) == 1:
        limits.append("these trained models only")
    return limits
