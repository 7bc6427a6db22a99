"""Runs that end before their time: where the next one goes on, and that the end is the same."""

import logging
import os
import signal
from dataclasses import replace

import pytest
import torch
from configs import changed, run_alone
from conftest import DEVICES
from rich.console import Console
from short_training import converged_config, die_after, weights

import sweep.training.checkpoints
import sweep.training.evaluation
from sweep import locks
from sweep.data.recording import DataError
from sweep.results.result import RESULT, read_result
from sweep.results.state import CHECKPOINT, LOCK, MODEL, ChangedError
from sweep.training.run import run


@pytest.fixture
def config(small_set, tmp_path):
    return converged_config(small_set, tmp_path / "runs")


@pytest.mark.parametrize("stopped_at, trained_from", [(20, None), (40, None), (20, 34), (40, 34)])
@pytest.mark.parametrize("device", DEVICES)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    device, config, tmp_path, monkeypatch, stopped_at, trained_from
):
    config = changed(config, device=device, protocol__steps=55, protocol__checkpoint_every=20)  # groups of 10 on CUDA
    if trained_from:
        config = changed(config, frontend__trainable="bank", protocol__fixed_steps=trained_from)
    elsewhere = replace(config, runs=str(tmp_path / "whole"))
    whole, expected = run_alone(elsewhere), weights(elsewhere)

    die_after(stopped_at, config, monkeypatch)
    assert read_result(config.folder) is None

    resumed = run_alone(config)
    assert resumed.resumed_from == stopped_at
    assert resumed.scores == whole.scores
    for key, value in weights(config).items():
        assert torch.equal(value, expected[key]), key


def test_a_run_that_failed_in_scoring_trains_no_step_again(config, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sweep.training.evaluation, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_alone(config)
    result = run_alone(config)
    assert result.resumed_from == 6
    assert not (config.folder / CHECKPOINT).exists()


def test_a_checkpoint_of_another_configuration_is_refused(config, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sweep.training.evaluation, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_alone(config)
    with pytest.raises(ChangedError, match=r"protocol\.learning_rate: 0\.06 -> 0\.5"):
        run_alone(changed(config, protocol__learning_rate=0.5))


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def change_a_bit(content: bytes) -> bytes:
    """One of a weight, in the middle of the file."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", [CHECKPOINT, MODEL])
@pytest.mark.parametrize("damage", [cut, change_a_bit, lambda content: b"", lambda content: bytes(len(content))])
def test_a_damaged_checkpoint_is_set_aside_and_the_run_ends_as_if_there_were_none(
    config, tmp_path, monkeypatch, caplog, name, damage
):
    caplog.set_level(logging.WARNING, logger="sweep")  # Hydra, in another test, may have raised the root's level
    monkeypatch.setattr(logging.getLogger("sweep"), "propagate", True)
    whole = run_alone(replace(config, runs=str(tmp_path / "whole")))

    def dies(*_):
        raise RuntimeError("the power went")

    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        if name == MODEL:
            patch.setattr(sweep.training.evaluation, "score_recordings", dies)
        else:
            patch.setattr(
                sweep.training.checkpoints.Checkpoint,
                "on_train_batch_end",
                lambda self, trainer, module, *rest: (dies if module.step > 4 else kept)(self, trainer, module, *rest),
            )
        with pytest.raises(RuntimeError, match="the power went"):
            run_alone(config)
    path = config.folder / name
    path.write_bytes(damage(path.read_bytes()))
    result = run_alone(config)
    # A model is trained anew from the checkpoint, a checkpoint from nothing.
    assert result.resumed_from == {MODEL: 4, CHECKPOINT: 0}[name]
    assert result.recordings == whole.recordings
    assert f"{path}: damaged (" in caplog.text and f"{name}.damaged" in caplog.text
    assert {file.name for file in config.folder.glob("*.ckpt*")} == {MODEL, f"{name}.damaged"}


def test_nothing_is_written_into_a_folder_that_another_process_took(config):
    with locks.claim(config.folder / LOCK) as lock:
        lock.path.write_text("node7~0badcafe~12~345~6789abcd")
        with pytest.raises(locks.Lost):
            run(config, Console(quiet=True), "", lock)
    assert not list(config.folder.glob("*.ckpt")) and read_result(config.folder) is None


@pytest.mark.parametrize("at", [4, 6])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_end_of_a_step_and_nothing_is_lost(config, monkeypatch, at, number, tmp_path):
    """Also in the last step, after which the model is kept in place of a checkpoint."""
    whole = run_alone(replace(config, runs=str(tmp_path / "whole")))

    def signalled(self, trainer, module, outputs, batch, batch_idx):
        if module.step == at:
            os.kill(os.getpid(), number)
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(sweep.training.checkpoints.Checkpoint, "on_train_batch_end", signalled)
        with pytest.raises(KeyboardInterrupt) as stop:
            run_alone(config)
    assert stop.value.args == (number,)
    resumed = run_alone(config)
    assert resumed.resumed_from == at and resumed.scores == whole.scores
    assert (resumed.windows_per_second is None) == (at == 6)


def test_a_ctrl_c_that_was_to_be_ignored_stays_so(config, monkeypatch):
    """A script's `sweep &` continues when its user presses Ctrl-C for something else."""

    def signalled(self, trainer, module, outputs, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGINT)
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
    monkeypatch.setattr(sweep.training.checkpoints.Checkpoint, "on_train_batch_end", signalled)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_alone(config).recordings
    except KeyboardInterrupt:
        pytest.fail("it stopped")  # without this, pytest itself would
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_overwrite_deletes_nothing_before_the_new_run_can_start(config):
    run_alone(config)
    anew = replace(config, overwrite=True)
    with pytest.raises(DataError, match="scoring windows of 40000 needs at least 204100"):
        run_alone(changed(anew, protocol__window=40_000))
    assert (config.folder / RESULT).exists()
    (config.folder / "curves" / "old").touch()
    run_alone(anew)
    assert not (config.folder / "curves" / "old").exists()
