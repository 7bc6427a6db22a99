"""The comparison table, from result files made up here."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from configs import make_config, make_result, plan_runs
from rich.console import Console

from sweep.report import build_table, print_reports
from sweep.results.result import Result, write_result
from sweep.results.scoring import SCORES

ROOT = Path(__file__).parents[1]


def result(name: str, accuracy: float = 0.5, **values: object) -> Result:
    """A made-up result; e_tot is 1 - accuracy, every other score the accuracy."""
    scores = dict.fromkeys(SCORES, accuracy) | {"e_tot": 1 - accuracy}
    made = {
        "source": "demo",
        "norm": "sqrt_length",
        "scores": scores,
        "recordings": {"1759": scores, "2303": scores},
        "bins": 336,
        "parameters": {"frontend": 0, "model": 1_419_264},
        "seconds": {"setup": 1.5, "training": 60.25, "scoring": 4.5},
        "windows_per_second": 213.4,
        "peak_memory_bytes": 123,
    }
    return make_result(name, **made | values)


@pytest.fixture
def sweep(tmp_path):
    """Three runs done, one failed, one unfinished and one missing of a plan, and one done beside the plan."""
    folder = tmp_path / "runs" / "demo" / "quick"
    names = ["cqt-12", "mel-2048-128", "mel-512-256", "linear-1024", "linear-256", "log-512"]
    plan_runs(folder, *(f"linear/{name}/seed-0" for name in names))
    write_result(folder / "linear/cqt-12/seed-0", result("cqt-12", 0.123456789, context=332_752))
    write_result(folder / "linear/linear-256/seed-0", result("linear-256", 0.25))
    write_result(folder / "linear/mel-512-256/seed-0", result("mel-512-256", 0.5, empty_filters=12))
    write_result(folder / "linear/cqt-12+trainable/seed-0", result("cqt-12", 0.4, variant="trainable"))
    for name, file, text in [
        ("linear-1024", "traceback.txt", "Traceback ...\nRuntimeError: no bin [mel]\n\n"),
        ("log-512", "checkpoint.ckpt", "state"),
    ]:
        (folder / f"linear/{name}/seed-0").mkdir(parents=True)
        (folder / f"linear/{name}/seed-0/{file}").write_text(text)
    return folder


def printed(directory: Path, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    assert print_reports(directory, console)[0]
    return console.file.getvalue()


def test_rows_come_in_the_papers_order_with_what_became_of_them(sweep):
    table = build_table(sweep)
    assert list(zip(table.representation, table.variant, table.status, strict=True)) == [
        ("linear-256", "", "done"),
        ("linear-1024", "", "failed"),
        ("log-512", "", "unfinished"),
        ("mel-512-256", "", "done"),
        ("mel-2048-128", "", "missing"),
        ("cqt-12", "", "done"),
        ("cqt-12", "trainable", "done"),
    ]
    assert table.note[1] == "RuntimeError: no bin [mel]"
    assert table.accuracy[5] == 0.123456789
    assert (table.parameters_model[5], table.seconds_training[5], table.recordings[5]) == (1_419_264, 60.25, 2)


def test_families_and_seeds_sort_without_a_plan(tmp_path):
    folder = tmp_path / "runs" / "data" / "paper"
    for run in ["cnn/cqt-12/seed-10", "cnn/cqt-12/seed-2", "linear/cqt-12/seed-2", "cnn/mel-512-128/seed-0"]:
        write_result(folder / run, result(run.split("/")[1]))
    write_result(folder / "cnn/mine/seed-0", result("mine", family="linear"))
    table = build_table(folder)
    assert list(table.run) == [
        "cnn/mine/seed-0",
        "cnn/mel-512-128/seed-0",
        "cnn/cqt-12/seed-2",
        "cnn/cqt-12/seed-10",
        "linear/cqt-12/seed-2",
    ]
    header = (printed(folder), (folder / "table.md").read_text())[1].splitlines()[4]
    assert header.startswith("| representation | model | seeds | bins |")


def test_markdown_holds_the_printed_columns_rounded_and_the_best_in_bold(sweep):
    printed(sweep)
    lines = (sweep / "table.md").read_text().splitlines()
    assert lines[0] == "## demo, protocol quick, model linear: 4 of 7 runs done, 2 test recordings"
    assert lines[4] == "| representation | bins | context | Acc | P | R | F | Etot | AP | note F1 | windows/s | time |"
    assert lines[6:13] == [
        "| linear-256 | 336 | 1,024 | 0.250 | 0.250 | 0.250 | 0.250 | 0.750 | 0.250 | 0.250 | 213 | 66 s |",
        "| linear-1024 |  |  |  |  |  |  |  |  |  |  | failed |",
        "| log-512 |  |  |  |  |  |  |  |  |  |  | unfinished |",
        f"| mel-512-256 | 336 | 1,024 |{' **0.500** |' * 7} 213 | 66 s |",
        "| mel-2048-128 |  |  |  |  |  |  |  |  |  |  | missing |",
        "| cqt-12 | 336 | 332,752* | 0.123 | 0.123 | 0.123 | 0.123 | 0.877 | 0.123 | 0.123 | 213 | 66 s |",
        "| cqt-12+trainable | 336 | 1,024 | 0.400 | 0.400 | 0.400 | 0.400 | 0.600 | 0.400 | 0.400 | 213 | 66 s |",
    ]


def test_best_scores_are_those_that_look_best(tmp_path):
    for name, accuracy in [("log-256", 0.5001), ("log-512", 0.5004), ("log-1024", 0.4994)]:
        write_result(tmp_path / "data" / "quick" / f"linear/{name}/seed-0", result(name, accuracy))
    printed(tmp_path)
    text = (tmp_path / "data" / "quick" / "table.md").read_text()
    assert text.count("**0.500**") == 2 * 7 and "**0.499**" not in text


def test_a_sweep_that_has_not_begun_is_a_table_of_missing_rows(tmp_path):
    plan_runs(tmp_path / "demo" / "quick", "linear/cqt-12/seed-0")
    assert "0 of 1 runs done, no test recordings" in printed(tmp_path)
    assert "| cqt-12 |  |  |  |  |  |  |  |  |  | missing |" in (tmp_path / "demo/quick/table.md").read_text()


def test_remarks_say_what_the_table_does_not_carry(sweep):
    text = " ".join(printed(sweep).split())
    assert "failed: linear/linear-1024/seed-0: RuntimeError: no bin [mel]" in text
    assert "3 of 7 runs are not done" in text
    assert "at threshold 0.4." in text
    assert "mel-512-256 (12)." in text
    assert "our normalisation" in text
    assert "One seed" in text
    assert "confounded: the model's weights grow" in text
    assert "segment" not in text
    assert "not evidence about recorded music" in text


@pytest.mark.parametrize(
    ("changes", "remark"),
    [
        ([[], []], ""),
        ([["protocol.steps=5"]] * 2, "Changed on the command line: protocol.steps=5."),
        ([["protocol.steps=5"], []], "different settings, so do not compare them across: protocol.steps=5: cqt-12; "),
        ([["representation.norm=none"], []], ""),  # stands in the row's name
    ],
)
def test_what_the_command_line_changed_is_said(tmp_path, changes, remark):
    for name, changed in zip(("cqt-12", "cqt-24"), changes, strict=True):
        made = result(name, changed=make_config(*changed).changed_elsewhere)
        write_result(tmp_path / f"demo/quick/linear/{name}/seed-0", made)
    text = " ".join(printed(tmp_path).split())
    assert remark in text
    assert ("hanged on the command line" in text or "different settings" in text) == bool(remark)


def test_remarks_that_do_not_apply_are_left_out(tmp_path):
    folder = tmp_path / "musicnet" / "paper"
    made = result("linear-256", threshold=0.5, source="musicnet", norm=None)
    for seed in range(2):
        write_result(folder / f"linear/linear-256/seed-{seed}", made)
    text = " ".join(printed(folder).split())
    assert "threshold 0.5" in text
    for absent in ["evidence", "One seed", "normalisation", "Empty", "not done"]:
        assert absent not in text


def test_csv_holds_every_score_in_full(sweep):
    printed(sweep)
    table = pd.read_csv(sweep / "table.csv")
    assert set(SCORES) <= set(table.columns)
    assert table.accuracy[5] == 0.123456789
    assert list(table.status) == list(build_table(sweep).status)
    assert "332752" in (sweep / "table.csv").read_text()  # a count stays one beside missing rows, not 332752.0


def test_nothing_is_written_again_when_nothing_changed(sweep):
    printed(sweep)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in sweep.rglob("*")}  # reading is allowed
    printed(sweep)
    assert {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in sweep.rglob("*")} == before


@pytest.mark.parametrize("part", ["../..", "..", ".", "linear", "linear/cqt-12", "linear/linear-1024/seed-0"])
def test_any_folder_around_the_results_will_do(sweep, part):
    assert printed(sweep / part).startswith("demo, protocol quick, model linear: 4 of 7 runs done")
    assert (sweep / "table.csv").is_file()


def test_each_protocol_has_its_own_table(sweep):
    write_result(sweep.parent / "paper/linear/cqt-12/seed-0", result("cqt-12", protocol="paper"))
    text = printed(sweep.parents[1])
    assert text.index("demo, protocol paper") < text.index("demo, protocol quick")
    assert len(build_table(sweep.parent / "paper")) == 1


@pytest.mark.parametrize("width", [100, 80, 40])
def test_no_name_and_no_score_is_cut(sweep, width):
    text = printed(sweep, width)
    assert max(map(len, text.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    if width > 40:  # narrower than the name beside any score: it folds
        assert "cqt-12+trainable " in text and " 0.123 " in text
    assert ("No room for R" in text) == (width < 100)


def test_a_damaged_result_is_a_row_and_not_the_end(sweep):
    (sweep / "linear/cqt-12/seed-0/result.json").write_text("{")
    table = build_table(sweep)
    assert table.status[5] == "damaged"
    assert "delete it" in table.note[5]


def test_results_of_somebody_else_are_shown_though_nothing_can_be_written(sweep, monkeypatch):
    def refuse(path, _):
        raise PermissionError(f"Permission denied: {path}")

    monkeypatch.setattr("sweep.report.files.write_whole", refuse)
    text = printed(sweep)
    assert "cqt-12+trainable" in text and "were not written: Permission denied" in text


def run_report(*arguments: str) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    command = [sys.executable, "-m", "sweep", "report", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)


def test_command_prints_a_table_100_columns_wide_in_a_pipe(sweep):
    ran = run_report(str(sweep.parents[1]), "--tables-only")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert not (sweep / "report.html").exists()
    assert "cqt-12+trainable" in ran.stdout and "No room" not in ran.stdout and "\x1b" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 100


ELSEWHERE = json.dumps({"runs": {"../../etc": {"family": "cqt", "cost": 1.0, "identity": {}}}})


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (None, "no such folder"),
        ("", "sweep.json: damaged"),
        (ELSEWHERE, "sweep.json: ../../etc is not <model>/<representation>/seed-<n>"),
    ],
)
def test_command_answers_a_bad_folder_in_one_line(tmp_path, plan, message):
    folder = tmp_path / "runs"
    if plan is not None:
        folder.mkdir()
        (folder / "sweep.json").write_text(plan)
    ran = run_report(str(folder))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"sweep report: {folder}") and message in ran.stderr and ran.stderr.count("\n") == 1


def test_command_says_where_there_are_no_results(tmp_path):
    ran = run_report(str(tmp_path))
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == f"sweep report: {tmp_path}: no results in or below it; sweep +grid=smoke makes some\n"


def test_chosen_columns_are_those_of_every_form(sweep):
    ran = run_report(str(sweep), "--tables-only", "--columns", "acc,95%, parameters,e_sub,best,empty filters")
    assert (ran.returncode, ran.stderr) == (0, "")
    headings = ["representation", "Acc", "95 %", "parameters", "e_sub", "best", "empty filters"]
    assert " ".join(headings).split() in [line.split() for line in ran.stdout.splitlines()]
    assert f"| {' | '.join(headings)} |" in (sweep / "table.md").read_text()
    assert (
        "representation & Acc & 95 \\% & parameters & e\\_sub & best & empty filters"
        in (sweep / "table.tex").read_text()
    )
    row = next(line for line in (sweep / "table.md").read_text().splitlines() if line.startswith("| mel-512-256"))
    assert row == "| mel-512-256 | **0.500** |  | 1,419,264 | 0.500 |  | 12 |"
    chosen = {"accuracy", "e_sub", "empty_filters"}
    lines, runs = (pd.read_csv(sweep / name) for name in ("summary.csv", "table.csv"))
    assert chosen | {"representation", "low", "best_of_family", "parameters"} <= set(lines)
    assert chosen | {"run", "seed", "status"} <= set(runs)
    assert not {"recall", "seconds", "bins"} & {*lines, *runs}


def test_an_unknown_column_is_answered_with_those_there_are(sweep):
    ran = run_report(str(sweep), "--columns", "Acc,accuracies")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("sweep report: --columns accuracies: no such column; choose among representation, ")
    assert ran.stderr.count("\n") == 1 and not (sweep / "table.md").exists()


def test_the_command_says_where_the_page_lies(sweep):
    ran = run_report(str(sweep))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[-1].startswith(f"{sweep / 'report.html'}: ")
    assert (sweep / "report.html").exists() and (sweep / "pictures" / "score-by-bins.pdf").exists()
