"""Determine how far the sweeps below a folder are, and estimate the time they still take."""

import time
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.text import Text

from sweep.names import plain
from sweep.results.finding import protocol_folders
from sweep.results.progress import Progress, read_progress
from sweep.results.table import read_runs
from sweep.scheduling.pace import clock, fit

DONE, FAILED, LEFT = 0, 1, 3  # exit codes
_STYLES = {"failed": "red", "damaged": "red", "changed": "red", "unfinished": "yellow", "running": "cyan"}


@dataclass(frozen=True)
class Status:
    """Status of one sweep.

    Attributes:
        folder: <runs>/<data>/<protocol> folder of the sweep.
        table: one row a run, `build_table`.
        progress: progress of the running and unfinished runs that have a progress.json, by run.
        left: seconds that each running, unfinished or missing run still takes, by run; None where unknown.
        remaining: seconds until all runs are done by as many processes as run now, at least one; None if unknown.
        remarks: one line for each folder that was left out and for what could not be read.
        known: whether it is known which runs the sweep was asked for; without sweep.json it is those that are found.
    """

    folder: Path
    table: pd.DataFrame
    progress: dict[str, Progress]
    left: dict[str, float | None]
    remaining: float | None
    remarks: list[str]
    known: bool

    @property
    def code(self) -> int:
        """Exit code of `sweep status`: FAILED, DONE or LEFT."""
        if not self.known or self.table.status.isin(["failed", "damaged", "changed"]).any():
            return FAILED
        return DONE if (self.table.status == "done").all() else LEFT


def read_status(folder: Path, now: float) -> Status:
    """Read the status of a sweep.

    Args:
        folder: <runs>/<data>/<protocol> folder of the sweep.
        now: current time in seconds since 1970.
    """
    runs = read_runs(folder)
    table, costs = runs.table, {run: planned.cost for run, planned in (runs.planned or {}).items()}
    open_runs = table[table.status.isin(["running", "unfinished"])].run
    progress = {run: found for run in open_runs if (found := read_progress(folder / run))}
    done = table[table.status == "done"]
    seconds = done.seconds_training + done.seconds_scoring  # without set-up, which is long only in the first run
    whole = seconds.notna() & (done.resumed_from.fillna(0) == 0)  # for resumed runs only the last call is known
    scoring = fit([costs.get(run) for run in done.run[whole]], list(done.seconds_scoring[whole]))
    measured = dict(zip(done.run[whole], seconds[whole], strict=True))
    # Running and unfinished runs have a measured rate too.
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
    return Status(folder, table, progress, left, remaining, runs.remarks, runs.planned is not None)


def lines(status: Status) -> list[Text]:
    """Format a status: one line for the sweep, and one for each run that is running, interrupted, failed or damaged.

    Args:
        status: status of one sweep.
    """
    counts = status.table.status.value_counts()
    waiting = counts.get("unfinished", 0) + counts.get("missing", 0)
    parts = [f"{counts.get('done', 0)} of {len(status.table)} runs done"]
    parts += [f"{counts[name]} {name}" for name in ("running", "failed", "damaged", "changed") if name in counts]
    parts += [f"{waiting} to do"] * bool(waiting)
    if status.left:
        parts += [_remaining(status, "running" in counts)]
    if not status.known:  # how far a sweep is cannot be told without its plan
        return [Text(remark, "red") for remark in status.remarks]
    said = [Text(plain(f"{status.folder}: {', '.join(parts)}"), "bold")]
    for run in status.table.itertuples():
        if run.status in _STYLES:
            detail = ", ".join(filter(None, [run.note, *_detail(status, run)]))
            said.append(Text(plain(f"  {run.status:10} {run.run}  {detail}"), _STYLES[run.status]))
    return said + [Text(f"  {remark}", "yellow") for remark in status.remarks]


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
    """Read the status of each sweep in, below or above a folder.

    Args:
        directory: folder of results.

    Raises:
        ValueError: there is no sweep, or none of its files can be read.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such folder")
    remarks = list[str]()
    found = [read_status(folder, time.time()) for folder in protocol_folders(directory, remarks)]
    found = [status for status in found if not (status.known and status.table.empty)]
    if not any(status.known for status in found):
        remarks += [remark for status in found for remark in status.remarks]
        raise ValueError("; ".join(remarks) or f"{directory}: no sweep in or below it; sweep +grid=smoke starts one")
    found[-1].remarks.extend(remarks)
    return found
