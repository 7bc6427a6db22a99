"""Name the files of a run's folder, and determine from them which state the run is in."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sweep import locks
from sweep.config import differences, identity
from sweep.names import plain
from sweep.results.json_files import unreadable
from sweep.results.progress import Progress, read_progress
from sweep.results.result import RESULT, OtherFormatError, Result, read_result

TRACEBACK = "traceback.txt"  # without a result beside it, the run failed
CHECKPOINT = "checkpoint.ckpt"  # without a result beside it, the run is unfinished
MODEL = "model.ckpt"  # trained weights
LOG = "log.txt"  # log of all attempts, for people
LOCK = "lock"  # exists while a process works on the run
SIGNS = (RESULT, TRACEBACK, CHECKPOINT, MODEL, LOCK)  # a folder with one of these holds a run
DAMAGED = ".damaged"  # suffix of a damaged file that was set aside
_LONGEST_LINE = 10_000  # bytes read of a traceback's end

Status = Literal["missing", "running", "unfinished", "failed", "damaged", "changed", "done"]


@dataclass(frozen=True)
class State:
    """State of a run.

    Attributes:
        status: "missing", nothing was computed yet; "running", a living process holds the lock; "unfinished",
            interrupted, will be resumed; "failed"; "damaged", the result cannot be read; "changed", the folder was
            written with another configuration or version; "done".
        note: one line: which process runs it, why it failed, what is damaged or has changed.
        result: result of the run if it is done.
        progress: progress of the run if it is running, unfinished or failed and progress.json can be read.
    """

    status: Status
    note: str = ""
    result: Result | None = None
    progress: Progress | None = None


class ChangedError(ValueError):
    """A run's folder was written with another configuration or version; the message is the note of its `State`."""


def describe_change(folder: Path, made_with: dict[str, Any], wanted: dict[str, Any] | None) -> str:
    """Describe in one line how a folder's configuration differs from the wanted one, with the remedy.

    Args:
        folder: folder of the run.
        made_with: identity of the configuration that the folder was written with.
        wanted: identity of the configuration asked for; None if any will do.

    Returns:
        The line; empty if nothing differs or `wanted` is None.
    """
    changed = [] if wanted is None else differences(made_with, wanted)
    if not changed:
        return ""
    return (
        f"{folder} was made with another configuration, {'; '.join(changed)}: "
        "choose another folder with runs=DIR, or start anew with overwrite=true"
    )


def state_of(folder: Path, wanted: dict[str, Any] | None) -> State:
    """Determine the state of the run in a folder; the whole program asks here whether a run is done.

    Args:
        folder: folder of the run.
        wanted: identity of the configuration asked for, by the command line or by sweep.json; None accepts any.
    """
    try:
        holder = locks.holder(folder / LOCK)
    except OSError as error:
        return State("damaged", unreadable(folder / LOCK, error))
    if holder:
        return State("running", plain(holder), progress=read_progress(folder))
    return resting_state(folder, wanted)


def resting_state(folder: Path, wanted: dict[str, Any] | None) -> State:
    """Determine the state as `state_of` does but ignore the lock, for a process that holds the lock itself.

    Args:
        folder: folder of the run.
        wanted: identity of the configuration asked for; None accepts any.
    """
    try:
        result = read_result(folder)
    except OtherFormatError as error:
        return State("changed", str(error))
    except ValueError as error:
        return State("damaged", plain(str(error)))
    if result:
        changed = describe_change(folder, identity(result.config), wanted)
        return State("changed", changed) if changed else State("done", result=result)
    progress = read_progress(folder)
    begun = any(os.path.exists(folder / name) for name in (CHECKPOINT, MODEL))
    changed = describe_change(folder, progress.identity, wanted) if begun and progress else ""
    if changed:
        return State("changed", changed, progress=progress)
    why = _last_line(folder / TRACEBACK)
    if why is not None:
        return State("failed", why, progress=progress)
    return State("unfinished" if begun else "missing", progress=progress)


def _last_line(path: Path) -> str | None:
    """Read the last line of a traceback, which says why a run failed; None if there is no traceback."""
    try:
        with open(path, "rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _LONGEST_LINE, 0))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except FileNotFoundError:
        return None
    except OSError as error:
        return unreadable(path, error)
    return plain(lines[-1]) if lines else ""


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, be it only its traceback, checkpoint, weights or lock."""
    return any(os.path.exists(folder / name) for name in SIGNS)


def empty(folder: Path) -> None:
    """Delete everything in a run's folder except its lock and its log."""
    for path in folder.iterdir():
        if path.name not in (LOCK, LOG) and not path.name.startswith(f".{LOCK}."):  # claims of the lock
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def set_aside(path: Path) -> Path:
    """Rename a damaged file to <name>.damaged, replacing an older one, so that the run can resume without it."""
    return path.replace(path.with_name(path.name + DAMAGED))
