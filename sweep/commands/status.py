"""`sweep status DIR`: prints how far the sweeps below a folder are, and the time they still take."""

import argparse
import time
from contextlib import nullcontext

from rich.console import Console, Group
from rich.live import Live

from sweep.files import from_user
from sweep.scheduling.status import DONE, FAILED, LEFT, lines, look


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Print for each sweep how many runs are done, running, failed and to do, where those that run are, and how\n"
        "long all of it still takes by the rates measured. It writes nothing: whoever can read the folder can look.\n"
        "Exits 0 where all runs are done, 1 where one failed, 3 where some are still to do, 2 where there is no sweep."
    )
    parser.add_argument(
        "directory", metavar="DIR", nargs="?", default="runs", type=from_user, help="folder of results (default: runs)"
    )
    parser.add_argument("--watch", metavar="SECONDS", type=float, help="look again that often until no run is left")


def run(arguments: argparse.Namespace) -> int:
    """Print the status once, or with --watch every so many seconds until no run is left; in place on a terminal.

    Returns:
        The exit code: FAILED if a run failed, else LEFT if a run is open, else DONE.

    Raises:
        ValueError: there is no sweep, or --watch is not a number of at least 0.1.
    """
    every = arguments.watch
    if every is not None and not 0.1 <= every < float("inf"):
        raise ValueError(f"--watch {every:g}: needs a number of seconds, at least 0.1")
    console = Console(highlight=False, soft_wrap=True)
    with Live(console=console, auto_refresh=False) if console.is_terminal and every else nullcontext() as live:
        while True:
            found = look(arguments.directory)
            said = [line for status in found for line in lines(status)]
            if live:
                live.update(Group(*said), refresh=True)
            else:
                console.print(*said, sep="\n")
            if not every or not any(status.left for status in found):
                codes = {status.code for status in found}
                return next(code for code in (FAILED, LEFT, DONE) if code in codes)
            time.sleep(every)
