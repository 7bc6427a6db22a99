"""Works through a sweep's runs: claim, skip, resume or retry; print one line each."""

import contextlib
import gc
import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, MutableSequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from sweep import files, locks
from sweep.config import RunConfig
from sweep.results import folder as folders
from sweep.results.plan import Planned
from sweep.results.result import RESULT, Result
from sweep.scheduling.failures import explain
from sweep.scheduling.pace import clock, fit

DONE, FAILED = 1, 2  # what has become of a run in this sweep; 0: nothing yet
_DEATHS = 1  # of processes that a run may cost beside its retries: whoever killed one may not have meant the run
_POLL = 0.5  # seconds between two looks at runs that other processes have
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run of a sweep.

    Attributes:
        title: which of how many, and what distinguishes it from the others.
        config: its configuration.
    """

    title: str
    config: RunConfig

    @property
    def folder(self) -> Path:
        return self.config.folder

    @property
    def name(self) -> str:
        """The folder relative to that of the table."""
        return self.folder.relative_to(self.config.table).as_posix()

    def planned(self) -> Planned:
        """What sweep.json says of it."""
        return Planned(self.config.representation.family, self.config.cost, self.config.identity)

    def state(self) -> folders.State:
        """The state of the run, for its configuration."""
        return folders.state_of(self.folder, self.config.identity)


@dataclass
class Walk:
    """A process's way through the runs of a sweep, in order; several processes may be on theirs at once.

    Args:
        runs: in the order to take them.
        say: takes a line, and the style to print it in.
        console: for a run's progress bar.
        attempts, states: of each run, shared by the processes of a sweep: how often it was begun, and DONE or FAILED.
        place: that this process computes on, in words, to stand in its lines.
        spent: hears of the seconds that a run took.
        processes: on this sweep, this one among them.
        patience: seconds to wait for runs that processes of other sweeps have.
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
        self._costs, self._seconds = [], []  # of the runs that this process did

    def go(self) -> None:
        """Take every run that is free, until none is left; what another process has may become free again."""
        held, idle_since = Counter(), time.monotonic()
        unreadable = set()  # data folders: the runs that need them fail without a word more
        while left := [index for index in range(len(self.runs)) if not self.states[index]]:
            for index in left:
                if self.states[index]:  # another process was there in the meantime
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
                    if held[index] == 2 and not self.attempts[index]:  # another sweep's, and not for a moment only
                        self.say(f"{run.title}  is run by {other}: waiting for that", "")
                except Exception as error:
                    idle_since = time.monotonic()
                    self._fail(index, error)
                    if type(error).__name__ == "UnreadableError":
                        unreadable.add(root)
                    if self.place and "CUDA error" in str(error):  # nothing works on the GPU in this process any more
                        sys.exit(1)
                    del error
                    release_memory()
            if any(not self.states[index] for index in left):
                if time.monotonic() - idle_since > self.patience:
                    return
                time.sleep(_POLL)

    def _take(self, index: int) -> None:
        """Run a run, unless it is done; raises Held where another process has it."""
        run, began = self.runs[index], time.perf_counter()
        overwrite = run.config.overwrite and not self.attempts[index]
        if not overwrite and self._is_done(index):
            if (run.folder / folders.LOCK).exists():  # of a process that died after the result: claiming it removes it
                with contextlib.suppress(locks.Held, OSError), locks.claim(run.folder / folders.LOCK):
                    pass
            return
        with locks.claim(run.folder / folders.LOCK) as lock:
            # Another process may have had the run until a moment ago.
            if self.states[index] or not overwrite and self._is_done(index, locked=True):
                return
            self.attempts[index] += 1
            files.clean(run.folder)
            if self.attempts[index] > run.config.retry + 1 + _DEATHS:
                died = self.attempts[index] - 1
                raise ProcessDiedError(f"{died} processes ended in the middle of it without a word")
            with logging_to(run.folder / folders.LOG):
                _log.info("attempt %d by process %d, %s", self.attempts[index], os.getpid(), self.place or "here")
                try:
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
            (run.folder / folders.TRACEBACK).unlink(missing_ok=True)
            self.states[index] = DONE
        seconds = time.perf_counter() - began
        self.spent(seconds)
        if not result.resumed_from:
            self._costs.append(run.config.cost)
            self._seconds.append(result.seconds["training"] + result.seconds["scoring"])
        self._tell(run, result, f"{seconds:.1f} s{self._left()}")

    def _left(self) -> str:
        """How long the runs that nobody is through with still take all processes, by the pace of this one."""
        open_runs = [run for run, state in zip(self.runs, self.states, strict=False) if not state]
        if not open_runs or not self._seconds:
            return ""
        expected = fit(self._costs, self._seconds)
        seconds = sum(expected(run.config.cost) for run in open_runs) / self.processes
        return f", about {clock(seconds)} left"

    def _is_done(self, index: int, locked: bool = False) -> bool:
        """Whether the run has a result of this configuration; then that is said, and so it is in this sweep."""
        run = self.runs[index]
        state = folders.resting_state(run.folder, run.config.identity) if locked else run.state()
        if state.status == "changed":
            raise folders.ChangedError(state.note)
        if state.status == "damaged" and locked:
            folders.set_aside(run.folder / RESULT)
            self.say(f"{run.title}  {state.note}; it was set aside", "yellow")
        if state.status != "done":
            return False
        with contextlib.suppress(OSError):  # a folder that can only be read
            (run.folder / folders.CHECKPOINT).unlink(missing_ok=True)
        self.states[index] = DONE
        if not self.attempts[index]:  # else another process of this sweep did it, and says so
            self._tell(run, state.result, "done before")
        return True

    def _tell(self, run: Run, result: Result, remark: str) -> None:
        use, place = result.gpu_utilisation, self.place
        place += f" at {use:.0f} %" if place and use is not None else ""
        self.say(line_of(run, result, ", ".join(filter(None, (remark, place)))), "")

    def _fail(self, index: int, error: Exception) -> None:
        """One line of what went wrong; the traceback goes to the run's folder, unless that holds another's result."""
        run, remark = self.runs[index], ""
        again = self.attempts[index] and self.attempts[index] <= run.config.retry
        if not isinstance(error, folders.ChangedError | locks.Lost):
            path = run.folder / folders.TRACEBACK
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
    """Processes that took a run ended without a word: killed, for lack of memory or by somebody."""


def line_of(run: Run, result: Result, remark: str) -> str:
    """One line of a run's scores."""
    figures = [("accuracy", "accuracy"), ("precision", "precision"), ("recall", "recall"), ("AP", "average_precision")]
    scores = "  ".join(f"{name} {result.scores[key] or 0:.3f}" for name, key in figures)
    return f"{run.title}  {scores}  ({remark})"


def release_memory() -> None:
    """Give the GPU back what a failed run had there, so that the next one can have it."""
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


@contextlib.contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Has a run's folder keep what is logged and warned of in the block."""
    handler = logging.FileHandler(path, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # A full disk: what fails for it says so itself.
    handler.handleError = lambda record: None  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("", "sweep", "py.warnings")]
    for logger in loggers:
        logger.addHandler(handler)
    for logger in loggers[1:]:  # not to the terminal, where Hydra's root logger writes
        logger.setLevel(logging.INFO)
        logger.propagate = False
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True
        with contextlib.suppress(OSError):
            handler.close()
