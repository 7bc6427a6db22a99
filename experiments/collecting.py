"""What the experiments that collect sweeps share: reading the finished runs, and putting tables into a page."""

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
