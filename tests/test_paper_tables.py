"""The paper's tables: all that was published is there, ours is what was measured, what is missing is said."""

import csv
import re
import shutil

import pytest
from conftest import ROOT
from small_sweep import run_small_sweep

from experiments.paper.published import Published
from experiments.paper.tables import report
from sweep.data.sources.demo import make_demo

# In the paper's order, those of the second paper last.
ORDER = ("Figure 11", "Extraction", "Figures 12 to 14", "Section V-A", "Section V-B", "The transcription tables of P2")


def rows_of(text: str, heading: str) -> dict[str, list[str]]:
    """The cells of each table row under a heading, by the row's first cell."""
    section = text.split(f"## {heading}")[1].split("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {cells[0]: [cell.strip() for cell in cells[1:]] for cells in lines}


@pytest.fixture(scope="module")
def printed():
    return report(None)


@pytest.fixture
def bare(tmp_path):
    """The experiments without their results."""
    for name in ("speed", "preprocessing", "correctness", "protocols", "trainable_kernels"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_the_tables_are_in_the_papers_order(printed):
    heads = re.findall("^## (.+)", printed, re.M)
    assert [next(it for it in ORDER if head.startswith(it)) for head in heads] == [*ORDER]


def test_every_published_value_is_shown_and_has_a_source(printed):
    published = Published()
    assert len(published.rows) == 87
    for row in published.rows:
        assert row["source"].startswith(("P1, ", "P2, ", "a run in the authors' notebook"))
        assert row["value"] in printed, row


def test_a_value_that_was_not_published_is_unknown():
    assert Published()("IJCNN", "cqt-48", "accuracy") == "unknown"
    assert Published()("figure 11", "torchaudio", "STFT, GTX 1070 Ti") == "unknown"


def test_ours_is_what_was_measured(printed):
    """Worked out by hand from the experiments' files: 1,770 clips, or 32 of them times 55.3."""
    with open(ROOT / "experiments/speed/results-cpu.csv", newline="") as file:
        librosa = next(r for r in csv.DictReader(file) if (r["row"], r["front_end"]) == ("stft-2048", "librosa"))
    section = printed.split("## Figure 11")[1].split("**Mel**")[0]
    cells = rows_of("## x\n" + section, "x")["librosa"]
    assert cells[:3] == ["6.125", "4.183", "10.644"]
    assert float(cells[3]) == pytest.approx(float(librosa["forward_ms"]) * 1770 / 32 / 1000, rel=5e-3)
    with open(ROOT / "experiments/protocols/results.csv", newline="") as file:
        scores = {row["representation"]: row for row in csv.DictReader(file)}
    rows = rows_of(printed, "The transcription tables of P2")
    for name, score in scores.items():
        assert rows[name][1] == "unknown"
        assert float(rows[name][2]) == pytest.approx(float(score["accuracy_paper"]), abs=6e-4)
        assert float(rows[name][3]) == pytest.approx(float(score["accuracy_converged"]), abs=6e-4)


def test_what_has_not_been_measured_is_said(bare):
    text = report(None, bare)
    for heading in ORDER:
        section = text.split(f"## {heading}")[1].split("\n## ")[0]
        assert "ot measured yet" in section, heading
    assert "6.125" in text and "1.87e-5" in text  # what was published does not depend on it


def test_trained_kernels_have_their_errors_once_they_are_there(bare):
    columns = ("protocol", "front_end", "head", "trainable", "seed", "test_mse", "size", "machine")
    errors = (("published", 0, 0, 2e-5), ("published", 1, 0, 4e-6), ("fair", 1, 0, 2e-6), ("fair", 1, 1, 4e-6))
    with open(bare / "trainable_kernels" / "results.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(columns)
        table.writerows((p, "STFT", "FC", t, seed, mse, "full size", "a machine") for p, t, seed, mse in errors)
    text = report(None, bare)
    section = text.split("## Section V-B")[1]
    assert "| STFT FC | fixed | 1.87e-5 | 2.00e-05 | not measured |" in section
    assert "| STFT FC | trainable | 3.80e-6 | 4.00e-06 | 3.00e-06 |" in section  # the mean of two seeds
    assert "a machine; November 2026; full size." in section


def test_finished_sweeps_are_in_the_tables(tmp_path):
    make_demo(tmp_path / "tiny", train=2, test=1, seconds=3)
    names = ["linear-256", "mel-512-128"]
    folder = run_small_sweep(tmp_path / "tiny", tmp_path / "runs", names, range(2), protocol__name="paper")
    assert folder == tmp_path / "runs/tiny/paper"
    shutil.copytree(folder, tmp_path / "runs/tiny/quick")  # another protocol is no part of the paper's tables
    text = report(tmp_path / "runs").split("## Your sweeps")[1]
    assert text.count("**tiny, `paper`**: cpu, ") == 1 and "quick" not in text
    rows = rows_of("## x\n" + text, "x")
    assert list(rows)[-2:] == names
    assert rows["linear-256"][:2] == ["129", "unknown"] and rows["linear-256"][-2:] == ["2", "1"]


def test_no_sweep_is_said_too(tmp_path):
    assert "protocol=paper" in report(tmp_path).split("## Your sweeps")[1]
