"""Reports: what the results below a folder say, printed, and written beside them."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.text import Text

from sweep.files import write_whole
from sweep.report.columns import SPARE, Column, cells_of, choose_columns, default_columns, part_of
from sweep.report.latex import latex
from sweep.report.printing import markdown, print_cells
from sweep.report.rankings import Rankings, rank
from sweep.report.remarks import certainty_remarks, remarks_on, values
from sweep.report.summary import summarise
from sweep.report.trained import Trained, pair_up
from sweep.report.units import ROW, Sample, read_sample
from sweep.report.verdict import verdict
from sweep.results.table import IDENTITY, build_table, protocol_folders


@dataclass(frozen=True)
class Report:
    """What the results of one <runs>/<data>/<protocol> folder say.

    Attributes:
        folder: of the results.
        table: `build_table`'s, a row a run.
        sample: the accuracies behind it.
        lines: `summarise`'s, a row a line of the printed table.
        columns: of the printed table.
        chosen: whether a user chose them.
        title, verdict, remarks: in words.
    """

    folder: Path
    table: pd.DataFrame
    sample: Sample
    lines: pd.DataFrame
    columns: list[Column]
    chosen: bool
    title: str
    verdict: str
    remarks: list[str]

    def cells(self) -> pd.DataFrame:
        """The printed table as text."""
        return cells_of(self.lines, self.columns)

    def trained(self) -> Trained | None:
        """Trained front-ends beside fixed ones, where there are such pairs."""
        return pair_up(self.lines, self.sample)

    def files(self) -> dict[str, str]:
        """The table in each of its written forms, by the file's name."""
        cells, table, lines = self.cells(), self.table, self.lines
        if self.chosen:
            table, lines = part_of(table, IDENTITY, self.columns), part_of(lines, ROW, self.columns)
        return {
            "table.csv": table.to_csv(index=False),
            "summary.csv": lines.to_csv(index=False),
            "table.md": markdown(self.title, cells, self.remarks, self.verdict),
            "table.tex": latex(self.title, cells, self.remarks, list(self.lines.family)),
        }


def read_report(folder: Path, columns: Iterable[str] | None = None) -> Report:
    """Reads the results of one <runs>/<data>/<protocol> folder.

    Args:
        folder: holds the runs.
        columns: of the table, as `choose_columns` takes them; None: those that it needs.

    Raises:
        ValueError: sweep.json is damaged, or there is no such column.
    """
    table = build_table(folder)
    sample = read_sample(folder, table)
    lines = summarise(table, sample)
    chosen = default_columns(lines) if columns is None else choose_columns(lines, columns)
    remarks = remarks_on(table, certainty_remarks(lines, sample))
    told = verdict(lines, sample)
    return Report(folder, table, sample, lines, chosen, columns is not None, _title(table), told, remarks)


def print_reports(
    directory: Path, console: Console | None = None, columns: Iterable[str] | None = None
) -> tuple[list[Report], dict[Path, Rankings]]:
    """Prints a table for each <data>/<protocol> folder in, below or above a directory, and writes it there.

    table.csv holds every column of each run in full precision, summary.csv those of each printed line, table.md and
    table.tex what is printed. Where the directory holds several rankings of the same data, they are set side by side:
    see `sweep.report.rankings`. No file is touched where nothing changed.

    Args:
        directory: the root of the runs, one run's folder, or anything between.
        console: where to print; standard output where None, 100 columns wide unless it is a terminal.
        columns: of the tables, in all their forms; None: those that each needs, and all in the CSV files.

    Returns:
        What there was to report, and by their folder the rankings that were set side by side.

    Raises:
        ValueError: a sweep.json is damaged, or there is no such column.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 100)
    reports = [read_report(folder, columns) for folder in protocol_folders(directory)]
    for report in reports:
        print_cells(console, report.title, report.cells(), report.remarks, SPARE, report.verdict)
        write(console, report.folder, report.files())
        trained = report.trained()
        if trained:
            title, cells, remarks = f"{report.folder.name}: {trained.title}", trained.cells(), trained.remarks()
            print_cells(console, title, cells, remarks, trained.spare)
            files = {"trained.csv": trained.table.to_csv(index=False), "trained.md": markdown(title, cells, remarks)}
            write(console, report.folder, files)
    rankings = {}
    for data in dict.fromkeys(report.folder.parent for report in reports):
        below = {
            report.folder.name: (report.lines, report.sample) for report in reports if report.folder.parent == data
        }
        found = rank(below) if len(below) == len(protocol_folders(data)) else None
        if found:
            rankings[data] = found
            title, cells, remarks = f"{data.name}: {found.title}", found.cells(), found.remarks()
            print_cells(console, title, cells, remarks, found.spare)
            files = {"rankings.csv": found.table.to_csv(index=False), "rankings.md": markdown(title, cells, remarks)}
            write(console, data, files)
    return reports, rankings


def write(console: Console, folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Writes files into a folder; where that cannot be, says so: somebody else's results can be looked at as well."""
    try:
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        console.print(Text(f"{' and '.join(files)} were not written: {error}", "red"))


def _title(table: pd.DataFrame) -> str:
    recordings = values(table.recordings) or "no"
    return (
        f"{table.data[0]}, protocol {table.protocol[0]}, model {values(table.model)}: "
        f"{(table.status == 'done').sum()} of {len(table)} runs done, "
        f"{recordings} test recording{'' if recordings == '1' else 's'}"
    )
