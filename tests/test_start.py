"""What is left out, or goes on beside, so that a sweep begins and a GPU need not wait."""

import subprocess
import sys
import threading
import time
from collections import Counter
from types import SimpleNamespace

import pytest
import torch
from configs import make_config, run_alone, short_config
from conftest import gpu

from sweep.commands import train
from sweep.files import NoRoom
from sweep.results.state import CHECKPOINT, MODEL
from sweep.scheduling.plan import compose_runs
from sweep.training import checkpoints, fitting, machine
from sweep.training.checkpoints import WholeFiles


@pytest.mark.parametrize("words", ["['--help']", "['+grid=all', 'device=cpu']"])
def test_a_command_line_is_read_without_torch(words, tmp_path):
    code = f"import sys; from sweep.commands import train; train.ask({words}); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_configuration_file_is_read_once_for_all_runs(tmp_path, monkeypatch):
    """And each run has the configuration that it has alone."""
    rows, seeds = ("cqt-12", "mel-512-128", "mt3"), (0, 1)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["sweep"])
        patch.chdir(tmp_path)
        asked = train.ask([f"representation={','.join(rows)}", "seed=0,1", "model=conv", "device=cpu"])
        (source,) = {type(it) for it in asked.loader.get_sources() if it.scheme() == "file"}
        read, load = Counter(), source.load_config
        patch.setattr(
            source, "load_config", lambda self, config_path: read.update([config_path]) or load(self, config_path)
        )
        runs = compose_runs(asked)
    assert max(read.values()) == 1 and {f"representation/{row}" for row in rows} < set(read)
    expected = [make_config(f"representation={row}", f"seed={seed}", "model=conv") for row in rows for seed in seeds]
    assert sorted(run.config.identity["representation.name"] for run in runs) == sorted(rows * 2)
    for run in runs:
        assert any(
            run.config.identity == {**one.identity, "data.fingerprint": run.config.data.fingerprint} for one in expected
        )


def test_the_revision_is_asked_for_once(monkeypatch):
    """What a process has imported does not change when the files do."""
    machine._code.cache_clear()
    asked = []
    monkeypatch.setattr(machine, "_revision", lambda: asked.append(1) or "abc")
    descriptions = [machine.describe(torch.device("cpu")) for _ in range(2)]
    machine._code.cache_clear()
    assert descriptions[0] == descriptions[1] and descriptions[0]["git_revision"] == "abc" and len(asked) == 1
    assert descriptions[0]["versions"]["torch"] == torch.__version__


def test_no_thread_touches_a_gpu_for_a_run_on_the_cpu(monkeypatch):
    monkeypatch.setattr(threading, "Thread", lambda **_: pytest.fail("a thread"))
    machine.wake("cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said_by_choose_device_alone(monkeypatch):
    monkeypatch.setattr(threading, "Thread", lambda target, daemon: SimpleNamespace(start=target))
    machine.wake("cuda")  # no error
    with pytest.raises(ValueError, match="torch sees no CUDA device here"):
        machine.choose_device("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_is_awake_before_it_is_asked_for():
    code = "from sweep.training import machine; import time, torch; machine.wake('cuda'); time.sleep(20); "
    code += "raise SystemExit(not torch.cuda.is_initialized())"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Checkpoints written beside the training


def test_what_is_written_beside_the_training_is_what_was_there(tmp_path, monkeypatch):
    go, write = threading.Event(), checkpoints._write
    monkeypatch.setattr(checkpoints, "_write", lambda *arguments: go.wait(10) and write(*arguments))
    files, weights = WholeFiles(True), torch.ones(3)
    files.save_checkpoint({"state_dict": {"w": weights}, "step": [7]}, tmp_path / CHECKPOINT)
    assert not (tmp_path / CHECKPOINT).exists()
    weights.add_(1)  # training goes on
    go.set()
    files.teardown()
    found = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    assert found["step"] == [7] and torch.equal(found["state_dict"]["w"], torch.ones(3))


def test_what_prevents_it_is_raised_at_the_next_one_or_at_the_end(tmp_path, monkeypatch):
    def full(checkpoint, path):
        raise NoRoom(path, OSError(28, "No space left on device"))

    monkeypatch.setattr(checkpoints, "_write", full)
    for after in (lambda files: files.save_checkpoint({}, tmp_path / CHECKPOINT), lambda files: files.teardown()):
        files = WholeFiles(True)
        files.save_checkpoint({}, tmp_path / CHECKPOINT)
        with pytest.raises(NoRoom, match="make room"):
            after(files)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=gpu)])
def test_a_run_whose_checkpoints_are_written_beside_it_is_the_same(device, small_set, tmp_path, monkeypatch):
    results, states = [], []
    for beside in (False, True):
        monkeypatch.setattr(fitting, "WholeFiles", lambda _, beside=beside: WholeFiles(beside))
        config = short_config(small_set, tmp_path / str(beside), "mel-512-128", device=device)
        results.append(run_alone(config))
        states.append(torch.load(config.folder / MODEL, weights_only=True)["state_dict"])
    assert results[0].scores == results[1].scores
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_nvml_says_how_busy_a_gpu_is():
    matrix = torch.randn(8192, 8192, device="cuda")
    until = time.monotonic() + 2
    with machine.watch_gpu(torch.device("cuda", 0)) as busy:
        while time.monotonic() < until:
            matrix @ matrix
            torch.cuda.synchronize()
    assert 4 <= len(busy) <= 6 and max(busy) > 50 and max(busy) <= 100
    with machine.watch_gpu(torch.device("cpu")) as nothing:
        pass
    assert nothing == []
