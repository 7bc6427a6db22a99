"""Read the results below a folder into reports, print them, and write them beside the results."""

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
    """Comparison of the results of one <runs>/<data>/<protocol> folder.

    Attributes:
        folder: folder of the results.
        table: one row a run, `build_table`.
        sample: accuracies behind the table.
        lines: one row a line of the printed table, `summarise`.
        columns: columns of the printed table.
        chosen: whether a user chose the columns.
        title, verdict, remarks: sentences around the table.
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
        """Format the printed table as text."""
        return cells_of(self.lines, self.columns)

    def trained(self) -> Trained | None:
        """Pair rows with trained and with fixed front-ends; None if there is no such pair."""
        return pair_up(self.lines, self.sample)

    def files(self) -> dict[str, str]:
        """Format the table for each of its files; keys are the files' names."""
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
    """Read the results of one <runs>/<data>/<protocol> folder.

    Args:
        folder: folder of the runs.
        columns: names of the table's columns, see `choose_columns`; None for the default columns.

    Raises:
        ValueError: sweep.json is damaged, or a column does not exist.
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
    """Print a table for each <data>/<protocol> folder in, below or above a directory, and write it there.

    table.csv has every column of each run in full precision, summary.csv those of each printed line, table.md and
    table.tex what is printed. If the directory holds several rankings of the same data, they are compared, see
    `sweep.report.rankings`. Files whose content would not change are not touched.

    Args:
        directory: root of the runs, folder of one run, or a folder between.
        console: console to print on; None for standard output, 100 columns wide unless it is a terminal.
        columns: names of the columns, in all files too; None for the default columns, and all columns in the CSV files.

    Returns:
        The reports, and the rankings by the folder of their data.

    Raises:
        ValueError: a sweep.json is damaged, or a column does not exist.
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
    """Write files into a folder, or print that they could not be written, so that read-only results can be reported.

    Args:
        console: console for the message.
        folder: folder to write into.
        files: contents by the files' names.
    """
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
