"""`sweep status`: what is done, running, failed and to do, and when all will be, by what was measured."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from configs import make_result, plan_runs
from test_app import REPOSITORY, SHORT, call, files

from sweep import locks
from sweep.commands import parser
from sweep.data.sources.demo import make_demo
from sweep.results.plan import read_plan
from sweep.results.progress import Progress, read_progress
from sweep.results.result import write_result
from sweep.scheduling.pace import fit
from sweep.scheduling.status import look, read_status

NOW = 1_800_000_000.0
COSTS = {"linear-256": 100.0, "linear-512": 300.0, "linear-1024": 500.0, "linear-2048": 900.0}


def finish(run: Path, training: float, scoring: float, resumed_from: int = 0) -> None:
    seconds = {"setup": 1000.0, "training": training, "scoring": scoring}
    write_result(run, make_result(run.parent.name, seconds=seconds, resumed_from=resumed_from))


def write_progress(run: Path, began: float, training: float | None = None, **known: float) -> None:
    """The progress of an attempt: `began`, `training` and `seen` in seconds before NOW, and its steps."""
    run.mkdir(parents=True, exist_ok=True)
    times = {"began": began, "training": training, "seen": known.pop("seen", training)}
    times = {name: None if ago is None else NOW - ago for name, ago in times.items()}
    progress = Progress(identity={}, **times, **known)
    (run / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)))


@pytest.fixture
def sweep(tmp_path):
    """A planned sweep of four rows, none begun."""
    folder = tmp_path / "runs/demo/quick"
    plan_runs(folder, *(f"linear/{n}/seed-0" for n in COSTS), costs={f"linear/{n}/seed-0": c for n, c in COSTS.items()})
    return folder


def run_of(sweep: Path, name: str) -> Path:
    return sweep / f"linear/{name}/seed-0"


def run_status(*arguments: str, capsys) -> tuple[int, str]:
    """Exit code and output of `sweep status`."""
    try:
        code = parser.main(["status", *arguments])
    except SystemExit as stop:  # of a command line that cannot be understood
        code = stop.code
    return code, "".join(capsys.readouterr())


def test_nothing_measured_is_unknown(sweep, capsys):
    assert read_status(sweep, NOW).remaining is None
    assert run_status(str(sweep), capsys=capsys) == (
        3,
        f"{sweep}: 0 of 4 runs done, 4 to do, remaining time unknown: nothing has been measured yet\n",
    )


def test_what_is_left_follows_from_what_runs_took(sweep):
    """20 s for a cost of 100 and 40 s for 300 are 10 s and 0.1 s for each: 60 s for 500, 100 s for 900."""
    finish(run_of(sweep, "linear-256"), training=15, scoring=5)
    finish(run_of(sweep, "linear-512"), training=30, scoring=10)
    status = read_status(sweep, NOW)
    assert list(status.left.values()) == pytest.approx([60, 100])
    assert status.remaining == pytest.approx(160)
    plan = json.loads((sweep / "sweep.json").read_text())["runs"]
    for name in ("linear-1024", "linear-2048"):  # no plan knows what they cost
        del plan[f"linear/{name}/seed-0"]
        run_of(sweep, name).mkdir(parents=True)
        (run_of(sweep, name) / "checkpoint.ckpt").write_text("")
    (sweep / "sweep.json").write_text(json.dumps({"runs": plan}))
    assert read_status(sweep, NOW).remaining == pytest.approx(60)  # twice the mean


def test_a_running_run_is_as_fast_as_it_has_been(sweep):
    """50 steps in 100 s, so 300 more take 600 s, of which 10 are over; scoring takes 15 s, as fitted to 5 and 10."""
    finish(run_of(sweep, "linear-256"), training=15, scoring=5)
    finish(run_of(sweep, "linear-512"), training=30, scoring=10)
    run = run_of(sweep, "linear-1024")
    steps = {"first": 0, "steps": 400}
    with locks.claim(run / "lock"):
        write_progress(run, began=300, training=200, **steps, step=0)
        status = read_status(sweep, NOW)
        assert status.progress["linear/linear-1024/seed-0"].began == NOW - 300
        assert status.left["linear/linear-1024/seed-0"] == 0  # 60 s expected, 300 are over
        write_progress(run, began=300, training=200, **steps, step=95, seen=10)
        assert read_status(sweep, NOW).progress["linear/linear-1024/seed-0"].rate == pytest.approx(95 / 190)
        write_progress(run, began=300, training=200, **steps, step=50, seen=100)
        status = read_status(sweep, NOW - 90)
        assert status.left["linear/linear-1024/seed-0"] == pytest.approx(350 / 0.5 + 15 - 10)
        # Two run, so they share what is left; no process can take less than the longest run.
        with locks.claim(run_of(sweep, "linear-2048") / "lock"):
            shared = read_status(sweep, NOW - 90)
        assert shared.remaining == pytest.approx(max(shared.left.values()))
        assert status.remaining == pytest.approx(sum(status.left.values()))


def test_an_interrupted_run_has_the_rest_to_do_and_a_resumed_time_is_no_measure(sweep):
    finish(run_of(sweep, "linear-256"), training=15, scoring=5)
    finish(run_of(sweep, "linear-512"), training=1, scoring=1, resumed_from=50)
    run = run_of(sweep, "linear-1024")
    write_progress(run, began=900, training=800, first=0, steps=400, step=0)
    (run / "checkpoint.ckpt").write_text("")
    before = read_status(sweep, NOW)
    # All that was measured costs 100 and took 20 s: 500 takes between 20 and 100 s.
    assert before.left["linear/linear-1024/seed-0"] == pytest.approx(60)
    write_progress(run, began=900, training=800, first=0, steps=400, step=100, seen=700)
    status = read_status(sweep, NOW)
    assert dict(status.table.set_index("run").status)["linear/linear-1024/seed-0"] == "unfinished"
    assert 300 <= status.left["linear/linear-1024/seed-0"] <= 330  # 300 steps, one a second, and scoring


def test_what_a_running_run_is_at_is_said(sweep, capsys):
    finish(run_of(sweep, "linear-256"), 1, 1)
    run = run_of(sweep, "linear-1024")
    now = time.time()

    def said(**known: float) -> str:
        progress = Progress(identity={}, began=now - 60, **known)
        (run / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)))
        code, text = run_status(str(sweep), capsys=capsys)
        assert code == 3 and "1 of 4 runs done, 1 running, 2 to do, about " in text
        (line,) = [
            line for line in text.splitlines() if line.startswith("  running    linear/linear-1024/seed-0  process")
        ]
        return line

    with locks.claim(run / "lock"):
        assert said().endswith(", setting up, about 0 s left")
        training = {"first": 0, "steps": 4000, "training": now - 50, "seen": now}
        assert ", step 2,000 of 4,000, 40.0 steps/s, about 5" in said(step=2000, **training)
        assert said(step=4000, **training).endswith(", step 4,000 of 4,000, 80.0 steps/s, scoring")


def test_exit_codes_and_lines(sweep, capsys):
    def code(*arguments: str) -> tuple[int, str]:
        return run_status(*arguments, capsys=capsys)

    for name in COSTS:
        finish(run_of(sweep, name), 1, 1)
    assert code(str(sweep)) == (0, f"{sweep}: 4 of 4 runs done\n")
    assert code(str(sweep), "--watch", "0.1") == (0, f"{sweep}: 4 of 4 runs done\n")  # there is nothing to wait for
    (run_of(sweep, "linear-256") / "result.json").unlink()
    (run_of(sweep, "linear-256") / "traceback.txt").write_text("Traceback:\nValueError: it broke\n")
    found, said = code(str(sweep.parent))
    assert found == 1 and "3 of 4 runs done, 1 failed\n" in said and "ValueError: it broke" in said
    assert "left" not in said  # a failed run is not to do: somebody has to look at it first
    (run_of(sweep, "linear-512") / "result.json").write_text("{")
    assert code(str(sweep))[0] == 1
    for path in sweep.glob("linear/linear-[25]*/seed-0/*"):
        path.unlink()
    found, said = code(str(sweep))
    assert found == 3 and "3 to do, about 6 s left for one process, none is at work" in said
    assert code("nowhere") == (2, "sweep status: nowhere: no such folder\n")
    for wrong in (["--watch", "often"], ["--wach", "1"], ["b"], ["--watch"]):
        found, said = code(str(sweep), *wrong)
        assert found == 2 and "usage: sweep status " in said
    for seconds in ("0.05", "inf", "nan"):
        found, said = code(str(sweep), "--watch", seconds)
        assert (found, said) == (2, f"sweep status: --watch {seconds}: needs a number of seconds, at least 0.1\n")
    (sweep / "sweep.json").write_text("{")
    found, said = code(str(sweep))
    assert found == 2 and "sweep.json: damaged" in said and said.count("\n") == 1


def test_a_watch_looks_again_until_no_run_is_left(sweep, capsys, monkeypatch):
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        finish(run_of(sweep, list(COSTS)[len(slept) - 1]), 1, 1)

    monkeypatch.setattr("sweep.commands.status.time.sleep", sleep)
    found, said = run_status(str(sweep), "--watch", "10", capsys=capsys)
    assert found == 0 and slept == [10] * 4
    assert [line.partition(": ")[2].partition(" runs")[0] for line in said.splitlines()] == [
        f"{done} of 4" for done in range(5)
    ]


# A sweep whose runs are interrupted between training and result.
INTERRUPTED = """
import sweep.training.run
from sweep.__main__ import main

def stop(*_):
    raise KeyboardInterrupt

sweep.training.run.write = stop
main()
"""


@pytest.mark.long
def test_a_real_sweep_is_watched_from_outside(tmp_path):
    """It leaves the progress that `read_progress` looks for; to look changes nothing."""
    make_demo(tmp_path / "tiny", train=3, test=2, seconds=4)
    rows = "representation=linear-256,mel-512-128"
    ended = call(rows, *SHORT, "data=musicnet", "data.root=tiny", cwd=tmp_path)
    first, second = [line for line in ended.stdout.splitlines() if line.startswith("[")]
    assert " s left)" in first and "left" not in second
    folder = tmp_path / "runs/tiny/quick"
    run = folder / "linear/linear-256/seed-0"
    assert not (run / "progress.json").exists()  # it is done
    costs = {name: planned.cost for name, planned in read_plan(folder).items()}
    assert costs == {"linear/linear-256/seed-0": 10 * 129, "linear/mel-512-128/seed-0": 10 * 128}
    again = ["representation=linear-256", *SHORT, "data=musicnet", "data.root=tiny", "overwrite=true"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", INTERRUPTED, *again]
    stopped = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert stopped.returncode == 130, stopped.stdout + stopped.stderr
    found = read_progress(run)
    assert (found.first, found.steps, found.step) == (0, 10, 10) and time.time() - found.seen < 300
    assert found.identity == read_plan(folder)["linear/linear-256/seed-0"].identity
    before = files(tmp_path)
    watched = call("status", cwd=tmp_path)
    assert watched.returncode == 3 and watched.stderr == "", watched.stderr
    assert "runs/tiny/quick: 1 of 2 runs done, 1 to do, about " in watched.stdout
    assert "  unfinished linear/linear-256/seed-0  step 10 of 10" in watched.stdout
    assert files(tmp_path) == before


def test_the_fit_is_never_below_zero_and_knows_what_it_does_not_know():
    assert fit([], [])(1.0) is None
    assert fit([None, None], [2.0, 4.0])(7.0) == 3.0
    assert fit([5.0], [4.0])(5.0) == 4.0  # of its own size
    assert fit([1.0, 2.0], [8.0, 4.0])(100.0) == pytest.approx(6.0)  # larger ones are not faster
    assert fit([1.0, 2.0], [8.0, 4.0])(None) == 6.0


def test_a_folder_without_a_sweep_is_said(tmp_path):
    with pytest.raises(ValueError, match="no sweep in or below it"):
        look(tmp_path)
    with pytest.raises(ValueError, match="no such folder"):
        look(tmp_path / "nowhere")
