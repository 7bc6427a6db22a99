"""Several processes on one sweep: each run once, whatever dies; two sweeps on one folder; runs that are tried again."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from configs import changed, make_config
from conftest import ROWS
from rich.console import Console
from test_app import REPOSITORY, SHORT, call

from sweep.config import HostCluster, RunConfig
from sweep.results.plan import read_plan
from sweep.results.state import LOCK, TRACEBACK
from sweep.scheduling.jobs import DONE, FAILED, Run, Walk
from sweep.scheduling.workers import Place, places, visible_gpus

THREE = "representation=linear-256,log-256,mel-512-128"


@pytest.fixture(scope="module")
def tiny(small_set):
    return [*SHORT, "data=musicnet", f"data.root={small_set}"]


def start(*arguments: str, cwd: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
    command = [sys.executable, "-m", "sweep", *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def config_for(root: str, runs: Path) -> RunConfig:
    """A short run of mel-512-128, as a sweep composes it."""
    overrides = ["data=musicnet", f"data.root={root}", "data.cache=null", "representation=mel-512-128", "workers=0"]
    overrides += ["protocol.steps=12", "protocol.batch_size=8", "protocol.checkpoint_every=5"]
    return make_config(*overrides, f"runs={runs}")


def logs(cwd: Path) -> dict[str, str]:
    return {path.parts[-3]: path.read_text() for path in cwd.glob("runs/*/*/*/*/*/log.txt")}


@pytest.mark.long
def test_a_worker_that_is_killed_ends_neither_its_run_nor_the_sweep(tmp_path, tiny):
    process = start(THREE, *tiny, "protocol.steps=100", "cluster=cpus", "cluster.processes=2", cwd=tmp_path)
    deadline, victim = time.monotonic() + 120, None
    while victim is None:
        assert time.monotonic() < deadline and process.poll() is None
        for path in tmp_path.glob("runs/*/*/*/*/*/checkpoint.ckpt"):
            victim = int((path.parent / LOCK).read_text().split("~")[2])
        time.sleep(0.01)
    assert victim != process.pid
    os.kill(victim, signal.SIGKILL)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    assert f"process {victim} died (signal 9); it is restarted" in output and "3 of 3 runs done" in output
    begun = {row: log.count("attempt ") for row, log in logs(tmp_path).items()}
    assert sorted(begun.values()) == [1, 1, 2]
    (again,) = (row for row, times in begun.items() if times == 2)
    result = next(tmp_path.glob(f"runs/*/*/*/{again}/*/result.json"))
    assert json.loads(result.read_text())["resumed_from"] > 0
    assert not list(tmp_path.rglob(".*")) and not list(tmp_path.rglob(LOCK))


@pytest.mark.long
def test_two_sweeps_on_one_folder_share_the_runs(tmp_path, tiny):
    """Each sees the whole table, each run is begun once."""
    processes = [start(THREE, *tiny, "protocol.steps=20", cwd=tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert all("3 of 3 runs done" in output for output in outputs)
    assert [log.count("attempt ") for log in logs(tmp_path).values()] == [1] * 3
    assert len(read_plan(tmp_path / "runs/tiny/quick")) == 3


def test_a_walk_tries_again_and_gives_up(tmp_path, tiny):
    """The run's folder is blocked for the first two attempts, then for good."""
    config = config_for(tiny[-1].removeprefix("data.root="), tmp_path)
    for retry, state in ((1, FAILED), (2, DONE)):
        run = Run("[1/1] mel-512-128", replace(config, runs=str(tmp_path / f"retry-{retry}"), retry=retry))
        blocked = run.folder / "model.ckpt" / "in the way"
        blocked.mkdir(parents=True)
        said, states = [], [0]

        def say(line, style, said=said, blocked=blocked):
            said.append(line)
            if len(said) == 2:
                blocked.rmdir()
                blocked.parent.rmdir()

        Walk([run], say, Console(quiet=True), [0], states).go()
        assert states == [state] and len(said) == retry + 1
        assert "tried again" in said[0] and ("accuracy" in said[-1]) == (state == DONE)
    died = Run("[1/1] mel-512-128", replace(config, runs=str(tmp_path / "died")))
    said, states = [], [0]
    Walk([died], lambda line, style: said.append(line), Console(quiet=True), [2], states).go()
    assert states == [FAILED] and "2 processes died during this run" in said[0]
    assert "ProcessDied" in (died.folder / TRACEBACK).read_text()


def test_the_lock_of_a_process_that_died_after_its_result_goes(tmp_path, tiny):
    run = Run("[1/1] mel-512-128", make_config("representation=mel-512-128", *tiny, f"runs={tmp_path}"))
    lock = run.folder / LOCK
    leave = f"import os; from pathlib import Path; from sweep import locks; locks.claim(Path({str(lock)!r}))"
    for told in ("accuracy", "done before"):
        said, states = [], [0]
        Walk([run], lambda line, style, said=said: said.append(line), Console(quiet=True), [0], states).go()
        assert states == [DONE] and told in said[0] and not lock.exists()
        if told == "accuracy":
            subprocess.run([sys.executable, "-c", leave], cwd=REPOSITORY, check=True)
            assert lock.exists()


def test_places_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(2, 10)))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,GPU-5, 7,-1,3")
    assert visible_gpus() == ["0", "GPU-5", "7"]
    assert places(HostCluster(name="gpus", processes=2)) == [
        Place("GPU 0", "0", (2, 3, 4, 5)),
        Place("GPU 1", "GPU-5", (6, 7, 8, 9)),
    ]
    shared = places(HostCluster(name="gpus", processes=4))
    assert [(place.name, place.gpu) for place in shared[2:]] == [("GPU 2", "7"), ("GPU 0.1", "0")]
    assert [place.cores for place in shared] == [(2, 3), (4, 5), (6, 7), (8, 9)]
    gpus, cpus = (HostCluster(name=name, processes="auto") for name in ("gpus", "cpus"))
    assert [place.cores for place in places(gpus)] == [(2, 3), (4, 5, 6), (7, 8, 9)]
    assert [place.cores for place in places(cpus)] == [(core,) for core in range(2, 10)]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ValueError, match="cluster gpus: there is no GPU on this host; choose cluster=cpus"):
        places(gpus)


def test_trained_front_ends_cost_more_once_they_are_trained():
    plain, trained = (make_config("representation=cqt-12", f"frontend.trainable={t}") for t in ("false", "true"))
    late = changed(trained, protocol__fixed_steps=trained.protocol.steps // 2)
    assert plain.cost < late.cost < trained.cost == 13 * plain.cost


def test_the_longest_run_comes_first():
    """In the order of the times that experiments/protocols/results.csv has for the paper's protocol."""
    config = make_config()
    names = ("cqt-288", "log-4096", "cqt-72", "mel-4096-512", "mel-512-128")
    costs = [replace(config, representation=ROWS[name]).cost for name in names]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cluster=cpus", "cluster.processes=0"], "cluster.processes 0: needs a whole number"),
        (["cluster=gpus", "device=cpu"], "cluster gpus with device cpu: choose cluster=cpus"),
        (["cluster=slurm", "cluster.timeout=0"], "cluster.timeout 0: needs a whole number"),
        (["retry=-1"], "retry -1: needs a whole number"),
    ],
)
def test_bad_clusters_end_in_one_line(arguments, message, tmp_path, tiny):
    ended = call(*tiny, *arguments, cwd=tmp_path)
    assert ended.returncode == 1
    said = (ended.stdout + ended.stderr).splitlines()
    assert len(said) == 1 and message in said[0]
