"""Read the results below a folder into reports, print them, and write them beside the results."""

import functools
import io
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console

from sweep.files import write_whole
from sweep.names import plain, say
from sweep.report.columns import SPARE, Column, cells_of, choose_columns, default_columns, part_of
from sweep.report.decision import Decision, decide
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
        print_cells(plain_console(text), self.title, self.cells(), [], SPARE, self.verdict)
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


def read_report(folder: Path, columns: Iterable[str] | None = None, ranking: Ranking | None = None) -> Report:
    """Read the results of one <runs>/<data>/<protocol> folder.

    Args:
        folder: folder of the runs.
        columns: names of the table's columns, see `choose_columns`; None for the default columns.
        ranking: how to rank the rows; None: as the last command of the sweep asked for.

    Raises:
        ValueError: there are no runs, or a column does not exist.
    """
    return _report(folder, read_runs(folder), columns, ranking)


def _report(folder: Path, runs: Runs, columns: Iterable[str] | None, ranking: Ranking | None) -> Report:
    if runs.table.empty:
        raise ValueError("; ".join(runs.remarks) or f"{folder}: no runs")
    ranking = ranking or runs.ranking
    sample = read_sample(runs, ranking.metric)
    lines = summarise(runs.table, sample)
    chosen = default_columns(lines) if columns is None else choose_columns(lines, columns)
    remarks = [*runs.remarks, *remarks_on(runs.table, certainty_remarks(lines, sample))]
    decision = decide(lines, sample, ranking.margin)
    words = verdict(decision, lines)
    title, own = _title(runs.table), columns is not None
    return Report(folder, runs, sample, lines, chosen, own, title, decision, words, remarks)


def print_reports(
    directory: Path,
    console: Console | None = None,
    columns: Iterable[str] | None = None,
    *,
    metric: str | None = None,
    margin: float | None = None,
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
        tables: whether the tables are printed; False: only what cannot be read or written.

    Returns:
        The reports, and the rankings by the folder of their data.

    Raises:
        ValueError: a column or the metric does not exist, the margin is not 0 to 1; or there are no results because a
            file is damaged.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 100)
    paper = console if tables else Console(quiet=True)
    columns = None if columns is None else list(columns)
    asked: dict[str, Any] = {key: value for key, value in (("metric", metric), ("margin", margin)) if value is not None}
    Ranking(**asked)  # says what is wrong before anything is read
    left_out = list[str]()
    found = {folder: read_runs(folder) for folder in protocol_folders(directory, left_out)}
    for runs in found.values():
        left_out += runs.remarks if runs.table.empty else []
    full = {folder: runs for folder, runs in found.items() if not runs.table.empty}
    reports = [_report(folder, runs, columns, replace(runs.ranking, **asked)) for folder, runs in full.items()]
    if left_out and not reports:
        raise ValueError("; ".join(left_out))
    for report in reports:
        write(console, report.folder, report.files())
        remarks = list(report.remarks)
        by_metric, trained = report.by_metric, report.trained
        if by_metric:
            _write_part(console, report.folder, "metrics", by_metric)
            remarks += [f"Rankings by {line}" for line in by_metric.remarks()[:-1]]
        print_cells(paper, report.title, report.cells(), remarks, SPARE, report.verdict)
        if trained:
            _write_part(console, report.folder, "trained", trained)
            _print_part(paper, report.folder, trained)
    rankings = {}
    for data in dict.fromkeys(report.folder.parent for report in reports):
        below = {
            report.folder.name: (report.summary, report.sample) for report in reports if report.folder.parent == data
        }
        ranked = rank(below) if len(below) == len(protocol_folders(data, [])) else None
        if ranked:
            rankings[data] = ranked
            _write_part(console, data, "rankings", ranked)
            _print_part(paper, data, ranked)
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


def _write_part(console: Console, folder: Path, name: str, part: Trained | Rankings) -> None:
    title = f"{folder.name}: {part.title}"
    write(
        console,
        folder,
        {
            f"{name}.csv": lambda: csv(part.table),
            f"{name}.md": lambda: markdown(title, part.cells(), part.remarks()),
        },
    )


def _print_part(console: Console, folder: Path, part: Trained | Rankings) -> None:
    print_cells(console, f"{folder.name}: {part.title}", part.cells(), part.remarks(), part.spare)


def _title(table: pd.DataFrame) -> str:
    recordings = values(table.recordings) or "no"
    return (
        f"{table.data[0]}, protocol {table.protocol[0]}, model {values(table.model)}: "
        f"{(table.status == 'done').sum()} of {len(table)} runs done, "
        f"{recordings} test recording{'' if recordings == '1' else 's'}"
    )
