"""The program as a user meets it: `python -m sweep` in a process of its own, from an empty folder."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweep.data.sources.demo import make_demo

REPOSITORY = Path(__file__).resolve().parents[1]
SHORT = ["protocol.steps=10", "protocol.checkpoint_every=5", "protocol.scored_windows=30", "device=cpu"]


def call(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "200", **environment}
    command = [sys.executable, "-m", "sweep", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder but Hydra's own: when it changed, and what it holds."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name != "multirun.yaml")
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


@pytest.fixture(scope="module")
def tiny(small_set):
    return [*SHORT, "data=musicnet", f"data.root={small_set}"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny):
    """A sweep of two rows, one of which fails on the way: the folder it ran in and how it ended."""
    cwd = tmp_path_factory.mktemp("finished")
    return cwd, call("representation=linear-256,mel-512-128", *tiny, cwd=cwd)


def test_the_demo_end_to_end(tmp_path):
    """`data=demo` makes its set, trains two rows on it and says that its scores are no evidence."""
    ended = call("representation=mel-512-128,linear-256", *SHORT, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "not evidence about recorded music" in ended.stdout
    assert ended.stdout.startswith("making the demo set in data/demo, once\n[1/2] mel-512-128  accuracy")
    assert len(list((tmp_path / "data/demo/train_data").glob("*.wav"))) == 12
    rows = list(csv.DictReader(open(tmp_path / "runs/demo/quick/table.csv")))
    assert [row["representation"] for row in rows] == ["linear-256", "mel-512-128"]  # the paper's order
    assert all(0 < float(row["accuracy"]) < 1 for row in rows)


def test_a_sweep_prints_each_run_and_one_table(finished):
    cwd, ended = finished
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == ""
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("[1/2] linear-256  accuracy 0.")
    assert lines[1].startswith("[2/2] mel-512-128  accuracy 0.")
    assert "2 of 2 runs done, 2 test recordings" in lines[2]
    folder = cwd / "runs/tiny/quick"
    assert list(json.loads((folder / "sweep.json").read_text())["runs"]) == [
        "linear/linear-256/seed-0",
        "linear/mel-512-128/seed-0",
    ]
    assert {path.name for path in folder.glob("table.*")} == {"table.md", "table.csv", "table.tex"}


def test_a_finished_sweep_run_again_changes_no_file(finished, tiny):
    cwd, _ = finished
    before = files(cwd)
    began = time.monotonic()
    ended = call("representation=linear-256,mel-512-128", *tiny, cwd=cwd)
    assert ended.returncode == 0
    assert ended.stdout.count("(done before)") == 2
    assert files(cwd) == before
    assert time.monotonic() - began < 20


def test_the_report_prints_the_same_table(finished):
    cwd, ended = finished
    before = files(cwd)
    report = call("report", "runs", "--tables-only", cwd=cwd)
    assert report.returncode == 0
    assert report.stdout.strip() == "\n".join(ended.stdout.splitlines()[2:]).strip()
    assert files(cwd) == before


def test_a_changed_configuration_is_refused_and_overwrite_starts_anew(finished, tiny, tmp_path):
    cwd, _ = finished
    before, plan = files(cwd), "runs/tiny/quick/sweep.json"
    arguments = ["representation=linear-256", *tiny, "protocol.steps=12"]
    refused = call(*arguments, cwd=cwd)
    assert refused.returncode == 1
    assert "protocol.steps: 10 -> 12" in refused.stdout and "overwrite=true" in refused.stdout
    after = files(cwd)
    asked, asked_before = (json.loads(found.pop(plan)[1])["runs"] for found in (after, before))
    assert after == before
    steps = [asked[f"linear/{row}/seed-0"]["identity"]["protocol.steps"] for row in ("linear-256", "mel-512-128")]
    assert steps == [12, 10] and list(asked) == list(asked_before)
    assert call(*arguments, "overwrite=true", cwd=cwd).returncode == 0
    result = json.loads((cwd / "runs/tiny/quick/linear/linear-256/seed-0/result.json").read_text())
    assert result["config"]["protocol"]["steps"] == 12


def test_another_folder_of_the_same_name_is_not_taken_for_it(finished, tiny, tmp_path):
    cwd, _ = finished
    other = tmp_path / "tiny"
    make_demo(other, train=2, test=1, seconds=3)
    ended = call("representation=mel-512-128", *tiny, f"data.root={other}", cwd=cwd)
    assert ended.returncode == 1
    assert "data.fingerprint" in ended.stdout and "runs=DIR" in ended.stdout


def test_what_varies_stands_in_the_title(tmp_path, tiny):
    ended = call("representation=linear-256", "seed=0,1", "protocol=quick,converged", *tiny, cwd=tmp_path)
    assert ended.returncode == 0
    starts = [line.split("  ")[0] for line in ended.stdout.splitlines() if line.startswith("[")]
    assert starts == [
        "[1/4] quick linear-256 seed-0",
        "[2/4] converged linear-256 seed-0",
        "[3/4] quick linear-256 seed-1",
        "[4/4] converged linear-256 seed-1",
    ]
    assert "Changed on the command line: protocol.steps=10" in ended.stdout
    assert "tiny, protocol quick, model linear: 2 of 2" in ended.stdout
    assert "tiny, protocol converged, model linear: 2 of 2" in ended.stdout


def test_two_runs_that_would_share_a_folder_are_refused(tmp_path, tiny):
    ended = call("protocol.batch_size=4,8", *tiny, cwd=tmp_path)
    assert ended.returncode == 1
    assert "would share" in ended.stderr and "protocol.batch_size: 4 -> 8" in ended.stderr
    assert not list(tmp_path.glob("runs/tiny"))


@pytest.mark.long
def test_a_failed_run_leaves_a_row_and_the_others_go_on(tmp_path, tiny):
    """linear-256 has a folder where its weights should go; the other row is not harmed, the next call tries again."""
    blocked = tmp_path / "runs/tiny/quick/linear/linear-256/seed-0/model.ckpt"
    (blocked / "in the way").mkdir(parents=True)
    arguments = ["representation=linear-256,mel-512-128", *tiny]
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "[1/2] linear-256  failed:" in ended.stdout and "[2/2] mel-512-128  accuracy" in ended.stdout
    assert "1 of 2 runs done" in ended.stdout
    assert "Traceback" in (blocked.parent / "traceback.txt").read_text()
    with open(tmp_path / "runs/tiny/quick/table.csv") as file:
        assert [row["status"] for row in csv.DictReader(file)] == ["failed", "done"]
    (blocked / "in the way").rmdir()
    blocked.rmdir()
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode == 0 and "2 of 2 runs done" in ended.stdout
    assert not (blocked.parent / "traceback.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=musicnet", "data.root=nowhere"], "nowhere"),
        (["protocol.steps=0"], "protocol.steps 0: needs a whole number"),
        (["device=tpu"], "device 'tpu': choose one of auto, cpu, cuda"),
        (["logger.name=paper"], "logger.name 'paper': choose one of csv, wandb, tensorboard, none"),
        (["data.validation=2"], "data.validation 2: needs a number"),
        (["frontend.accuracy=good"], "frontend.accuracy 'good': choose one of exact, high, fast"),
        (["threshold=2"], "threshold 2"),
        (["threshold=tuned", "data.validation=0"], "threshold tuned: needs held-out recordings to choose it on"),
        (["precision=half"], "precision 'half': choose one of float32, tf32, bfloat16"),
        (["control=capacity", "control.width=0"], "control.width 0: needs a whole number"),
        (["workers=-1"], "workers -1: needs a whole number"),
        (["seed=-1"], "seed -1"),
        (["frontend.trainable=maybe"], "frontend.trainable 'maybe': choose one of"),
        (["frontend.trainable=true", "frontend.learning_rate=0"], "frontend.learning_rate 0: needs a number above 0"),
        (["+frontend.window=1"], "frontend.window (1): unknown key; there is trainable, learning_rate, accuracy"),
        (["frontend.trainable=bank", "representation=cqt-12"], "frontend.trainable bank: cqt-12 has no mel bank"),
        (
            ["frontend.trainable=true", "representation=cqt-12", "representation.algorithm=2010"],
            "frontend.trainable True: cqt-12 with algorithm 2010 has no time-domain kernel for each bin; choose",
        ),
        (["protocol.fixed_steps=10"], "protocol.fixed_steps 10: needs to be fewer than protocol.steps, 10"),
        (["+protocol.stepz=5"], "protocol.stepz (5): unknown key; did you mean steps?"),
        (["~threshold"], "threshold"),
        (["data.root=null"], "data.root null: no such folder"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_bad_input_ends_in_one_line(arguments, message, tmp_path, tiny):
    ended = call(*tiny, *arguments, cwd=tmp_path)
    assert ended.returncode == 1
    said = (ended.stdout + ended.stderr).splitlines()
    assert len(said) == 1 and message in said[0]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("representation.n_mels=300", "n_mels 300 > 257 bins of n_fft 512"),
        ("+representation.n_fff=3", "n_fff (3): unknown key; did you mean n_fft?"),
        ("representation.f_min=7000", "f_min 7000 Hz >= f_max 6000 Hz"),
    ],
)
def test_a_bad_representation_ends_in_one_line(key, message, tmp_path, tiny):
    ended = call(*tiny, "representation=mel-512-128", key, cwd=tmp_path)
    assert ended.returncode == 1 and ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"sweep: conf/representation/mel-512-128.yaml: {message}")
    assert not (tmp_path / "runs").exists()


def test_a_single_run_by_hydras_run_mode(tmp_path, tiny):
    arguments = ["hydra.mode=RUN", "representation=mel-512-128", *tiny]
    assert call(*arguments, "representation.n_mels=300", cwd=tmp_path).returncode == 1
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode == 0 and ended.stdout.startswith("[1/1] mel-512-128  accuracy")
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "runs"}  # Hydra leaves no folder of its own


def test_an_unknown_option_is_named_without_a_traceback(tmp_path):
    ended = call("representation=mel-1", cwd=tmp_path)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("sweep: representation=mel-1: no such option; did you mean mel-")


@pytest.mark.long
def test_ctrl_c_stops_cleanly_and_the_next_call_goes_on(tmp_path, tiny):
    arguments = [*tiny, "representation=mel-512-128", "protocol.steps=800", "protocol.checkpoint_every=20"]
    command = [sys.executable, "-m", "sweep", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    folder = tmp_path / "runs/tiny/quick/linear/mel-512-128/seed-0"
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.ckpt").exists():
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in output and "the same command resumes" in output
    assert not (folder / "result.json").exists()
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    result = json.loads((folder / "result.json").read_text())
    stopped = result["resumed_from"]
    assert stopped >= 20
    curves = {path.parent.name for path in folder.glob("curves/*/metrics.csv")}
    before = {"from-step-0"} if stopped > 20 else set()  # stopped at its first checkpoint, a run may have no point yet
    assert curves - {"from-step-0"} == {f"from-step-{stopped}"} and before <= curves


@pytest.mark.long
def test_on_a_terminal_there_is_a_bar_with_rate_and_remaining_time(tmp_path, tiny):
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "sweep", *tiny, "representation=mel-512-128", "protocol.steps=400"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "COLUMNS": "120", "TERM": "xterm-256color"}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # Linux's way to say that the other end is closed
            break
        if not part:
            break
        shown += part
    assert process.wait(timeout=60) == 0
    text = shown.decode()
    assert "[1/1] mel-512-128" in text and "steps/s" in text and "/400" in text and "0:00:0" in text
