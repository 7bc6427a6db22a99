"""Keeps the scores of sweeps of several models in a file, one line a run, and prints them as tables in Markdown.

python -m experiments.models.collect RUNS... OUT.csv reads every sweep in and below each RUNS; without RUNS it prints
what OUT.csv holds. Data sets called fold-1, fold-2, ... are the parts of one leave-one-out, whose unit is the fold; any
other is a set of its own, whose unit is the seed.
"""

import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from experiments.collecting import command, finished
from sweep.report.tau import kendall, kendall_interval

FOLDS = "leave-one-out"
METRICS = {
    "accuracy": "Accuracy",
    "note_f1": "Note F1",
    "note_offset_f1": "Note F1 with offsets",
    "average_precision": "Average precision",
}
COLUMNS = ("data", "protocol", "representation", "model", "seed", *METRICS, "parameters", "seconds_training")
FIRST = "linear"  # the model that the others are compared with


def collect(roots: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the finished runs of all sweeps in and below some folders.

    Args:
        roots: folders, such as <runs>, <runs>/<data> or <runs>/<data>/<protocol>.

    Returns:
        COLUMNS of each run of a row as its file has it, in the order of the sweeps' tables; without a time where the
        run was interrupted, since only the last part is timed. And a line for each thing that was left out.

    Raises:
        ValueError: there is no such run.
    """
    sweeps, remarks = finished(roots)
    runs = pd.concat([sweep.done for sweep in sweeps]).rename(columns={"parameters_model": "parameters"})
    runs["seconds_training"] = runs.seconds_training.where(runs.resumed_from == 0)
    return runs[[*COLUMNS]].reset_index(drop=True), remarks


def parts_of(runs: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Yield each leave-one-out and each other data set, by protocol: its name, the unit's column, and its runs."""
    folds = runs.data.str.fullmatch(r"fold-\d+")
    for (data, protocol), part in runs.groupby([runs.data.mask(folds, FOLDS), "protocol"], sort=False):
        yield f"{data}, {protocol}", "data" if data == FOLDS else "seed", part


def by_unit(runs: pd.DataFrame, unit: str, metric: str) -> dict[str, pd.DataFrame]:
    """Arrange the scores of one of `parts_of` by model, FIRST at the front: (rows, units), means over the seeds."""
    models = sorted(runs.model.unique(), key=lambda model: model != FIRST)
    order = runs.representation.unique()
    tables = {model: runs[runs.model == model].pivot_table(metric, "representation", unit) for model in models}
    return {model: table.reindex([name for name in order if name in table.index]) for model, table in tables.items()}


def spread(values: pd.Series, sign: str = "") -> str:
    """Write the mean and, of several values, their standard deviation.

    >>> spread(pd.Series([0.1, 0.3])), spread(pd.Series([0.1]), "+")
    ('0.200 ± 0.141', '+0.100')
    """
    known = values.dropna()
    if known.empty:
        return ""
    return f"{known.mean():{sign}.3f}" + (f" ± {known.std():.3f}" if len(known) > 1 else "")


def markdown(runs: pd.DataFrame) -> str:
    """Write the tables of accuracy and of note F1, and beneath them the other figures."""
    lines = []
    for name, unit, part in parts_of(runs):
        units = part[unit].nunique()
        lines += [f"### {name}", "", f"{units} {'folds' if unit == 'data' else 'seeds'}.", ""]
        for metric in ("accuracy", "note_f1"):
            lines += [*_table(part, unit, metric), ""]
        lines += [*_differences(part, unit), "", *_sizes(part, unit), "", *_orders(part, unit), ""]
    return "\n".join(lines)


def _table(part: pd.DataFrame, unit: str, metric: str) -> list[str]:
    """One row a representation: each model's score, and its distance from FIRST's in the same units."""
    first, *others = scores = by_unit(part, unit, metric)
    heads = [*scores, *(f"{other} - {first}" for other in others)]
    lines = [f"| {METRICS[metric]} | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for row in part.representation.unique():
        of_row = {model: table.loc[row] if row in table.index else pd.Series() for model, table in scores.items()}
        cells = [spread(values) for values in of_row.values()]
        cells += [spread(of_row[other] - of_row[first], "+") for other in others]
        lines.append(f"| {row} | {' | '.join(cells)} |")
    return lines


def _differences(part: pd.DataFrame, unit: str) -> list[str]:
    """One row a metric: the mean over the rows of each model's distance from FIRST, unit by unit."""
    first, *others = by_unit(part, unit, "accuracy")
    if not others:
        return []
    heads = [f"{other} - {first}" for other in others]
    lines = [f"| mean of the rows | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
    for metric, title in METRICS.items():
        scores = by_unit(part, unit, metric)
        cells = [spread((scores[other] - scores[first]).mean(), "+") for other in others]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return lines


def _sizes(part: pd.DataFrame, unit: str) -> list[str]:
    """One row a model: its weights, and the seconds that its trainings took."""
    lines = ["| model | weights | s of training, median |", "| --- | ---: | ---: |"]
    for model in by_unit(part, unit, "accuracy"):
        runs = part[part.model == model]
        low, high = runs.parameters.min(), runs.parameters.max()
        lines.append(f"| {model} | {low:,} to {high:,} | {runs.seconds_training.median():.1f} |")
    return lines


def _orders(part: pd.DataFrame, unit: str) -> list[str]:
    """One line a model: Kendall's tau between its order of the rows and FIRST's, over the rows and units of both."""
    lines = []
    for metric in ("accuracy", "note_f1"):
        first, *others = scores = by_unit(part, unit, metric)
        for other in others:
            both = pd.concat([scores[first], scores[other]], axis=1, join="inner", keys=(first, other))
            units = scores[first].columns.intersection(scores[other].columns)
            both = both.loc[:, both.columns.isin(units, level=1)].dropna()
            if len(both) < 3:
                continue
            one, two = (both[model][units].to_numpy(float) for model in (first, other))
            tau = float(kendall(one.mean(1), two.mean(1)))
            if math.isnan(tau):  # all rows are level
                continue
            said = f"{tau:.2f}"
            if unit == "data" and len(units) > 2:
                said += " (95 % {:.2f} to {:.2f})".format(*kendall_interval(one, two))
            lines.append(f"- {METRICS[metric]}, {other}'s order and {first}'s: Kendall's tau {said}, {len(both)} rows.")
    return lines


def main() -> None:
    """Write the file, and print the tables or put them into a page."""
    command("models", __doc__, collect, markdown, "%.4f")


if __name__ == "__main__":
    main()
