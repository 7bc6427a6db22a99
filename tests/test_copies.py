"""Logs are copies: whatever happens to them, the run finishes and one line says what is missing."""

import contextlib
import http.server
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import wandb
from configs import run_alone, short_config
from wandb_files import read_offline_run

import sweep.training.checkpoints
from sweep.results.result import read_result
from sweep.scheduling.logs import Teller
from sweep.training import loggers


@pytest.fixture
def config(small_set, tmp_path, monkeypatch) -> Iterator:
    """A run that logs to W&B, with a key, at a server that refuses every connection."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    for key, value in {"HOME": str(tmp_path), "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": closed}.items():
        monkeypatch.setenv(key, value)
    for key in ("WANDB_MODE", "NETRC"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(loggers, "_failed", [])
    wandb.teardown()  # its settings are those of the first call
    yield short_config(small_set, Path("runs"), "mel-512-128", workers=0, logger={"name": "wandb", "project": "sweep"})
    wandb.teardown()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The lines that a terminal shows of a run: warnings of the program."""
    lines: list[str] = []
    teller, logger = Teller(lines.append), logging.getLogger("sweep")
    before = logger.level
    logger.addHandler(teller)
    logger.setLevel(logging.WARNING)  # Hydra, in another test, may have raised the root's level
    yield lines
    logger.setLevel(before)
    logger.removeHandler(teller)


SYNC = "`wandb sync runs/tiny/quick/{,*/*/*/}wandb/offline-run-*` sends them"


def offline() -> list[Path]:
    return sorted(Path("runs").rglob("*.wandb"))


def test_without_a_network_all_runs_are_logged_offline_and_that_is_said_once(config, said):
    for seed in range(2):
        began = time.monotonic()
        result = run_alone(replace(config, seed=seed))
        assert time.monotonic() - began < 60  # W&B's client itself tries for 90 s
        assert read_result(replace(config, seed=seed).folder) == result
    (line,) = said
    assert "Connection refused" in line and os.environ["WANDB_BASE_URL"] in line and line.endswith(SYNC)
    assert [len(read_offline_run(path).history) > 0 for path in offline()] == [True, True]


@pytest.mark.parametrize("place", ["netrc", "NETRC", "WANDB_API_KEY", "nowhere", "another"])
def test_a_key_is_found_where_wandb_login_puts_it(config, place, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.example.org")
    machine = "api.wandb.ai" if place == "another" else "wandb.example.org"
    path = tmp_path / ("keys" if place == "NETRC" else ".netrc")
    if place != "WANDB_API_KEY":
        monkeypatch.delenv("WANDB_API_KEY")
    if place in ("netrc", "NETRC", "another"):
        path.write_text(f"machine {machine}\n  login user\n  password {'0' * 40}\n")
        path.chmod(0o600)
    if place == "NETRC":
        monkeypatch.setenv("NETRC", str(path))
    found = loggers._without_account("https://wandb.example.org")
    assert bool(found) == (place in ("nowhere", "another"))
    assert not found or found == "no key for https://wandb.example.org, `wandb login` asks for one"


def test_a_server_that_never_answers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(loggers, "_PROBE", 0.2)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        began = time.monotonic()
        assert "no answer from http" in loggers._without_answer(f"http://127.0.0.1:{mute.getsockname()[1]}")
        assert time.monotonic() - began < 3


@pytest.mark.parametrize("project", ["a/b", "x" * 129, "50%"])
def test_a_project_that_weights_and_biases_refuses_is_said_before_a_run(config, project):
    with pytest.raises(ValueError, match=r"^logger\.project .*: needs at most 128 characters and none of "):
        replace(config.logger, project=project)
    with pytest.raises(wandb.errors.UsageError):
        wandb.Settings(project=project)


@contextlib.contextmanager
def refusing_server() -> Iterator[str]:
    class Refuse(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(401)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.long
def test_a_server_that_refuses_the_key(config, said, monkeypatch):
    with refusing_server() as url:
        monkeypatch.setenv("WANDB_BASE_URL", url)
        result = run_alone(config)
    assert read_result(config.folder) == result
    (line,) = said
    assert line.startswith(f"Weights & Biases: no start at {url}: ") and line.endswith(SYNC)
    assert any("offline-run" in str(path) for path in offline())


@pytest.mark.long
@pytest.mark.parametrize(
    ("blocked", "line"), [("wandb", "is not logged to Weights & Biases"), ("curves", "goes on without its curves in")]
)
def test_a_log_that_cannot_be_written(config, said, blocked, line):
    config.folder.mkdir(parents=True)
    (config.folder / blocked).write_text("in the way")
    assert read_result(config.folder) is None and run_alone(config) == read_result(config.folder)
    assert len([text for text in said if text.startswith("mel-512-128 seed 0 ") and line in text]) == 1


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds its children in Linux's /proc")
def test_a_client_that_is_killed_in_the_middle(config, said, monkeypatch):
    def kills(self, trainer, module, outputs, batch, batch_idx):
        kept(self, trainer, module, outputs, batch, batch_idx)
        if module.step == 10:
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                if "wandb" in Path(f"/proc/{child}/comm").read_text():
                    os.kill(int(child), signal.SIGKILL)

    kept = sweep.training.checkpoints.Checkpoint.on_train_batch_end
    monkeypatch.setattr(sweep.training.checkpoints.Checkpoint, "on_train_batch_end", kills)
    assert run_alone(config) == read_result(config.folder)
    assert any("mel-512-128 seed 0 goes on without Weights & Biases; `wandb sync " in line for line in said)


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_a_mode_that_was_asked_for_is_obeyed_without_a_word(config, said, mode, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", mode)
    built = loggers.build_loggers(config, 0, said.append)
    with loggers.closing(built) as summary:
        summary["accuracy"] = 0.5
    assert len(built) == 2 and said == [] and len(offline()) == (mode == "offline")
