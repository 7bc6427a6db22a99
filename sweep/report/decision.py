"""Decide which two rows to name: the highest, and the cheapest that is good enough."""

from dataclasses import dataclass

import pandas as pd

from sweep.report.columns import label_of
from sweep.report.units import BLOCKS, Sample
from sweep.results.metrics import Metric, Ranking


@dataclass(frozen=True)
class Decision:
    """Rows that a table lets one choose, and how far one can trust that.

    Attributes:
        sample: scores behind the table.
        margin: how much less than the highest a row may score to be good enough.
        done: lines of the table whose metric is known, with the column "label".
        highest: the line with the highest mean; None if no line has one.
        good_enough: the line with the least cost among those that are cheaper than the highest and score at most the
            margin less; None if there is none. Cost is the multiply-adds for a second of audio, then the parameters.
    """

    sample: Sample
    margin: float
    done: pd.DataFrame
    highest: pd.Series | None
    good_enough: pd.Series | None

    @property
    def metric(self) -> Metric:
        """The metric that ranks the rows."""
        return self.sample.metric

    @property
    def seeds(self) -> int:
        """The most seeds that a row has."""
        return 0 if self.done.empty else int(self.done.seeds.max())

    @property
    def less(self) -> float:
        """How much less the good-enough row scores here."""
        return float(self.highest.value - self.good_enough.value)

    @property
    def at_most(self) -> float:
        """Upper 95 % bound of how much less the good-enough row scores than the truly best one; NaN if not known."""
        return float(self.good_enough.loss)

    @property
    def alike(self) -> bool:
        """Whether the good-enough row may be called as good for practical purposes.

        The bound is then within the margin, and about other music and other trainings too.
        """
        return self.at_most <= self.margin and self.seeds > 1 and self.sample.kind != BLOCKS

    @property
    def tied(self) -> pd.DataFrame:
        """The lines that cannot be told from the best, where rows can be compared."""
        return self.done[self.done.best_of_table.astype(bool)]

    @property
    def unsure(self) -> str:
        """Why rows cannot be compared, in words; "" if they can."""
        sample = self.sample
        if not sample.units:
            if sample.blocks and sample.metric.ratio is None:
                return f"{sample.metric.words} has no blocks of time, so it takes six test recordings or more"
            return "these results share no test recordings, or hold no blocks of time"
        if not sample.comparable or self.done.best_of_table.isna().any():
            return f"{len(sample.units)} {sample.kind} are too few to compare rows"
        if (
            self.highest is not None and not self.highest.best_of_table
        ):  # rows are compared on the recordings that all have
            return "not all rows were scored on the same recordings"
        return ""

    @property
    def limits(self) -> list[str]:
        """The limits of every claim, in words."""
        limits = []
        if (self.done.source == "demo").any():
            limits.append("synthetic demo data, not recorded music")
        elif self.sample.blocks:
            limits.append("these recordings only" if len(self.sample.recordings) > 1 else "this recording only")
        if self.done.changed.nunique() > 1:
            limits.append("rows with different settings")
        if self.seeds == 1:
            limits.append("these trained models only")
        return limits


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
        return Decision(sample, margin, done, None, None)
    by_cost = done.sort_values(["multiply_adds", "parameters", "value"], ascending=[True, True, False], kind="stable")
    best = by_cost[by_cost.value == by_cost.value.max()].iloc[0]
    cost = ["multiply_adds", "parameters"]
    near = by_cost[by_cost.value >= best.value - margin - 1e-12]
    cheaper = near[[tuple(row) < tuple(best[cost]) for row in near[cost].itertuples(index=False, name=None)]]
    return Decision(sample, margin, done, best, cheaper.iloc[0] if len(cheaper) else None)
