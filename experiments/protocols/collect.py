"""Keeps the scores of the paper's protocol and of the converged one in a file: one row a representation."""

import argparse
from pathlib import Path

import pandas as pd

from sweep.results.table import build_table

KEPT = ("accuracy", "average_precision", "seconds_training")


def collect(folder: Path) -> pd.DataFrame:
    """The scores of both protocols, means over seeds and their standard deviations, in the table's order.

    Args:
        folder: <runs>/<data>, which holds the sweeps `paper` and `converged`.
    """
    parts = {}
    for protocol in ("paper", "converged"):
        table = build_table(folder / protocol)
        rows = table[(table.variant == "") & (table.model == "linear") & (table.status == "done")]
        seeds = rows.groupby("representation", sort=False)
        scores = seeds[list(KEPT)].mean().assign(accuracy_sd=seeds.accuracy.std(), seeds=seeds.size())
        scores = scores.add_suffix(f"_{protocol}")
        parts[protocol] = scores if parts else scores.assign(bins=seeds.bins.first())
    return parts["paper"].join(parts["converged"], how="inner")


def main() -> None:
    """Write results.csv."""
    parser = argparse.ArgumentParser(prog="python -m experiments.protocols.collect", description=__doc__)
    parser.add_argument("folder", type=Path, help="<runs>/<data>")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    collect(options.folder).to_csv(options.out, float_format="%.4f", lineterminator="\n")


if __name__ == "__main__":
    main()
