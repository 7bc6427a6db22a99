"""Print a table of text on a console, fitted to its width, and format it as Markdown, HTML and CSV."""

import functools
import html
import re
from collections.abc import Iterable
from typing import Literal

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sweep.names import plain

_LEFT = ("representation", "model", "best", "choice")
_BOLD = re.compile(r"\*\*(.+)\*\*", re.DOTALL)
_FIRST = re.compile(r"^([0-9]*)([-+=.)])(?=\s|$)")  # makes a list or a heading at the start of a line
# Characters that may begin code, a link, a column, a formula or emphasis; a star at the end of a text does not.
_MARKUP = re.compile(r"[\\`\[|~$#]|\*(?!$)|(?<![^\W_])_(?=\S)")


def print_cells(
    console: Console, title: str, cells: pd.DataFrame, remarks: list[str], spare: list[str], lead: str = ""
) -> None:
    """Print a table; on a narrow console leave out columns rather than cut text.

    Args:
        console: console to print on.
        title: title above the table.
        cells: text of the cells; a cell between ** is highlighted.
        remarks: sentences below the table.
        spare: headings of the columns that a narrow console leaves out, first to last.
        lead: sentence between the title and the table.
    """
    spare = [heading for heading in spare if heading in cells]
    options = console.options.update(width=1000)
    for gap, spared in [(2, 0), *((1, spared) for spared in range(len(spare) + 1))]:
        grid = Table(box=box.SIMPLE_HEAD, padding=(0, gap - 1, 0, 0), pad_edge=False, show_edge=False)
        for heading in cells.columns.drop(spare[:spared]):
            grid.add_column(Text(plain(heading)), justify=justify(heading), overflow="fold")
        for row in cells.drop(columns=spare[:spared]).itertuples(index=False):
            grid.add_row(*(_styled(cell) for cell in row))
        if console.measure(grid, options=options).maximum <= console.width:
            break
    console.print(Text(plain(title), "bold"))
    if lead:
        console.print(Text(plain(lead)))
    console.print(grid)
    if spared:
        remarks = [f"No room for {', '.join(spare[:spared])}: they are in the files beside the runs.", *remarks]
    for remark in remarks:
        console.print(Text(plain(remark), "dim"))
    console.print()


def markdown(title: str, cells: pd.DataFrame, remarks: list[str], lead: str = "") -> str:
    """Format a table as Markdown: the title as a heading, the lead as a paragraph and the remarks as a list.

    Args:
        title: title of the table.
        cells: text of the cells; a cell between ** is set in bold.
        remarks: sentences below the table.
        lead: sentence between the title and the table.
    """
    rule = ["---:" if justify(heading) == "right" else "---" for heading in cells]
    texts = [map(_escape, cells), rule, *(map(_escape_cell, row) for row in cells.itertuples(index=False))]
    rows = [f"| {' | '.join(row)} |" for row in texts]
    above = [f"## {_escape(title)}", "", *[_escape(lead), ""][: 2 * bool(lead)]]
    return "\n".join([*above, *rows, "", *(f"- {_escape(remark)}" for remark in remarks), ""])


def as_html(title: str, cells: pd.DataFrame, remarks: list[str], lead: str = "") -> str:
    """Format a table as HTML for the output of a notebook's cell, in the notebook's own style.

    Args:
        title: title of the table.
        cells: text of the cells; a cell between ** is set in bold.
        remarks: sentences below the table.
        lead: sentence between the title and the table.
    """

    def row(tag: str, texts: Iterable[str]) -> str:
        return "".join(map(functools.partial(_html_cell, tag), cells, texts))

    body = "".join(f"<tr>{row('td', texts)}</tr>" for texts in cells.itertuples(index=False))
    list_of = "".join(f"<li>{_html(remark)}</li>" for remark in remarks)
    return (
        f"<p><b>{_html(title)}</b></p>{f'<p>{_html(lead)}</p>' * bool(lead)}"
        f"<table><thead><tr>{row('th', cells)}</tr></thead><tbody>{body}</tbody></table>"
        f"{f'<ul>{list_of}</ul>' * bool(remarks)}"
    )


def justify(heading: str) -> Literal["left", "right"]:
    """Choose the alignment of a column by its heading."""
    return "left" if heading in _LEFT else "right"


def csv(table: pd.DataFrame) -> str:
    """Format a table as CSV; a text that holds a break of a line is quoted, and what is not defined is empty.

    Args:
        table: the table.
    """
    # Python's writer quotes "\n" but not "\r", which readers take for the end of a line too.
    texts = table.select_dtypes(["object", "string"]).columns
    table = table.assign(**{name: table[name].map(_one_break, na_action="ignore") for name in texts})
    return table.to_csv(index=False, lineterminator="\n")


def emphasised(cell: str) -> str | None:
    """Return the text of a cell that is set between ** to highlight it; None for any other cell."""
    found = _BOLD.fullmatch(cell)
    return found[1] if found else None


def _one_break(value: object) -> object:
    return value.replace("\r\n", "\n").replace("\r", "\n") if isinstance(value, str) else value


def _html(text: str) -> str:
    return html.escape(plain(text))


def _html_cell(tag: str, heading: str, text: str) -> str:
    bold = emphasised(text)
    inner = f"<b>{_html(bold)}</b>" if bold else _html(text)
    return f'<{tag} style="text-align: {justify(heading)}">{inner}</{tag}>'


def _escape(text: str) -> str:
    r"""Escape text for Markdown, on one line.

    >>> print(_escape("f_min <55> | _x_"))
    f_min &lt;55&gt; \| \_x_
    """
    escaped = _MARKUP.sub(r"\\\g<0>", html.escape(plain(text).strip(), quote=False))
    return _FIRST.sub(r"\g<1>\\\g<2>", escaped)


def _escape_cell(text: str) -> str:
    bold = emphasised(text)
    return _escape(text) if bold is None else f"**{_escape(bold)}**"


def _styled(cell: str) -> Text:
    bold = emphasised(cell)
    if bold is not None:
        return Text(plain(bold), "bold green")
    colours = {"failed": "red", "damaged": "red", "unfinished": "yellow", "missing": "yellow", "running": "cyan"}
    return Text(plain(cell), colours.get(cell, ""))
