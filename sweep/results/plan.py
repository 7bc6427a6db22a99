"""Read and write sweep.json, the list of the runs that a sweep was asked for, with their configurations."""

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sweep import locks
from sweep.files import write_whole
from sweep.results.json_files import UnreadableError, build, read_object
from sweep.results.metrics import Ranking

PLAN = "sweep.json"
_SEED = re.compile(r"seed-(0|[1-9][0-9]{0,18})")  # without zeros in front, as the program writes it
_REMEDY = "delete it; the next sweep writes it anew"


@dataclass(frozen=True)
class Planned:
    """Entry of a run in sweep.json, written by the last command that named the run.

    Attributes:
        family: family of the run's representation, such as "mel".
        cost: relative cost of the run, `RunConfig.cost`.
        identity: identity of the run's configuration, `RunConfig.identity`.
    """

    family: str
    cost: float
    identity: dict[str, Any]


@dataclass(frozen=True)
class _Plan:
    runs: dict[str, dict[str, Any]]
    ranking: dict[str, Any] | None = None


def is_name(run: str) -> bool:
    """Whether a path has the form of a run's folder relative to that of sweep.json: <model>/<row>/seed-<n>."""
    *folders, seed = run.split("/")
    number = _SEED.fullmatch(seed)
    return len(folders) == 2 and not {"", ".", ".."} & {*folders} and bool(number) and int(number[1]) < 2**63


class Sweep(NamedTuple):
    """Content of sweep.json.

    Attributes:
        runs: planned runs, in order; the key is the run's folder relative to sweep.json's.
        ranking: how the last command ranked the rows.
        remark: what is wrong with the ranking, of which the default takes the place; "" if nothing is.
    """

    runs: dict[str, Planned]
    ranking: Ranking
    remark: str


def read_plan(folder: Path) -> dict[str, Planned]:
    """Read the planned runs of a <runs>/<data>/<protocol> folder, in order; empty if there is no sweep.json.

    Returns:
        Planned runs; the key is the run's folder relative to `folder`, such as "linear/mel-512-128/seed-0".

    Raises:
        ValueError: sweep.json is damaged, holds a name that is not a run's, or cannot be read.
    """
    return read_sweep(folder).runs


def read_sweep(folder: Path) -> Sweep:
    """Read sweep.json of a <runs>/<data>/<protocol> folder; nothing planned and the default ranking without the file.

    Raises:
        ValueError: sweep.json is damaged, holds a name that is not a run's, or cannot be read.
    """
    path = folder / PLAN
    try:
        content = read_object(path)
        if content is None:
            return Sweep({}, Ranking(), "")
        found = build(_Plan, content, others=True)
        plan = {run: build(Planned, planned) for run, planned in found.runs.items()}
    except UnreadableError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: damaged, {error}; {_REMEDY}") from None
    for run in plan:
        if not is_name(run):
            raise ValueError(f"{path}: {run} is not <model>/<representation>/seed-<n>; {_REMEDY}")
    try:
        return Sweep(plan, build(Ranking, found.ranking or {}), "")
    except ValueError as error:
        return Sweep(plan, Ranking(), f"{path}: ranked as by default, {error}; the next sweep says how to rank")


def write_plan(folder: Path, runs: dict[str, Planned], ranking: Ranking | None = None) -> str:
    """Add runs to sweep.json of a <runs>/<data>/<protocol> folder, so that tables also list runs not yet started.

    Runs that are already planned keep their places; new ones are appended. A damaged sweep.json is renamed to
    sweep.json.damaged.

    Args:
        folder: folder of sweep.json.
        runs: planned runs; the key is the run's folder relative to `folder`.
        ranking: how the rows are to be ranked; None: as before.

    Returns:
        A line for the user if sweep.json was damaged; otherwise "".
    """
    said = ""
    try:
        before, ranked, _ = read_sweep(folder)
    except UnreadableError:
        raise
    except ValueError as error:
        aside = (folder / PLAN).replace(folder / f"{PLAN}.damaged")
        said = f"{error}: it is now {aside.name}"
        before, ranked = {}, Ranking()
    if before | runs == before and ranking in (None, ranked):
        return said
    with locks.wait(folder / f".{PLAN}.lock"):  # another sweep may be adding its runs
        plan, ranked, _ = read_sweep(folder)
        plan |= runs
        head = json.dumps(dataclasses.asdict(ranking or ranked))
        # One run a line, because people read the file.
        lines = (f"{json.dumps(run)}: {json.dumps(dataclasses.asdict(planned))}" for run, planned in plan.items())
        write_whole(folder / PLAN, f'{{"ranking": {head}, "runs": {{\n' + ",\n".join(lines) + "\n}}\n")
    return said
