"""Writes the tables of a results file in Markdown: python -m experiments.inverse.tables [results-cpu.csv ...]."""

import sys
from pathlib import Path

import pandas as pd

SHOWN = {
    "constant-Q": {"ratio_db": "signal to error, dB", "inner_ratio_db": "without ends, dB"},
    "Griffin-Lim": {"n_iter": "iterations", "convergence": "convergence"},
    "mel": {"convergence": "bands off by", "magnitude_error": "magnitude off by"},
}


def report(path: Path) -> str:
    """A table for each part; what did not run is named below it."""
    rows = pd.read_csv(path, keep_default_na=False, dtype=str)
    first = rows.iloc[0]
    text = [f"{first.clips} clips of {first.seconds} s, {first.music}; {first.machine}, {first.threads} threads"]
    for part, columns in SHOWN.items():
        of_part = rows[rows.part == part]
        for settings, some in of_part.groupby("settings", sort=False):
            head = ["method", *columns.values(), "ms"]
            text += ["", f"{part}, {settings}:", "", f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
            for row in some[some.ms != ""].itertuples():
                values = [_rounded(name, getattr(row, name)) for name in columns]
                text.append(f"| {' | '.join([row.method, *values, f'{float(row.ms):,.1f}'])} |")
            left = dict.fromkeys(f"{row.method}: {row.reason}" for row in some[some.ms == ""].itertuples())
            text += ["", *left] if left else []
    return "\n".join(text)


def _rounded(column: str, value: str) -> str:
    if column == "n_iter":
        return value
    return f"{float(value):.1f}" if column.endswith("_db") else f"{float(value):.4f}"


if __name__ == "__main__":
    here = Path(__file__).parent
    for name in sys.argv[1:] or [file.name for file in sorted(here.glob("results-*.csv"))]:
        print(report(here / name))
