"""The state of a run is judged in one place: a sweep and every command say the same of the same folder."""

import csv
import dataclasses
import io
import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import SimpleNamespace

import pytest
from configs import changed, make_result
from rich.console import Console
from test_app import files

from sweep import locks
from sweep.commands import parser, train
from sweep.config import RunConfig
from sweep.results.progress import Tracker
from sweep.results.result import FORMAT, write_result
from sweep.results.state import LOCK, is_run, resting_state, state_of
from sweep.scheduling.jobs import Run, Walk
from sweep.scheduling.plan import compose_runs, write_plans

NAME = "linear/mel-512-128/seed-0"


def done(config: RunConfig) -> None:
    result = make_result(config.representation.name, config=config.record(), norm="slaney", source="demo")
    write_result(config.folder, result)


def of_other_steps(config: RunConfig) -> None:
    done(changed(config, protocol__steps=7))


def of_other_format(config: RunConfig) -> None:
    done(config)
    content = json.loads((config.folder / "result.json").read_text())
    (config.folder / "result.json").write_text(json.dumps(content | {"format": FORMAT - 1}))


def damaged(config: RunConfig) -> None:
    done(config)
    text = (config.folder / "result.json").read_text()
    (config.folder / "result.json").write_text(text[: len(text) // 2])


def failed(config: RunConfig) -> None:
    half_done(config)
    (config.folder / "traceback.txt").write_text("Traceback (most recent call last):\nValueError: it broke\n")


def half_done(config: RunConfig) -> None:
    config.folder.mkdir(parents=True, exist_ok=True)
    tracker = Tracker(config.folder, config.identity)
    tracker.begin()
    tracker.train(0, 100)
    tracker.reach(50)
    (config.folder / "checkpoint.ckpt").write_text("")


def half_done_with_other_steps(config: RunConfig) -> None:
    half_done(changed(config, protocol__steps=7))


def trained(config: RunConfig) -> None:
    half_done(config)
    (config.folder / "checkpoint.ckpt").rename(config.folder / "model.ckpt")


def not_begun(config: RunConfig) -> None:
    pass


@dataclasses.dataclass(frozen=True)
class Case:
    """A folder and what is to be said of it.

    Attributes:
        make: makes it for a configuration.
        status, note: the state, and words of its note.
        begins: whether a sweep begins the run.
        held: whether a living process works on it.
    """

    make: Callable[[RunConfig], None]
    status: str
    note: str = ""
    begins: bool = False
    held: bool = False


STEPS = "was made with another configuration, protocol.steps: 7 -> 100: choose another folder with runs=DIR, or start"
CASES = {
    "done": Case(done, "done"),
    "made with another configuration": Case(of_other_steps, "changed", STEPS),
    "half done with another configuration": Case(half_done_with_other_steps, "changed", STEPS),
    "of another format": Case(
        of_other_format, "changed", f"has format {FORMAT - 1}, this version reads {FORMAT}: choose"
    ),
    "damaged": Case(damaged, "damaged", "result.json: damaged, ", begins=True),
    "failed": Case(failed, "failed", "ValueError: it broke", begins=True),
    "unfinished": Case(half_done, "unfinished", begins=True),
    "trained and not scored": Case(trained, "unfinished", begins=True),
    "missing": Case(not_begun, "missing", begins=True),
    "running": Case(half_done, "running", f"process {os.getpid()} on ", held=True),
    "running anew": Case(done, "running", f"process {os.getpid()} on ", held=True),
    "running over another configuration": Case(of_other_steps, "running", f"process {os.getpid()} on ", held=True),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def words(tmp_path):
    """Of a command line that asks for one run on the demo set, of which nothing is read."""
    return [f"runs={tmp_path / 'runs'}", "representation=mel-512-128", "device=cpu", "logger=none"]


@pytest.fixture
def run(words, monkeypatch) -> Run:
    """The run that is asked for, planned as a sweep plans it."""
    monkeypatch.setattr("sys.argv", ["sweep"])
    (found,) = compose_runs(train.ask(words))
    write_plans([found])
    assert found.name == NAME
    return found


def made(case: Case, run: Run) -> AbstractContextManager:
    """Make the folder of a case; within the block it is held if the case says so."""
    case.make(run.config)
    return locks.claim(run.folder / LOCK) if case.held else nullcontext()


@each_case
def test_the_state_of_a_folder(case, run):
    with made(case, run):
        before = files(run.folder) if run.folder.exists() else {}
        state = state_of(run.folder, run.config.identity)
        assert (state.status, case.note in state.note) == (case.status, True), state
        assert bool(state.note) == bool(case.note) and "\n" not in state.note
        assert (state.result is not None) == (case.status == "done")
        known = case.make in (half_done, trained, failed, half_done_with_other_steps)
        assert (state.progress.step if state.progress else None) == (50 if known else None)
        assert run.state() == state
        assert (files(run.folder) if run.folder.exists() else {}) == before
        if case.held:  # whoever holds the run sees what it was before
            alone = resting_state(run.folder, run.config.identity).status
            assert alone == {half_done: "unfinished", done: "done", of_other_steps: "changed"}[case.make]
    assert is_run(run.folder) == (case.make is not not_begun)


def test_a_folder_of_any_configuration_will_do_where_none_is_wanted(run):
    of_other_steps(run.config)
    state = state_of(run.folder, None)
    assert state.status == "done" and state.result.config["protocol"]["steps"] == 7
    of_other_format(run.config)
    assert state_of(run.folder, None).status == "changed"


def test_a_lock_of_a_dead_process_and_an_empty_traceback(run):
    run.folder.mkdir(parents=True)
    with locks.claim(run.folder / LOCK) as lock:
        token = lock.token
    (run.folder / LOCK).write_text(token.replace(f"~{os.getpid()}~", f"~{os.getpid()}~1"))  # it began at another time
    assert state_of(run.folder, run.config.identity).status == "missing"
    (run.folder / "traceback.txt").write_text("\n")
    state = state_of(run.folder, run.config.identity)
    assert (state.status, state.note) == ("failed", "")


@each_case
def test_a_sweep_acts_on_the_state(case, run, words, monkeypatch):
    """It begins what is to do, and says of all else why it does not."""
    begun = []

    def train_and_score(config: RunConfig, console: Console, title: str, lock: locks.Lock):
        begun.append(config)
        done(config)
        return make_result(config.representation.name, config=config.record())

    monkeypatch.setitem(sys.modules, "sweep.training.run", SimpleNamespace(run=train_and_score))
    monkeypatch.setattr(train, "Walk", partial(Walk, patience=1.2))  # where another process has it
    console = Console(file=io.StringIO(), width=400, highlight=False)
    with made(case, run):
        before = files(run.folder) if run.folder.exists() else {}
        state = run.state()
        complete = train.sweep(train.ask(words), console).complete
        said = [line for line in console.file.getvalue().splitlines() if line.startswith("[1/1] mel-512-128  ")]
        assert begun == ([run.config] if case.begins else [])
        if not case.begins:
            assert files(run.folder) == before
        last = said[-1].partition("  ")[2]
        if case.status == "running":
            assert last == f"is run by {state.note}: waiting for that" and not complete
        elif case.status == "changed":
            assert last == f"failed: {state.note}" and not complete
        else:
            assert last.startswith("accuracy 0.500  ") and complete
            assert last.endswith("(done before)") == (case.status == "done")
        aside = [f"{state.note}; it was set aside"] if case.status == "damaged" else []
        assert [line.partition("  ")[2] for line in said[:-1]] == aside
    if case.begins or case.status == "done":
        assert run.state().status == "done" and not (run.folder / "traceback.txt").exists()
        assert (run.folder / "result.json.damaged").exists() == (case.status == "damaged")


@each_case
def test_overwriting_begins_all_but_what_runs(case, run, words, monkeypatch):
    begun = []

    def train_and_score(config: RunConfig, *_):
        begun.append(config.overwrite)
        done(config)
        return make_result(config.representation.name, config=config.record())

    monkeypatch.setitem(sys.modules, "sweep.training.run", SimpleNamespace(run=train_and_score))
    monkeypatch.setattr(train, "Walk", partial(Walk, patience=1.2))
    with made(case, run):
        complete = train.sweep(train.ask([*words, "overwrite=true"]), Console(quiet=True)).complete
    assert begun == ([] if case.held else [True]) and complete != case.held


@each_case
def test_status_says_the_state(case, run, tmp_path, capsys):
    with made(case, run):
        note = run.state().note
        code = parser.main(["status", str(tmp_path)])
        first, *lines = capsys.readouterr().out.splitlines()
    counted = {"done": "1 of 1 runs done", "missing": "1 to do", "unfinished": "1 to do"}
    assert f"{counted.get(case.status, f'1 {case.status}')}" in first
    assert code == {"done": 0, "missing": 3, "unfinished": 3, "running": 3}.get(case.status, 1)
    if case.status in ("done", "missing"):
        assert lines == []
    else:
        (line,) = lines
        assert line.startswith(f"  {case.status:10} {NAME}  {note}")


@each_case
def test_the_report_says_the_state(case, run, tmp_path, capsys):
    with made(case, run):
        note = run.state().note
        assert parser.main(["report", str(tmp_path), "--tables-only"]) == 0
    (row,) = csv.DictReader((run.config.table / "table.csv").open())
    assert (row["run"], row["status"], row["note"]) == (NAME, case.status, note)
    assert bool(row["accuracy"]) == (case.status == "done")
    printed = " ".join(capsys.readouterr().out.split())
    assert f"{int(case.status == 'done')} of 1 runs done" in printed
    markdown = (run.config.table / "table.md").read_text()
    assert (f" {case.status} |" in markdown) == (case.status != "done")
    if case.status in ("failed", "damaged", "changed"):
        assert f"{case.status}: {NAME}: " in printed


@each_case
def test_transcribing_says_the_state(case, run, tmp_path, capsys):
    with made(case, run):
        note = run.state().note
        for asked in (run.folder, run.config.table):
            assert parser.main(["transcribe", str(asked), "audio.wav"]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            if case.status == "done":
                assert line.startswith(f"sweep transcribe: {run.folder / 'model.ckpt'}: no such file")
            elif asked == run.folder and (case.make is not not_begun or case.held):
                said = f", {note}" * bool(note)
                expected = f"sweep transcribe: {run.folder}: the run is {case.status}{said}: transcribing takes one"
                assert line.startswith(expected)
            elif asked == run.folder:
                assert line.startswith(f"sweep transcribe: {run.folder}: no such folder")
            else:
                assert line == (f"sweep transcribe: {asked}: none of its 1 runs is done; sweep status {asked} says why")


@each_case
def test_a_plan_says_the_state(case, run, words, tmp_path, capsys):
    with made(case, run):
        before = files(tmp_path)
        assert parser.main(["plan", *words]) == 0
        assert files(tmp_path) == before
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mel-512-128 ")]
    state = {"missing": "to do", "unfinished": "half done"}.get(case.status, case.status)
    assert row.removeprefix("mel-512-128 ").strip().startswith(f"{state} ")


def test_a_plan_judges_by_its_own_words_and_the_others_by_the_last_sweep(run, words, capsys, tmp_path):
    done(run.config)
    assert parser.main(["plan", *words, "protocol.steps=7"]) == 0
    assert re.search(r"^mel-512-128 +changed ", capsys.readouterr().out, flags=re.M)
    assert parser.main(["status", str(tmp_path)]) == 0
    (other,) = compose_runs(train.ask([*words, "protocol.steps=7"]))
    write_plans([other])  # as a sweep does before its first run
    assert parser.main(["status", str(tmp_path)]) == 1
    assert "protocol.steps: 100 -> 7" in capsys.readouterr().out
