"""One HTML file that shows a comparison, and needs nothing from outside itself."""

from collections.abc import Iterable
from html import escape
from importlib import resources
from pathlib import Path

import matplotlib
import pandas as pd
from rich.console import Console

from sweep import __version__
from sweep.report.columns import label_of
from sweep.report.details import read_details, rows_of
from sweep.report.excerpts import excerpt
from sweep.report.heat_maps import accuracy_by_count, accuracy_by_recording
from sweep.report.kernels import kernels
from sweep.report.pictures import COLOURS, OTHER, STYLE, Picture, files, svg
from sweep.report.plots import accuracy_by_bins, accuracy_by_cost, loss_curves
from sweep.report.printing import justify
from sweep.report.rankings import Rankings
from sweep.report.report import Report, write
from sweep.report.trained import Trained

# The page holds all that it shows; a browser is told to fetch nothing else.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
_WIDE = {"accuracy-by-cost"}
_ABOUT_ROWS = """<p>One stretch of the first test recording. Above, the front-end's output at the centre of each scored
window, where the note is asked for. Below, the reference and what each run estimated:
<span class="key" style="background:#222222"></span>right <span class="key" style="background:#56B4E9"></span>missed
<span class="key" style="background:#D55E00"></span>false. Beside them the weights of the linear model, summed over a
window's frames: how a note's logit answers to a steady sound at a frequency, red for and blue against; dotted, the
note's fundamental. Where there are more than 256 bins, neighbours share a line, of which the strongest is shown.</p>"""


def draw(report: Report) -> tuple[list[Picture], list[Picture], list[str]]:
    """The pictures of a comparison, those of its rows, and what is missing for some of them.

    Args:
        report: of one folder.
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
    """The page.

    Args:
        report: of one folder.
        overview, rows, problems: `draw`'s.
        rankings: of the data's protocols, where there are several.
    """
    shown, trained = {row.title for row in rows if row.figure}, report.trained()
    parts = {
        "table": ("Comparison", _table(report, shown) + _list(report.remarks)),
        "trained": ("Fixed and trained front-ends", trained and _trained(trained)),
        "pictures": ("Pictures", _figures(overview)),
        "rankings": ("Rankings side by side", rankings and _rankings(rankings)),
        "rows": ("What each run saw and said", shown and _ABOUT_ROWS + _figures(rows, "pictures rows")),
        "missing": ("Missing", _list(problems)),
    }
    parts = {name: part for name, part in parts.items() if part[1]}
    links = "".join(f'<a href="#{name}">{escape(title)}</a>' for name, (title, _) in parts.items())
    sections = "\n".join(
        f'<section id="{name}"><h2>{escape(title)}</h2>\n{body}</section>' for name, (title, body) in parts.items()
    )
    here = resources.files("sweep.report")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(report.title)}</title>
<style>
{(here / "page.css").read_text(encoding="utf-8")}</style>
</head>
<body>
<h1>{escape(report.title)}</h1>
<p class="verdict">{escape(report.verdict)}</p>
<nav>{links}</nav>
{sections}
<footer>spectrogram-sweep {escape(__version__)}, from the results beside this page.</footer>
<script>
{(here / "page.js").read_text(encoding="utf-8")}</script>
</body>
</html>
"""


def write_page(console: Console, report: Report, rankings: Rankings | None) -> tuple[Path, list[Picture]]:
    """Writes report.html into the folder of a report, and its pictures as PNG and PDF into pictures/ there.

    Returns:
        The path of the page, and all pictures.
    """
    overview, rows, problems = draw(report)
    write(console, report.folder, {"report.html": page(report, overview, rows, problems, rankings)})
    pictures = [*overview, *rows]
    for picture in pictures:
        write(console, report.folder / "pictures", files(picture))
    return report.folder / "report.html", pictures


def _table(report: Report, shown: set[str]) -> str:
    """The comparison, each cell with what it sorts by."""
    lines, cells, columns = report.lines, report.cells(), report.columns
    keys = [["" if pd.isna(value) else str(value) for value in lines[column.names[0]]] for column in columns]
    keys[0] = [str(place) for place in range(len(lines))]  # the paper's order, which no text has
    heads = []
    for place, column in enumerate(columns):
        words = not pd.api.types.is_numeric_dtype(lines[column.names[0]])
        low = place == 0 or column.better is min or words
        heads.append((column.heading, "ascending" if low else "descending"))
    rows = []
    for number, name in enumerate(label_of(lines)):
        texts = [_cell(text) for text in cells.iloc[number]]
        texts[0] = f'<a href="#{_anchor(name)}">{texts[0]}</a>' if name in shown else texts[0]
        rows.append((lines.family[number], lines.status[number], texts, [key[number] for key in keys]))
    return _html_table(heads, rows)


def _trained(trained: Trained) -> str:
    cells = trained.cells()
    heads = [(heading, "descending") for heading in cells]
    rows = [
        (name.partition("-")[0], "done", [_cell(text) for text in row], [text.strip("*+ ") for text in row])
        for name, row in zip(trained.table.representation, cells.itertuples(index=False), strict=True)
    ]
    return _html_table(heads, rows) + _list(trained.remarks())


def _rankings(rankings: Rankings) -> str:
    cells, names = rankings.cells(), rankings.table.representation
    keys = {heading: list(cells[heading].str.strip("*+")) for heading in cells}
    keys["representation"] = [str(place) for place in range(len(cells))]
    heads = [(heading, "descending" if heading.startswith("Acc") else "ascending") for heading in cells]
    rows = [
        (names[i].partition("-")[0], "done", [_cell(text) for text in row], [key[i] for key in keys.values()])
        for i, row in enumerate(cells.itertuples(index=False))
    ]
    return _html_table(heads, rows) + _list(rankings.remarks())


def _html_table(heads: list[tuple[str, str]], rows: list[tuple[str, str, list[str], list[str]]]) -> str:
    sides = [' class="left"' if justify(heading) == "left" else "" for heading, _ in heads]
    head = "".join(
        f'<th scope="col"{side} data-first="{first}"><button type="button">{escape(heading)}</button></th>'
        for (heading, first), side in zip(heads, sides, strict=True)
    )
    body = []
    for family, status, texts, keys in rows:
        cells = "".join(
            f'<td{side} data-sort="{escape(key)}">{text}</td>'
            for text, key, side in zip(texts, keys, sides, strict=True)
        )
        body.append(f'<tr class="{escape(status)}" style="--family:{COLOURS.get(family, OTHER)}">{cells}</tr>')
    table = "\n".join([f"<thead><tr>{head}</tr></thead>", "<tbody>", *body, "</tbody>"])
    return f'<div class="scroll"><table class="sortable">{table}</table></div>\n'


def _figures(pictures: Iterable[Picture], kind: str = "pictures") -> str:
    return f'<div class="{kind}">\n' + "\n".join(map(_figure, pictures)) + "\n</div>\n"


def _figure(picture: Picture) -> str:
    about = f"<figcaption>{escape(picture.caption)}</figcaption>" if picture.caption else ""
    wide = ' class="wide"' if picture.name in _WIDE else ""
    if picture.figure is None:
        about, drawn = "", f'<p class="absent">{escape(picture.caption)}</p>'
    else:
        drawn = f'<div class="scroll">{svg(picture)}</div>'
    return f'<figure{wide} id="{_anchor(picture.title)}"><h3>{escape(picture.title)}</h3>{drawn}{about}</figure>'


def _anchor(title: str) -> str:
    return "".join(character if character.isalnum() or character in "-=." else "-" for character in title)


def _cell(text: str) -> str:
    return f"<b>{escape(text.strip('*'))}</b>" if text.startswith("**") else escape(text)


def _list(remarks: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
    return f'<ul class="remarks">{items}</ul>\n' if items else ""
