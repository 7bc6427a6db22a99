"""Write a comparison as one self-contained HTML file."""

from pathlib import Path

import matplotlib
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console

from sweep import __version__
from sweep.report.columns import label_of
from sweep.report.details import read_details, rows_of
from sweep.report.excerpts import excerpt
from sweep.report.heat_maps import accuracy_by_count, accuracy_by_recording
from sweep.report.kernels import kernels
from sweep.report.pictures import COLOURS, OTHER, STYLE, Picture, anchor, files, svg
from sweep.report.plots import accuracy_by_bins, accuracy_by_cost, loss_curves
from sweep.report.printing import justify
from sweep.report.rankings import Rankings
from sweep.report.report import Report, write
from sweep.report.trained import Trained

_TEMPLATES = Environment(
    loader=PackageLoader(__name__, "."),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,  # a line with only a block tag leaves no empty line
    lstrip_blocks=True,
)
_ABOUT_BARS = (
    "Bars in Acc: from 0, the whole width being the highest figure in the table; the line across is the 95 % interval."
)


def draw(report: Report) -> tuple[list[Picture], list[Picture], list[str]]:
    """Draw the pictures of a report.

    Args:
        report: report of one folder.

    Returns:
        Pictures of the comparison, pictures of its rows, and sentences on what is missing for some of them.
    """
    details, problems = read_details(report.folder, report.table)
    lines = report.lines.assign(name=label_of(report.lines))
    done = lines[lines.status == "done"].dropna(subset=["accuracy"])
    if done.empty:
        return [], [], problems
    with matplotlib.rc_context(STYLE):
        overview = [
            accuracy_by_bins(done),
            loss_curves(done, details),
            accuracy_by_cost(done),
            accuracy_by_recording(done, details),
            accuracy_by_count(done, details, "polyphony"),
            accuracy_by_count(done, details, "pitches"),
        ]
        rows = []
        for row, name in zip(rows_of(done), done.name, strict=True):
            runs = [run for run in details if run.row == row]
            rows += [picture for picture in (excerpt(name, runs), kernels(name, runs)) if picture]
    return overview, rows, problems


def page(
    report: Report, overview: list[Picture], rows: list[Picture], problems: list[str], rankings: Rankings | None
) -> str:
    """Render the page as HTML.

    Args:
        report: report of one folder.
        overview, rows, problems: what `draw` returns.
        rankings: rankings of the protocols on the same data; None if there is only one.
    """
    drawn = {row.title for row in rows if row.figure}
    trained, families = report.trained(), dict(zip(report.lines.representation, report.lines.family, strict=True))
    return _TEMPLATES.get_template("report.html.j2").render(
        report=report,
        table=_table(report, drawn),
        trained=trained and _trained(trained, families),
        overview=overview,
        rankings=rankings and _rankings(rankings, families),
        rows=rows if drawn else [],
        missing=problems,
        version=__version__,
        anchor=anchor,
        justify=justify,
        svg=svg,
    )


def write_page(console: Console, report: Report, rankings: Rankings | None) -> tuple[Path, list[Picture]]:
    """Write report.html into the folder of a report, and its pictures as PNG and PDF into pictures/ there.

    Args:
        console: console for a message if a file cannot be written.
        report: report of one folder.
        rankings: rankings of the protocols on the same data; None if there is only one.

    Returns:
        The path of the page, and all pictures.
    """
    overview, rows, problems = draw(report)
    write(console, report.folder, {"report.html": page(report, overview, rows, problems, rankings)})
    pictures = [*overview, *rows]
    for picture in pictures:
        write(console, report.folder / "pictures", files(picture))
    return report.folder / "report.html", pictures


def _table(report: Report, drawn: set[str]) -> dict:
    """Build the comparison for the template; rows with a picture link to it."""
    lines, columns = report.lines, report.columns
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


def _rankings(rankings: Rankings, families: dict[str, str]) -> dict:
    cells = rankings.cells()
    keys = [[text.strip("*+") for text in cells[heading]] for heading in cells]
    keys[0] = [str(place) for place in range(len(cells))]
    low = [not heading.startswith("Acc") for heading in cells]
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
            "colour": COLOURS.get(family, OTHER),
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
    """Divide each line's accuracy and the ends of its interval by the highest figure in the table; leave out NaN."""
    figures = lines[["accuracy", "accuracy_low", "accuracy_high"]].astype(float)
    shares = figures.clip(lower=0) / figures.max(axis=None)
    return [row.dropna().round(4).to_dict() for _, row in shares.iterrows()]
