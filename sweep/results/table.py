"""Build a table of the runs of one <runs>/<data>/<protocol> folder from their results."""

import os
import re
from pathlib import Path

import pandas as pd

from sweep.registry import families
from sweep.results.plan import PLAN, Planned, read_plan
from sweep.results.result import Result
from sweep.results.scoring import SCORES
from sweep.results.state import is_run, state_of

IDENTITY = ("run", "representation", "variant", "family", "model", "data", "protocol", "seed", "status", "note")
COUNTS = ("bins", "context", "empty_filters", "recordings", "parameters_frontend", "parameters_model", "resumed_from")
COUNTS += ("peak_memory_bytes", "window")
SECONDS = ("seconds_setup", "seconds_training", "seconds_scoring")
WORDS = ("norm", "source", "arithmetic", "frontend_accuracy", "changed", "device", "git_revision", "engine")
MOVED = ("moved_kernels", "moved_bank")
OPERATIONS = ("multiply_adds_frontend", "multiply_adds_model")
NUMBERS = (*SCORES, "threshold", *OPERATIONS, *SECONDS, "windows_per_second", "gpu_utilisation", *MOVED)


def build_table(folder: Path) -> pd.DataFrame:
    """Tabulate the runs of one <runs>/<data>/<protocol> folder, planned or found, in the paper's order.

    Args:
        folder: folder of sweep.json and of the runs, which are in <model>/<representation>[+<variant>]/seed-<n>/.

    Returns:
        One row a run. status and note are those of `results.state.State`, for the configuration in sweep.json. Scores
        are those of result.json, NaN if a run is not done.

    Raises:
        ValueError: sweep.json is damaged or holds a name that is not a run's.
    """
    found = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*/*/seed-*")) if is_run(path)]
    plan = read_plan(folder)
    rows = [_row(folder, run, plan.get(run)) for run in dict.fromkeys([*plan, *found])]
    order = {name: families[name].ORDER for name in families.names()}
    rows.sort(key=lambda row: (order.get(row["family"], len(order)), *_place(row)))
    table = pd.DataFrame(rows, columns=[*IDENTITY, *COUNTS, *NUMBERS, *WORDS])
    return table.astype(dict.fromkeys(("seed", *COUNTS), "Int64") | dict.fromkeys(NUMBERS, float))


def results_below(folder: Path) -> dict[str, Result]:
    """Read the results of the done runs of a <runs>/<data>/<protocol> folder; keys are the runs' relative folders."""
    found = {}
    for path in sorted(folder.glob("*/*/seed-*")):
        result = state_of(path, None).result
        if result:
            found[path.relative_to(folder).as_posix()] = result
    return found


def protocol_folders(directory: Path) -> list[Path]:
    """Find the <data>/<protocol> folders in and below a directory, and the one that contains it, if any."""
    folders = set()
    for name, below, files in os.walk(os.path.abspath(directory)):
        path = Path(name)
        if PLAN in files:
            folders.add(path)
        if path.name.startswith("seed-") and is_run(path):
            if len(path.parents) > 2:
                folders.add(path.parents[2])
            below.clear()  # skip its subfolders: logs and pictures
    return sorted(folders)


def _row(folder: Path, run: str, planned: Planned | None) -> dict:
    """Build one run's row from its path and from its result, or from the reason why it has none."""
    parts = re.fullmatch(r"(?P<model>[^/]+)/(?P<representation>[^/+]+)(\+(?P<variant>[^/]+))?/seed-(?P<seed>\d+)", run)
    if not parts:
        raise ValueError(f"{folder / PLAN}: {run} is not <model>/<representation>/seed-<n>; delete the file")
    row: dict = {"run": run, "data": folder.parent.name, "protocol": folder.name, **parts.groupdict(default="")}
    row |= {"seed": int(row["seed"]), "family": planned.family if planned else row["representation"].partition("-")[0]}
    state = state_of(folder / run, planned.identity if planned else None)
    return row | {"status": state.status, "note": state.note} | (_figures(state.result) if state.result else {})


def _figures(result: Result) -> dict:
    """Flatten the scores and figures of a done run to one level."""
    same = ("family", "threshold", "bins", "context", "empty_filters", "norm", "window")
    same += ("resumed_from", "windows_per_second", "peak_memory_bytes", "gpu_utilisation", "frontend_accuracy")
    same += ("source", "changed", "device", "git_revision", "engine")
    return {
        **{name: getattr(result, name) for name in same},
        **result.scores,
        **{f"parameters_{name}": count for name, count in result.parameters.items()},
        **{f"multiply_adds_{name}": number for name, number in result.multiply_adds.items()},
        **{f"seconds_{name}": seconds for name, seconds in result.seconds.items()},
        **{f"moved_{name}": change for name, change in result.moved.items()},
        "recordings": len(result.recordings),
        "arithmetic": result.precision,
    }


def _place(row: dict) -> tuple:
    """Sort key within a family: representation, variant, model and seed."""
    return _natural(row["representation"]), _natural(row["variant"]), row["model"], row["seed"]


def _natural(name: str) -> list[str | int]:
    """Sort key that compares digits as numbers, so that linear-512 comes before linear-1024."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
