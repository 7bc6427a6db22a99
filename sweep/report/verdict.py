"""Write the verdict of a table: one sentence on which row to choose, and how certain that is."""

import pandas as pd

from sweep.report.certainty import FEWEST_UNITS
from sweep.report.columns import label_of
from sweep.report.units import Sample


def verdict(lines: pd.DataFrame, sample: Sample) -> str:
    """Write the verdict: the row to choose, how many rows cannot be told from it, and what that is based on.

    Args:
        lines: lines of the table, `summarise`.
        sample: accuracies behind the lines.
    """
    done = lines.assign(name=label_of(lines))[lines.status == "done"]
    if done.empty:
        return "Nothing can be chosen yet: no run is done."
    done = done[done.accuracy.notna()]
    if done.empty:
        return "Nothing can be chosen: no test recording has notes, so accuracy is undefined."
    top = done.loc[done.accuracy.idxmax()]
    scored = f"{top['name']}, accuracy {top.accuracy:.3f}"
    if pd.notna(top.accuracy_low):
        scored += f" (95 % {top.accuracy_low:.3f}\N{EN DASH}{top.accuracy_high:.3f})"
    missing = int((lines.status != "done").sum())
    rest = f", with {missing} of {len(lines)} rows still to come" * bool(missing)
    if len(done) == 1:
        return f"There is nothing to choose between yet: the one row that is done is {scored}{rest}."
    tied = done[done.best_of_table.fillna(True)]
    if len(sample.units) < max(FEWEST_UNITS, sample.groups + 1) or top[["best_of_table"]].isna().any():
        return (
            f"{scored}, scored highest of {len(done)} rows, but how sure that is cannot be said: {_why(sample)}{rest}."
        )
    basis = _basis(done, sample)
    if len(tied) == 1:
        others = "the other row" if len(done) == 2 else f"each of the other {len(done) - 1} rows"
        return f"Choose {scored}: it beats {others} at 95 % confidence, {basis}{rest}."
    cheap, sense = _cheapest(tied)
    among = f"the {len(tied)} rows of {len(done)}" if len(tied) < len(done) else f"all {len(done)} rows"
    may = f"of {among} that may be the best, at 95 % confidence {basis}"
    if cheap["name"] == top["name"]:
        return f"Choose {scored}: it is the highest and {sense} {may}{rest}."
    choice = f"Choose {cheap['name']}, accuracy {cheap.accuracy:.3f}"
    return f"{choice}: it is {sense} {may}{rest}; the highest is {scored}."


def _cheapest(tied: pd.DataFrame) -> tuple[pd.Series, str]:
    """Choose the row that trains fastest, or has the fewest bins if a speed is unknown; also return the reason."""
    if tied.windows_per_second.notna().all():
        row = tied.loc[tied.windows_per_second.idxmax()]
        return row, f"the fastest to train ({row.windows_per_second:,.0f} windows/s)"
    row = tied.loc[tied.bins.astype(float).idxmin()]
    return row, f"the one with the fewest bins ({row.bins})"


def _basis(done: pd.DataFrame, sample: Sample) -> str:
    """Describe the units and seeds that the certainty is based on, and its limits."""
    seeds, recordings = int(done.seeds.max()), len(sample.recordings)
    of = f"{recordings} test recording{'s' * (recordings > 1)}"
    over = f"{len(sample.units)} blocks of time in {of}" if sample.blocks else of
    limits = []
    if (done.source == "demo").any():
        limits.append("synthetic demo data, not recorded music")
    elif sample.blocks:
        limits.append("these recordings only" if recordings > 1 else "this recording only")
    if done.changed.nunique() > 1:
        limits.append("rows with different settings")
    if seeds == 1:
        limits.append("these trained models only")
    return f"over {over} and {'one seed' if seeds == 1 else f'{seeds} seeds'}" + f" ({', '.join(limits)})" * bool(
        limits
    )


def _why(sample: Sample) -> str:
    """Explain why rows cannot be compared."""
    if not sample.units:
        return "these results share no test recordings, or hold no blocks of time"
    units = "blocks of time" if sample.blocks else "test recordings"
    return f"{len(sample.units)} {units} are too few to compare rows"
