"""What is not defined is not 0: scores of a test set without notes, from the count to each form of the report."""

import dataclasses
import io
import math

import numpy as np
import pandas as pd
import pytest
from configs import make_result
from rich.console import Console
from test_summary import with_recordings

from sweep.commands import transcribe
from sweep.report import print_reports
from sweep.report.page import draw, page
from sweep.results.result import read_result, write_result
from sweep.results.scoring import FRAME_SCORES, SCORES, mean_scores, score, without_notes
from sweep.results.thresholds import best_threshold
from sweep.scheduling.jobs import Run, line_of
from sweep.transcribe.trained import find_run


def scored(*notes: int) -> dict:
    """Scores of ten frames in which these notes sound, and of a model that always hears note 60."""
    reference, probability = np.zeros((10, 128), bool), np.zeros((10, 128))
    reference[:, list(notes)] = True
    probability[:, 60] = 0.9
    return without_notes(score(reference, probability, times=np.arange(10) / 100))


def test_a_recording_without_notes_has_no_scores_and_is_in_no_mean():
    silent, heard = scored(), scored(60)
    assert all(math.isnan(silent[name]) for name in FRAME_SCORES) and len(silent["blocks"]["frames"]) == 6
    assert all(math.isnan(value) for value in mean_scores([silent, silent]).values())
    assert mean_scores([silent, heard])["accuracy"] == heard["accuracy"] == 1.0
    outside = scored(120)  # a note, but no piano has it
    assert math.isnan(outside["accuracy"]) and outside["average_precision"] == pytest.approx(1 / 128)


def test_no_threshold_is_tuned_on_silence():
    with pytest.raises(ValueError, match="held-out recordings have no notes to choose it on"):
        best_threshold([(np.zeros((4, 128), bool), np.ones((4, 128)))])


@pytest.mark.parametrize("value", [None, math.nan])
def test_the_line_of_a_run_says_undefined(value):
    made = make_result(scores=dict.fromkeys(SCORES, 0.5) | {"average_precision": value})
    assert line_of(Run("[1/1] x", None), made, "1 s") == (  # type: ignore[arg-type]
        "[1/1] x  accuracy 0.500  precision 0.500  recall 0.500  AP undefined  (1 s)"
    )


@pytest.fixture
def silent(tmp_path):
    """Two rows, tested on a recording without notes, and the folder."""
    scores = {name: None for name in SCORES}
    recordings = {"r": scores | {"blocks": {"frames": [[0, 1, 0]] * 6, "notes": [[0, 1, 0, 0]] * 6}}}
    for name in ("cqt-12", "mel-512-128"):
        made = make_result(name, scores=scores, recordings=recordings)
        write_result(tmp_path / f"d/quick/linear/{name}/seed-0", made)
    return tmp_path / "d/quick"


def test_nothing_is_chosen_by_undefined_scores(silent):
    console = Console(file=io.StringIO(), width=200)
    (report,), _ = print_reports(silent, console)
    text = console.file.getvalue()
    assert "Nothing can be chosen: accuracy is undefined, as it is without notes to test on." in text
    assert "Choose" not in text and "nan" not in text.lower().replace("nan-", "")
    assert read_result(silent / "linear/cqt-12/seed-0").scores["accuracy"] is None
    for name in ("table.csv", "summary.csv"):
        table = pd.read_csv(silent / name)
        assert table[list(SCORES)].isna().all(axis=None) and len(table) == 2
    row = next(line for line in (silent / "table.md").read_text().splitlines() if line.startswith("| cqt-12"))
    assert row.startswith("| cqt-12 | 84 | 1,024 |  |  |  |  |  |  |")
    html = page(report, *draw(report), None)
    assert "nan" not in html.split("<script>")[0].split("</style>")[-1].lower() and "0.000" not in html
    with pytest.raises(ValueError, match="no best run, since accuracy is undefined without notes"):
        find_run(silent)
    assert transcribe.said(None) == "undefined"


def test_an_undefined_row_is_neither_the_best_nor_the_last(tmp_path):
    for name in ("cqt-12", "cqt-24", "mel-512-128"):
        write_result(tmp_path / f"d/quick/linear/{name}/seed-0", with_recordings(name, 0, 0, 8))
    other = dataclasses.replace(with_recordings("cqt-36", 0, 0, 8), bins=1, recordings={})
    scores = dict.fromkeys(SCORES, None)
    write_result(tmp_path / "d/quick/linear/cqt-36/seed-0", dataclasses.replace(other, scores=scores))
    (report,), _ = print_reports(tmp_path, Console(quiet=True))
    assert "cqt-36" not in report.verdict and "3 rows" in report.verdict
    line = report.summary.set_index("representation").loc["cqt-36"]
    assert pd.isna(line.accuracy) and pd.isna(line.best_of_table) and pd.isna(line.e_tot)
    lines = report.summary.set_index("representation")
    assert lines.best_of_table.drop("cqt-36").notna().all()


def test_a_trained_row_without_a_score_has_no_difference(tmp_path):
    write_result(tmp_path / "d/quick/linear/cqt-12/seed-0", with_recordings("cqt-12", 0, 0, 8))
    made = dataclasses.replace(with_recordings("cqt-12", 0, 0, 8), variant="trainable", recordings={})
    made = dataclasses.replace(made, scores=dict.fromkeys(SCORES, None))
    write_result(tmp_path / "d/quick/linear/cqt-12+trainable/seed-0", made)
    print_reports(tmp_path, Console(quiet=True))
    row = (tmp_path / "d/quick/trained.md").read_text().splitlines()[4]
    assert row.startswith("| cqt-12+trainable | 0.") and "nan" not in row
