"""Read the results below a folder into reports, print them, and write them beside the results."""

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console

from sweep.files import write_whole
from sweep.names import say
from sweep.report.columns import SPARE, Column, cells_of, choose_columns, default_columns, part_of
from sweep.report.latex import latex
from sweep.report.printing import csv, markdown, print_cells
from sweep.report.rankings import Rankings, rank
from sweep.report.remarks import certainty_remarks, remarks_on, values
from sweep.report.summary import summarise
from sweep.report.trained import Trained, pair_up
from sweep.report.units import ROW, Sample, read_sample
from sweep.report.verdict import verdict
from sweep.results.finding import protocol_folders
from sweep.results.table import IDENTITY, Runs, read_runs


@dataclass(frozen=True)
class Report:
    """Comparison of the results of one <runs>/<data>/<protocol> folder.

    Attributes:
        folder: folder of the results.
        runs: its runs.
        sample: accuracies behind the table.
        lines: one row a line of the printed table, `summarise`.
        columns: columns of the printed table.
        chosen: whether a user chose the columns.
        title, verdict, remarks: sentences around the table.
    """

    folder: Path
    runs: Runs
    sample: Sample
    lines: pd.DataFrame
    columns: list[Column]
    chosen: bool
    title: str
    verdict: str
    remarks: list[str]

    @property
    def table(self) -> pd.DataFrame:
        """One row a run, `build_table`."""
        return self.runs.table

    def cells(self) -> pd.DataFrame:
        """Format the printed table as text."""
        return cells_of(self.lines, self.columns)

    def trained(self) -> Trained | None:
        """Pair rows with trained and with fixed front-ends; None if there is no such pair."""
        return pair_up(self.lines, self.sample)

    def files(self) -> dict[str, Callable[[], str]]:
        """Return for each of the table's files, by its name, a function that formats it."""
        cells, table, lines = self.cells(), self.table, self.lines
        if self.chosen:
            table, lines = part_of(table, IDENTITY, self.columns), part_of(lines, ROW, self.columns)
        return {
            "table.csv": lambda: csv(table),
            "summary.csv": lambda: csv(lines),
            "table.md": lambda: markdown(self.title, cells, self.remarks, self.verdict),
            "table.tex": lambda: latex(self.title, cells, self.remarks, list(self.lines.family)),
        }


def read_report(folder: Path, columns: Iterable[str] | None = None) -> Report:
    """Read the results of one <runs>/<data>/<protocol> folder.

    Args:
        folder: folder of the runs.
        columns: names of the table's columns, see `choose_columns`; None for the default columns.

    Raises:
        ValueError: there are no runs, or a column does not exist.
    """
    return _report(folder, read_runs(folder), columns)


def _report(folder: Path, runs: Runs, columns: Iterable[str] | None) -> Report:
    if runs.table.empty:
        raise ValueError("; ".join(runs.remarks) or f"{folder}: no runs")
    sample = read_sample(runs)
    lines = summarise(runs.table, sample)
    chosen = default_columns(lines) if columns is None else choose_columns(lines, columns)
    remarks = [*runs.remarks, *remarks_on(runs.table, certainty_remarks(lines, sample))]
    told = verdict(lines, sample)
    return Report(folder, runs, sample, lines, chosen, columns is not None, _title(runs.table), told, remarks)


def print_reports(
    directory: Path, console: Console | None = None, columns: Iterable[str] | None = None
) -> tuple[list[Report], dict[Path, Rankings]]:
    """Write a table for each <data>/<protocol> folder in, below or above a directory into that folder, and print it.

    table.csv has every column of each run in full precision, summary.csv those of each printed line, table.md and
    table.tex what is printed. If the directory holds several rankings of the same data, they are compared, see
    `sweep.report.rankings`. Files whose content would not change are not touched. What cannot be read or written is
    named in a line and costs nothing else.

    Args:
        directory: root of the runs, folder of one run, or a folder between.
        console: console to print on; None for standard output, 100 columns wide unless it is a terminal.
        columns: names of the columns, in all files too; None for the default columns, and all columns in the CSV files.

    Returns:
        The reports, and the rankings by the folder of their data.

    Raises:
        ValueError: a column does not exist; or there are no results because a file is damaged.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 100)
    columns = None if columns is None else list(columns)
    left_out = list[str]()
    found = {folder: read_runs(folder) for folder in protocol_folders(directory, left_out)}
    for runs in found.values():
        left_out += runs.remarks if runs.table.empty else []
    reports = [_report(folder, runs, columns) for folder, runs in found.items() if not runs.table.empty]
    if left_out and not reports:
        raise ValueError("; ".join(left_out))
    for report in reports:
        write(console, report.folder, report.files())
        print_cells(console, report.title, report.cells(), report.remarks, SPARE, report.verdict)
        trained = report.trained()
        if trained:
            title, cells, remarks = f"{report.folder.name}: {trained.title}", trained.cells(), trained.remarks()
            _write_cells(console, report.folder, "trained", trained.table, title, cells, remarks)
            print_cells(console, title, cells, remarks, trained.spare)
    rankings = {}
    for data in dict.fromkeys(report.folder.parent for report in reports):
        below = {
            report.folder.name: (report.lines, report.sample) for report in reports if report.folder.parent == data
        }
        ranked = rank(below) if len(below) == len(protocol_folders(data, [])) else None
        if ranked:
            rankings[data] = ranked
            title, cells, remarks = f"{data.name}: {ranked.title}", ranked.cells(), ranked.remarks()
            _write_cells(console, data, "rankings", ranked.table, title, cells, remarks)
            print_cells(console, title, cells, remarks, ranked.spare)
    for line in left_out:
        say(console, line, "yellow")
    return reports, rankings


def write(console: Console, folder: Path, files: Mapping[str, Callable[[], str | bytes]]) -> bool:
    """Make files and write them into a folder; print in one line which could not be made or written, and why.

    Args:
        console: console for the line.
        folder: folder to write into.
        files: functions that return the contents, by the files' names.

    Returns:
        Whether all were written.
    """
    failed, why = [], ""
    for name, make in files.items():
        try:
            content = make()
            content = content.encode(errors="backslashreplace") if isinstance(content, str) else content
            write_whole(folder / name, content)
        except Exception as error:  # these files are copies: what fails to make one must not cost the others
            failed.append(name)
            why = why or (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    if failed:
        verb = "was" if len(failed) == 1 else "were"
        say(console, f"{folder}: {', '.join(failed)} {verb} not written: {why}", "red")
    return not failed


def _write_cells(
    console: Console, folder: Path, name: str, table: pd.DataFrame, title: str, cells: pd.DataFrame, remarks: list[str]
) -> None:
    files = {f"{name}.csv": lambda: csv(table), f"{name}.md": lambda: markdown(title, cells, remarks)}
    write(console, folder, files)


def _title(table: pd.DataFrame) -> str:
    recordings = values(table.recordings) or "no"
    return (
        f"{table.data[0]}, protocol {table.protocol[0]}, model {values(table.model)}: "
        f"{(table.status == 'done').sum()} of {len(table)} runs done, "
        f"{recordings} test recording{'' if recordings == '1' else 's'}"
    )
