"""TensorBoard: what its own reader finds in the event files of a sweep."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from configs import run_alone, short_config
from conftest import ROOT
from rich.console import Console
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.metadata import SESSION_START_INFO_TAG, parse_session_start_info_plugin_data

import sweep.training.checkpoints
from sweep.config import identity
from sweep.report import print_reports
from sweep.results.result import read_result
from sweep.training.events import write_report

SHORT = ["protocol.steps=10", "protocol.checkpoint_every=5", "protocol.scored_windows=30", "device=cpu"]
TRAIN, *VALIDATION = "train/loss", "validation/loss", "validation/average_precision"


def read_events(folder: Path, **keys: bool) -> EventAccumulator:
    """What TensorBoard reads in a folder of event files, each value of it."""
    return EventAccumulator(str(folder), dict.fromkeys(("scalars", "images", "tensors"), 0), **keys).Reload()


def curve(read: EventAccumulator, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in read.Scalars(name)]


def written(folder: Path, name: str) -> list[tuple[int, float]]:
    """A curve in a run's CSV files, in which a later file takes precedence; event files hold float32."""
    paths = sorted((folder / "curves").rglob("*.csv"), key=lambda path: int(path.parent.name.rpartition("-")[2]))
    points = (
        pd.concat([pd.read_csv(path) for path in paths])[["step", name]].dropna().drop_duplicates("step", keep="last")
    )
    return [(int(step), float(np.float32(value))) for step, value in points.to_numpy()]


def sweep_process(root: Path, folder: Path, before: str = "") -> subprocess.CompletedProcess:
    """`sweep` for two seeds with logger=tensorboard, in a process that first executes a line of Python."""
    code = f"import sys; {before}\nfrom sweep.__main__ import main\nmain()"
    words = ["representation=mel-512-128", "seed=0,1", "logger=tensorboard", "data=musicnet", f"data.root={root}"]
    command = [sys.executable, "-c", code, *words, *SHORT, "data.validation=0.3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "1000"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.mark.long
def test_a_sweep_has_the_curves_scores_and_keys_of_its_runs_and_one_report(small_set, tmp_path):
    ended = sweep_process(small_set, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr
    logs = tmp_path / "runs/tiny/quick"
    files = sorted(logs.rglob("*tfevents*"))
    names = [file.parent.relative_to(logs).as_posix() for file in files]  # TensorBoard names a run so
    assert names == ["linear/mel-512-128/seed-0", "linear/mel-512-128/seed-1", "report"]
    for name in names[:2]:
        read, result = read_events(logs / name), read_result(logs / name)
        assert [step for step, _ in curve(read, TRAIN)] == list(range(10))
        assert [step for step, _ in curve(read, VALIDATION[0])] == [4, 9]
        assert all(curve(read, tag) == written(logs / name, tag) for tag in (TRAIN, *VALIDATION))
        scores = {f"test/{score}": [(10, float(np.float32(value)))] for score, value in result.scores.items()}
        assert {tag: curve(read, tag) for tag in read.Tags()["scalars"] if tag.startswith("test/")} == scores
        content = read.SummaryMetadata(SESSION_START_INFO_TAG).plugin_data.content
        found = parse_session_start_info_plugin_data(content).hparams
        assert set(found) == set(identity(result.config)) > {"model.name", "representation.n_mels"}
        assert found["seed"].number_value == result.seed and found["model.name"].string_value == "linear"
    read = read_events(logs / "report")
    (text,) = read.Tensors("comparison/text_summary")
    assert text.tensor_proto.string_val[0].decode() == (logs / "table.md").read_text()
    assert len(read.Tags()["images"]) == 7 + 1 and "run-mel-512-128" in read.Tags()["images"]
    (image,) = read.Images("run-mel-512-128")
    assert image.width > 300 and image.encoded_image_string.startswith(b"\x89PNG")

    ended = sweep_process(small_set, tmp_path)
    assert ended.returncode == 0 and ended.stdout.count("(done before)") == 2
    assert sorted(logs.rglob("*tfevents*")) == files

    (report,), _ = print_reports(logs, console=Console(quiet=True))
    write_report(report, [])
    assert len(list((logs / "report").iterdir())) == 1
    assert len(read_events(logs / "report").Tensors("comparison/text_summary")) == 1


def at_step(step: int, act: Callable[[], None]) -> None:
    """Have this process do something before a checkpoint could be written after a step."""
    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end

    def acts(self, trainer, module, outputs, batch, batch_idx):
        if module.step == step:
            act()
        kept(self, trainer, module, outputs, batch, batch_idx)

    sweep.training.checkpoints.Checkpoint.on_train_batch_end = acts


def tensorboard_config(root: Path, runs: Path):
    logger = {"name": "tensorboard", "project": None}
    return short_config(root, runs, "mel-512-128", data__validation=0.3, protocol__validation_windows=10, logger=logger)


@pytest.mark.long
def test_a_run_that_was_killed_and_resumed_has_each_step_once(small_set, tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from configs import run_alone; import test_tensorboard\n"
        "test_tensorboard.at_step(16, lambda: os.kill(os.getpid(), signal.SIGKILL))\n"
        "run_alone(test_tensorboard.tensorboard_config(*map(Path, sys.argv[1:])))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    places = [str(small_set), str(tmp_path / "runs")]
    ended = subprocess.run([sys.executable, "-c", code, *places], env=environment, capture_output=True, timeout=300)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    config = tensorboard_config(small_set, tmp_path / "runs")
    assert run_alone(config).resumed_from == 10
    unpurged = [step for step, _ in curve(read_events(config.folder, purge_orphaned_data=False), TRAIN)]
    assert len(unpurged) > len(set(unpurged))  # the killed process had logged steps after its checkpoint
    read = read_events(config.folder)
    assert [step for step, _ in curve(read, TRAIN)] == list(range(20))
    assert [step for step, _ in curve(read, VALIDATION[0])] == [9, 19]
    assert curve(read, TRAIN) == written(config.folder, TRAIN)
    for name in VALIDATION:  # the CSV file lacks what was logged after the checkpoint
        assert curve(read, name)[1:] == written(config.folder, name)


@pytest.mark.long
def test_without_its_package_one_line_says_so_before_the_first_run(small_set, tmp_path):
    ended = sweep_process(small_set, tmp_path, before="sys.modules['tensorboard'] = None")
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr
    (line,) = [line for line in ended.stdout.splitlines() if "tensorboard" in line.lower()]
    assert line.startswith("logger=tensorboard: ") and "pip install 'spectrogram-sweep[tensorboard]'" in line
    assert ended.stdout.index(line) < ended.stdout.index("[1/2]") and "[2/2]" in ended.stdout
    assert len(list(tmp_path.rglob("curves/*/metrics.csv"))) == 2 and not list(tmp_path.rglob("*tfevents*"))


def test_a_log_that_can_no_longer_be_written_costs_one_line(small_set, tmp_path, monkeypatch, caplog, capfd):
    config = tensorboard_config(small_set, tmp_path / "runs")

    def block() -> None:
        (path,) = config.folder.glob("*tfevents*")
        path.unlink()
        path.mkdir()

    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
    monkeypatch.setattr(sweep.training.checkpoints.Checkpoint, "on_train_batch_end", kept)  # restored at the end
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)  # pytest keeps tracebacks of threads
    at_step(12, block)
    with caplog.at_level("WARNING", logger="sweep"):
        result = run_alone(config)
    (line,) = [message for message in caplog.messages if "TensorBoard" in message]
    curves = config.folder / "curves"
    assert line.startswith(f"mel-512-128 seed 0 goes on without TensorBoard, its curves are in {curves}: ")
    assert "Is a directory" in line and "\n" not in line
    assert "Exception in thread" not in capfd.readouterr().err and read_result(config.folder) == result
    assert [step for step, _ in written(config.folder, TRAIN)] == list(range(20))


@pytest.mark.parametrize("name", ["csv", "wandb", "none"])
def test_other_loggers_need_no_package(name, small_set, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    logger = {"name": name, "project": None}
    assert short_config(small_set, tmp_path, "mel-512-128", logger=logger).logger.lacking == ""
