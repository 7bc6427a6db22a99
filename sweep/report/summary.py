"""Summarise the runs of a table by representation: means over seeds, with their uncertainty."""

import numpy as np
import pandas as pd

from sweep.report import certainty
from sweep.report.units import ROW, Sample
from sweep.results.scoring import SCORES
from sweep.results.table import MOVED, on_set, sets_of

CERTAINTY = ("spread", "low", "high", "behind", "behind_low", "behind_high", "loss")
MARKS = ("best_of_table", "best_of_family")


def summarise(table: pd.DataFrame, sample: Sample) -> pd.DataFrame:
    """Summarise the runs that differ only in their seed as one row each.

    Args:
        table: table of the runs, `build_table`.
        sample: scores of the same folder by the metric that ranks the rows, `read_sample`.

    Returns:
        One row a representation, variant and model, in the table's order, with the columns: those that the seeds share;
        runs, the number of runs, and seeds, the number of done ones; the mean of each figure over the seeds;
        parameters, the number of trained parameters; multiply_adds, those for a second of audio; metric, the metric's
        name; value, the row's mean by it; spread, its standard deviation over seeds; low and high, its 95 % interval;
        behind, behind_low and _high, the distance to the highest value and its simultaneous 95 % interval; loss, the
        upper bound of what the row may lose against the truly best one; best_of_table and best_of_family, True if the
        row cannot be told from the best, NA if rows cannot be compared.
    """
    averaged = [*SCORES, "threshold", "seconds", "windows_per_second", "peak_memory_bytes", *MOVED]
    shared = ["family", "bins", "context", "window", "empty_filters", "recordings", "source", "norm", "changed"]
    shared += ["parameters_frontend", "parameters_model", "multiply_adds_frontend", "multiply_adds_model"]
    for name in sets_of(table):
        averaged += [on_set(score, name) for score in SCORES]
        shared += [on_set("recordings", name)]
    table = table.assign(seconds=table.filter(like="seconds_").sum(axis=1, min_count=1))
    lines = table.groupby(ROW, sort=False)
    summary = lines[shared].first().join(lines[averaged].mean()).copy()  # which puts its columns side by side
    summary["parameters"] = summary.parameters_model + summary.parameters_frontend
    summary["multiply_adds"] = summary.multiply_adds_model + summary.multiply_adds_frontend
    summary["status"] = lines.status.agg(lambda found: "done" if (found == "done").any() else found.iloc[0])
    summary["runs"], summary["seeds"] = lines.size(), lines.status.agg(lambda found: (found == "done").sum())
    summary["metric"] = sample.metric.name
    summary["value"], summary["spread"] = lines[sample.metric.name].mean(), lines[sample.metric.name].std()
    sure = pd.DataFrame(_sure(sample, dict(summary.family)), index=pd.MultiIndex.from_tuples(sample.rows, names=ROW))
    return summary.join(sure).reset_index() if len(sure) else summary.reindex(columns=[*summary, *sure]).reset_index()


def _sure(sample: Sample, family: dict) -> dict[str, np.ndarray]:
    """Compute the intervals and marks of a sample's rows; `family` gives the family of each row."""
    scores, strata = sample.scores, sample.strata
    found = certainty.intervals(scores, strata=strata)
    whole = certainty.compare(scores, strata=strata)
    families = np.array([family[row] for row in sample.rows], object)
    known = np.isfinite(found).all(1)
    best = {"best_of_table": whole.best, "best_of_family": np.zeros(len(scores), bool)}
    for name in set(families):
        rows = families == name
        best["best_of_family"][rows] = certainty.compare(scores[rows], strata=strata).best
    figures = {"low": found[:, 0], "high": found[:, 1], "loss": whole.loss}
    figures |= {"behind": whole.behind, "behind_low": whole.low, "behind_high": whole.high}
    return figures | {name: pd.array(np.where(known, mask, None), "boolean") for name, mask in best.items()}
