r"""Format a table as LaTeX, to \input into a paper that loads booktabs and graphicx."""

import re
import unicodedata

import pandas as pd

from sweep.names import plain
from sweep.report.printing import emphasised, justify

_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
_SPECIAL |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "`": r"\textasciigrave{}"}
_SPECIAL |= {character: f"\\{character}" for character in "&%$#_{}"}
_SPECIAL |= {"\N{PLUS-MINUS SIGN}": r"$\pm$", "\N{MINUS SIGN}": "$-$"}
# Characters that LaTeX sets without a package, as tried with each of them up to U+017F.
_HAS = re.compile(
    "[\x20-\x7e\xa0-\xaa\xac-\xba\xbc-\xcf\xd1-\xdd\xdf-\xef\xf1-\xfd\xff\u0100-\u0103\u0106-\u010f\u0112-\u0117"
    "\u011a-\u0125\u0128-\u012d\u0130-\u0137\u0139-\u013e\u0141-\u0148\u014c-\u0165\u0168-\u0171\u0174-\u017e"
    "\N{EN DASH}\N{EM DASH}\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}"
    "\N{RIGHT DOUBLE QUOTATION MARK}\N{HORIZONTAL ELLIPSIS}\N{EURO SIGN}\N{TRADE MARK SIGN}\N{MINUS SIGN}]"
)


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
    r"""Escape text for LaTeX; of characters that its standard fonts lack, the letter is left, or else a question mark.

    >>> print(escape("cqt_12 at 95 %, \u0118 \u66f2"))
    cqt\_12 at 95 \%, E ?
    """
    text = unicodedata.normalize("NFC", " ".join(plain(text).split()))
    text = "".join(character if _HAS.fullmatch(character) else _nearest(character) for character in text)
    text = "".join(_SPECIAL.get(character, character) for character in text)
    text = re.sub(r"([-'])(?=\1)", r"\1{}", text)  # two of them would be drawn as another character
    text = text.replace("\N{EN DASH}", "--")
    return re.sub(r"^[*\[]", r"{\g<0>}", text)  # after \\, a star or bracket would be read as its argument


def _nearest(character: str) -> str:
    return "".join(_HAS.findall(unicodedata.normalize("NFKD", character))) or "?"


def _cell(text: str) -> str:
    bold = emphasised(text)
    return escape(text) if bold is None else rf"\textbf{{{escape(bold)}}}"
