"""Recall by instrument, from the labels to the report."""

import json

import numpy as np
import pandas as pd
import pytest
from configs import make_result
from test_summary import with_recordings

from sweep.data.labels import check_csv
from sweep.report import read_report
from sweep.report.page import draw
from sweep.results.instruments import count_instruments, recalls
from sweep.results.result import write_result
from sweep.results.scoring import SCORES


def labels(path, header: str, *rows: str) -> np.ndarray:
    path.write_text("\n".join([header, *rows]) + "\n")
    notes, problems = check_csv(path, 44100)
    assert not problems
    return notes


def test_instruments_are_read_where_labels_name_them(tmp_path):
    columns = "start_time,end_time,instrument,note"
    notes = labels(
        tmp_path / "a.csv", columns, "0,100,41,60", "50,200,1,64", "60,300,,65", "70,300,x,66", "80,300,999,67"
    )
    assert notes.tolist() == [[0, 100, 60, 41], [50, 200, 64, 1], [60, 300, 65, 0], [70, 300, 66, 0], [80, 300, 67, 0]]
    assert labels(tmp_path / "b.csv", "start_time,end_time,note", "0,100,60").shape == (1, 3)


def test_counts_are_those_of_a_roll_drawn_by_hand():
    # Violin (41) sounds alone, then with a piano (1) on the same pitch, which both have.
    notes = np.array([[0, 1000, 60, 41], [500, 1500, 60, 1], [500, 1500, 120, 1], [0, 2000, 70, 0]])
    samples = np.arange(0, 2000, 100)
    estimate = np.zeros((20, 128), bool)
    estimate[8:12, 60] = True
    counts = count_instruments(notes, samples, estimate, [1])
    assert counts == {"1": {"frames": [10, 4], "notes": [1, 1]}, "41": {"frames": [10, 2], "notes": [1, 0]}}
    assert count_instruments(notes, samples, estimate, None)["1"] == {"frames": [10, 4]}
    assert recalls([{"instruments": counts}, {"instruments": {"1": {"frames": [10, 10]}}}, {}]) == {
        "Acoustic Grand Piano": {"frames": 0.7, "notes": 1.0},
        "Violin": {"frames": 0.2, "notes": 0.0},
    }


def test_the_report_draws_them_if_there_are_some(tmp_path):
    for place, name in enumerate(("cqt-12", "cqt-24")):
        made = with_recordings(name, 0, 0, 6)
        write_result(tmp_path / f"without/quick/linear/{name}/seed-0", made)
        counts = {"41": {"frames": [100, 50 + place], "notes": [10, 5]}}
        recordings = {key: scores | {"instruments": counts} for key, scores in made.recordings.items()}
        with_some = make_result(name, scores=dict.fromkeys(SCORES, 0.5), recordings=recordings)
        write_result(tmp_path / f"with/quick/linear/{name}/seed-0", with_some)
    pictures = {folder: draw(read_report(tmp_path / folder / "quick"))[0] for folder in ("with", "without")}
    (picture,) = (one for one in pictures["with"] if one.name == "recall-by-instrument")
    texts = [text.get_text() for axes in picture.figure.axes for text in axes.texts]
    assert texts == ["0.50", "0.50", "0.51", "0.50"]
    assert "recall-by-instrument" not in {one.name for one in pictures["without"]}


def test_groups_of_recordings_are_the_units(tmp_path):
    for place, name in enumerate(("cqt-12", "cqt-24", "cqt-36")):
        made = with_recordings(name, -0.1 * place, 0, 9)
        groups = ["a", "a", "b", "c", "c", "c", "d", "e", "f"]
        recordings = {
            key: scores | {"group": group} for (key, scores), group in zip(made.recordings.items(), groups, strict=True)
        }
        write_result(
            tmp_path / f"d/quick/linear/{name}/seed-0", make_result(name, scores=made.scores, recordings=recordings)
        )
    report = read_report(tmp_path / "d/quick")
    assert report.sample.units == list("abcdef") and report.sample.comparable
    assert "Over 6 groups in 9 test recordings" in report.verdict
    assert "units are groups" in " ".join(report.remarks)
    assert report.summary.value.to_numpy() == pytest.approx(np.nanmean(report.sample.scores, axis=(1, 2)))
    found = json.loads(report.files()["verdict.json"]())
    assert found["units"] == {"kind": "groups of test recordings", "number": 6, "recordings": 9}
    assert isinstance(pd.DataFrame(report.summary).best_of_table.iloc[0], np.bool_ | bool)
