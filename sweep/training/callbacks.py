"""Lightning callbacks of a run: the loss curve and the progress bar."""

import collections
import math

import lightning as L
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sweep.names import plain
from sweep.training.steps import Losses

_RECENT = 50  # steps whose mean loss is checked
_RISEN = 2.0  # a run diverges above this many times the loss of a model that has learned nothing
_REMEDY = "choose a lower protocol.learning_rate"


class Curve(L.Callback):
    """Logs the loss, and ends a run whose loss is not finite or has risen.

    The losses of a chunk are checked while the next chunk runs, so that the device does not wait.

    Args:
        every: number of steps between two points of the curve.
        ignorant: loss of a model that has learned nothing.
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
        """Check and log all losses so far; called before a checkpoint is written, and at the end."""
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


class Bar(L.Callback):
    """Shows a progress bar over the steps of one run, with rate and remaining time, until the run ends.

    Args:
        console: console to draw on; nothing is drawn if it is no terminal.
        title: label of the bar.
        first: step at which training starts.
    """

    def __init__(self, console: Console, title: str, first: int):
        self.title, self.first = title, first
        self.progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )

    def on_train_start(self, trainer, module):
        self.task = self.progress.add_task(
            plain(self.title), total=module.protocol.steps, completed=self.first, rate=""
        )
        self.progress.start()

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        speed = self.progress.tasks[0].speed
        rate = f"{speed:.1f} steps/s" if speed else ""
        self.progress.update(self.task, completed=module.step, rate=rate)

    def on_train_end(self, trainer, module):
        self.progress.stop()

    def on_exception(self, trainer, module, exception):
        self.progress.stop()
