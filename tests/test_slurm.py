"""A sweep on a real SLURM; skipped where there is none. The longer one: python -m experiments.resilience.slurm."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_app import REPOSITORY, SHORT, call

UP = shutil.which("sinfo") and subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout
needs_slurm = pytest.mark.skipif(not UP, reason="no SLURM answers")
CLUSTER = ["cluster=slurm", "cluster.gpus=0", "cluster.cpus=1", "cluster.memory=2", "cluster.timeout=5"]


@pytest.fixture(scope="module")
def tiny(small_set):
    return [*SHORT, "data=musicnet", f"data.root={small_set}", *CLUSTER]


@needs_slurm
def test_jobs_are_submitted_watched_and_reported(tmp_path, tiny):
    """One of two rows is detached first; the second call finds it done."""
    pytest.importorskip("submitit")
    detached = call("representation=linear-256", *tiny, "cluster.detach=true", cwd=tmp_path)
    assert detached.returncode == 0 and "1 jobs submitted" in detached.stdout, detached.stdout + detached.stderr
    assert "sweep status runs shows the state" in detached.stdout and "Acc" not in detached.stdout
    (script,) = tmp_path.glob("runs/slurm/*/*submission.sh")
    assert "#SBATCH --requeue" in script.read_text() and "#SBATCH --time=5" in script.read_text()
    path = tmp_path / "runs/tiny/quick/linear/linear-256/seed-0/result.json"
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    extra = "cluster.extra={comment: a sweep}"
    ended = call("representation=linear-256,mel-512-128", *tiny, extra, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 of 2 runs done before" in ended.stdout and "2 of 2 runs done" in ended.stdout
    assert re.search(r"\[2/2\] mel-512-128  accuracy 0\.\d+ .*job \d+", ended.stdout)
    result = json.loads((tmp_path / "runs/tiny/quick/linear/mel-512-128/seed-0/result.json").read_text())
    assert result["resumed_from"] == 0
    scripts = [script.read_text() for script in tmp_path.glob("runs/slurm/*/*submission.sh")]
    assert sum("--comment='a sweep'" in script or '--comment="a sweep"' in script for script in scripts) == 1


class Command:
    """`python -m sweep` that goes on: when each line of its stdout came, in seconds from the start.

    Args:
        arguments: of the command.
        cwd: folder to run it in.
    """

    def __init__(self, arguments: list[str], cwd: Path):
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200"}
        began = time.monotonic()
        self.lines: list[tuple[float, str]] = []
        command = [sys.executable, "-m", "sweep", *arguments]
        self.process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, text=True)

        def read() -> None:
            for line in self.process.stdout:
                self.lines.append((time.monotonic() - began, line.rstrip()))

        self.reader = threading.Thread(target=read)
        self.reader.start()

    def said(self, pattern: str, within: float) -> tuple[float, str]:
        """The first line that holds the pattern, and when it came; fails after `within` seconds."""
        deadline = time.monotonic() + within
        while True:
            over = not self.reader.is_alive() or time.monotonic() > deadline
            for seconds, line in list(self.lines):
                if re.search(pattern, line):
                    return seconds, line
            assert not over, f"no line with {pattern!r} in {within} s: {self.lines}"
            time.sleep(0.1)


@contextlib.contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[Command]:
    """The command while it runs; its jobs end with the block."""
    command = Command(list(arguments), cwd)
    try:
        yield command
    finally:
        command.process.kill()
        command.reader.join()
        arrays = [path.name for path in cwd.glob("runs/slurm/*") if path.name.isdecimal()]
        subprocess.run(["scancel", *arrays])


@needs_slurm
def test_a_job_that_can_never_start_is_explained_within_20_seconds(tmp_path, tiny):
    pytest.importorskip("submitit")
    with started("representation=linear-256,mel-512-128", *tiny, "cluster.cpus=64", cwd=tmp_path) as command:
        seconds, line = command.said("2 of 2 jobs pending", within=40)
        assert seconds < 20
        assert "PartitionConfig" in line and "cluster.cpus=64" in line and "cluster.partition=null" in line
        time.sleep(6)  # three looks at the queue: the same is not said again, and the command still waits
        assert sum("pending" in line for _, line in command.lines) == 1 and command.process.poll() is None
        command.process.send_signal(signal.SIGINT)
        assert command.process.wait(timeout=30) == 130
        array = command.said("the jobs run on.*scancel", within=5)[1].split("scancel ")[1].split()[0]
        queue = subprocess.run(["squeue", "-h", "--array", "-j", array], capture_output=True, text=True)
        assert len(queue.stdout.splitlines()) == 2


@needs_slurm
def test_a_held_job_is_explained_and_followed_once_it_is_released(tmp_path, tiny):
    pytest.importorskip("submitit")
    with started("representation=linear-256", *tiny, "cluster.extra={hold: true}", cwd=tmp_path) as command:
        line = command.said("1 of 1 jobs pending: JobHeld", within=40)[1]
        (release,) = re.findall(r"scontrol release \d+", line)
        subprocess.run(release.split(), check=True)
        command.said(r"\[1/1\] linear-256  accuracy 0\.\d+ .*job \d+", within=120)
        assert command.process.wait(timeout=30) == 0


@needs_slurm
def test_jobs_that_sbatch_refuses_are_told_in_one_line(tmp_path, tiny):
    pytest.importorskip("submitit")
    ended = call(*tiny, "cluster.partition=nowhere", cwd=tmp_path)
    assert ended.returncode == 1
    said = (ended.stdout + ended.stderr).splitlines()
    assert len(said) == 1 and "cluster slurm: sbatch refused the jobs" in said[0] and "partition" in said[0]


@pytest.mark.skipif(bool(UP), reason="there is a SLURM")
def test_where_there_is_no_slurm_that_is_said(tmp_path, tiny):
    ended = call(*tiny, cwd=tmp_path)
    assert ended.returncode == 1 and "cluster slurm: " in ended.stderr and len(ended.stderr.splitlines()) == 1


CLUSTERS = [pytest.param(["cluster=none"], id="none"), pytest.param(CLUSTER, id="slurm", marks=needs_slurm)]


@pytest.fixture(scope="module")
def done_once(tmp_path_factory, small_set):
    """The arguments of a sweep of one row, and the folder where it is done."""
    cwd = tmp_path_factory.mktemp("finished")
    arguments = ["representation=linear-256", *SHORT, "data=musicnet", f"data.root={small_set}", "protocol.steps=6"]
    ended = call(*arguments, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return arguments, cwd


@pytest.fixture
def finished(done_once, tmp_path):
    """The arguments of a sweep that is done in tmp_path, and its result.json."""
    arguments, cwd = done_once
    shutil.copytree(cwd, tmp_path, dirs_exist_ok=True)
    return arguments, tmp_path / "runs/tiny/quick/linear/linear-256/seed-0/result.json"


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_result_of_another_configuration_is_refused_everywhere(cluster, finished, tmp_path):
    if "cluster=slurm" in cluster:
        pytest.importorskip("submitit")
    arguments, path = finished
    before = path.read_bytes()
    ended = call(*arguments, "protocol.steps=12", *cluster, cwd=tmp_path)
    said = ended.stdout + ended.stderr
    assert ended.returncode == 1, said
    lines = said.splitlines()
    (refused,) = [line for line in lines if "was made with another configuration" in line]
    assert "protocol.steps: 6 -> 12" in refused and "runs=DIR" in refused and "overwrite=true" in refused
    assert "done before" not in said and "Traceback" not in said
    # The table may show what is there, but only after that line.
    tables = [number for number, line in enumerate(lines) if re.search("runs done, ", line)]
    assert all(number > lines.index(refused) for number in tables)
    assert path.read_bytes() == before


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_damaged_result_is_set_aside_and_the_run_done_anew_everywhere(cluster, finished, tmp_path):
    if "cluster=slurm" in cluster:
        pytest.importorskip("submitit")
    arguments, path = finished
    damaged = path.read_bytes()[:200]
    path.write_bytes(damaged)
    ended = call(*arguments, *cluster, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "done before" not in ended.stdout and "1 of 1 runs done" in ended.stdout
    assert re.search(r"\[1/1\] linear-256  accuracy 0\.\d+", ended.stdout)
    assert json.loads(path.read_text())["config"]["protocol"]["steps"] == 6
    assert path.with_name("result.json.damaged").read_bytes() == damaged
