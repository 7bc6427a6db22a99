"""The runs of one <runs>/<data>/<protocol> folder as a table, built from its results."""

import re
from pathlib import Path

import pandas as pd

from sweep import locks
from sweep.results import CHECKPOINT, LOCK, MODEL, PLAN, RESULT, TRACEBACK, read_plan, read_result
from sweep.scoring import SCORES

FAMILIES = ("linear", "log", "mel", "cqt")  # the paper's order

IDENTITY = ("run", "representation", "variant", "family", "model", "data", "protocol", "seed", "status", "note")
COUNTS = ("bins", "context", "empty_filters", "recordings", "parameters_frontend", "parameters_model", "resumed_from")
COUNTS += ("peak_memory_bytes", "window")
SECONDS = ("seconds_setup", "seconds_training", "seconds_scoring")
WORDS = ("norm", "source", "arithmetic", "frontend_accuracy", "changed", "device", "git_revision")
MOVED = ("moved_kernels", "moved_bank")
NUMBERS = (*SCORES, "threshold", *SECONDS, "windows_per_second", "gpu_utilisation", *MOVED)


def build_table(folder: Path) -> pd.DataFrame:
    """The runs of one <runs>/<data>/<protocol> folder, planned or found, in the paper's order.

    Args:
        folder: holds sweep.json and, below <model>/<representation>[+<variant>]/seed-<n>/, the runs.

    Returns:
        One row a run. status is done, running (a living process holds its lock), failed, unfinished (there is a
        checkpoint), missing, or damaged (the result cannot be read); note says where it runs or why it failed.
        Scores are those of result.json, NaN where a run is not done.

    Raises:
        ValueError: sweep.json is damaged or names something that is no run.
    """
    found = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*/*/seed-*")) if is_run(path)]
    rows = [_row(folder, run) for run in dict.fromkeys([*read_plan(folder), *found])]
    rows.sort(key=_place)
    table = pd.DataFrame(rows, columns=[*IDENTITY, *COUNTS, *NUMBERS, *WORDS])
    return table.astype(dict.fromkeys(("seed", *COUNTS), "Int64") | dict.fromkeys(NUMBERS, float))


def is_run(path: Path) -> bool:
    """Whether a folder holds a run, or what is left of one."""
    return any((path / name).exists() for name in (RESULT, TRACEBACK, CHECKPOINT, LOCK))


def _row(folder: Path, run: str) -> dict:
    """One run's row: what its path says, and what its result says or why there is none."""
    parts = re.fullmatch(r"(?P<model>[^/]+)/(?P<representation>[^/+]+)(\+(?P<variant>[^/]+))?/seed-(?P<seed>\d+)", run)
    if not parts:
        raise ValueError(f"{folder / PLAN}: {run} is not <model>/<representation>/seed-<n>; delete the file")
    row: dict = {"run": run, "data": folder.parent.name, "protocol": folder.name, **parts.groupdict(default="")}
    row |= {"seed": int(row["seed"]), "family": row["representation"].partition("-")[0]}
    status, note, result = state_of(folder / run)
    return row | {"status": status, "note": note} | (_figures(result) if result else {})


def state_of(run: Path) -> tuple[str, str, dict | None]:
    """A run's status as `build_table` has it, its note, and its result where it is done.

    Args:
        run: its folder.
    """
    try:
        result = read_result(run)
    except ValueError as error:
        return "damaged", str(error), None
    if result:
        return "done", "", result
    runs_at = locks.holder(run / LOCK)
    if runs_at:
        return "running", runs_at, None
    if (run / TRACEBACK).exists():
        lines = (run / TRACEBACK).read_text(errors="replace").strip().splitlines()
        return "failed", lines[-1] if lines else "", None
    begun = any((run / name).exists() for name in (CHECKPOINT, MODEL))
    return "unfinished" if begun else "missing", "", None


def _figures(result: dict) -> dict:
    """The figures of a done run, one level deep."""
    config = result.get("config", {})
    return {
        **{name: figure for name, figure in result.items() if name not in ("representation", "model", "data", "seed")},
        **result["scores"],
        **{f"parameters_{name}": count for name, count in result.get("parameters", {}).items()},
        **{f"seconds_{name}": seconds for name, seconds in result.get("seconds", {}).items()},
        **{f"moved_{name}": change for name, change in result.get("moved", {}).items()},
        "recordings": len(result.get("recordings", {})),
        "threshold": result.get("threshold", config.get("threshold")),
        "arithmetic": config.get("precision"),
        "frontend_accuracy": config.get("frontend", {}).get("accuracy"),
        "window": config.get("protocol", {}).get("window", 16_384),
        "norm": config.get("representation", {}).get("norm"),
        "source": config.get("data", {}).get("source"),
        "changed": " ".join(f"{key}={value}" for key, value in config.get("changed", {}).items() if _shared(key)),
    }


def _shared(key: str) -> bool:
    """Whether a changed key is one that all rows should share; a representation's stands in its row's name."""
    return not key.startswith("representation.")


def _place(row: dict) -> tuple:
    """Sorts a row by family, numbers, variant, model and seed."""
    family = FAMILIES.index(row["family"]) if row["family"] in FAMILIES else len(FAMILIES)
    return family, _natural(row["representation"]), _natural(row["variant"]), row["model"], row["seed"]


def _natural(name: str) -> list[str | int]:
    """Sorts digits by their number, so that linear-512 comes before linear-1024; words and numbers alternate."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
