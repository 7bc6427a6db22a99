"""Write the curves of a run, and a sweep's report, as event files for TensorBoard."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping

from lightning.fabric.loggers import TensorBoardLogger

from sweep.config import RunConfig

_NAMES = "events.out.tfevents."  # how the names of event files begin


class Events(TensorBoardLogger):
    """Writes event files into the folder of a run, which TensorBoard names after it.

    Args:
        config: the run's configuration.
        first: step at which training starts; TensorBoard drops what an earlier attempt logged from there on.
    """

    def __init__(self, config: RunConfig, first: int):
        if any(config.folder.glob(f"{_NAMES}{int(time.time())}.*")):
            time.sleep(1)  # TensorBoard reads files in the order of their names, in which the second comes first
        super().__init__(config.folder.absolute(), name="", version="", purge_step=first)
        self.identity, self.steps = config.identity, config.protocol.steps

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log values of a step. Lightning's own would call each error, such as a full disk, a wrong value."""
        for name, value in metrics.items():
            self.experiment.add_scalar(name, value, step)

    def finalize(self, status: str) -> None:
        """Write what is logged so far at the end of training; the scores go into the same file."""
        self.save()

    def finish(self, scores: Mapping[str, float]) -> None:
        """Log the keys that decide the run's result and its scores, if there are any, for TensorBoard's tab HPARAMS."""
        if scores:
            self.log_hyperparams(self.identity, {f"test/{name}": score for name, score in scores.items()}, self.steps)
        self.experiment.close()


@contextlib.contextmanager
def quiet_writer() -> Iterator[None]:
    """Print no traceback of TensorBoard's writing thread, whose error the logger's next call raises."""
    before = threading.excepthook

    def hook(thrown) -> None:
        if not type(thrown.thread).__module__.startswith("tensorboard."):
            before(thrown)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def write_report(report, pictures: list) -> None:
    """Write a sweep's verdict, table and pictures as TensorBoard's run "report", in place of an earlier one.

    Args:
        report: report of the sweep, a `sweep.report.Report`.
        pictures: pictures of the report, each a `sweep.report.pictures.Picture`.
    """
    import numpy as np
    from PIL import Image
    from torch.utils.tensorboard import SummaryWriter

    folder = report.folder / "report"
    for earlier in folder.glob(f"{_NAMES}*"):
        earlier.unlink()
    with quiet_writer(), SummaryWriter(folder) as writer:
        writer.add_text("comparison", (report.folder / "table.md").read_text(encoding="utf-8"), 0)
        for picture in pictures:
            path = report.folder / "pictures" / f"{picture.name}.png"
            if path.exists():
                writer.add_image(picture.name, np.asarray(Image.open(path).convert("RGB")), 0, dataformats="HWC")
