"""Compares the cost of rows of published systems with equally large rows: python -m experiments.systems.cost RUNS OUT.

RUNS is the folder of one sweep of `+grid=everything`, <runs>/<data>/<protocol>. The equally large row is that of the 34
whose windows have the most similar number of features; the cost is a training step's time and that of the whole run,
medians over seeds. Only the rows as they are count, neither controls nor changed keys.
"""

import argparse
from pathlib import Path

import pandas as pd

from sweep import row
from sweep.results.table import read_runs

MODEL = "linear"


def compare(folder: Path) -> pd.DataFrame:
    """Return a line for each system's row, most expensive first."""
    runs = read_runs(folder)
    lines = []
    for result in runs.results.values():
        if result.model != MODEL or result.variant:
            continue
        it = row(result.representation)
        lines.append(
            {
                "row": it.name,
                "system": it.level.name != "window",
                "features": result.bins * it.n_frames(result.window),
                "ms_per_step": 1e3 * result.config["protocol"]["batch_size"] / result.windows_per_second,
                "seconds": sum(result.seconds.values()),
                "device": result.device,
            }
        )
    seeds = pd.DataFrame(lines).groupby("row", sort=False)
    table = seeds.first().assign(**seeds[["ms_per_step", "seconds"]].median()).reset_index()
    paper = table[~table.system]
    found = []
    for it in table[table.system].itertuples():
        other = paper.loc[(paper.features - it.features).abs().idxmin()]
        found.append(
            {
                "row": it.row,
                "features": it.features,
                "ms_per_step": round(it.ms_per_step, 2),
                "seconds": round(it.seconds, 1),
                "beside": other.row,
                "its_features": other.features,
                "step_ratio": round(it.ms_per_step / other.ms_per_step, 2),
                "run_ratio": round(it.seconds / other.seconds, 2),
                "device": it.device,
            }
        )
    return pd.DataFrame(found).sort_values("step_ratio", ascending=False)


def main() -> None:
    """Print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path, help="a CSV file")
    options = parser.parse_args()
    table = compare(options.runs)
    table.to_csv(options.out, index=False)
    print(table.to_string(index=False))


if __name__ == "__main__":
    main()
