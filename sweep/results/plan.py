"""sweep.json beside the runs of a sweep: which runs were asked for, with which configuration."""

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
    """A run as the last command that named it asked for it.

    Attributes:
        family: of its representation.
        cost: what it takes compared with others, `RunConfig.cost`.
        identity: of its configuration, `RunConfig.identity`.
    """

    family: str
    cost: float
    identity: dict[str, Any]


def read_plan(folder: Path) -> dict[str, Planned]:
    """The runs planned in a <runs>/<data>/<protocol> folder, in order; empty where there is no plan.

    Returns:
        By the run's folder relative to `folder`, such as "linear/mel-512-128/seed-0".

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
    """Add runs to the plan of a <runs>/<data>/<protocol> folder, so that a table knows what is missing.

    Runs that were planned before keep their places; what is new comes after them.

    Args:
        folder: where sweep.json lies or will lie.
        runs: by their folders relative to it.
    """
    before = read_plan(folder)
    if before | runs == before:
        return
    with locks.wait(folder / f".{PLAN}.lock"):  # another sweep may be adding its runs
        plan = read_plan(folder) | runs
        # A run a line: people read it.
        lines = (f"{json.dumps(run)}: {json.dumps(dataclasses.asdict(planned))}" for run, planned in plan.items())
        write_whole(folder / PLAN, '{"runs": {\n' + ",\n".join(lines) + "\n}}\n")
