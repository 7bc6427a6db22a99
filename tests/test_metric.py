"""The metric that ranks the rows is a choice: of a command, kept in sweep.json, and of report and transcribe."""

import dataclasses
import io
import json
import subprocess
import sys

import pandas as pd
import pytest
from configs import make_config, plan_runs
from rich.console import Console
from test_summary import with_recordings

from sweep.config.groups import METRICS as NAMES
from sweep.report import print_reports, read_report
from sweep.results.metrics import METRICS, Ranking
from sweep.results.plan import PLAN, read_plan, read_sweep, write_plan
from sweep.results.result import write_result
from sweep.results.scoring import SCORES
from sweep.scheduling.jobs import Run
from sweep.scheduling.plan import write_plans
from sweep.transcribe.trained import find_run


@pytest.fixture
def folder(tmp_path):
    """Three rows, of which the first is best by accuracy and the last by note F1."""
    for place, name in enumerate(("cqt-12", "cqt-24", "cqt-36")):
        by_accuracy, by_notes = with_recordings(name, -0.1 * place, 0, 8), with_recordings(name, 0.1 * place, 1, 8)
        recordings = {
            key: scores | {"note_f1": by_notes.recordings[key]["note_f1"]}
            for key, scores in by_accuracy.recordings.items()
        }
        scores = by_accuracy.scores | {"note_f1": by_notes.scores["note_f1"]}
        made = dataclasses.replace(by_accuracy, scores=scores, recordings=recordings)
        write_result(tmp_path / f"d/quick/linear/{name}/seed-0", made)
    return tmp_path / "d/quick"


def test_the_names_are_the_same_everywhere():
    assert set(NAMES) == set(METRICS) <= set(SCORES)
    config = make_config()
    assert (config.metric, config.margin) == (Ranking.metric, Ranking.margin)
    assert Ranking(**json.loads('{"metric": "note_f1"}')).margin == 0.01


@pytest.mark.parametrize(("key", "value"), [("metric", "f1"), ("margin", "1.5"), ("margin", "x")])
def test_a_wrong_choice_is_said(key, value):
    with pytest.raises(ValueError, match=f"{key} '?{value}"):
        make_config(f"{key}={value}")


def test_everything_follows_the_metric(folder):
    report = read_report(folder)
    assert report.decision.highest.representation == "cqt-12" and report.verdict.startswith("Highest: cqt-12, accuracy")
    write_plan(folder, {}, Ranking("note_f1", 0.2))
    report = read_report(folder)
    assert report.decision.highest.representation == "cqt-36" and report.decision.margin == 0.2
    assert report.verdict.startswith("Highest: cqt-36, note F1 0.7")
    headings = [column.heading for column in report.columns]
    place = headings.index("note F1")
    assert headings[place + 1 : place + 4] == ["95 %", "best", "Acc"]
    assert (report.summary.low < report.summary.note_f1).all() and (report.summary.note_f1 < report.summary.high).all()
    assert any("t-interval of the mean note F1" in remark for remark in report.remarks)
    assert find_run(folder)[0].parent.name == "cqt-36" and find_run(folder, "accuracy")[0].parent.name == "cqt-12"
    console = Console(file=io.StringIO(), width=200)
    print_reports(folder, console, metric="accuracy")
    assert "Highest: cqt-12" in console.file.getvalue()


def test_rankings_by_accuracy_and_note_f1_stand_side_by_side(folder):
    console = Console(file=io.StringIO(), width=200)
    print_reports(folder, console)
    table = pd.read_csv(folder / "metrics.csv")
    assert list(table["rank_accuracy"]) == [1, 2, 3] and list(table["rank_note F1"]) == [3, 2, 1]
    assert "accuracy and note F1: Kendall's tau -1.00" in console.file.getvalue()


def test_a_command_keeps_its_ranking_with_the_plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = make_config("metric=note_f1", "margin=0.02")
    write_plans([Run("[1/1] x", config)])
    assert read_sweep(config.table).ranking == Ranking("note_f1", 0.02)
    plan_runs(config.table, "linear/cqt-12/seed-0")
    assert read_sweep(config.table).ranking == Ranking("note_f1", 0.02) and len(read_plan(config.table)) == 2
    assert read_sweep(tmp_path).ranking == Ranking()
    (config.table / PLAN).write_text('{"ranking": {"metric": "f1"}, "runs": {}}')
    damaged = read_sweep(config.table)
    assert damaged.ranking == Ranking() and "ranked as by default, metric 'f1'" in damaged.remark and damaged.runs == {}


def test_the_command_line_takes_a_metric(folder):
    command = [sys.executable, "-m", "sweep", "report", str(folder), "--tables-only", "--metric", "note_f1"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0 and "Highest: cqt-36, note F1" in ran.stdout
    ran = subprocess.run([*command, "--margin", "2"], capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.startswith("sweep report: margin 2.0: needs a number from 0 to 1")


def test_rankings_by_metric_are_of_one_model_each(folder):
    for path in sorted(folder.glob("linear/*/seed-0/result.json")):
        content = json.loads(path.read_text()) | {"model": "cnn"}
        other = folder / "cnn" / path.relative_to(folder / "linear")
        other.parent.mkdir(parents=True)
        other.write_text(json.dumps(content))
    found = read_report(folder).by_metric
    pairs = [("accuracy linear", "note F1 linear"), ("accuracy cnn", "note F1 cnn")]
    assert sorted(pair.names for pair in found.pairs) == sorted(pairs)
    for path in folder.glob("*/*/seed-0/result.json"):
        content = json.loads(path.read_text())
        content["scores"]["note_f1"] = None
        path.write_text(json.dumps(content))
    assert read_report(folder).by_metric is None  # two models, but one metric


def test_a_run_without_note_scores_costs_the_others_nothing(folder):
    path = folder / "linear/cqt-24/seed-0/result.json"
    content = json.loads(path.read_text())
    for scores in (content["scores"], *content["recordings"].values()):
        scores["note_f1"] = None
    path.write_text(json.dumps(content))
    report = read_report(folder, ranking=Ranking("note_f1"))
    assert report.sample.comparable and list(report.summary.low.notna()) == [True, False, True]
    assert report.decision.highest.representation == "cqt-36"


def test_a_sweep_behind_a_link_has_a_best_run(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/runs").symlink_to(tmp_path, target_is_directory=True)
    for asked in (tmp_path / "elsewhere/runs/d", tmp_path / "elsewhere/runs/d/quick/linear"):
        assert find_run(asked)[0].parent.name == "cqt-12"
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked/d").symlink_to(tmp_path / "d", target_is_directory=True)
    assert find_run(tmp_path / "linked")[0].parent.name == "cqt-12"
