"""What experiments that collect sweeps share: finished runs, tables put into a page, and the command line."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sweep.results.finding import protocol_folders
from sweep.results.table import Runs, read_runs

BEGIN, END = "<!-- tables of collect.py -->\n", "<!-- end of the tables -->"


class Sweep(NamedTuple):
    """The finished runs of one sweep: its <runs>/<data>/<protocol>, all runs there, and the table of the done ones."""

    folder: Path
    runs: Runs
    done: pd.DataFrame


def finished(roots: list[Path], variants: tuple[str, ...] = ("",)) -> tuple[list[Sweep], list[str]]:
    """Read the finished runs of all sweeps in and below some folders.

    Args:
        roots: folders, such as <runs>, <runs>/<data> or <runs>/<data>/<protocol>.
        variants: changed keys of the rows that count, as the table spells them; by default no row with a changed key.

    Returns:
        The sweeps, and a line for each thing that was left out.

    Raises:
        ValueError: there is no such run.
    """
    remarks, sweeps = list[str](), []
    for folder in dict.fromkeys(folder for root in roots for folder in protocol_folders(root, remarks)):
        found = read_runs(folder)
        remarks += found.remarks
        table = found.table
        used = (table.status == "done") & table.variant.isin(variants)
        remarks += [f"{folder / run.run}: left out, {run.status}" for run in table[~used].itertuples()]
        sweeps.append(Sweep(folder, found, table[used]))
    if not any(len(sweep.done) for sweep in sweeps):
        raise ValueError(f"{', '.join(map(str, roots))}: no finished runs; run the sweep first")
    return sweeps, remarks


def fill(page: Path, text: str) -> None:
    """Put the tables into a page, between the two comments that mark their place.

    Raises:
        ValueError: the page does not have them.
    """
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"{page}: has no place for the tables; put the lines {BEGIN.strip()} and {END} there")
    page.write_text(f"{before}{begin}\n{text.strip()}\n\n{end}{after}")


def command(experiment: str, about: str, collect: Callable, markdown: Callable[[pd.DataFrame], str], digits: str):
    """Run the command line of an experiment's collect.py: write its file, and print the tables or fill a page.

    Args:
        experiment: name of its folder.
        about: what the command does.
        collect: what makes of folders with runs the file's table, and a line for each thing that was left out.
        markdown: what makes of that table the page's.
        digits: format of numbers in the file, such as "%.4f".
    """
    parser = argparse.ArgumentParser(prog=f"python -m experiments.{experiment}.collect", description=about)
    parser.add_argument("runs", nargs="*", type=Path, help="<runs>, <runs>/<data> or <runs>/<data>/<protocol>")
    parser.add_argument("out", type=Path, help="file to write; without RUNS to read")
    parser.add_argument("--fill", type=Path, metavar="README", help="page to put the tables into, instead of printing")
    options = parser.parse_args()
    try:
        if options.runs:
            table, remarks = collect(options.runs)
            table.to_csv(options.out, float_format=digits, index=False, lineterminator="\n")
            print(*remarks, sep="\n", end="\n" * bool(remarks), file=sys.stderr)
        text = markdown(pd.read_csv(options.out, dtype={"data": str}))  # from the file, so that page and file agree
        fill(options.fill, text) if options.fill else print(text)
    except (OSError, ValueError) as error:
        sys.exit(f"experiments.{experiment}: {error}")
