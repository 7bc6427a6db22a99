"""What a run's folder holds, and the one function that says what state the run is in."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sweep import locks
from sweep.config import differences, identity
from sweep.results.progress import Progress, read_progress
from sweep.results.result import RESULT, OtherFormatError, Result, read_result

TRACEBACK = "traceback.txt"  # there without a result: the run failed
CHECKPOINT = "checkpoint.ckpt"  # there without a result: the run is half done
MODEL = "model.ckpt"  # the trained weights
LOG = "log.txt"  # what happened, attempt after attempt, for people
LOCK = "lock"  # there while a process works on the run
DAMAGED = ".damaged"  # at the end of the name of what was set aside

Status = Literal["missing", "running", "unfinished", "failed", "damaged", "changed", "done"]


@dataclass(frozen=True)
class State:
    """The state of a run.

    Attributes:
        status: "missing", nothing was computed yet; "running", a living process has the run; "unfinished", interrupted
            and to be resumed; "failed"; "damaged", the result cannot be read; "changed", the folder holds what another
            configuration or version made; "done".
        note: which process runs it, why it failed, what is damaged or has changed; one line.
        result: of a run that is done.
        progress: of one that is running, unfinished or failed, where it is known.
    """

    status: Status
    note: str = ""
    result: Result | None = None
    progress: Progress | None = None


class ChangedError(ValueError):
    """A run's folder holds what another configuration or version made; the message is the note of its `State`."""


def describe_change(folder: Path, made_with: dict[str, Any], wanted: dict[str, Any] | None) -> str:
    """What differs between the identity that a folder's content was made with and the wanted one, with the remedy.

    Empty where nothing does, or where nothing in particular is wanted.
    """
    changed = [] if wanted is None else differences(made_with, wanted)
    if not changed:
        return ""
    return (
        f"{folder} was made with another configuration, {'; '.join(changed)}: "
        "choose another folder with runs=DIR, or start anew with overwrite=true"
    )


def state_of(folder: Path, wanted: dict[str, Any] | None) -> State:
    """The state of the run in a folder: the only judge of whether a run is done.

    Args:
        folder: of the run.
        wanted: identity of the configuration that is asked for, of the command line or of sweep.json; None: whatever
            the folder holds.
    """
    holder = locks.holder(folder / LOCK)
    if holder:
        return State("running", holder, progress=read_progress(folder))
    return resting_state(folder, wanted)


def resting_state(folder: Path, wanted: dict[str, Any] | None) -> State:
    """`state_of` for a process that holds the run's lock: the state in which it found the run."""
    try:
        result = read_result(folder)
    except OtherFormatError as error:
        return State("changed", str(error))
    except (OSError, ValueError) as error:
        return State("damaged", str(error))
    if result:
        changed = describe_change(folder, identity(result.config), wanted)
        return State("changed", changed) if changed else State("done", result=result)
    progress = read_progress(folder)
    begun = any((folder / name).exists() for name in (CHECKPOINT, MODEL))
    changed = describe_change(folder, progress.identity, wanted) if begun and progress else ""
    if changed:
        return State("changed", changed, progress=progress)
    if (folder / TRACEBACK).exists():
        lines = (folder / TRACEBACK).read_text(errors="replace").strip().splitlines()
        return State("failed", lines[-1] if lines else "", progress=progress)
    return State("unfinished" if begun else "missing", progress=progress)


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, or what is left of one."""
    return any((folder / name).exists() for name in (RESULT, TRACEBACK, CHECKPOINT, MODEL, LOCK))


def empty(folder: Path) -> None:
    """Delete what a run's folder holds but its lock and its log."""
    for path in folder.iterdir():
        if path.name not in (LOCK, LOG) and not path.name.startswith(f".{LOCK}."):  # of who tries to claim it
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def set_aside(path: Path) -> Path:
    """Give a damaged file another name, that of an older one if there is, so that the run can resume without it."""
    return path.replace(path.with_name(path.name + DAMAGED))
