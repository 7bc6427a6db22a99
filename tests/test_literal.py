"""Names and errors are shown as they are: on the console, as Markdown, LaTeX and CSV, on the page, in pictures."""

import csv
import io
import random
import shutil
import subprocess
import warnings
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from configs import plan_runs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parsed_page import Page
from rich.console import Console
from test_printing import Texts
from test_summary import with_recordings

from sweep.names import folder_name, name_of_folder, plain, say
from sweep.report import print_reports
from sweep.report.latex import escape, latex
from sweep.report.page import draw, page
from sweep.report.pictures import label
from sweep.report.printing import csv as csv_of
from sweep.report.printing import markdown
from sweep.results.evidence import write_evidence
from sweep.results.result import write_result

MARKS = "\\`*_{}[]()<>#+-.!|~$%&^\"'=:;@/? \n\r\t\x1b\x07\x00\u202e\u2028\u200d"
ODD = [
    "A$A_b_-_L$C", "runs [old]", "[red]x[/red] :cat:", "<script>alert(1)</script>", "{{ 1 }} {% raw %}", "a\r\nb\rc\nd",
    "曲 音楽", "\U0001f3b5\U0001f468\u200d\U0001f469", "e\u0301 é", "مرحبا", "\udcff\ud800", "\x1b[31mred\x07", "|a|b|",
    "- x", "1. x", "+ y", "=cmd|' /C calc'!A0", "--- ''", "«ðþĄ»", "a" * 400, "_x", "**b**", "-->",
    "]]>", "id=\"x\" url(#y)",
    "",
]  # fmt: skip
texts = st.one_of(
    st.sampled_from(ODD),
    st.text(st.one_of(st.sampled_from(MARKS), st.characters(exclude_categories=["Cs"])), max_size=30),
    st.lists(st.sampled_from(ODD[:20]), min_size=1, max_size=2).map(" ".join),
)
few = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def on_one_line(text: str) -> str:
    """What of a text is shown in HTML: without a space at the ends."""
    return " ".join(plain(text).split())


@few
@given(texts)
def test_plain_text_is_on_one_line_and_moves_no_cursor(text):
    shown = plain(text)
    assert len(shown.splitlines()) <= 1 and plain(shown) == shown
    shown.encode()
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202a\u202b\u202d\u202e\u2066\u2067" for c in shown)


@few
@given(texts)
def test_a_console_shows_it(text):
    console = Console(file=io.StringIO(), width=20, force_terminal=True, color_system="truecolor", legacy_windows=False)
    say(console, text)
    assert console.file.getvalue() == plain(text) + "\n"


@few
@given(texts)
def test_markdown_shows_it(text):
    cells = pd.DataFrame({"representation": ["x", text], "Acc": ["**0.5**", ""]})
    written = Texts(markdown(f"a {text}", cells, [text], text or "lead"))
    found = [" ".join(each.split()) for each in written.texts]
    said = on_one_line(text)
    bold = said[2:-2] if len(said) > 4 and said[:2] == said[-2:] == "**" else None
    head = [on_one_line(f"a {text}"), *([said or "lead"] if said or not text else [])]
    assert found[: len(head)] == head
    assert found[-3:] in ([said, "", said], [bold, "", said])
    assert not {"a", "img", "code", "em", "s", "del", "ul ul", "ol", "h1", "hr", "script"} & set(written.tags)


@few
@given(texts, texts)
def test_csv_reads_back(text, other):
    table = pd.DataFrame({"representation": [text, other], "accuracy": [0.5, np.nan]})
    rows = list(csv.reader(io.StringIO(csv_of(table), newline="")))
    said = [each.replace("\r\n", "\n").replace("\r", "\n") for each in (text, other)]
    assert rows == [["representation", "accuracy"], [said[0], "0.5"], [said[1], ""]]


@few
@given(st.lists(texts, min_size=1, max_size=3))
def test_a_folder_says_its_name(parts):
    name = folder_name(*parts)
    read = name_of_folder(name)
    assert read is None or read == "+".join(parts)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_latex_compiles_any_name(tmp_path):
    """Also of every character up to U+2BFF, most of which its fonts lack."""
    generator = random.Random(0)
    names = ODD + ["".join(generator.choices(MARKS + "ab1éß", k=12)) for _ in range(300)]
    names += ["".join(map(chr, range(first, first + 64))) for first in range(0, 0x2C00, 64)]
    tables = "\n".join(f"x {escape(name)} \\\\ {escape(name)} x\\par" for name in names)
    cells = pd.DataFrame({"representation": names[:30], "Acc": [f"**{name}**" for name in names[:30]]})
    tables += latex(names[0], cells, names[:30], names[:30])
    packages = "".join(rf"\usepackage{{{name}}}" for name in ("booktabs", "graphicx"))
    (tmp_path / "main.tex").write_text(
        rf"\documentclass{{article}}{packages}\begin{{document}}{tables}\end{{document}}", encoding="utf-8"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "main.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=100)
    assert ended.returncode == 0, ended.stdout[-2000:]
    assert "Missing character" not in ended.stdout


def test_latex_keeps_letters_and_two_hyphens():
    assert escape("Dvořák, Łódź") == "Dvořák, Łódź" and escape("e\u0301") == "é"
    assert escape("a--b ''") == "a-{}-b '{}'" and escape("Ąð曲") == "A??"


def report_of(folder: Path, recording: str, variant: str, error: str) -> tuple[str, str, str]:
    """What the console, the Markdown file and the page say of a sweep with such names and a failed run."""
    row = folder_name("cqt-12", variant) if variant else "cqt-12"
    for name, directory in (("mel-512-128", "mel-512-128"), ("cqt-12", row)):
        made = with_recordings(name, 0, 0, 1, 9)
        made.recordings[recording] = made.recordings.pop("0")
        write_result(folder / f"linear/{directory}/seed-0", made)
        counts = {"recordings": np.array([recording.replace("\0", "") or "x"]), "pitches": np.full((1, 88, 3), 50)}
        counts |= {"times": np.arange(4.0), "spectrogram": np.eye(12, 4, dtype=np.uint8)}
        counts |= {"spectrogram_range": np.zeros(2), "roll": np.ones((88, 4), np.uint8)}
        write_evidence(folder / f"linear/{directory}/seed-0", counts | {"frequencies": np.arange(1, 13.0)})
    plan_runs(folder, "linear/log-256/seed-0")
    (folder / "linear/log-256/seed-0").mkdir(parents=True)
    (folder / "linear/log-256/seed-0/traceback.txt").write_bytes(f"x\nE: {error}".encode(errors="surrogatepass"))
    console = Console(file=io.StringIO(), width=100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (report,), _ = print_reports(folder, console)
        html = page(report, *draw(report), None)
    return console.file.getvalue(), (folder / "table.md").read_text(), html


def check_report(folder: Path, recording: str, variant: str, error: str) -> None:
    console, written, html = report_of(folder, recording, variant, error)
    last = f"E: {error}".encode(errors="surrogatepass").decode(errors="replace").strip().splitlines()[-1]
    assert f"failed: linear/log-256/seed-0: {plain(last)}\n" in console and written
    row = "+".join(filter(None, ("cqt-12", variant)))
    assert len(folder_name("cqt-12", variant)) > 180 or plain(row) in console
    parsed = Page(html)
    said = "".join(parsed.texts)
    assert "Not drawn" not in said and parsed.tags.count("svg") == 6 + 2 - 1 - 1  # no loss, no polyphony
    assert label(recording).strip() in said and "script" not in html.replace("<script>", "", 1).split("</script>")[1]
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert unescape(html).isprintable() or "\x1b" not in html


@pytest.mark.parametrize("place", [0, *(pytest.param(n, marks=pytest.mark.long) for n in (1, 2))])
def test_a_report_shows_it(tmp_path, place):
    names = [" ".join(ODD[first::3]) for first in range(3)]
    check_report(tmp_path / "d/quick", names[place][:150], ODD[place], names[place - 1])


@pytest.mark.long
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(texts, texts, texts)
def test_a_report_shows_any_text(tmp_path_factory, recording, variant, error):
    check_report(tmp_path_factory.mktemp("d") / "d/quick", recording, variant, error)
