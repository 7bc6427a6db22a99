"""What fails visibly: a full disk, a folder that cannot be written, too little memory; and what is left then."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from configs import changed, make_config
from rich.console import Console
from test_app import SHORT
from test_workers import config_for

import sweep.training.checkpoints
from sweep.config import RunConfig
from sweep.results.result import RESULT, read_result
from sweep.results.state import CHECKPOINT, LOCK, LOG, TRACEBACK
from sweep.scheduling.failures import explain
from sweep.scheduling.jobs import DONE, FAILED, Run, Walk


@pytest.fixture(scope="module")
def tiny(small_set):
    return [*SHORT, "data=musicnet", f"data.root={small_set}", "representation=mel-512-128"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 32 MB at runs/, under a working folder."""
    (tmp_path / "runs").mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", tmp_path / "runs"]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield tmp_path
    subprocess.run(["umount", tmp_path / "runs"], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that takes all of the disk but some bytes."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    os.truncate(ballast, ballast.stat().st_size - leave)
    return ballast


def walk(config: RunConfig) -> tuple[int, str]:
    """One run in this process: what has become of it, and what was said."""
    said, states = [], [0]
    Walk([Run("[1/1]", config)], lambda line, style: said.append(line), Console(quiet=True), [0], states).go()
    return states[0], "\n".join(said)


def test_a_full_disk_leaves_the_last_checkpoint_and_the_run_goes_on_from_it(small_disk, tiny, monkeypatch):
    config = config_for(tiny[-2].removeprefix("data.root="), small_disk / "runs")
    folder = config.folder

    def dies(self, trainer, module, *rest):
        if module.step == 7:
            raise KeyboardInterrupt
        kept(self, trainer, module, *rest)

    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sweep.training.checkpoints.Checkpoint, "on_train_batch_end", dies)
        walk(config)
    checkpoint, result = folder / CHECKPOINT, folder / RESULT
    before, ballast = checkpoint.read_bytes(), fill(small_disk / "runs", leave=1_000_000)
    state, said = walk(config)
    assert state == FAILED and f"{checkpoint}: not written, No space left on device: make room" in said
    assert checkpoint.read_bytes() == before and not list(folder.glob(".*")) and not (folder / LOCK).exists()
    ballast.unlink()
    assert walk(config)[0] == DONE
    first = read_result(folder)
    assert first.resumed_from == 5

    result.unlink()  # the model is there, and now no room for the result
    ballast = fill(small_disk / "runs", leave=12288)  # for the lock and the progress
    state, said = walk(config)
    assert state == FAILED and f"{result}: not written, No space left on device: make room" in said
    assert not result.exists() and not list(folder.glob(".*"))
    ballast.unlink()
    ballast = fill(small_disk / "runs", leave=0)
    state, said = walk(config)
    assert state == FAILED and "the disk is full" in said and "make room" in said
    ballast.unlink()
    assert walk(config)[0] == DONE
    again = read_result(folder)
    assert again.recordings == first.recordings and again.resumed_from == 12


def test_too_little_memory_names_the_row_what_it_asked_for_and_what_to_change(tmp_path, tiny):
    """Ten million windows of 16,384 samples of 2 bytes are 305 GiB."""
    config = config_for(tiny[-2].removeprefix("data.root="), tmp_path)
    config = changed(config, protocol__batch_size=10_000_000)
    state, said = walk(config)
    assert state == FAILED and "too little memory for mel-512-128: it asked for 305.18 GiB" in said
    assert "smaller protocol.batch_size (now 10000000)" in said
    assert "allocate" in (config.folder / TRACEBACK).read_text()
    assert "ERROR sweep.scheduling.jobs: failed" in (config.folder / LOG).read_text()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpus_memory_that_is_too_little_is_told_apart():
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        with pytest.raises(torch.OutOfMemoryError) as raised:
            torch.empty(2**36, device="cuda")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    said = explain(raised.value, make_config("representation=cqt-48", "protocol=paper"))
    assert said.startswith("the GPU has too little memory for cqt-48: it asked for 256.00 GiB, ")
    assert "were free; put the audio elsewhere with data.placement=host" in said and "(now 100)" in said


def test_a_folder_that_cannot_be_written_is_named_and_what_is_done_there_is_still_read(small_disk, tiny):
    config = config_for(tiny[-2].removeprefix("data.root="), small_disk / "runs")
    assert walk(config)[0] == DONE
    (small_disk / "runs" / "left").touch()
    subprocess.run(["mount", "-o", "remount,ro", small_disk / "runs"], check=True)
    state, said = walk(config)
    assert state == DONE and "done before" in said
    state, said = walk(replace(config, seed=1))
    assert state == FAILED and "Read-only file system" in said.partition(" (and its")[0]
    assert "the folder of results cannot be written; choose another one with runs=DIR" in said
