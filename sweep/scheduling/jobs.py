"""Works through a sweep's runs: claim, skip, resume or retry; print one line each."""

import contextlib
import functools
import gc
import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, MutableSequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from sweep import files, locks
from sweep.config import RunConfig
from sweep.names import say
from sweep.results import state as states
from sweep.results.plan import Planned
from sweep.results.result import RESULT, Result
from sweep.results.scoring import said
from sweep.scheduling.failures import explain
from sweep.scheduling.logs import logging_to
from sweep.scheduling.pace import clock, fit

DONE, FAILED = 1, 2  # state of a run in this sweep; 0: open
_DEATHS = 1  # deaths of processes allowed beside the retries, because the cause may not have been the run
_POLL = 0.5  # seconds between two checks of runs that other processes hold
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes:
        title: number of the run and what distinguishes it from the others, such as "[ 1/34] cqt-48".
        config: configuration of the run.
    """

    title: str
    config: RunConfig

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        return self.config.folder

    @property
    def name(self) -> str:
        """Folder of the run relative to that of the table."""
        return self.folder.relative_to(self.config.table).as_posix()

    def planned(self) -> Planned:
        """Entry of the run in sweep.json."""
        return Planned(self.config.representation.family, self.config.cost, self.config.identity)

    def state(self) -> states.State:
        """Determine the state of the run, for its configuration."""
        return states.state_of(self.folder, self.config.identity)


@dataclass
class Walk:
    """Loop of one process over the runs of a sweep, in order; several processes may work on the same runs.

    Args:
        runs: runs in the order to take them.
        say: called with a line to print and its style.
        console: console of the progress bar of a run.
        attempts, states: number of attempts at each run, and 0, DONE or FAILED; shared by the sweep's processes.
        place: name of the GPU or core that this process computes on, printed in its lines.
        spent: called with a run's duration in seconds.
        processes: number of processes that work on this sweep.
        patience: seconds to wait for runs that processes of other sweeps hold.
    """

    runs: list[Run]
    say: Callable[[str, str], None]
    console: Console
    attempts: MutableSequence[int]
    states: MutableSequence[int]
    place: str = ""
    spent: Callable[[float], None] = lambda seconds: None
    processes: int = 1
    patience: float = float("inf")

    def __post_init__(self):
        self._costs, self._seconds = [], []  # costs and durations of the runs that this process did

    def go(self) -> None:
        """Take every free run until all are done or failed; a run that another process holds may become free again."""
        held, idle_since = Counter(), time.monotonic()
        unreadable = set()  # data folders that cannot be read: later runs on them fail without another message
        while left := [index for index in range(len(self.runs)) if not self.states[index]]:
            for index in left:
                if self.states[index]:  # another process has finished it in the meantime
                    continue
                run = self.runs[index]
                root = run.config.data.root
                if root in unreadable:
                    self.states[index] = FAILED
                    continue
                try:
                    self._take(index)
                    idle_since = time.monotonic()
                except locks.Held as other:
                    held[index] += 1
                    if held[index] == 2 and not self.attempts[index]:  # held by another sweep, for more than a moment
                        self.say(f"{run.title}  is run by {other}: waiting for that", "")
                except Exception as error:
                    idle_since = time.monotonic()
                    self._fail(index, error)
                    if type(error).__name__ == "UnreadableError":
                        unreadable.add(root)
                    if self.place and "CUDA error" in str(error):  # this process cannot use its GPU any more
                        sys.exit(1)
                    del error
                    release_memory()
            if any(not self.states[index] for index in left):
                if time.monotonic() - idle_since > self.patience:
                    return
                time.sleep(_POLL)

    def _take(self, index: int) -> None:
        """Claim and train a run unless it is done; raises Held if another process holds it."""
        run, began = self.runs[index], time.perf_counter()
        overwrite = run.config.overwrite and not self.attempts[index]
        if not overwrite and self._is_done(index):
            if (run.folder / states.LOCK).exists():  # left by a process that died after the result; a claim removes it
                with contextlib.suppress(locks.Held, OSError), locks.claim(run.folder / states.LOCK):
                    pass
            return
        with locks.claim(run.folder / states.LOCK) as lock:
            # Another process may have finished the run just before the claim.
            if self.states[index] or not overwrite and self._is_done(index, locked=True):
                return
            self.attempts[index] += 1
            files.clean(run.folder)
            if self.attempts[index] > run.config.retry + 1 + _DEATHS:
                died = self.attempts[index] - 1
                raise ProcessDiedError(f"{died} processes died during this run without an error message")
            with logging_to(run.folder / states.LOG, lambda line: self.say(line, "yellow")):
                _log.info("attempt %d by process %d, %s", self.attempts[index], os.getpid(), self.place or "here")
                try:
                    from sweep.training import machine

                    machine.wake(run.config.device)  # before Lightning, whose import takes as long
                    from sweep.training.run import run as train_and_score

                    config = replace(run.config, overwrite=overwrite)
                    result = train_and_score(config, self.console, run.title, lock)
                except Exception:
                    _log.exception("failed")
                    raise
                except BaseException as stop:
                    _log.info("stopped: %r", stop)
                    raise
                _log.info("done")
            (run.folder / states.TRACEBACK).unlink(missing_ok=True)
            self.states[index] = DONE
        seconds = time.perf_counter() - began
        self.spent(seconds)
        if not result.resumed_from:
            self._costs.append(run.config.cost)
            self._seconds.append(result.seconds["training"] + result.seconds["scoring"])
        self._tell(run, result, f"{seconds:.1f} s{self._left()}")

    def _left(self) -> str:
        """Estimate the time that all processes need for the open runs, from the runs that this process did."""
        open_runs = [run for run, state in zip(self.runs, self.states, strict=False) if not state]
        if not open_runs or not self._seconds:
            return ""
        expected = fit(self._costs, self._seconds)
        seconds = sum(expected(run.config.cost) for run in open_runs) / self.processes
        return f", about {clock(seconds)} left"

    def _is_done(self, index: int, locked: bool = False) -> bool:
        """Whether the run has a result of this configuration; if so, mark it as done and print its line."""
        run = self.runs[index]
        state = states.resting_state(run.folder, run.config.identity) if locked else run.state()
        if state.status == "changed":
            raise states.ChangedError(state.note)
        if state.status == "damaged" and locked:
            states.set_aside(run.folder / RESULT)
            self.say(f"{run.title}  {state.note}; it was set aside", "yellow")
        if state.status != "done":
            return False
        with contextlib.suppress(OSError):  # the folder may be read-only
            (run.folder / states.CHECKPOINT).unlink(missing_ok=True)
        self.states[index] = DONE
        if not self.attempts[index]:  # otherwise another process of this sweep did it and prints its line
            self._tell(run, state.result, "done before")
        return True

    def _tell(self, run: Run, result: Result, remark: str) -> None:
        use, place = result.gpu_utilisation, self.place
        place += f" at {use:.0f} %" if place and use is not None else ""
        self.say(line_of(run, result, ", ".join(filter(None, (remark, place)))), "")

    def _fail(self, index: int, error: Exception) -> None:
        """Print one line on the error; write the traceback into the folder unless that holds another run's result."""
        run, remark = self.runs[index], ""
        again = self.attempts[index] and self.attempts[index] <= run.config.retry
        if not isinstance(error, states.ChangedError | locks.Lost):
            path = run.folder / states.TRACEBACK
            try:
                files.write_whole(path, traceback.format_exc())
                remark = f" (traceback in {path})"
            except OSError as unwritten:
                remark = f" (and its traceback could not be written: {unwritten})"
        message = explain(error, run.config)
        self.say(f"{run.title}  failed: {message}{remark}{'; tried again' * bool(again)}", "red")
        if not again:
            self.states[index] = FAILED


class ProcessDiedError(Exception):
    """Processes that worked on a run died without an exception: they were killed, or memory ran out."""


def printer(console: Console) -> Callable[[str, str], None]:
    """Return a function that prints a line in a style, its text taken literally and never wrapped."""
    return functools.partial(say, console)


def line_of(run: Run, result: Result, remark: str) -> str:
    """Format a run's scores as one line, with a remark in parentheses at its end."""
    figures = [("accuracy", "accuracy"), ("precision", "precision"), ("recall", "recall"), ("AP", "average_precision")]
    scores = "  ".join(f"{name} {said(result.scores.get(key))}" for name, key in figures)
    return f"{run.title}  {scores}  ({remark})"


def release_memory() -> None:
    """Free the GPU memory of a failed run, so that the next run can use it."""
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()
