"""`python -m sweep.status`: what is done, running, failed and to do, and when all will be, by what was measured."""

import json
import time
from datetime import datetime
from pathlib import Path

import pytest
from test_app import SHORT, call, files

from sweep import locks
from sweep.data.demo import make_demo
from sweep.pace import Progress, fit, read_progress
from sweep.results import write_plan
from sweep.status import look, main, read_status

NOW = datetime(2026, 11, 22, 12, 0, 0).timestamp()
COSTS = {"linear-256": 100.0, "linear-512": 300.0, "linear-1024": 500.0, "linear-2048": 900.0}


def stamp(seconds_ago: float) -> str:
    return datetime.fromtimestamp(NOW - seconds_ago).strftime("%Y-%m-%d %H:%M:%S,123")


def finish(run: Path, training: float, scoring: float, resumed_from: int = 0) -> None:
    run.mkdir(parents=True, exist_ok=True)
    seconds = {"setup": 1000.0, "training": training, "scoring": scoring}
    scores = {"accuracy": 0.5}
    result = {"scores": scores, "config": {}, "seconds": seconds, "resumed_from": resumed_from}
    (run / "result.json").write_text(json.dumps(result))


def write_log(run: Path, *lines: tuple[float, str]) -> None:
    run.mkdir(parents=True, exist_ok=True)
    (run / "log.txt").write_text("".join(f"{stamp(ago)} INFO sweep.{line}\n" for ago, line in lines))


@pytest.fixture
def sweep(tmp_path):
    """A planned sweep of four rows, none begun."""
    folder = tmp_path / "runs/demo/quick"
    write_plan(folder, [f"linear/{name}/seed-0" for name in COSTS], {f"linear/{n}/seed-0": c for n, c in COSTS.items()})
    return folder


def run_of(sweep: Path, name: str) -> Path:
    return sweep / f"linear/{name}/seed-0"


def test_nothing_measured_is_unknown(sweep, capsys, monkeypatch):
    assert read_status(sweep, NOW).remaining is None
    monkeypatch.setattr("sys.argv", ["status", str(sweep)])
    assert main() == 3
    assert capsys.readouterr().out == (
        f"{sweep}: 0 of 4 runs done, 4 to do, remaining time unknown: nothing has been measured yet\n"
    )


def test_what_is_left_follows_from_what_runs_took(sweep):
    """20 s for a cost of 100 and 40 s for 300 are 10 s and 0.1 s for each: 60 s for 500, 100 s for 900."""
    finish(run_of(sweep, "linear-256"), training=15, scoring=5)
    finish(run_of(sweep, "linear-512"), training=30, scoring=10)
    status = read_status(sweep, NOW)
    assert list(status.left.values()) == pytest.approx([60, 100])
    assert status.remaining == pytest.approx(160)
    (sweep / "sweep.json").write_text(json.dumps({"runs": [f"linear/{name}/seed-0" for name in COSTS]}))  # older
    assert read_status(sweep, NOW).remaining == pytest.approx(60)  # twice the mean


def test_a_running_run_is_as_fast_as_it_has_been(sweep):
    """50 steps in 100 s, so 300 more take 600 s, of which 10 are over; scoring takes 15 s, as fitted to 5 and 10."""
    finish(run_of(sweep, "linear-256"), training=15, scoring=5)
    finish(run_of(sweep, "linear-512"), training=30, scoring=10)
    run = run_of(sweep, "linear-1024")
    start = [(300, "jobs: attempt 1 by process 1, here"), (200, "run: linear-1024 on cpu from step 0 of 400")]
    old = [
        (1000, "jobs: attempt 1 by process 9, here"),
        (999, "run: linear-1024 on cpu from step 0 of 400"),
        (998, "checkpoints: checkpoint.ckpt written at step 7"),
    ]
    with locks.claim(run / "lock"):
        write_log(run, *old, *start)
        status = read_status(sweep, NOW)
        assert status.progress["linear/linear-1024/seed-0"].began == NOW - 300
        assert status.left["linear/linear-1024/seed-0"] == 0  # 60 s expected, 300 are over
        write_log(run, *old, *start, (110, "checkpoints: step 40"), (10, "checkpoints: step 95"))
        assert read_status(sweep, NOW).progress["linear/linear-1024/seed-0"].rate == pytest.approx(95 / 190)
        write_log(run, *old, *start, (100, "checkpoints: checkpoint.ckpt written at step 50"))
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
    write_log(run, (900, "jobs: attempt 1 by process 1, here"), (800, "run: x on cpu from step 0 of 400"))
    (run / "checkpoint.ckpt").write_text("")
    before = read_status(sweep, NOW)
    # All that was measured costs 100 and took 20 s: 500 takes between 20 and 100 s.
    assert before.left["linear/linear-1024/seed-0"] == pytest.approx(60)
    write_log(
        run,
        (900, "jobs: attempt 1 by process 1, here"),
        (800, "run: x on cpu from step 0 of 400"),
        (700, "checkpoints: checkpoint.ckpt written at step 100"),
    )
    status = read_status(sweep, NOW)
    assert dict(status.table.set_index("run").status)["linear/linear-1024/seed-0"] == "unfinished"
    assert 300 <= status.left["linear/linear-1024/seed-0"] <= 330  # 300 steps, one a second, and scoring


def test_exit_codes_and_lines(sweep, capsys, monkeypatch):
    def code(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["status", *arguments])
        return main(), "".join(capsys.readouterr())

    for name in COSTS:
        finish(run_of(sweep, name), 1, 1)
    assert code(str(sweep)) == (0, f"{sweep}: 4 of 4 runs done\n")
    assert code(str(sweep), "watch=0.1") == (0, f"{sweep}: 4 of 4 runs done\n")  # there is nothing to wait for
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
    assert code("nowhere") == (2, "sweep.status: nowhere: no such folder\n")
    assert code(str(sweep), "watch=often")[0] == code(str(sweep), "wach=1")[0] == code(str(sweep), "b")[0] == 2
    (sweep / "sweep.json").write_text("{")
    found, said = code(str(sweep))
    assert found == 2 and "sweep.json: damaged" in said and said.count("\n") == 1


def test_a_real_sweep_is_watched_from_outside(tmp_path):
    """Its log says what `read_progress` looks for; to look changes nothing."""
    make_demo(tmp_path / "tiny", train=3, test=2, seconds=4)
    rows = "representation=linear-256,mel-512-128"
    ended = call(rows, *SHORT, "data=musicnet", "data.root=tiny", cwd=tmp_path)
    first, second = [line for line in ended.stdout.splitlines() if line.startswith("[")]
    assert " s left)" in first and "left" not in second
    folder = tmp_path / "runs/tiny/quick"
    found = read_progress(folder / "linear/linear-256/seed-0")
    assert (found.first, found.steps, found.step) == (0, 10, 10) and time.time() - found.seen < 300
    costs = json.loads((folder / "sweep.json").read_text())["costs"]
    assert costs == {"linear/linear-256/seed-0": 10 * 129, "linear/mel-512-128/seed-0": 10 * 128}
    (folder / "linear/linear-256/seed-0/result.json").unlink()
    before = files(tmp_path)
    watched = call(cwd=tmp_path, module="sweep.status")
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


def test_no_log_is_no_progress(tmp_path):
    assert read_progress(tmp_path) is None
    (tmp_path / "log.txt").write_bytes(b"\xff\xfe nothing of ours\n")
    assert read_progress(tmp_path) is None
    write_log(tmp_path, (5, "jobs: attempt 2 by process 1, here"))
    assert read_progress(tmp_path) == Progress(began=NOW - 5)
    with pytest.raises(ValueError, match="no sweep in or below it"):
        look(tmp_path)
