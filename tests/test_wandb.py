"""Weights & Biases, offline: what the files hold that `wandb sync` sends later."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from configs import run_alone, short_config
from wandb_files import OfflineRun, read_offline_run

import sweep.training.checkpoints
from sweep.results.result import read_result

REPOSITORY = Path(__file__).resolve().parents[1]
SHORT = ["protocol.steps=10", "protocol.checkpoint_every=5", "protocol.scored_windows=30", "device=cpu"]


def offline_runs(folder: Path) -> list[OfflineRun]:
    return [read_offline_run(path) for path in sorted(folder.rglob("*.wandb"))]


@pytest.mark.long
def test_a_sweep_is_one_group_of_runs_with_the_scores_and_one_report(small_set, tmp_path):
    command = [sys.executable, "-m", "sweep", "representation=mel-512-128", "seed=0,1,2", "logger=wandb"]
    command += [*SHORT, "data=musicnet", f"data.root={small_set}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "WANDB_MODE": "offline", "WANDB_API_KEY": ""}
    keys = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "timeout": 300}
    ended = subprocess.run(command, **keys)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout + ended.stderr
    found = offline_runs(tmp_path)
    runs = [run for run in found if run.group]
    assert {run.group for run in runs} == {"runs/tiny/quick"} and len({run.id for run in runs}) == 3
    folders = {run.name: tmp_path / "runs/tiny/quick" / run.name for run in runs}
    assert sorted(folders) == [f"linear/mel-512-128/seed-{n}" for n in range(3)]
    for logged in runs:
        result = json.loads((folders[logged.name] / "result.json").read_text())
        assert {name: logged.summary[name] for name in result["scores"]} == result["scores"]
        assert {name: logged.config[name] for name in result["config"]} == result["config"]
        curve = {point["trainer/global_step"]: point["train/loss"] for point in logged.history if "train/loss" in point}
        written = (folders[logged.name] / "curves/from-step-0/metrics.csv").read_text()
        assert sorted(curve) == list(range(10)) and all(f"{loss}" in written for loss in curve.values())
        assert any("validation/loss" in point for point in logged.history)
    (report,) = [run for run in found if not run.group]
    (content,) = report.history
    assert (report.name, report.job_type) == ("tiny/quick report", "report")
    assert content["comparison.nrows"] == 1 and content["report._type"] == "html-file"
    pictures = {key.partition(".")[0] for key in content if key.startswith("pictures/")}
    assert len(pictures) == 7 + 1 and "pictures/run-mel-512-128" in pictures
    assert report.summary["verdict"] in (tmp_path / "runs/tiny/quick/table.md").read_text()

    ended = subprocess.run(command, **keys)
    assert ended.returncode == 0 and ended.stdout.count("(done before)") == 3
    assert len(offline_runs(tmp_path)) == len(found)


def test_a_rerun_continues_its_run_and_an_overwritten_one_replaces_it(small_set, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    config = short_config(small_set, tmp_path / "runs", "mel-512-128", logger={"name": "wandb", "project": "sweep"})
    with monkeypatch.context() as patch:

        def dies(self, trainer, module, outputs, batch, batch_idx):
            kept(self, trainer, module, outputs, batch, batch_idx)
            if module.step == 10:
                raise RuntimeError("power cut")

        kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
        patch.setattr(sweep.training.checkpoints.Checkpoint, "on_train_batch_end", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            run_alone(config)
    run_alone(config)
    first, second = sorted(offline_runs(tmp_path), key=lambda run: run.history[0]["trainer/global_step"])
    assert first.id == second.id and first.name == second.name
    steps = [[point["trainer/global_step"] for point in each.history] for each in (first, second)]
    assert (min(steps[0]), max(steps[0]), min(steps[1]), max(steps[1])) == (0, 9, 10, 19)
    scores = read_result(config.folder).scores
    assert {name: second.summary[name] for name in scores} == scores and "accuracy" not in first.summary
    assert (first.resume, second.resume) == (False, True)  # what `wandb sync` is told: make it, continue it
    run_alone(replace(config, overwrite=True))
    (anew,) = offline_runs(tmp_path)
    assert (anew.id, anew.resume, len(anew.history)) == (first.id, False, 20)
