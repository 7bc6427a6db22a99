"""Write a comparison as one self-contained HTML file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Console

from sweep import __version__
from sweep.names import plain
from sweep.report.columns import heading_of, label_of
from sweep.report.details import read_details, rows_of
from sweep.report.elsewhere import ByGroup
from sweep.report.excerpts import excerpt
from sweep.report.files import write
from sweep.report.heat_maps import accuracy_by_count, recall_by_instrument, score_by_recording
from sweep.report.kernels import kernels
from sweep.report.pictures import STYLE, Picture, anchor, colour_of, makers, stem, svg
from sweep.report.plots import loss_curves, score_by_bins, score_by_cost
from sweep.report.printing import emphasised, justify
from sweep.report.rankings import Rankings
from sweep.report.report import Report
from sweep.report.trained import Trained


def _literal(value: Any) -> Any:
    """Show text as it is wherever the template puts it; Markup is HTML already."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES = Environment(
    loader=PackageLoader(__name__, "."),
    autoescape=True,
    finalize=_literal,
    undefined=StrictUndefined,
    trim_blocks=True,  # a line with only a block tag leaves no empty line
    lstrip_blocks=True,
)
_ABOUT_BARS = (
    "Bars: from 0, the whole width being the highest figure in the table; the line across is the 95 % interval."
)


def draw(report: Report) -> tuple[list[Picture], list[Picture], list[str]]:
    """Draw the pictures of a report; one that cannot be drawn is an empty picture that says why.

    Args:
        report: report of one folder.

    Returns:
        Pictures of the comparison, pictures of its rows, and sentences on what is missing for some of them.
    """
    details, problems = read_details(report.folder, report.runs, report.sample.metric.name)
    lines = report.summary.assign(name=label_of(report.summary))
    done = lines[lines.status == "done"].dropna(subset=["value"])
    if done.empty:
        return [], [], problems
    at_home = report.on is None  # what the runs keep beside their scores is about their own test recordings
    with matplotlib.rc_context(STYLE):
        overview = [
            _attempt("Score against the number of bins", score_by_bins, done),
            _attempt("Loss curves", loss_curves, done, details),
            _attempt("Score against cost", score_by_cost, done),
            _attempt("Score of each recording", score_by_recording, done, details),
            at_home and _attempt("Accuracy by polyphony", accuracy_by_count, done, details, "polyphony"),
            at_home and _attempt("Accuracy by pitch", accuracy_by_count, done, details, "pitches"),
            _attempt("Recall by instrument", recall_by_instrument, done, details),
        ]
        rows = []
        for row, name in zip(rows_of(done), done.name, strict=True):
            runs = [run for run in details if run.row == row]
            rows += [at_home and _attempt(name, excerpt, name, runs)]
            rows += [_attempt(f"{name}: kernels", kernels, name, runs)]
    return [picture for picture in overview if picture], [picture for picture in rows if picture], problems


def page(
    report: Report, overview: list[Picture], rows: list[Picture], problems: list[str], rankings: Rankings | None
) -> str:
    """Render the page as HTML.

    Args:
        report: report of one folder.
        overview, rows, problems: what `draw` returns.
        rankings: rankings of the protocols on the same data; None if there is only one.
    """
    drawn, by_metric = {row.title for row in rows if row.figure}, report.by_metric
    trained, families = report.trained, dict(zip(report.summary.representation, report.summary.family, strict=True))
    return _TEMPLATES.get_template("report.html.j2").render(
        report=report,
        table=_table(report, drawn),
        trained=trained and _trained(trained, families),
        overview=overview,
        rankings=rankings and _rankings(rankings, families),
        metrics=by_metric and _rankings(by_metric, families),
        elsewhere=[(table.title, _by_group(table, families)) for table in report.by_group],
        bars=heading_of(report.sample.metric.name),
        rows=rows if drawn or any("Not drawn" in row.caption for row in rows) else [],
        missing=problems,
        version=__version__,
        anchor=anchor,
        justify=justify,
        emphasised=emphasised,
        svg=_drawing,
    )


def write_page(console: Console, report: Report, rankings: Rankings | None) -> tuple[Path | None, list[Picture]]:
    """Write report.html into the folder of a report, and its pictures as PNG and PDF into pictures/ there.

    What cannot be drawn or written is named in a line on the console.

    Args:
        console: console for that line.
        report: report of one folder.
        rankings: rankings of the protocols on the same data; None if there is only one.

    Returns:
        The path of the page, None if it was not written; and all pictures.
    """
    overview, rows, problems = report.drawn
    made = {"report.html": lambda: page(report, overview, rows, problems, rankings)}
    if not write(console, report.place, made):
        return None, []  # a folder that takes no page takes no pictures
    pictures = [*overview, *rows]
    made = {name: make for picture in pictures for name, make in makers(picture).items()}
    write(console, report.place / "pictures", made)
    return report.place / "report.html", pictures


def _attempt(title: str, function: Callable[..., Picture | None], *arguments: Any) -> Picture | None:
    """Draw a picture; if that fails, return one without a figure, whose caption says why."""
    try:
        return function(*arguments)
    except Exception as error:  # a picture is a copy: none may cost the page
        return Picture(stem(title), title, f"Not drawn: {_said(error)}.", None)


def _drawing(picture: Picture) -> Markup:
    """Return the picture as an <svg> element; if that fails, a sentence that says why."""
    try:
        return Markup(svg(picture))
    except Exception as error:
        return Markup("<p>Not drawn: {}.</p>").format(_said(error))


def _said(error: Exception) -> str:
    return f"{type(error).__name__}, {plain(str(error))}"


def _table(report: Report, drawn: set[str]) -> dict:
    """Build the comparison for the template; rows with a picture link to it."""
    lines, columns = report.summary, report.columns
    keys = [["" if pd.isna(value) else str(value) for value in lines[column.names[0]]] for column in columns]
    keys[0] = [str(place) for place in range(len(lines))]  # the column of names sorts in the paper's order
    words = [not pd.api.types.is_numeric_dtype(lines[column.names[0]]) for column in columns]
    low = [place == 0 or column.better is min or words[place] for place, column in enumerate(columns)]
    bars = _bars(lines)
    remarks = [*report.remarks, *[_ABOUT_BARS][: any(bars)]]
    table = _sortable(report.cells(), keys, low, list(lines.family), remarks)
    for row, name, status, bar in zip(table["rows"], label_of(lines), lines.status, bars, strict=True):
        row |= {"status": status, "anchor": anchor(name) if name in drawn else "", "bar": bar}
    return table


def _trained(trained: Trained, families: dict[str, str]) -> dict:
    cells = trained.cells()
    keys = [[text.strip("*+ ") for text in cells[heading]] for heading in cells]
    of_rows = [families[name] for name in trained.table.representation]
    return _sortable(cells, keys, [False] * len(keys), of_rows, trained.remarks())


def _by_group(table: ByGroup, families: dict[str, str]) -> dict:
    cells = table.cells()
    keys = [[text.strip("*") for text in cells[heading]] for heading in cells]
    keys[0] = [str(place) for place in range(len(cells))]
    low = [heading in ("representation", "model") for heading in cells]
    return _sortable(cells, keys, low, [families[name] for name in table.table.representation], table.remarks())


def _rankings(rankings: Rankings, families: dict[str, str]) -> dict:
    cells = rankings.cells()
    keys = [[text.strip("*+") for text in cells[heading]] for heading in cells]
    keys[0] = [str(place) for place in range(len(cells))]
    low = [not heading.startswith("score") for heading in cells]
    of_rows = [families.get(name, "") for name in rankings.table.representation]  # another protocol may have more rows
    return _sortable(cells, keys, low, of_rows, rankings.remarks())


def _sortable(
    cells: pd.DataFrame, keys: list[list[str]], low: list[bool], families: list[str], remarks: list[str]
) -> dict:
    """Build a sortable table for the template.

    Args:
        cells: text of the cells; a cell between ** is set in bold.
        keys: sort keys of the cells of each column.
        low: whether the first click on each column sorts ascending.
        families: family of each row, which sets its colour.
        remarks: sentences below the table.
    """
    rows = [
        {
            "colour": colour_of(family),
            "status": "done",
            "anchor": "",
            "bar": {},
            "cells": list(zip(cells, texts, key, strict=True)),
        }
        for family, texts, key in zip(families, cells.itertuples(index=False), zip(*keys, strict=True), strict=True)
    ]
    first = ["ascending" if is_low else "descending" for is_low in low]
    return {"heads": dict(zip(cells, first, strict=True)), "rows": rows, "remarks": remarks}


def _bars(lines: pd.DataFrame) -> list[dict[str, float]]:
    """Divide each line's score and the ends of its interval by the highest figure in the table; leave out NaN."""
    figures = lines[["value", "low", "high"]].astype(float)
    shares = figures.clip(lower=0) / figures.max(axis=None)
    return [row.dropna().round(4).to_dict() for _, row in shares.iterrows()]
