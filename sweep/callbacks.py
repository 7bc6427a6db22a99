"""What happens beside the training: its curve, its checkpoint, its progress bar, a clean end on Ctrl-C."""

import collections
import math
import os
import secrets
import signal
import threading
from pathlib import Path

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sweep.steps import Losses

_RECENT = 50  # steps whose mean loss is looked at
_RISEN = 2.0  # times the loss of a model that has learned nothing
_STOPPING = (signal.SIGINT, signal.SIGTERM)
_REMEDY = "choose a lower protocol.learning_rate"


class Curve(L.Callback):
    """Logs the loss, and ends a run whose loss is not finite or has risen.

    The losses of a chunk are looked at when the next one is on its way, so that the device does not wait.

    Args:
        every: steps between two points of the curve.
        ignorant: the loss of a model that has learned nothing.
    """

    def __init__(self, every: int, ignorant: float):
        self.every, self.ignorant = every, ignorant
        self._pending: Losses | None = None
        self._recent = collections.deque(maxlen=_RECENT)

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        self._pending, ready = outputs["losses"], self._pending
        if ready is not None:
            self._look(trainer, ready)

    def catch_up(self, trainer):
        """Look at all losses so far: before a checkpoint is written, and at the end."""
        if self._pending is not None:
            ready, self._pending = self._pending, None
            self._look(trainer, ready)

    def _look(self, trainer, losses: Losses):
        for step, loss in enumerate(losses.wait().tolist(), losses.first):
            if not math.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss} at step {step}: the training diverged; {_REMEDY}")
            for logger in trainer.loggers if (step + 1) % self.every == 0 else ():
                logger.log_metrics({"train/loss": loss}, step=step)
            self._recent.append(loss)
        now = sum(self._recent) / len(self._recent)
        if len(self._recent) == _RECENT and now > _RISEN * self.ignorant:
            risen = f"the loss has risen to {now:.4g} by step {step}, {self.ignorant:.4g} is that of knowing nothing"
            raise FloatingPointError(f"{risen}: the training diverges; {_REMEDY}")

    def on_train_end(self, trainer, module):
        self.catch_up(trainer)


class Checkpoint(L.Callback):
    """Writes the state of training whole, every so many steps and when Ctrl-C is pressed or SIGTERM comes.

    Those are heard at the end of a chunk of steps, when weights, optimiser and step count belong together.

    Args:
        path: of the checkpoint.
        every: steps; where that falls within a chunk, its end counts.
        curve: looks at the losses first, so that no diverged state is kept.

    Attributes:
        stopped: the signal that asked to stop, or None.
    """

    def __init__(self, path: Path, every: int, curve: Curve):
        self.path, self.every, self.curve = path, every, curve
        self.stopped, self._handlers = None, {}

    def on_train_start(self, trainer, module):
        if threading.current_thread() is threading.main_thread():
            self._handlers = {number: signal.signal(number, self._on_signal) for number in _STOPPING}

    def _on_signal(self, number, _):
        self.stopped = number

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if module.step == module.protocol["steps"]:  # the model is kept instead
            return
        if self.stopped or module.step // self.every > (module.step - len(batch)) // self.every:
            self.curve.catch_up(trainer)
            self.save(trainer, self.path)
        if self.stopped:
            raise KeyboardInterrupt

    def save(self, trainer, path: Path, weights_only: bool = False):
        """Write to a temporary name, then rename: a crash leaves the last checkpoint as it was."""
        for logger in trainer.loggers:
            logger.save()
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
        try:
            trainer.save_checkpoint(partial, weights_only=weights_only)
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def on_train_end(self, trainer, module):
        self._restore()

    def on_exception(self, trainer, module, exception):
        self._restore()

    def _restore(self):
        while self._handlers:
            signal.signal(*self._handlers.popitem())


class Bar(L.Callback):
    """A progress bar over the steps of one run, with rate and remaining time; gone when the run has ended.

    Args:
        console: where to draw; nothing is drawn where it is no terminal.
        title: of the run.
        first: step that training starts at.
    """

    def __init__(self, console: Console, title: str, first: int):
        self.title, self.first = title, first
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def on_train_start(self, trainer, module):
        self.task = self.progress.add_task(self.title, total=module.protocol["steps"], completed=self.first, rate="")
        self.progress.start()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        speed = self.progress.tasks[0].speed
        rate = f"{speed:.1f} steps/s" if speed else ""
        self.progress.update(self.task, completed=module.step, rate=rate)

    def on_train_end(self, trainer, module):
        self.progress.stop()

    def on_exception(self, trainer, module, exception):
        self.progress.stop()
