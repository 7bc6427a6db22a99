"""The page on notebooks in the kernel of a notebook: each block is a cell, and its output is what a reader sees."""

import os
import re
from pathlib import Path

import pytest
from conftest import ROOT
from documented import DOCS, blocks

nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytestmark = pytest.mark.long

PAGE = DOCS / "howto" / "notebook.md"
ROWS = ["linear-256", "log-256", "mel-512-128", "cqt-12"]


def execute(cells: list[str], folder: Path) -> list:
    """The cells of a notebook after a kernel has run them in a folder, also those after an error."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    place = {"metadata": {"path": str(folder)}}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place, allow_errors=True)
    client.execute(env=environment)
    return notebook.cells


def printed(cell, name: str = "stdout") -> str:
    return "".join(it.text for it in cell.outputs if it.output_type == "stream" and it.name == name)


def shown(cell, kind: str) -> str:
    """What a cell shows in one place, such as "text/html"."""
    (found,) = (it.data[kind] for it in cell.outputs if it.output_type in ("execute_result", "display_data"))
    return found


def titles(cell) -> list[str]:
    """The starts of the lines of runs that a cell printed, and nothing else."""
    return [re.sub(r"  accuracy 0\.\d{3}  .*\)$", "", line) for line in printed(cell).splitlines()]


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    page = [block.text for block in blocks(PAGE) if block.language == "python" and not block.reason]
    repeated = 'sweep.compare(["linear-256", "log-256", "mel-512-128", "cqt-12"])'
    wrong = 'sweep.compare("cqt-4")'
    processes = 'sweep.compare(["log-256", "mel-512-128"], cluster="cpus", cluster__processes=2, seeds=[1])'
    return execute([*page, repeated, wrong, processes], tmp_path_factory.mktemp("notebook"))


def test_four_rows_are_compared(cells):
    first = cells[0]
    making, *runs = titles(first)
    assert making == "making the demo set in data/demo, once"
    assert runs == [f"[{n}/4] {row}" for n, row in enumerate(ROWS, 1)]
    table = shown(first, "text/html")
    assert [re.search(r">([\w-]+)</td>", row)[1] for row in table.split("<tr>")[2:]] == ROWS
    assert "Highest: " in table and "demo, protocol quick, model linear: 4 of 4 runs done" in table


def test_the_page_and_its_pictures_are_shown(cells):
    frame = shown(cells[1], "text/html")
    assert frame.startswith("<iframe ") and "&lt;h1&gt;demo, protocol quick, model linear: 4 of 4 runs" in frame
    assert [row for row in ROWS if f"&gt;{row}&lt;" in frame] == ROWS
    assert len(frame) < 200_000 * len(ROWS)
    assert all(row in shown(cells[2], "text/html") for row in ROWS)  # pandas' own
    assert shown(cells[3], "image/png")
    assert "score-by-bins" in shown(cells[4], "text/plain")


def test_a_second_call_adds_what_is_new(cells):
    lines = printed(cells[5]).splitlines()
    assert [line.partition("  ")[0] for line in lines[:4]] == [
        f"[{n}/4] {row} seed-{seed}" for n, (row, seed) in enumerate([(r, s) for r in ROWS[2:] for s in (0, 1)], 1)
    ]
    assert [line.endswith("(done before)") for line in lines[:4]] == [True, False] * 2
    assert lines[4].startswith("Highest: ")
    again = printed(cells[7])
    assert again.count("(done before)") == len(again.splitlines()) == 4


def test_any_key_is_an_argument(cells):
    assert len(titles(cells[6])) == 4
    table = shown(cells[6], "text/html")
    assert table.count("f_min=50.0") == table.count("f_min=100.0") == table.count("<td>cnn</td>") == 2


def test_an_error_is_one_line(cells):
    (error,) = (it for cell in cells for it in cell.outputs if it.output_type == "error")
    assert error is cells[8].outputs[0]
    assert (error.ename, error.evalue) == ("ValueError", "representation=cqt-4: no such option; did you mean cqt-48?")


def test_what_is_printed_is_plain_text(cells):
    """Though the kernel asks for colours, and has processes of its own at work in the last cell."""
    *runs, last = titles(cells[9])
    assert len(runs) == 2 and last.startswith("2 processes took ")
    for cell in cells:
        assert printed(cell).replace("\n", "").isprintable() and not printed(cell, "stderr"), cell.source
