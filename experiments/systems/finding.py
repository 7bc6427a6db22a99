"""Sets the scores of published systems' rows beside those of the paper's: one CSV file a data set, tables as Markdown.

python -m experiments.systems.finding collect RUNS OUT.csv      # RUNS: <runs>/<data>/<protocol>
python -m experiments.systems.finding tables ONE.csv OTHER.csv  # of two data sets
"""

import argparse
from pathlib import Path

import pandas as pd
from scipy.stats import kendalltau

from experiments.rows import rows
from sweep.results.table import build_table

CONTROL = "capacity"
SCORES = ("accuracy", "precision", "recall", "average_precision", "note_f1", "note_precision", "note_recall")
RANKED = ("accuracy", "note_f1")
PAPER = 3  # rows of the paper in the table: the best of each data set by accuracy


def collect(folder: Path) -> pd.DataFrame:
    """Return a line for each row and variant of a sweep: means over seeds, of what ranks also standard deviations.

    Args:
        folder: <runs>/<data>/<protocol>.
    """
    table = build_table(folder)
    done = table[(table.model == "linear") & (table.status == "done")]
    seeds = done.groupby(["representation", "variant"], sort=False)
    about = seeds[["bins", "parameters_model", "device"]].first().assign(seeds=seeds.size())
    spread = seeds[list(RANKED)].std().add_suffix("_sd")
    return about.rename(columns={"parameters_model": "weights"}).join([seeds[list(SCORES)].mean(), spread])


def read(path: Path) -> dict[str, pd.DataFrame]:
    """Return a file that `collect` filled: the rows by name, for each variant, "" the rows as they are."""
    table = pd.read_csv(path).fillna({"variant": ""})
    return {variant: part.set_index("representation") for variant, part in table.groupby("variant", sort=False)}


def beside(files: list[dict[str, pd.DataFrame]], paper: list[str]) -> str:
    """Return scores and places of the systems' rows and of the paper's best, with and without the control."""
    plain = [file[""] for file in files]
    best = {name for it in plain for name in it.accuracy[paper].nlargest(PAPER).index}
    shown = [name for name in plain[0].index if name in best or name not in paper]
    heads = ["row", "bins", *["accuracy", "256 features", "note F1"] * len(files)]
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    for name in plain[0].accuracy[shown].sort_values(ascending=False).index:
        cells = [f"*{name}*" if name in paper else name, f"{plain[0].bins[name]:,}"]
        for file in files:
            for values in (file[""].accuracy, file[CONTROL].accuracy, file[""].note_f1):
                cells.append(f"{values[name]:.3f} ({values.rank(ascending=False, method='min')[name]:.0f})")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def taus(files: list[dict[str, pd.DataFrame]], paper: list[str]) -> str:
    """Return Kendall's tau between two data sets' rankings: of all rows, of the systems' and of the paper's."""
    lines = ["| ranked by | all | systems' | paper's |", "| --- | ---: | ---: | ---: |"]
    for variant, words in (("", ""), (CONTROL, ", 256 features")):
        for score in RANKED:
            one, other = (file[variant][score] for file in files)
            parts = (one.index, one.index.difference(paper), pd.Index(paper))
            found = " | ".join(f"{kendalltau(one[names], other[names]).statistic:.2f}" for names in parts)
            lines.append(f"| {score.replace('_f1', ' F1')}{words} | {found} |")
    return "\n".join(lines)


def changes(file: dict[str, pd.DataFrame]) -> str:
    """Return what changed keys do to the scores of the rows that have been run with them."""
    scores = ("accuracy", "recall", "note_f1", "note_precision")
    heads = ["row", "changed", *(score.replace("_", " ").replace("f1", "F1") for score in scores)]
    lines = [f"| {' | '.join(heads)} |", f"| --- | --- |{' ---: |' * len(scores)}"]
    for variant in (it for it in file if it not in ("", CONTROL)):
        for name, changed in file[variant].iterrows():
            cells = [name, f"`{variant.replace('+', ' ')}`"]
            cells += [f"{changed[it]:.3f} ({changed[it] - file[''][it][name]:+.3f})" for it in scores]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the CSV file of a sweep, or print the tables of two files."""
    parser = argparse.ArgumentParser(prog="python -m experiments.systems.finding", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("collect")
    command.add_argument("runs", type=Path, help="<runs>/<data>/<protocol>")
    command.add_argument("out", type=Path, help="a CSV file")
    commands.add_parser("tables").add_argument("files", type=Path, nargs=2, help="CSV files")
    options = parser.parse_args()
    if options.command == "collect":
        collect(options.runs).to_csv(options.out, float_format="%.6f", lineterminator="\n")
        return
    files, paper = [read(path) for path in options.files], [it.name for it in rows()]
    print(beside(files, paper), taus(files, paper), *map(changes, files), sep="\n\n")


if __name__ == "__main__":
    main()
