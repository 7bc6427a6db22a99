"""A sweep on a real SLURM; skipped where there is none. The longer one: python -m experiments.resilience.slurm."""

import json
import re
import shutil
import subprocess
import time

import pytest
from test_app import SHORT, call

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
    assert "python -m sweep.status runs shows the state" in detached.stdout and "Acc" not in detached.stdout
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
