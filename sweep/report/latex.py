r"""Format a table as LaTeX, to \input into a paper that loads booktabs and graphicx."""

import re

import pandas as pd

from sweep.report.printing import justify

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}"}
_SPECIAL |= {character: f"\\{character}" for character in "&%$#_{}"}
_SPECIAL |= {"\N{EN DASH}": "--", "\N{PLUS-MINUS SIGN}": r"$\pm$"}


def latex(title: str, cells: pd.DataFrame, remarks: list[str], groups: list[str]) -> str:
    """Format a table with booktabs, as a float that is shrunk to the line's width, with the remarks below it.

    Args:
        title: caption of the table.
        cells: text of the cells; a cell between ** is set in bold.
        remarks: sentences below the table, in small type.
        groups: group of each row; a small space separates neighbours of different groups.
    """
    columns = "".join("l" if justify(heading) == "left" else "r" for heading in cells)
    rows = cells.map(_cell)
    parted = [number > 0 and group != groups[number - 1] for number, group in enumerate(groups)]
    rows.iloc[parted, 0] = "\\addlinespace\n" + rows.iloc[parted, 0]
    tabular = rows.style.hide(axis="index").format_index(escape, axis="columns")
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
        r"\begin{table}[tbp]",
        r"\centering",
        rf"\caption{{{escape(title)}}}",
        r"\footnotesize",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        tabular.to_latex(column_format=f"@{{}}{columns}@{{}}", hrules=True).rstrip() + "}",
        *([r"\par\smallskip", r"\begin{minipage}{\linewidth}", r"\scriptsize\raggedright"] if remarks else []),
        *(rf"{escape(remark)}\par" for remark in remarks),
        *([r"\end{minipage}"] if remarks else []),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(text: str) -> str:
    r"""Escape text for LaTeX; characters that LaTeX's standard fonts may lack become question marks.

    >>> print(escape("cqt_12 at 95 %"))
    cqt\_12 at 95 \%
    """
    text = re.sub("[^\x20-\x7e\xa0-\xff\N{EN DASH}]", "?", " ".join(text.split()))
    text = "".join(_SPECIAL.get(character, character) for character in text)
    return re.sub(r"^[*\[]", r"{\g<0>}", text)  # after \\, a star or bracket would be read as its argument


def _cell(text: str) -> str:
    bold = re.fullmatch(r"\*\*(.+)\*\*", text, re.DOTALL)
    return rf"\textbf{{{escape(bold[1])}}}" if bold else escape(text)
