"""Runs that end before their time: where the next one goes on, and that the end is the same."""

import copy
import os
import signal

import pytest
import torch
from conftest import DEVICES
from short_training import folder, quiet, run, short_settings, weights

import sweep.checkpoints
import sweep.run
from sweep import results
from sweep.locks import claim


@pytest.fixture
def settings(small_set, tmp_path):
    return short_settings(small_set, tmp_path / "runs")


@pytest.mark.parametrize("stopped_at, trained_from", [(20, None), (40, None), (20, 34), (40, 34)])
@pytest.mark.parametrize("device", DEVICES)
def test_an_interrupted_run_goes_on_and_ends_with_the_same_weights(
    device, settings, tmp_path, monkeypatch, stopped_at, trained_from
):
    settings["device"] = device
    settings["protocol"] |= {"steps": 55, "checkpoint_every": 20}  # on CUDA: groups of 10, the last one short
    if trained_from:
        settings["frontend"]["trainable"], settings["protocol"]["fixed_steps"] = "bank", trained_from
    whole = run({**settings, "runs": str(tmp_path / "whole")}, quiet(), "")
    expected = weights({**settings, "runs": str(tmp_path / "whole")})

    def dies(self, trainer, module, outputs, batch, batch_idx):
        if module.step > stopped_at:
            raise RuntimeError("the power went")
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(sweep.checkpoints.Checkpoint, "on_train_batch_end", dies)
        with pytest.raises(RuntimeError, match="the power went"):
            run(settings, quiet(), "")
    assert results.read_result(folder(settings)) is None

    resumed = run(settings, quiet(), "")
    assert resumed["resumed_from"] == stopped_at
    assert resumed["scores"] == whole["scores"]
    for key, value in weights(settings).items():
        assert torch.equal(value, expected[key]), key


def test_a_run_that_failed_in_scoring_trains_no_step_again(settings, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(sweep.run, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(settings, quiet(), "")
    result = run(settings, quiet(), "")
    assert result["resumed_from"] == 6
    assert not (folder(settings) / results.CHECKPOINT).exists()


def test_a_checkpoint_of_another_configuration_is_refused(settings, monkeypatch):
    settings = copy.deepcopy(settings)
    with monkeypatch.context() as patch:
        patch.setattr(sweep.run, "score_recordings", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(settings, quiet(), "")
    settings["protocol"]["learning_rate"] = 0.5
    with pytest.raises(results.ConfigurationChanged, match=r"protocol\.learning_rate: 0\.06 -> 0\.5"):
        run(settings, quiet(), "")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def change_a_bit(content: bytes) -> bytes:
    """One of a weight, in the middle of the file."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("name", [results.CHECKPOINT, results.MODEL])
@pytest.mark.parametrize("damage", [cut, change_a_bit, lambda content: b"", lambda content: bytes(len(content))])
def test_a_damaged_checkpoint_is_set_aside_and_the_run_ends_as_if_there_were_none(
    settings, tmp_path, monkeypatch, caplog, name, damage
):
    whole = run({**settings, "runs": str(tmp_path / "whole")}, quiet(), "")

    def dies(*_):
        raise RuntimeError("the power went")

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        if name == results.MODEL:
            patch.setattr(sweep.run, "score_recordings", dies)
        else:
            patch.setattr(
                sweep.checkpoints.Checkpoint,
                "on_train_batch_end",
                lambda self, trainer, module, *rest: (dies if module.step > 4 else kept)(self, trainer, module, *rest),
            )
        with pytest.raises(RuntimeError, match="the power went"):
            run(settings, quiet(), "")
    path = folder(settings) / name
    path.write_bytes(damage(path.read_bytes()))
    result = run(settings, quiet(), "")
    # A model is trained anew from the checkpoint, a checkpoint from nothing.
    assert result["resumed_from"] == {results.MODEL: 4, results.CHECKPOINT: 0}[name]
    assert result["recordings"] == whole["recordings"]
    assert f"{path}: damaged (" in caplog.text and f"{name}.damaged" in caplog.text
    assert {file.name for file in folder(settings).glob("*.ckpt*")} == {results.MODEL, f"{name}.damaged"}


def test_nothing_is_written_into_a_folder_that_another_process_took(settings):
    with claim(folder(settings) / results.LOCK) as lock:
        lock.path.write_text("node7~0badcafe~12~345~6789abcd")
        with pytest.raises(sweep.locks.Lost):
            sweep.run.run(settings, quiet(), "", lock)
    assert not list(folder(settings).glob("*.ckpt")) and results.read_result(folder(settings)) is None


@pytest.mark.parametrize("at", [4, 6])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_at_the_end_of_a_step_and_nothing_is_lost(settings, monkeypatch, at, number, tmp_path):
    """Also in the last step, after which the model is kept in place of a checkpoint."""
    whole = run({**settings, "runs": str(tmp_path / "whole")}, quiet(), "")

    def signalled(self, trainer, module, outputs, batch, batch_idx):
        if module.step == at:
            os.kill(os.getpid(), number)
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(sweep.checkpoints.Checkpoint, "on_train_batch_end", signalled)
        with pytest.raises(KeyboardInterrupt) as stop:
            run(settings, quiet(), "")
    assert stop.value.args == (number,)
    resumed = run(settings, quiet(), "")
    assert resumed["resumed_from"] == at and resumed["scores"] == whole["scores"]
    assert (resumed["windows_per_second"] is None) == (at == 6)


def test_a_ctrl_c_that_was_to_be_ignored_stays_so(settings, monkeypatch):
    """A script's `python -m sweep &` goes on when its user presses Ctrl-C for something else."""

    def signalled(self, trainer, module, outputs, batch, batch_idx):
        os.kill(os.getpid(), signal.SIGINT)
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = sweep.checkpoints.Checkpoint.on_train_batch_end
    monkeypatch.setattr(sweep.checkpoints.Checkpoint, "on_train_batch_end", signalled)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run(settings, quiet(), "")["recordings"]
    except KeyboardInterrupt:
        pytest.fail("it stopped")  # without this, pytest itself would
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_overwrite_deletes_nothing_before_the_new_run_can_start(settings):
    run(settings, quiet(), "")
    representation = settings["representation"] | {"f_min": 7000.0}
    with pytest.raises(ValueError, match="f_min 7000 Hz >= f_max 6000 Hz"):
        run(settings | {"overwrite": True, "representation": representation}, quiet(), "")
    assert (folder(settings) / results.RESULT).exists()
    (folder(settings) / "curves" / "old").touch()
    run(settings | {"overwrite": True}, quiet(), "")
    assert not (folder(settings) / "curves" / "old").exists()
