"""Draws results.csv: the time of a training step against the number of bins, by family, above its floor."""

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MARKERS = {"linear": "o", "log": "s", "mel": "^", "cqt": "D"}


def main() -> None:
    """Read results.csv beside this file and write figure.png there."""
    here = Path(__file__).parent
    table = pd.read_csv(here / "results.csv")
    table["family"] = table.representation.str.partition("-")[0]
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for family, rows in table.groupby("family", sort=False):
        axes.plot(rows.bins, 1e3 * rows.ms_per_step, MARKERS[family], label=family, fillstyle="none")
    floor = table.drop_duplicates("bins").sort_values("bins")
    axes.plot(floor.bins, 1e3 * floor.floor_ms, "k--", linewidth=1, label="floor: bytes / bandwidth")
    axes.set(xscale="log", yscale="log", xlabel="bins", ylabel="microseconds a training step of 100 windows")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.savefig(here / "figure.png", dpi=110)


if __name__ == "__main__":
    main()
