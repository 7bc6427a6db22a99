"""How far a run has come, for other processes to read: progress.json in its folder, replaced by rename."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.files import write_whole

PROGRESS = "progress.json"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run that is on its way or was interrupted, in its last attempt.

    Attributes:
        identity: of the configuration, `RunConfig.identity`.
        began: seconds since 1970, of the attempt.
        first, steps: the step that training began at, and how many there are; None before training.
        step: the last one known.
        training: seconds since 1970 at which training began, or None.
        seen: seconds since 1970 at which `step` was reached.
    """

    identity: dict[str, Any] = field(repr=False)
    began: float
    first: int | None = None
    steps: int | None = None
    step: int | None = None
    training: float | None = None
    seen: float | None = None

    @property
    def rate(self) -> float | None:
        """Steps a second in this attempt; None where none were measured."""
        if self.step is None or self.step <= self.first or self.seen <= self.training:
            return None
        return (self.step - self.first) / (self.seen - self.training)


class Tracker:
    """Writes the progress of one attempt at a run.

    Args:
        folder: of the run.
        identity: of its configuration.
        clock: seconds since 1970.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], clock: Callable[[], float] = time.time):
        self._path, self._clock = folder / PROGRESS, clock
        self._last = Progress(identity=identity, began=clock())

    def begin(self) -> None:
        """Note that an attempt has begun."""
        self._write(self._last)

    def train(self, first: int, steps: int) -> None:
        """Note that training begins at step `first` of `steps`."""
        now = self._clock()
        self._write(dataclasses.replace(self._last, first=first, steps=steps, step=first, training=now, seen=now))

    def reach(self, step: int) -> None:
        """Note that a step has been reached."""
        self._write(dataclasses.replace(self._last, step=step, seen=self._clock()))

    def _write(self, progress: Progress) -> None:
        self._last = progress
        with contextlib.suppress(OSError):  # a note for others, which is not to end a run
            write_whole(self._path, json.dumps(dataclasses.asdict(progress)) + "\n", durable=False)


def read_progress(folder: Path) -> Progress | None:
    """The progress of the run in a folder; None where there is none, or none that can be read: it is no result."""
    try:
        return Progress(**json.loads((folder / PROGRESS).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None
