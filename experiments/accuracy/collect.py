"""What accuracy="high" gains over "fast" in a sweep: each row's scores, and their difference with a paired interval.

python -m experiments.accuracy.collect RUNS OUT.csv reads the sweeps in and below RUNS; without RUNS it prints what
OUT.csv holds. Units are those of `sweep report`.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.collecting import Sweep, command, finished
from sweep.report.certainty import intervals
from sweep.report.units import read_sample

FAST, HIGH = "", "accuracy=high"  # variants: "fast" is what precision=tf32 implies, so that no row's name says it
SCORES = {"accuracy": "accuracy", "note_f1": "note F1"}
ALL = "mean of the rows"
COLUMNS = ("data", "protocol", "model", "metric", "representation", "seeds", "units", "fast", "high", "gain", "low")
COLUMNS += ("high_end",)


def collect(roots: list[Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the finished runs at both accuracies.

    Args:
        roots: folders, such as <runs>, <runs>/<data> or <runs>/<data>/<protocol>.

    Returns:
        COLUMNS, a line for each row of each model and for the mean over its rows; and a line for what was left out.

    Raises:
        ValueError: no row was run at both accuracies.
    """
    sweeps, remarks = finished(roots, (FAST, HIGH))
    lines = [line for sweep in sweeps for metric in SCORES for line in _gains(sweep, metric)]
    if not lines:
        named = ", ".join(map(str, roots))
        raise ValueError(f"{named}: no row was run at both accuracies; choose frontend.accuracy=fast,high")
    return pd.DataFrame(lines)[[*COLUMNS]], remarks


def _gains(sweep: Sweep, metric: str) -> Iterator[dict]:
    """Yield the lines of one sweep by one metric, model by model."""
    sample = read_sample(sweep.runs, metric)
    places = {row: place for place, row in enumerate(sample.rows)}
    for model in dict.fromkeys(model for model, _, _ in places):
        names = [name for it, name, variant in places if (it, variant) == (model, FAST)]
        names = [name for name in names if (model, name, HIGH) in places]
        fast, high = (sample.scores[[places[model, name, variant] for name in names]] for variant in (FAST, HIGH))
        if not (fast.size and np.isfinite(high - fast).any()):
            continue
        start = {"data": sweep.done.data.iloc[0], "protocol": sweep.done.protocol.iloc[0], "model": model}
        start |= {"metric": metric, "seeds": fast.shape[1], "units": fast.shape[2]}
        for part in (names, [ALL]):
            if part == [ALL]:
                fast, high = (scores.mean(axis=0, keepdims=True) for scores in (fast, high))
            # Both of a pair have the same seed, windows and initial weights: their difference is what varies.
            ends = intervals(high - fast, strata=sample.strata)
            for name, one, other, (low, end) in zip(part, fast, high, ends, strict=True):
                found = {"fast": np.nanmean(one), "high": np.nanmean(other), "gain": np.nanmean(other - one)}
                yield start | {"representation": name} | found | {"low": low, "high_end": end}


def markdown(table: pd.DataFrame) -> str:
    """Write one table a data set and model: the scores at "fast", and what "high" adds to them."""
    lines = []
    for (data, protocol, model), part in table.groupby(["data", "protocol", "model"], sort=False):
        seeds, units = part.seeds.min(), part.units.max()
        lines += [f"### {data}, {protocol}, {model}", "", f"Seeds: {seeds}. Units: {units}. Intervals: 95 %.", ""]
        metrics = [metric for metric in SCORES if (part.metric == metric).any()]
        heads = [f"{SCORES[metric]}{what}" for metric in metrics for what in (', "fast"', ', "high" - "fast"')]
        lines += [f"| | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(heads)}"]
        for name in part.representation.unique():
            cells = []
            for metric in metrics:
                row = part[(part.representation == name) & (part.metric == metric)].iloc[0]
                cells += [f"{row.fast:.3f}", f"{row.gain:+.4f} ({row.low:+.4f} to {row.high_end:+.4f})"]
            lines.append(f"| {f'**{name}**' if name == ALL else name} | {' | '.join(cells)} |")
        rows = part[(part.metric == metrics[0]) & (part.representation != ALL)]
        apart = int(((rows.low > 0) | (rows.high_end < 0)).sum())
        lines += ["", f"The interval of {apart} of {len(rows)} rows leaves out 0; 1 in 20 would by chance.", ""]
    return "\n".join(lines)


def main() -> None:
    """Write the file, and print the tables or put them into a page."""
    command("accuracy", __doc__.splitlines()[0], collect, markdown, "%.5f")


if __name__ == "__main__":
    main()
