"""Save the state of a run while it trains, and find and check it when the run resumes."""

import logging
import signal
import threading
import time
import zipfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import lightning as L
import torch
from lightning.fabric.utilities.apply_func import apply_to_collection
from lightning.pytorch.plugins import TorchCheckpointIO

from sweep.config import RunConfig
from sweep.files import whole
from sweep.locks import Lock
from sweep.results.json_files import NO_ACCESS, unreadable
from sweep.results.progress import Tracker
from sweep.results.state import CHECKPOINT, MODEL, ChangedError, describe_change, set_aside
from sweep.training.callbacks import Curve

# SLURM sends SIGUSR2 before a job's time is up; submitit handles it and queues the job again.
STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGUSR2") if hasattr(signal, name))
_SAY = 20.0  # seconds between two updates of the run's progress
_log = logging.getLogger(__name__)


class Checkpoint(L.Callback):
    """Writes a checkpoint every so many steps, and when Ctrl-C is pressed or SIGTERM arrives.

    Signals are handled at the end of a chunk of steps, when weights, optimiser and step count are consistent. Signals
    that this process was started to ignore stay ignored, as Ctrl-C does in a script's `python -m sweep &` and workers.

    Args:
        path: checkpoint file to write.
        every: number of steps between two checkpoints; a checkpoint due within a chunk is written at its end.
        curve: callback that checks the losses first, so that no diverged state is saved.
        lock: lock of the run's folder; nothing is written once it is lost.
        tracker: tracker of the run's progress, updated during training.

    Attributes:
        stopped: signal number that asked to stop, or None.
    """

    def __init__(self, path: Path, every: int, curve: Curve, lock: Lock, tracker: Tracker):
        self.path, self.every, self.curve, self.lock, self.tracker = path, every, curve, lock, tracker
        self.stopped, self._handlers = None, {}
        self._said = time.monotonic()

    def on_train_start(self, trainer, module):
        if threading.current_thread() is threading.main_thread():
            self._handlers = {n: signal.signal(n, self._on_signal) for n in STOPPING if _is_heard(n)}

    def _on_signal(self, number, _):
        self.stopped = number

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if time.monotonic() - self._said > _SAY:
            self._said = time.monotonic()
            self.tracker.reach(module.step)
        if module.step == module.protocol.steps:  # the trained model is saved instead
            return
        if self.stopped or module.step // self.every > (module.step - len(batch)) // self.every:
            self.curve.catch_up(trainer)
            self.save(trainer, self.path)
        if self.stopped:
            raise KeyboardInterrupt

    def save(self, trainer, path: Path, weights_only: bool = False):
        """Write a checkpoint to a temporary name, then rename it, so that a crash leaves the last one intact."""
        self.lock.confirm()
        for logger in trainer.loggers:
            logger.save()
        trainer.save_checkpoint(path, weights_only=weights_only)
        _log.info("%s written at step %d", path.name, trainer.lightning_module.step)
        self.tracker.reach(trainer.lightning_module.step)

    def on_train_end(self, trainer, module):
        self._restore()

    def on_exception(self, trainer, module, exception):
        self._restore()

    def _restore(self):
        while self._handlers:
            signal.signal(*self._handlers.popitem())


def _is_heard(number: int) -> bool:
    """Return whether a signal would stop this process; for SIGUSR2, only if submitit handles it."""
    handler = signal.getsignal(number)
    return callable(handler) or (handler != signal.SIG_IGN and number != getattr(signal, "SIGUSR2", None))


class WholeFiles(TorchCheckpointIO):
    """Writes Lightning's checkpoints whole; Lightning itself leaves temporary files behind when it is killed.

    Args:
        beside: whether to write beside the training, from a copy in the host's memory. Otherwise a GPU waits for the
            disk, which takes 0.2 to 0.5 s for the 104 MB of linear-4096: as long as thousands of steps.
    """

    def __init__(self, beside: bool):
        self._thread = ThreadPoolExecutor(1) if beside else None
        self._writing: Future | None = None

    def save_checkpoint(self, checkpoint, path, storage_options=None):
        self.teardown()
        if self._thread is None:
            _write(checkpoint, Path(path))
            return
        copied = apply_to_collection(checkpoint, torch.Tensor, lambda value: value.detach().to("cpu", copy=True))
        self._writing = self._thread.submit(_write, copied, Path(path))

    def teardown(self):
        """Wait until the last checkpoint is written; raises what prevented it."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()


def _write(checkpoint: dict, path: Path) -> None:
    with whole(path) as partial, open(partial, "xb") as file:
        torch.save(checkpoint, file)


def find_state(config: RunConfig) -> tuple[Path | None, int]:
    """Find the file to resume a run from, the trained model or else the checkpoint, and its step.

    A damaged file is renamed, in place of an older damaged one, and the log says so.

    Raises:
        ChangedError: the file belongs to another configuration.
    """
    for path in (config.folder / MODEL, config.folder / CHECKPOINT):
        if path.exists():
            try:
                return path, check_state(path, config)
            except DamagedError as error:
                aside = set_aside(path)
                _log.warning("%s; it is now %s, and the run goes on from what there is before it", error, aside.name)
    return None, 0


class DamagedError(ValueError):
    """A checkpoint does not hold the bytes that were written."""


def check_state(path: Path, config: RunConfig) -> int:
    """Check that a checkpoint is intact and belongs to a configuration; return its step.

    Raises:
        DamagedError: the file's bytes are not those that were written.
        ChangedError: the file belongs to another configuration.
    """
    try:
        with zipfile.ZipFile(path) as parts:  # torch would read a changed weight without an error
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts.infolist()):  # it could be of any size
                raise zipfile.BadZipFile("it is compressed, which none that a run writes is")
            changed = parts.testzip()
        if changed:
            raise zipfile.BadZipFile(f"{changed} has changed")
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        made_with, step = dict(checkpoint["run"]["identity"]), int(checkpoint["run"]["step"])
    except NO_ACCESS as error:
        raise ValueError(unreadable(path, error)) from None
    except Exception as error:  # damaged bytes raise what they like, from zipfile, pickle and torch
        said = str(error).splitlines() or [type(error).__name__]
        raise DamagedError(f"{path}: damaged ({said[0]})") from None
    changed = describe_change(path.parent, made_with, config.identity)
    if changed:
        raise ChangedError(changed)
    return step
