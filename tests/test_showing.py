"""A report where it is read: at a prompt, at the end of a notebook's cell, and its page in a frame of the notebook."""

import html
import re

import pytest
from chromium import CHROMIUM, Chromium
from parsed_page import Page
from small_sweep import run_small_sweep

from sweep.data.sources.demo import make_demo
from sweep.report import read_report
from sweep.report.page import draw, page
from sweep.report.page.showing import frame
from sweep.report.printing import as_html

ROWS = ["linear-256", "mel-512-128"]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    root = tmp_path_factory.mktemp("showing") / "tiny"
    make_demo(root, train=2, test=2, seconds=4)
    return read_report(run_small_sweep(root, root.parent / "runs", ROWS, range(1)))


def test_printed_it_is_verdict_and_table_and_at_a_prompt_a_line(report, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as a kernel has it
    text = str(report)
    lines = text.splitlines()
    assert text.replace("\n", "").isprintable() and max(map(len, lines)) <= 100
    assert lines[0] == report.title and " ".join(text.split()).startswith(f"{report.title} {report.verdict}")
    below = lines[next(n for n, line in enumerate(lines) if line.startswith("─")) + 1 :]
    assert [line.split()[0] for line in below][:2] == ROWS
    assert repr(report) == f"<Report of {report.folder}: {report.title}>"


def test_at_the_end_of_a_cell_it_is_verdict_table_and_remarks(report):
    shown = report._repr_html_()
    for text in (report.title, report.verdict, *report.remarks):
        assert html.escape(text) in shown
    cells = [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[hd].*?</t[hd]>", shown)]
    expected = report.cells()
    assert cells == [*expected, *(cell.replace("**", "") for row in expected.to_numpy() for cell in row)]


def test_a_name_is_no_html(report):
    cells = report.cells().assign(representation="**<b>&**")
    shown = as_html("<i>", cells, ["<u>"], "<s>")
    assert not re.search("<[ius]>", shown) and "<b>&lt;b&gt;&amp;</b>" in shown


def test_the_pictures_are_those_of_the_page(report):
    drawn = report.pictures
    overview, rows, _ = draw(report)
    assert [picture.name for picture in drawn] == [picture.name for picture in [*overview, *rows]]
    assert report.pictures[0] is drawn[0]  # drawn once
    assert all(picture._repr_png_().startswith(b"\x89PNG") for picture in drawn)
    assert all("labels" not in repr(picture) for picture in drawn)


@pytest.mark.long
def test_outside_of_a_notebook_the_page_is_a_file(report, capsys):
    path = report.show()
    assert path == report.folder / "report.html" and str(path) in capsys.readouterr().out.replace("\n", "")
    assert Page(path.read_text()).texts.count(report.verdict) == 1
    assert len(list((report.folder / "pictures").glob("*.png"))) == len(report.pictures)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_frame_the_page_is_whole_and_its_links_stay_in_it(report, tmp_path):
    notebook = tmp_path / "notebook.html"
    around = f"<!DOCTYPE html><title>notebook</title>{frame(page(report, *report.drawn, None), 300)}"
    notebook.write_text(around, encoding="utf-8")
    browser = Chromium(tmp_path)
    inside = "document.querySelector('iframe').contentDocument"
    try:
        browser.open(notebook, 1000)
        assert browser.run("document.querySelector('iframe').clientHeight") == 300
        assert browser.run(f"{inside}.querySelector('.verdict').textContent") == report.verdict
        assert browser.run(f"{inside}.querySelectorAll('figure svg').length") == len(report.pictures)
        click = f"{inside}.querySelector('nav a[href=\"#rows\"]').click()"
        browser.run(f"new Promise(done => {{ {click}; setTimeout(done, 500); }})")
        assert browser.run(f"{inside}.querySelector('.verdict')?.textContent") == report.verdict
        assert browser.run(f"{inside}.scrollingElement.scrollTop") > 300
        assert browser.console == []
    finally:
        browser.close()
