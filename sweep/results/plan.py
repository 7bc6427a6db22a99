"""Read and write sweep.json, the list of the runs that a sweep was asked for, with their configurations."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweep import locks
from sweep.files import write_whole

PLAN = "sweep.json"


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


def read_plan(folder: Path) -> dict[str, Planned]:
    """Read the planned runs of a <runs>/<data>/<protocol> folder, in order; empty if there is no sweep.json.

    Returns:
        Planned runs; the key is the run's folder relative to `folder`, such as "linear/mel-512-128/seed-0".

    Raises:
        ValueError: sweep.json is damaged.
    """
    path = folder / PLAN
    try:
        return {run: Planned(**planned) for run, planned in json.loads(path.read_bytes())["runs"].items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        said = f"no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"{path}: damaged, {said}; delete it; the next sweep writes it anew") from None


def write_plan(folder: Path, runs: dict[str, Planned]) -> None:
    """Add runs to sweep.json of a <runs>/<data>/<protocol> folder, so that tables also list runs not yet started.

    Runs that are already planned keep their places; new ones are appended.

    Args:
        folder: folder of sweep.json.
        runs: planned runs; the key is the run's folder relative to `folder`.
    """
    before = read_plan(folder)
    if before | runs == before:
        return
    with locks.wait(folder / f".{PLAN}.lock"):  # another sweep may be adding its runs
        plan = read_plan(folder) | runs
        # One run a line, because people read the file.
        lines = (f"{json.dumps(run)}: {json.dumps(dataclasses.asdict(planned))}" for run, planned in plan.items())
        write_whole(folder / PLAN, '{"runs": {\n' + ",\n".join(lines) + "\n}}\n")
