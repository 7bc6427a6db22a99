"""One odd or damaged member below the results costs nothing but itself, and is named."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from configs import make_result, plan_runs
from rich.console import Console
from test_summary import with_recordings

from sweep.commands import parser
from sweep.report import print_reports
from sweep.report.page import draw
from sweep.results.evidence import write_evidence
from sweep.results.plan import read_plan, write_plan
from sweep.results.result import read_result, write_result
from sweep.results.table import read_runs
from sweep.transcribe.trained import find_run

ROOT = Path(__file__).parents[1]
RUNS = [f"linear/{name}/seed-{seed}" for name in ("mel-512-128", "cqt-12") for seed in (0, 1)]
RUN = "linear/cqt-12/seed-0"


def fill(folder: Path) -> Path:
    """A finished sweep of two rows and two seeds, made up."""
    for run in RUNS:
        _, name, seed = run.split("/")
        number = int(seed[5:])
        made = with_recordings(name, 0.1 * (name == "cqt-12"), number, 2, 9)
        config = {"representation": {"name": name}, "seed": number}
        write_result(folder / run, dataclasses.replace(made, config=config))
        counts = {"pitches": np.full((2, 88, 3), 50), "polyphony": np.full((2, 89, 4), 50)}
        write_evidence(folder / run, counts | {"recordings": np.array(["0", "1"])})
        curve = folder / run / "curves/from-step-0/metrics.csv"
        curve.parent.mkdir(parents=True)
        curve.write_text("step,train/loss\n0,2.0\n10,1.0\n")
    plan_runs(folder, *RUNS)
    plan = read_plan(folder)
    known = {run: dataclasses.replace(plan[run], identity=identity_of(run)) for run in RUNS}
    write_plan(folder, known)
    return folder


def identity_of(run: str) -> dict:
    _, name, seed = run.split("/")
    return {"representation.name": name, "seed": int(seed[5:])}


@pytest.fixture
def sweep(tmp_path):
    return fill(tmp_path / "runs/d/quick")


def printed(directory: Path) -> str:
    console = Console(file=io.StringIO(), width=1000)
    assert print_reports(directory, console)[0]
    return console.file.getvalue()


def copy(source: str, target: str) -> Callable[[Path], None]:
    return lambda sweep: shutil.copytree(sweep / source, sweep / target)


def backup(sweep: Path) -> None:
    shutil.copytree(sweep, sweep.parent / "kept")
    shutil.move(sweep.parent / "kept", sweep / "backup")


def link(target: str, place: str) -> Callable[[Path], None]:
    return lambda sweep: (sweep / place).symlink_to(target)


def foreign(sweep: Path) -> None:
    (sweep / "linear/notes.txt").write_text("mine")
    (sweep / "seed-7/x").mkdir(parents=True)
    os.mkfifo(sweep / "linear/cqt-12/pipe")


ODD: dict[str, tuple[Callable[[Path], object], str]] = {
    **{name: (copy(RUN, f"linear/cqt-12/{name}"), f"linear/cqt-12/{name}")
       for name in ("seed-0.bak", "seed-0 (copy)", "seed-00", "seed--1", "copy of seed-0", "seed-9999999999999999999")},
    "renamed": (copy(RUN, "linear/cqt-12/seed-5"), "linear/cqt-12/seed-5: left out, a copy of linear/cqt-12/seed-0"),
    "a row": (copy("linear/cqt-12", "linear/cqt-12.bak"), "linear/cqt-12.bak/seed-1: left out, a copy of linear/"),
    "a model": (copy("linear", "linear.old"), "linear.old/cqt-12/seed-0: left out, a copy of linear/cqt-12/"),
    "below a row": (copy(RUN, "linear/cqt-12/old/seed-0"), "linear/cqt-12/old/seed-0"),
    "a grid": (backup, "backup"),
    "a link": (link("cqt-12", "linear/latest"), ""),
    "a link to itself": (link("round", "linear/round"), "linear/round: a link that leads nowhere"),
    "a link upwards": (link("../..", "linear/up"), ""),
    "foreign": (foreign, ""),
    "hidden": (copy(RUN, "linear/cqt-12/.seed-0"), ""),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("planned", [True, pytest.param(False, marks=pytest.mark.long)])
def test_an_odd_member_is_left_out_and_named(sweep, odd, planned, capsys):
    if not planned:
        (sweep / "sweep.json").unlink()
    before = read_runs(sweep)
    make, remark = ODD[odd]
    make(sweep)
    after = read_runs(sweep)
    assert list(after.table.run) == list(before.table.run) and len(after.table) == 4
    assert after.table.accuracy.equals(before.table.accuracy)
    assert before.remarks == [] and len(after.remarks) <= 4 and bool(after.remarks) == bool(remark)
    text = printed(sweep.parents[1])
    assert remark in text and "4 of 4 runs done" in text and text.count("runs done") == 1
    assert parser.main(["status", str(sweep.parents[1])]) == 0
    assert remark in capsys.readouterr().out
    assert find_run(sweep.parents[1])[0].parent.name == "cqt-12"


def test_a_plan_that_strayed_is_named(sweep):
    shutil.copy(sweep / "sweep.json", sweep.parents[1])
    text = printed(sweep.parents[1])
    assert "4 of 4 runs done" in text and f"{sweep.parents[1] / 'sweep.json'}: left out" in text


@pytest.mark.parametrize("name", ["result.json", "evidence.npz", "curves/from-step-0/metrics.csv"])
def test_a_damaged_file_costs_its_part_only_and_is_named(sweep, name):
    (sweep / RUN / name).write_bytes(b"\x00\xff\x93NUMPY")
    console = Console(file=io.StringIO(), width=1000)
    (report,), _ = print_reports(sweep, console)
    overview, rows, problems = draw(report)
    done = dict(zip(report.table.run, report.table.status, strict=True))
    assert done == dict.fromkeys(RUNS, "done") | ({RUN: "damaged"} if name == "result.json" else {})
    said = "\n".join([console.file.getvalue(), *problems])
    assert f"{sweep / RUN / name}: damaged, " in said
    assert all(picture.figure for picture in overview)
    assert [row.title for row in rows] == ["mel-512-128", "cqt-12"]


def test_arrays_of_other_shapes_are_damage(sweep):
    write_evidence(sweep / RUN, {"pitches": np.zeros((2, 3, 88), int)})
    (report,), _ = print_reports(sweep, Console(quiet=True))
    _, _, problems = draw(report)
    assert any("evidence.npz: damaged, its pitches have type int64 and shape (2, 3, 88)" in line for line in problems)


def test_a_damaged_plan_costs_the_rows_that_only_it_knows(sweep, capsys):
    (sweep / "sweep.json").write_text('{"runs": {"linear/')
    text = printed(sweep)
    assert "4 of 4 runs done" in text and f"{sweep / 'sweep.json'}: damaged, " in text
    assert find_run(sweep)[0].parent.name == "cqt-12"
    assert parser.main(["status", str(sweep)]) == 2  # how far it is, nobody knows
    other = fill(sweep.parent / "paper")
    assert parser.main(["status", str(sweep.parent)]) == 1
    out = capsys.readouterr().out
    assert f"{other}: 4 of 4 runs done" in out and "sweep.json: damaged" in out


def test_a_sweep_sets_a_damaged_plan_aside(sweep):
    plan = read_plan(sweep)
    (sweep / "sweep.json").write_text("{")
    said = write_plan(sweep, plan)
    assert read_plan(sweep) == plan and (sweep / "sweep.json.damaged").read_text() == "{"
    assert said.startswith(f"{sweep / 'sweep.json'}: damaged, ") and said.endswith(": it is now sweep.json.damaged")
    assert write_plan(sweep, plan) == ""


def test_what_vanishes_after_the_table_is_read_costs_its_pictures_only(sweep):
    (report,), _ = print_reports(sweep, Console(quiet=True))
    shutil.rmtree(sweep / RUN)
    overview, _, _ = draw(report)
    assert len(overview) == 6 and report.table.accuracy.notna().all()


def test_read_only_results_are_reported_and_no_page_is_claimed():
    """As a user without rights, who may not enter one run's folder nor read a file of each of the others."""
    above = Path(tempfile.mkdtemp())
    closed = [RUNS[0], f"{RUNS[1]}/result.json", f"{RUNS[2]}/evidence.npz", f"{RUNS[3]}/curves"]
    try:
        sweep = fill(above / "runs/d/quick")
        above.chmod(0o755)
        for path in sweep.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        for path in (above / "runs", sweep.parent, sweep):
            path.chmod(0o555)
        for name in closed:
            (sweep / name).chmod(0)
        code = (
            "import codecs, os, sys; from sweep.commands import parser\n"
            "from sweep.report import page; import sweep.scheduling.status; codecs.lookup('unicode-escape')\n"
            "from sweep.registry import sources; sources['demo']\n"
            "os.setuid(65534) if os.getuid() == 0 else None\n"
            "print([parser.main([name, sys.argv[1]]) for name in ('report', 'status')])"
        )
        command = [sys.executable, "-c", code, above / "runs"]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "COLUMNS": "1000"})
    finally:
        for name in closed:
            (sweep / name).chmod(0o755)
        for path in (above / "runs", sweep.parent, sweep):
            path.chmod(0o755)
        shutil.rmtree(above)
    out = ended.stdout
    assert "Traceback" not in ended.stderr
    assert "2 of 4 runs done" in out and out.endswith("[0, 1]\n")
    assert (
        "quick: table.csv, summary.csv, table.md, table.tex, verdict.json were not written: Permission denied\n" in out
    )
    assert "quick: report.html was not written: Permission denied\n" in out
    assert "the table and all pictures" not in out
    assert f"{sweep / closed[0]}: cannot be entered (Permission denied)" in out
    assert f"{sweep / closed[1]}: cannot be read (Permission denied)" in out


def test_without_matplotlib_there_are_the_tables(sweep):
    code = "import sys; sys.modules['matplotlib'] = None; from sweep.commands import parser\n"
    code += "sys.exit(parser.main(['report', sys.argv[1]]))"
    ended = subprocess.run([sys.executable, "-c", code, sweep], capture_output=True, text=True, cwd=ROOT, check=True)
    out = " ".join(ended.stdout.split())
    assert "no page and no pictures, " in out and "matplotlib" in out and "all pictures in one file" not in out
    assert (sweep / "table.csv").is_file() and (sweep / "table.tex").is_file()


def test_a_picture_that_cannot_be_drawn_costs_no_page(sweep, monkeypatch):
    from sweep.report import page

    def fail(*_):
        raise RuntimeError("no font")

    monkeypatch.setattr(page, "score_by_cost", fail)
    (report,), _ = print_reports(sweep, Console(quiet=True))
    text = page.page(report, *page.draw(report), None)
    assert "Not drawn: RuntimeError, no font." in text and text.count("<figure") == 6


@pytest.mark.parametrize("value", [None, "0.5", True, 1e400, [0.5]])
def test_a_score_of_another_type_is_damage_and_null_is_undefined(tmp_path, value):
    write_result(tmp_path, make_result())
    content = json.loads((tmp_path / "result.json").read_text())
    content["scores"]["accuracy"] = value
    (tmp_path / "result.json").write_text(json.dumps(content))
    if value is None:
        assert read_result(tmp_path).scores["accuracy"] is None
    else:
        with pytest.raises(ValueError, match=r"result\.json: damaged, .*; delete it and run"):
            read_result(tmp_path)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"accuracy": "x"}, 'accuracy of its recording 0 is "x"'),
        ({"note_f1": [1]}, "note_f1 of its recording 0 is [1]"),
        ({"group": ["a"]}, 'group of its recording 0 is ["a"]'),
        ({"blocks": {"frames": [[1, 2, 3]] * 9, "notes": [[1, 2, 3]] * 9}}, ""),  # without notes with their offsets
        ({"blocks": {"frames": "x", "notes": [[1]]}}, ""),
    ],
)
@pytest.mark.parametrize("metric", ["accuracy", "note_offset_f1"])
def test_an_odd_score_costs_its_run_and_odd_counts_their_intervals(sweep, entry, said, metric):
    path = sweep / RUN / "result.json"
    content = json.loads(path.read_text())
    content["recordings"]["0"] |= entry
    path.write_text(json.dumps(content))
    console = Console(file=io.StringIO(), width=300)
    ((report,), _) = print_reports(sweep, console, metric=metric)
    assert (report.table.set_index("run").status[RUN] == "damaged") == bool(said) and said in console.file.getvalue()
