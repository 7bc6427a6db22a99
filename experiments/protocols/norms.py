"""Sets the constant-Q normalisations beside each other under both protocols: norms.csv, and the table as Markdown."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from sweep.results.table import build_table

PROTOCOLS = ("paper", "converged")
NORMS = ("sqrt_length", "none", "n_fft")


def collect(folder: Path) -> pd.DataFrame:
    """Scores by representation and norm: one row each, a protocol that has not run leaves its columns empty.

    Only constant-Q rows of the linear model that differ in nothing but norm count; of several seeds the mean.

    Args:
        folder: <runs>/<data>, which holds the sweeps `paper` and `converged`, or one of them.

    Raises:
        ValueError: there is no such run.
    """
    parts = []
    for protocol in PROTOCOLS:
        table = build_table(folder / protocol)
        norm = table.variant.str.removeprefix("norm=").where(table.variant != "", table.norm)
        wanted = (table.family == "cqt") & (table.model == "linear") & (table.status == "done") & norm.isin(NORMS)
        # The row as it is and the one told norm=sqrt_length are the same: the latter where both have run.
        rows = table[wanted].assign(norm=norm[wanted]).sort_values("variant", key=lambda names: names == "")
        rows = rows.drop_duplicates(["representation", "norm", "seed"])
        scores = rows.groupby(["representation", "norm"])[["accuracy", "average_precision"]]
        found = scores.mean().assign(seeds=scores.size())
        parts.append(found.add_suffix(f"_{protocol}"))
    joined = pd.concat(parts, axis=1).reset_index()
    if joined.empty:
        raise ValueError(f"{folder}: no finished constant-Q runs in {' or '.join(PROTOCOLS)}; run the sweep first")
    bins_per_octave = joined.representation.str.removeprefix("cqt-").astype(int)
    order = joined.assign(bins_per_octave=bins_per_octave, place=joined.norm.map(NORMS.index))
    order = order.sort_values(["bins_per_octave", "place"])
    return order.drop(columns=["bins_per_octave", "place"]).reset_index(drop=True)


def markdown(scores: pd.DataFrame) -> str:
    """Accuracy by norm, and its distance from the row that is multiplied by the root of the kernels' lengths."""
    lines = ["| representation | norm | paper | | converged | |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for name, rows in scores.groupby("representation", sort=False):
        ours = rows[rows.norm == NORMS[0]]
        for row in rows.to_dict("records"):
            cells = [name, row["norm"]]
            for protocol in PROTOCOLS:
                accuracy = row[f"accuracy_{protocol}"]
                base = ours[f"accuracy_{protocol}"].iloc[0] if len(ours) else float("nan")
                apart = accuracy - base
                cells += ["not run" if pd.isna(accuracy) else f"{accuracy:.3f}"]
                cells += ["" if pd.isna(apart) or row["norm"] == NORMS[0] else f"{apart:+.3f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write norms.csv and print the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.protocols.norms", description=__doc__)
    parser.add_argument("folder", type=Path, help="<runs>/<data>")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("norms.csv"))
    options = parser.parse_args()
    try:
        scores = collect(options.folder)
    except ValueError as error:
        sys.exit(f"experiments.protocols: {error}")
    scores.to_csv(options.out, float_format="%.4f", index=False, lineterminator="\n")
    print(markdown(scores))


if __name__ == "__main__":
    main()
