"""Write and read progress.json, which tells other processes how far a run has come; it is replaced by rename."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweep.files import write_whole
from sweep.results.json_files import build, read_object

PROGRESS = "progress.json"


@dataclass(frozen=True, kw_only=True)
class Progress:
    """Progress of the last attempt at a run.

    Attributes:
        identity: identity of the configuration, `RunConfig.identity`.
        began: start of the attempt, in seconds since 1970.
        first, steps: step at which training began, and total number of steps; None before training.
        step: last step written; None before training.
        training: start of training, in seconds since 1970; None before training.
        seen: time at which `step` was reached, in seconds since 1970; None before training.
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
        """Steps per second in this attempt; None before the first step."""
        if self.step is None or self.step <= self.first or self.seen <= self.training:
            return None
        return (self.step - self.first) / (self.seen - self.training)


class Tracker:
    """Write the progress of one attempt at a run.

    Args:
        folder: folder of the run.
        identity: identity of its configuration.
        clock: returns the time in seconds since 1970.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], clock: Callable[[], float] = time.time):
        self._path, self._clock = folder / PROGRESS, clock
        self._last = Progress(identity=identity, began=clock())

    def begin(self) -> None:
        """Record that an attempt has begun."""
        self._write(self._last)

    def train(self, first: int, steps: int) -> None:
        """Record that training begins at step `first` of `steps`."""
        now = self._clock()
        self._write(dataclasses.replace(self._last, first=first, steps=steps, step=first, training=now, seen=now))

    def reach(self, step: int) -> None:
        """Record that training has reached a step."""
        self._write(dataclasses.replace(self._last, step=step, seen=self._clock()))

    def _write(self, progress: Progress) -> None:
        self._last = progress
        with contextlib.suppress(OSError):  # progress is only shown to others: failing to write it must not end a run
            write_whole(self._path, json.dumps(dataclasses.asdict(progress)) + "\n", durable=False)


def read_progress(folder: Path) -> Progress | None:
    """Read the progress of the run in a folder; None if there is none or it cannot be read."""
    try:
        content = read_object(folder / PROGRESS)
        found = build(Progress, content) if content is not None else None
    except ValueError:
        return None
    training = () if found is None else (found.first, found.steps, found.step, found.training, found.seen)
    return found if None not in training or not any(part is not None for part in training) else None
