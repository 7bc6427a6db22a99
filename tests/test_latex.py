"""The table as LaTeX: what it says, and that LaTeX takes it."""

import shutil
import subprocess

import pandas as pd
import pytest

from sweep.report.latex import latex

CELLS = pd.DataFrame(
    {
        "representation": ["mel-512-128", "cqt_12+f_min=55", "cqt-24"],
        "Acc": ["**0.500**", "0.400", ""],
        "95 %": ["0.400\N{EN DASH}0.600", "", ""],
        "\N{PLUS-MINUS SIGN}": ["0.010", "", ""],
        "best": ["both", "", "family"],
    }
)
ODD = "R&D_1: 100 % of $x^2$ \\ {a} ~ #1 <b>|`\n\n\u4e2d"
TEXT = latex(ODD, CELLS, ["1e-5 \N{PLUS-MINUS SIGN} 2 %"], ["mel", "cqt", "cqt"])


def test_rows_rules_and_bold():
    lines = TEXT.splitlines()
    assert r"\begin{tabular}{@{}lrrrl@{}}" in lines
    first = lines.index(r"\midrule") + 1
    assert lines[first : first + 5] == [
        r"mel-512-128 & \textbf{0.500} & 0.400--0.600 & 0.010 & both \\",
        r"\addlinespace",
        r"cqt\_12+f\_min=55 & 0.400 &  &  &  \\",
        r"cqt-24 &  &  &  & family \\",
        r"\bottomrule",
    ]
    assert r"representation & Acc & 95 \% & $\pm$ & best \\" in lines


def test_every_text_is_literal():
    escaped = r"R\&D\_1: 100 \% of \$x\textasciicircum{}2\$ \textbackslash{} \{a\} \textasciitilde{} \#1 "
    escaped += r"\textless{}b\textgreater{}\textbar{}\textasciigrave{} ?"
    cells = pd.DataFrame({"representation": [ODD, "[1pt] x", "*", f"**{ODD}**"], ODD: ["", "[", "", ""]})
    lines = latex(ODD, cells, [ODD], ["mel", "mel", "cqt", "cqt"]).splitlines()
    assert rf"\caption{{{escaped}}}" in lines and rf"{escaped}\par" in lines
    first = lines.index(r"\midrule")
    assert lines[first - 1 : first + 7] == [
        rf"representation & {escaped} \\",
        r"\midrule",
        rf"{escaped} &  \\",
        r"{[}1pt] x & {[} \\",  # [ after \\ and \midrule, * after \\ would be theirs
        r"\addlinespace",
        r"{*} &  \\",
        rf"\textbf{{{escaped}}} &  \\",
        r"\bottomrule",
    ]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
@pytest.mark.parametrize("names", [list(CELLS.representation), [ODD, "[x]", "*"], ["[x]", f"**{ODD}**", "[1pt]"]])
def test_latex_compiles_it(tmp_path, names):
    cells = CELLS.assign(representation=names).rename(columns={"Acc": ODD})
    (tmp_path / "table.tex").write_text(latex(ODD, cells, [ODD], ["mel", "cqt", "cqt"]))
    packages = "".join(rf"\usepackage{{{name}}}" for name in ("booktabs", "graphicx"))
    document = rf"\documentclass{{article}}{packages}\begin{{document}}\input{{table.tex}}\end{{document}}"
    (tmp_path / "main.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "Overfull" not in ended.stdout and (tmp_path / "main.pdf").stat().st_size > 10_000
