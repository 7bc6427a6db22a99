"""The page and the pictures, of a real small sweep and of results that hold less; with Chromium where there is one."""

import base64
import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chromium import CHROMIUM, Chromium
from configs import plan_runs
from parsed_page import Page
from PIL import Image
from rich.console import Console
from small_sweep import run_small_sweep
from test_summary import with_recordings

from sweep.data.sources.demo import make_demo
from sweep.report import print_reports
from sweep.report.page import draw, write_page
from sweep.report.page import page as page_of
from sweep.report.pictures import files
from sweep.report.plots import pareto
from sweep.results.evidence import read_evidence, write_evidence
from sweep.results.result import write_result

ROOT = Path(__file__).resolve().parents[1]
OVERVIEW = ["bins", "cost", "recording", "polyphony", "pitch"]
WHITE = "rgb(255, 255, 255)"


def images(page: Page) -> list[Image.Image]:
    found = [address for address in page.addresses if address.startswith("data:image/png;base64,")]
    pictures = [Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))) for address in found]
    for picture in pictures:
        picture.load()
    return pictures


def html(folder: Path) -> str:
    """The page of the first report below a folder, without the files of its pictures."""
    reports, rankings = print_reports(folder, Console(quiet=True))
    return page_of(reports[0], *draw(reports[0]), rankings.get(reports[0].folder.parent))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("page") / "tiny"
    make_demo(root, train=2, test=2, seconds=5)
    return root


@pytest.fixture(scope="module")
def page(root):
    """The report of two rows of two seeds, one row of one seed under the capacity control, and one run to come."""
    runs = root.parent / "runs"
    folder = run_small_sweep(root, runs, ["linear-256", "mel-512-128"], range(2))
    run_small_sweep(root, runs, ["mel-512-128"], range(1), control={"name": "capacity", "width": 64})
    plan_runs(folder, "linear/cqt-12/seed-0")
    (report,), rankings = print_reports(folder, Console(quiet=True))
    assert rankings == {}
    return write_page(Console(quiet=True), report, None)[0]


def test_the_page_needs_nothing_from_outside_itself(page):
    text = page.read_text()
    parsed = Page(text)
    assert parsed.addresses
    assert [a for a in parsed.addresses if not a.startswith(("#", "data:image/png;base64,"))] == []
    assert {a[1:] for a in parsed.addresses if a.startswith("#")} <= set(parsed.ids)
    assert len(set(parsed.ids)) == len(parsed.ids)
    for style in parsed.styles:
        assert "@import" not in style
        assert re.findall(r"url\((?!#)", style) == []
    assert not {"link", "iframe", "object", "embed", "base"} & set(parsed.tags)
    assert "http" not in re.sub(r"data:image/png;base64,\S+", "", text).replace("http-equiv", "")


def test_every_picture_is_there_and_its_images_decode(page):
    parsed = Page(page.read_text())
    titles = re.findall(r"<h3>(.*?)</h3>", page.read_text())
    rows = ["linear-256", "mel-512-128", "mel-512-128+capacity"]
    assert len(titles) == 7 + 3 and titles[-3:] == rows
    assert all(any(word in title for title in titles[:7]) for word in OVERVIEW)
    assert parsed.tags.count("svg") == 10
    pictures = images(parsed)
    # A spectrogram, a reference, and for each seed an estimate and the weights: 129 or 128 bins, 88 pitches.
    shapes = [picture.size for picture in pictures]
    assert shapes.count((88, 129)) == 2 and shapes.count((88, 128)) == 3
    assert shapes.count((200, 129)) == 1 and shapes.count((200, 128)) == 2
    assert sum(width == 200 and height <= 88 for width, height in shapes) == 3 + 5
    assert all(len(set(picture.convert("RGB").getdata())) > 1 for picture in pictures)


def test_the_table_is_complete_and_sorts_by_full_precision(page):
    parsed = Page(page.read_text())
    lines = pd.read_csv(page.parent / "summary.csv")
    written = [line.split(" | ") for line in (page.parent / "table.md").read_text().splitlines() if line[:2] == "| "]
    expected = [[cell.strip("| ").replace("**", "") for cell in row] for row in (written[0], *written[2:])]
    assert parsed.table[: len(expected)] == expected and len(expected) == 5
    heading = parsed.table[0].index("Acc")
    keys = [row[heading] for row in parsed.keys[1:5]]
    assert [float(key) for key in keys[:3]] == list(lines.accuracy[:3]) and keys[3] == ""
    assert (page.parent / "report.html").stat().st_size < 1_500_000


def test_the_sentence_stands_at_the_top_and_what_is_missing_is_said(page):
    text = page.read_text()
    verdict = re.search(r'<p class="verdict">(.*?)</p>', text)[1]
    assert verdict in (page.parent / "table.md").read_text() and "1 of 4 rows are still to come" in verdict
    assert text.index(verdict) < text.index("<table")
    assert "1 of 6 runs are not done" in text and 'id="missing"' not in text


def test_pictures_are_files_too(page):
    folder = page.parent / "pictures"
    names = {path.stem for path in folder.iterdir()}
    assert names == {
        *(f"score-by-{word}" for word in OVERVIEW[:3]),
        *(f"accuracy-by-{word}" for word in OVERVIEW[3:]),
        "loss-curves",
        "recall-by-instrument",
        "run-linear-256",
        "run-mel-512-128",
        "run-mel-512-128+capacity",
    }
    for name in names:
        with Image.open(folder / f"{name}.png") as picture:
            picture.load()
            assert min(picture.size) > 200
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_the_same_results_give_the_same_bytes(page):
    (report,), _ = print_reports(page.parent, Console(quiet=True))
    overview, rows, problems = draw(report)
    assert page_of(report, overview, rows, problems, None) == page.read_text()
    for picture in (overview[0], rows[0]):
        for name, content in files(picture).items():
            assert (page.parent / "pictures" / name).read_bytes() == content, name


def test_a_report_can_be_made_where_there_is_neither_data_nor_checkpoint(page, tmp_path):
    for path in page.parent.rglob("seed-*/*"):
        if path.name in ("result.json", "evidence.npz"):
            copy = tmp_path / "copied" / "tiny" / "quick" / path.relative_to(page.parent)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    cnn = tmp_path / "copied/tiny/quick/linear/mel-512-128+capacity/seed-0"  # whose model is not linear: no weights
    kept = {name: array for name, array in read_evidence(cnn).items() if not name.startswith("weights")}
    write_evidence(cnn, kept)
    text = html(tmp_path / "copied")
    assert "Weights per pitch are shown for linear models only" in text
    assert "5 of 5 runs have no loss curve" in text and "No run kept its curve." in text
    assert Page(text).tags.count("svg") == 9


def test_results_that_hold_less_still_give_a_report(tmp_path):
    folder = tmp_path / "data" / "quick"
    for name in ("cqt-12", "mel-512-128"):
        write_result(folder / f"linear/{name}/seed-0", with_recordings(name, 0.1, 0, 7))
    made = dataclasses.replace(with_recordings("cqt-12", 0, 0, 7), variant="<b>x")
    write_result(folder / "linear/cqt-12+<b>x/seed-0", made)
    (folder / "linear/cqt-12/seed-0/evidence.npz").write_bytes(b"no zip")
    text = html(folder)
    assert "cqt-12/seed-0/evidence.npz: damaged" in text
    assert "3 of 3 runs have no counts by pitch" in text and "No run kept its counts by polyphony." in text
    assert "cqt-12+&lt;b&gt;x" in text and "<b>x" not in text
    parsed = Page(text)
    assert parsed.tags.count("svg") == 3 and len(parsed.table) == 4  # bins, cost, recordings


def test_names_are_literal_on_the_page_and_in_its_pictures(page, tmp_path):
    name = """<b>&amp;"'$x_1$[i]\\1{{ 1 }}~%#"""
    run = tmp_path / f"a&b/$q$/linear/linear-256+{name}/seed-0"
    write_result(run, with_recordings("linear-256", 0, 0, 7))
    write_evidence(run, read_evidence(page.parent / "linear/linear-256/seed-0"))
    text = html(tmp_path)
    parsed = Page(text)
    assert f"linear-256+{name}" == parsed.table[1][0] and "b" not in parsed.tags
    drawn = [words for words in parsed.texts if words.strip() == f"linear-256+{name}"]
    assert len(drawn) > 4  # the table, headings, labels and legends of pictures
    assert {a[1:] for a in parsed.addresses if a.startswith("#")} <= set(parsed.ids)
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert "a&b, protocol $q$, model linear" in "".join(parsed.texts)


def test_bars_are_shares_of_the_highest_figure_in_the_table(page):
    lines = pd.read_csv(page.parent / "summary.csv").iloc[:3]
    figures = lines[["value", "low", "high"]]
    text = page.read_text()
    bars = [dict(re.findall(r"--(\w+):([\d.]+);", style)) for style in re.findall(r'class="bar" style="(.*?)"', text)]
    expected = (figures.clip(lower=0) / figures.max(axis=None)).to_dict("records")
    assert [{name: float(share) for name, share in bar.items()} for bar in bars] == [
        pytest.approx({name: share for name, share in row.items() if share == share}, abs=1e-4) for row in expected
    ]


def test_a_folder_without_a_done_run_gives_a_page_that_says_so(tmp_path):
    plan_runs(tmp_path / "d" / "quick", "linear/cqt-12/seed-0")
    text = html(tmp_path)
    assert "Nothing can be chosen yet" in text and Page(text).tags.count("svg") == 0


def test_several_rankings_stand_in_the_page_of_each(tmp_path):
    for protocol, sign in (("paper", -1), ("quick", 1)):
        for place, name in enumerate(("cqt-12", "cqt-24", "cqt-36")):
            made = with_recordings(name, sign * 0.1 * place, 0, 7)
            write_result(tmp_path / f"d/{protocol}/linear/{name}/seed-0", made)
    text = html(tmp_path)
    assert "Kendall's tau -1.00" in " ".join(Page(text).texts)
    assert ["cqt-36", "84", "0.300", "3", "0.700", "1", "+2"] in Page(text).table


def test_the_front_of_the_best():
    assert pareto(pd.Series([1.0, 1.0, 2.0, 2.0]), pd.Series([3.0, 2.0, 1.0, 1.0])).tolist() == [
        True,
        False,
        True,
        True,
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_chromium_draws_and_sorts_it_and_fetches_nothing(page, tmp_path):
    browser = Chromium(tmp_path)
    try:
        for width, scheme in ((1400, "light"), (390, "dark")):
            browser.open(page, width, scheme)
            assert browser.run("document.documentElement.scrollWidth") <= width  # wide things scroll in their own boxes
            ground, *pictures = browser.run(_GROUNDS)
            assert ground == {"light": WHITE, "dark": "rgb(23, 23, 23)"}[scheme] and set(pictures) == {WHITE}
            cells, bars = np.array(browser.run(_BARS)).T
            assert len(bars) == 3 and max(bars) < 100
            # Shares have 4 digits, widths are in steps of 1/64 pixel.
            assert bars / max(bars) == pytest.approx(cells / max(cells), abs=2e-3)
            drawn = browser.run(_DRAWN)
            assert len(drawn) == 10
            for figure in drawn:
                assert figure["width"] > 300 and figure["height"] > 100 and figure["marks"] > 5, figure
                assert all(figure["images"]), figure
            for heading, (first, second) in browser.run(_SORTED).items():
                values = [
                    [float(key) if re.fullmatch(r"[-\d.e]+", key) else key for key in keys]
                    for _, keys in (first, second)
                ]
                known = [[value for value in side if value != ""] for side in values]
                down = first[0] == "descending"
                assert known[0] == sorted(known[0], reverse=down) and known[1] == sorted(known[1], reverse=not down), (
                    heading
                )
                assert all(
                    side[: len(part)] == part for side, part in zip(values, known, strict=True)
                )  # no value: last
        assert browser.run("document.title").startswith("tiny, protocol quick")
        assert browser.console == [] and browser.requests == []
        # The policy that keeps it so is in force: what the page did not do, it could not do.
        assert browser.run("fetch('https://example.org').then(() => 'fetched', () => 'refused')") == "refused"
        assert any("Content Security Policy" in message for message in browser.console)
    finally:
        browser.close()


_DRAWN = """Promise.all([...document.querySelectorAll("figure")].map(async (figure) => {
  const box = figure.querySelector("svg").getBoundingClientRect();
  const marks = [...figure.querySelectorAll("path, use, image")].filter((mark) => mark.getBoundingClientRect().height);
  const images = await Promise.all([...figure.querySelectorAll("image")].map((image) => {
    const copy = new Image();
    copy.src = image.href.baseVal;
    return copy.decode().then(() => copy.naturalWidth > 0, () => false);
  }));
  return { title: figure.querySelector("h3").textContent, width: box.width, height: box.height, marks: marks.length,
    images };
}))"""

_GROUNDS = """[document.body, ...document.querySelectorAll("figure .scroll")].map(
  (element) => getComputedStyle(element).backgroundColor)"""

_BARS = """[...document.querySelectorAll("td.bar")].map(
  (cell) => [+cell.dataset.sort, parseFloat(getComputedStyle(cell, "::before").width)])"""

_SORTED = """(() => {
  const table = document.querySelector("table.sortable"), found = {};
  for (const button of table.querySelectorAll("th button")) {
    found[button.textContent] = [0, 1].map(() => {
      button.click();
      const head = button.parentElement;
      return [head.ariaSort, [...table.tBodies[0].rows].map((row) => row.cells[head.cellIndex].dataset.sort)];
    });
  }
  return found;
})()"""
