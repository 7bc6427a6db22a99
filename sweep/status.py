"""python -m sweep.status DIR: how far the sweeps below a folder are, and how long they still take."""

import argparse
import sys
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from sweep.pace import Progress, clock, fit, read_progress
from sweep.report.report import protocol_folders
from sweep.report.table import build_table
from sweep.results import read_costs
from sweep.words import split_keys

DONE, FAILED, NOTHING, LEFT = 0, 1, 2, 3  # exit codes
_STYLES = {"failed": "red", "damaged": "red", "unfinished": "yellow", "running": "cyan"}


@dataclass(frozen=True)
class Status:
    """Of one sweep, a <runs>/<data>/<protocol> folder.

    Attributes:
        folder: of the sweep.
        table: `build_table`'s.
        progress: by run, of those that are running or unfinished and have a log.
        left: seconds, by run, that those which are running, unfinished or missing still take; None where unknown.
        remaining: seconds until all of them are done by as many processes as run now, or by one; None where unknown.
    """

    folder: Path
    table: pd.DataFrame
    progress: dict[str, Progress]
    left: dict[str, float | None]
    remaining: float | None

    @property
    def code(self) -> int:
        """The exit code that says it."""
        if self.table.status.isin(["failed", "damaged"]).any():
            return FAILED
        return DONE if (self.table.status == "done").all() else LEFT


def read_status(folder: Path, now: float) -> Status:
    """The status of a sweep.

    Args:
        folder: <runs>/<data>/<protocol>.
        now: seconds since 1970.

    Raises:
        ValueError: sweep.json is damaged.
    """
    table, costs = build_table(folder), read_costs(folder)
    open_runs = table[table.status.isin(["running", "unfinished"])].run
    progress = {run: found for run in open_runs if (found := read_progress(folder / run))}
    done = table[table.status == "done"]
    seconds = done.seconds_training + done.seconds_scoring  # set-up is long once: the data are read
    whole = seconds.notna() & (done.resumed_from.fillna(0) == 0)  # of others the last call is known only
    scoring = fit([costs.get(run) for run in done.run[whole]], list(done.seconds_scoring[whole]))
    measured = dict(zip(done.run[whole], seconds[whole], strict=True))
    # Runs on their way have measured a pace too.
    for run, found in progress.items():
        if found.rate:
            measured[run] = found.steps / found.rate + (scoring(costs.get(run)) or 0.0)
    expected = fit([costs.get(run) for run in measured], list(measured.values()))
    left = {}
    for run in table[table.status.isin(["running", "unfinished", "missing"])].itertuples():
        whole_run, found, running = expected(costs.get(run.run)), progress.get(run.run), run.status == "running"
        if found and found.steps and found.rate:
            training = (found.steps - found.step) / found.rate
            spent = now - found.seen if running else 0.0
            left[run.run] = max(training + (scoring(costs.get(run.run)) or 0.0) - spent, 0.0)
        elif whole_run is None:
            left[run.run] = None
        elif found and running:
            left[run.run] = max(whole_run * (1 - (found.first or 0) / (found.steps or 1)) - (now - found.began), 0.0)
        else:
            left[run.run] = whole_run * (1 - found.step / found.steps if found and found.steps else 1)
    remaining = None
    if None not in left.values():
        processes = max(1, int((table.status == "running").sum()))
        remaining = max(sum(left.values()) / processes, max(left.values(), default=0.0))
    return Status(folder, table, progress, left, remaining)


def lines(status: Status) -> list[Text]:
    """What there is to say: a line of all, and one for each run that is running, interrupted, failed or damaged."""
    counts = status.table.status.value_counts()
    waiting = counts.get("unfinished", 0) + counts.get("missing", 0)
    parts = [f"{counts.get('done', 0)} of {len(status.table)} runs done"]
    parts += [f"{counts[name]} {name}" for name in ("running", "failed", "damaged") if name in counts]
    parts += [f"{waiting} to do"] * bool(waiting)
    if status.left:
        parts += [_remaining(status, "running" in counts)]
    said = [Text(f"{status.folder}: {', '.join(parts)}", "bold")]
    for run in status.table.itertuples():
        if run.status in _STYLES:
            detail = ", ".join(filter(None, [run.note, *_detail(status, run)]))
            said.append(Text(f"  {run.status:10} {run.run}  {detail}", _STYLES[run.status]))
    return said


def _remaining(status: Status, running: bool) -> str:
    if status.remaining is None:
        return "remaining time unknown: nothing has been measured yet"
    about = f"about {clock(status.remaining)} left"
    return about if running else f"{about} for one process, none is at work"


def _detail(status: Status, run) -> list[str]:
    found, left = status.progress.get(run.run), status.left.get(run.run)
    if not found:
        return []
    parts = [f"step {found.step:,} of {found.steps:,}" if found.steps else "setting up"]
    if run.status == "running":
        if found.rate:
            parts.append(f"{found.rate:,.1f} steps/s")
        if found.steps and found.step == found.steps:
            parts.append("scoring")
        elif left is not None:
            parts.append(f"about {clock(left)} left")
    return parts


def look(directory: Path) -> list[Status]:
    """The status of each sweep in, below or above a folder.

    Raises:
        ValueError: there is none, or a sweep.json is damaged.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such folder")
    found = [read_status(folder, time.time()) for folder in protocol_folders(directory)]
    if not found:
        raise ValueError(f"{directory}: no sweep in or below it; python -m sweep starts one")
    return found


def main() -> int:
    """Runs the command line.

    Returns:
        0 where all runs are done, 1 where one failed or is damaged, 3 where some are still to do; 2 with one line on
        stderr where there is no sweep; 130 where Ctrl-C ended the watch.
    """
    parser = argparse.ArgumentParser(
        prog="python -m sweep.status",
        description="Says of each sweep how many runs are done, running, failed and to do, where those that run are, "
        "and how long all of it still takes by the rates measured. It writes nothing, so anybody who can read the "
        "folder can look. Exits 0 where all runs are done, 1 where one failed, 3 where some are still to do, 2 where "
        "there is no sweep.",
        epilog="watch=SECONDS looks again that often, until no run is left to do.",
    )
    parser.add_argument("words", metavar="DIR", nargs="*", help="folder of results (default: runs), and watch=SECONDS")
    try:
        directories, given = split_keys(parser.parse_args().words, ["watch"])
        if len(directories) > 1:
            raise ValueError(f"{' '.join(directories)}: needs one folder")
        directory = Path(*directories or ["runs"])
        every = _seconds(given["watch"]) if "watch" in given else None
        console = Console(highlight=False, soft_wrap=True)
        return watch(directory, every, console)
    except (OSError, ValueError) as error:
        print(f"sweep.status: {error}", file=sys.stderr)
        return NOTHING
    except KeyboardInterrupt:
        return 130


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds < float("inf"):
        raise ValueError(f"watch={word}: needs a number of seconds, at least 0.1")
    return seconds


def watch(directory: Path, every: float | None, console: Console) -> int:
    """Say the status once, or every so many seconds until nothing is left to do: in place on a terminal.

    Returns:
        the exit code: that of a failure before that of an open run.
    """
    with Live(console=console, auto_refresh=False) if console.is_terminal and every else nullcontext() as live:
        while True:
            found = look(directory)
            said = [line for status in found for line in lines(status)]
            if live:
                live.update(Group(*said), refresh=True)
            else:
                console.print(*said, sep="\n")
            if not every or not any(status.left for status in found):
                codes = {status.code for status in found}
                return next(code for code in (FAILED, LEFT, DONE) if code in codes)
            time.sleep(every)


if __name__ == "__main__":
    sys.exit(main())
