"""Read the results below a folder into reports, print them, and write them beside the results."""

import functools
import io
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from sweep.names import folder_name, plain, say
from sweep.report.columns import Column, cells_of, choose_columns, default_columns, part_of, spare_of
from sweep.report.decision import Decision, decide
from sweep.report.elsewhere import ByGroup, by_group, remarks_elsewhere
from sweep.report.files import print_part, write, write_part
from sweep.report.latex import latex
from sweep.report.printing import as_html, csv, markdown, print_cells
from sweep.report.rankings import Rankings, rank
from sweep.report.remarks import certainty_remarks, remarks_on, values
from sweep.report.summary import summarise
from sweep.report.trained import Trained, pair_up
from sweep.report.units import ROW, Sample, read_sample
from sweep.report.verdict import as_json, verdict
from sweep.results.finding import protocol_folders
from sweep.results.metrics import METRICS, Ranking
from sweep.results.table import IDENTITY, Runs, read_runs
from sweep.terminal import plain_console

if TYPE_CHECKING:
    from sweep.report.pictures import Picture

_COMPARED = ("accuracy", "note_f1")  # the metrics whose rankings are set side by side


@dataclass(frozen=True, repr=False)
class Report:
    """Comparison of the results of one <runs>/<data>/<protocol> folder.

    `print` shows verdict and table, and so does a notebook at the end of a cell.

    Attributes:
        folder: folder of the results.
        runs: its runs.
        sample: scores behind the table.
        summary: one row a line of the printed table, `summarise`.
        columns: columns of the printed table.
        chosen: whether a user chose the columns.
        title, remarks: sentences around the table.
        decision: rows that it names.
        verdict: the decision in words, the sentence above the table.
        on: name of the other set that the scores are about; None: the test recordings of the set that was trained on.
    """

    folder: Path
    runs: Runs
    sample: Sample
    summary: pd.DataFrame
    columns: list[Column]
    chosen: bool
    title: str
    decision: Decision
    verdict: str
    remarks: list[str]
    on: str | None = None

    @property
    def place(self) -> Path:
        """Folder that the report is written into; a report about another set has a folder of its own."""
        return self.folder if self.on is None else self.folder / folder_name(f"on-{self.on}")

    @property
    def label(self) -> str:
        """Name of the protocol, and of the other set, for a title."""
        return self.folder.name if self.on is None else f"{self.folder.name} on {self.on}"

    @property
    def table(self) -> pd.DataFrame:
        """One row a run, `build_table`."""
        return self.runs.table

    @functools.cached_property
    def drawn(self) -> tuple[list["Picture"], list["Picture"], list[str]]:
        """The pictures of the comparison, those of its rows, and what is missing: `draw`, at the first call."""
        from sweep.report.page import draw

        return draw(self)

    @property
    def pictures(self) -> list["Picture"]:
        """The pictures of the page, which a notebook shows one by one; drawing them takes some seconds."""
        overview, rows, _ = self.drawn
        return [*overview, *rows]

    def show(self, height: int = 800) -> Path | None:
        """Show the page: in a notebook below the cell, elsewhere as report.html, whose path is printed.

        Args:
            height: height of the page in the notebook, in pixels.

        Returns:
            The path of report.html; None in a notebook, where nothing is written.
        """
        from sweep.report.page.showing import show

        return show(self, height)

    def __repr__(self) -> str:
        return f"<Report of {plain(str(self.folder))}: {plain(self.title)}>"

    def __str__(self) -> str:
        text = io.StringIO()
        print_cells(plain_console(text), self.title, self.cells(), [], spare_of(self.columns), self.verdict)
        return text.getvalue().rstrip()

    def _repr_html_(self) -> str:
        return as_html(self.title, self.cells(), self.remarks, self.verdict)

    def cells(self) -> pd.DataFrame:
        """Format the printed table as text."""
        return cells_of(self.summary, self.columns)

    @functools.cached_property
    def trained(self) -> Trained | None:
        """Pair rows with trained and with fixed front-ends; None if there is no such pair."""
        return pair_up(self.summary, self.sample)

    @functools.cached_property
    def by_group(self) -> list[ByGroup]:
        """Tabulate the scores on each other set by group of its recordings; those whose recordings have groups."""
        tables = (by_group(self.runs, name, self.sample.metric.name) for name in self.runs.sets)
        return [table for table in tables if table] if self.on is None else []

    @functools.cached_property
    def by_metric(self) -> Rankings | None:
        """Rank the rows by accuracy, note F1 and the metric of the table; None where there is one of them only."""
        own = self.sample.metric.name
        names = [name for name in dict.fromkeys([*_COMPARED, own]) if self.summary[name].count()]
        lines = {name: self.summary.assign(metric=name, value=self.summary[name]) for name in names}
        samples = {name: self.sample if name == own else read_sample(self.runs, name) for name in names}
        found = rank({METRICS[name].words: (lines[name], samples[name]) for name in names}, across=False)
        return found if len(names) > 1 else None

    def files(self) -> dict[str, Callable[[], str]]:
        """Return for each of the table's files, by its name, a function that formats it."""
        cells, table, lines = self.cells(), self.table, self.summary
        if self.chosen:
            table, lines = part_of(table, IDENTITY, self.columns), part_of(lines, ROW, self.columns)
        return {
            "table.csv": lambda: csv(table),
            "summary.csv": lambda: csv(lines),
            "table.md": lambda: markdown(self.title, cells, self.remarks, self.verdict),
            "table.tex": lambda: latex(self.title, cells, self.remarks, list(self.summary.family)),
            "verdict.json": lambda: as_json(self.decision, self.verdict),
        }


def read_report(
    folder: Path, columns: Iterable[str] | None = None, ranking: Ranking | None = None, on: str | None = None
) -> Report:
    """Read the results of one <runs>/<data>/<protocol> folder.

    Args:
        folder: folder of the runs.
        columns: names of the table's columns, see `choose_columns`; None for the default columns.
        ranking: how to rank the rows; None: as the last command of the sweep asked for.
        on: name of another set, `data.test`, whose scores the report is about; None: the set that was trained on.

    Raises:
        ValueError: there are no runs, a column does not exist, or no run was scored on the other set.
    """
    return _report(folder, read_runs(folder, on), columns, ranking, on)


def _report(folder: Path, runs: Runs, columns: Iterable[str] | None, ranking: Ranking | None, on: str | None) -> Report:
    if runs.table.empty:
        raise ValueError("; ".join(runs.remarks) or f"{folder}: no runs")
    if on is not None and on not in runs.sets:
        raise ValueError(_unscored(on, runs.sets))
    ranking = ranking or runs.ranking
    sample = read_sample(runs, ranking.metric)
    lines = summarise(runs.table, sample)
    chosen = default_columns(lines) if columns is None else choose_columns(lines, columns)
    remarks = [*runs.remarks, *remarks_on(runs.table, certainty_remarks(lines, sample))]
    remarks += remarks_elsewhere(runs, lines, ranking.metric)
    decision = decide(lines, sample, ranking.margin)
    words = verdict(decision, lines) if on is None else f"Scores on {on}. {verdict(decision, lines)}"
    title, own = _title(runs.table, on), columns is not None
    return Report(folder, runs, sample, lines, chosen, own, title, decision, words, remarks, on)


def _unscored(on: str, sets: Iterable[str]) -> str:
    there = f"there is {', '.join(sets)}" if sets else "data.test=NAME of a sweep names other sets"
    return f"--on {on}: no run was scored on a set of this name; {there}"


def print_reports(
    directory: Path,
    console: Console | None = None,
    columns: Iterable[str] | None = None,
    *,
    metric: str | None = None,
    margin: float | None = None,
    on: str | None = None,
    tables: bool = True,
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
        metric, margin: how to rank the rows, as in `Ranking`; None: as the last command of each sweep asked for.
        on: name of another set, `data.test`, whose scores the reports are about; their files are then in a folder
            on-<set> beside the runs. None: the set that was trained on.
        tables: whether the tables are printed; False: only what cannot be read or written.

    Returns:
        The reports, and the rankings by the folder of their data.

    Raises:
        ValueError: a column or the metric does not exist, the margin is not 0 to 1, no run was scored on the other
            set; or there are no results because a file is damaged.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 100)
    paper = console if tables else Console(quiet=True)
    columns = None if columns is None else list(columns)
    asked: dict[str, Any] = {key: value for key, value in (("metric", metric), ("margin", margin)) if value is not None}
    Ranking(**asked)  # says what is wrong before anything is read
    left_out = list[str]()
    found = {folder: read_runs(folder, on) for folder in protocol_folders(directory, left_out)}
    for runs in found.values():
        left_out += runs.remarks if runs.table.empty else []
    full = {folder: runs for folder, runs in found.items() if not runs.table.empty}
    if on is not None and full:
        sets = dict.fromkeys(name for runs in full.values() for name in runs.sets)
        if on not in sets:
            raise ValueError(_unscored(on, sets))
        left_out += [f"{folder}: no run was scored on {on}" for folder, runs in full.items() if on not in runs.sets]
        full = {folder: runs for folder, runs in full.items() if on in runs.sets}
    reports = [_report(folder, runs, columns, replace(runs.ranking, **asked), on) for folder, runs in full.items()]
    if left_out and not reports:
        raise ValueError("; ".join(left_out))
    for report in reports:
        write(console, report.place, report.files())
        remarks = list(report.remarks)
        by_metric, trained = report.by_metric, report.trained
        if by_metric:
            write_part(console, report.place, "metrics", report.label, by_metric)
            remarks += [f"Rankings by {line}" for line in by_metric.remarks()[:-1]]
        print_cells(paper, report.title, report.cells(), remarks, spare_of(report.columns), report.verdict)
        if trained:
            write_part(console, report.place, "trained", report.label, trained)
            print_part(paper, report.label, trained)
        for table in report.by_group:
            write_part(console, report.place, folder_name(f"on-{table.name}"), report.label, table)
            print_part(paper, report.label, table)
    rankings = {}
    for data in dict.fromkeys(report.folder.parent for report in reports):
        below = {
            report.folder.name: (report.summary, report.sample) for report in reports if report.folder.parent == data
        }
        ranked = rank(below) if len(below) == len(protocol_folders(data, [])) else None
        if ranked:
            rankings[data] = ranked
            label = data.name if on is None else f"{data.name} on {on}"
            write_part(console, data, "rankings" if on is None else folder_name(f"rankings-on-{on}"), label, ranked)
            print_part(paper, label, ranked)
    for line in left_out:
        say(console, line, "yellow")
    return reports, rankings


def _title(table: pd.DataFrame, on: str | None) -> str:
    recordings = values(table.recordings) or "no"
    data = table.data[0] if on is None else f"{table.data[0]} on {on}"
    return (
        f"{data}, protocol {table.protocol[0]}, model {values(table.model)}: "
        f"{(table.status == 'done').sum()} of {len(table)} runs done, "
        f"{recordings} test recording{'' if recordings == '1' else 's'}"
    )
