"""Write the log of a run, and pass its warnings on to the terminal."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path


class _Log(logging.FileHandler):
    """A log file that may be missing: whatever else fails to write reports it."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(Exception):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say nothing."""


class Teller(logging.Handler):
    """Pass the program's warnings on, but not its errors, which a failed run's line tells.

    Args:
        say: called with the text of each warning.
    """

    def __init__(self, say: Callable[[str], None]):
        super().__init__()
        self.say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one record on."""
        if record.levelno == logging.WARNING:
            self.say(record.getMessage())


@contextlib.contextmanager
def logging_to(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Append log records and warnings to a file while the block runs.

    Args:
        path: log file in the run's folder.
        say: called with each warning of the program.
    """
    handler, teller = _Log(path, delay=True), Teller(say)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = [logging.getLogger(name) for name in ("", "sweep", "py.warnings")]
    for logger in loggers:
        logger.addHandler(handler)
    for logger in loggers[1:]:  # keep them off the terminal, to which Hydra's root logger writes
        logger.setLevel(logging.INFO)
        logger.propagate = False
    loggers[1].addHandler(teller)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        loggers[1].removeHandler(teller)
        for logger in loggers:
            logger.removeHandler(handler)
            logger.propagate = True
        with contextlib.suppress(OSError):
            handler.close()
