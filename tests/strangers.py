"""What the tests of others' classes share: a small data set in its own form, a sweep that is killed, its outcome."""

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch
from test_slurm import CLUSTER, needs_slurm

from sweep.data.sources.demo import make_demo

SHORT = ["protocol.steps=60", "protocol.checkpoint_every=20", "protocol.batch_size=8", "protocol.scored_windows=30"]
SHORT += ["device=cpu", "workers=0"]
CLUSTERS = [
    pytest.param(["cluster=none"], id="none"),
    pytest.param(["cluster=cpus", "cluster.processes=2"], id="cpus"),
    pytest.param(CLUSTER, id="slurm", marks=needs_slurm),
]


def make_tapes(root: Path) -> Path:
    """Two takes to train on and one to test on, of 3 s each: <root>/<split>/ada/<take>.wav and .json."""
    demo = root / "demo"
    make_demo(demo, train=2, test=1, seconds=3)
    for labels in demo.glob("*_labels/*.csv"):
        split = labels.parent.name.removesuffix("_labels")
        take = root / split / "ada" / f"{labels.stem}.wav"
        take.parent.mkdir(parents=True, exist_ok=True)
        (demo / f"{split}_data" / take.name).rename(take)
        with labels.open() as file:
            rows = [(int(row["start_time"]), int(row["end_time"]), int(row["note"])) for row in csv.DictReader(file)]
        marked = [{"from": on / 44100, "lasts": (off - on) / 44100, "pitch": pitch} for on, off, pitch in rows]
        take.with_suffix(".json").write_text(json.dumps(marked))
    return root


def results(cwd: Path) -> dict[str, dict]:
    """What stands in each result.json below runs/, by the run's folder there."""
    found = sorted(cwd.glob("runs/*/*/*/*/seed-*/result.json"))
    return {str(path.parent.relative_to(cwd)): json.loads(path.read_text()) for path in found}


def assert_same(cwd: Path, other: Path) -> None:
    """The runs of two folders are the same, with the same scores and weights to the last bit."""
    found, expected = results(cwd), results(other)
    assert found.keys() == expected.keys() and found
    for run, result in found.items():
        for key in ("scores", "recordings"):
            assert result[key] == expected[run][key], (run, key)
        assert result["config"]["code"] == expected[run]["config"]["code"]
        one, two = (
            torch.load(folder / run / "model.ckpt", map_location="cpu", weights_only=True)["state_dict"]
            for folder in (cwd, other)
        )
        assert one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one), run


def kill_in_training(command: list, cwd: Path, environment: dict[str, str]) -> None:
    """Start a sweep and kill it, its processes and its jobs with signal 9 once a checkpoint is there."""
    with (cwd / "killed.txt").open("w") as said:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    deadline = time.monotonic() + 200
    try:
        while not list(cwd.glob("runs/*/*/*/*/seed-*/checkpoint.ckpt")):
            assert process.poll() is None, (cwd / "killed.txt").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.002)
    finally:
        for array in [path.name for path in cwd.glob("runs/slurm/*") if path.name.isdecimal()]:
            subprocess.run(["scancel", "--signal=KILL", "--full", array], capture_output=True)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert list(cwd.glob("runs/*/*/*/*/seed-*/checkpoint.ckpt")), "it ended before it was killed"
