"""A run is its folder: where it lies, what decides its result, and how the result is written and read."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

from sweep import locks
from sweep.files import write_whole

RESULT = "result.json"  # there: the run is done
TRACEBACK = "traceback.txt"  # there without a result: the run failed
CHECKPOINT = "checkpoint.ckpt"  # there without a result: the run is half done
MODEL = "model.ckpt"  # the trained weights
LOG = "log.txt"  # what happened, attempt after attempt
LOCK = "lock"  # there while a process runs the run
DAMAGED = ".damaged"  # at the end of the name of what was set aside
PLAN = "sweep.json"
_REPLAN = "delete it; the next sweep writes it anew"

# Choices that change the result and show nowhere else in the folder's name: default, and how another value is spelled.
VARIANTS = {
    "frontend.trainable": (False, "trainable={}"),  # True is spelled "trainable"
    "frontend.learning_rate": (None, "frontend_rate={}"),
    "frontend.accuracy": (None, "accuracy={}"),  # None: what the precision implies
    "control.name": ("none", "{}"),
    "precision": ("tf32", "precision={}"),
    "threshold": (0.4, "threshold={}"),
}

# What may differ between two calls that mean the same run.
NOT_IDENTITY = {
    "capture",
    "changed",
    "cluster",
    "data.cache",
    "data.placement",
    "data.root",
    "device",
    "logger",
    "overwrite",
    "progress",
    "protocol.checkpoint_every",
    "retry",
    "runs",
    "workers",
}


class ConfigurationChanged(ValueError):
    """A run's folder holds what another configuration made.

    Args:
        folder: of the run.
        changed: lines of `differences`.
    """

    def __init__(self, folder: Path, changed: list[str]):
        super().__init__(
            f"{folder} was made with another configuration, {'; '.join(changed)}: "
            "choose another folder with runs=DIR, or start anew with overwrite=true"
        )


def run_folder(settings: dict) -> Path:
    """The folder of one run: <runs>/<data>/<protocol>/<model>/<representation>[+<variant>]/seed-<n>.

    Args:
        settings: the resolved configuration as nested dicts.
    """
    data, protocol, model, name = (settings[key]["name"] for key in ("data", "protocol", "model", "representation"))
    name = "+".join(filter(None, (name, variant(settings))))
    return Path(settings["runs"], data, protocol, model, name, f"seed-{settings['seed']}")


def variant(settings: dict) -> str:
    """Spells the choices of VARIANTS that differ from their defaults, and a representation's changed numbers.

    Joined by "+"; empty where there are none.

    >>> variant({"frontend": {"trainable": True, "accuracy": "fast", "learning_rate": None},
    ...          "control": {"name": "capacity"}, "precision": "tf32", "threshold": 0.5})
    'trainable+capacity+threshold=0.5'
    """
    flat = _flatten(settings)
    defaults = {key: default for key, (default, _) in VARIANTS.items()}
    defaults["frontend.accuracy"] = implied_accuracy(flat["precision"])
    parts = [
        spelling.partition("=")[0] if flat[key] is True else spelling.format(flat[key])
        for key, (_, spelling) in VARIANTS.items()
        if flat[key] != defaults[key]
    ]
    # What the command line changed in a representation makes it another row than the one it is named after.
    changed = settings.get("changed", {}).items()
    parts += [
        f"{key.removeprefix('representation.')}={value}" for key, value in changed if key.startswith("representation.")
    ]
    return "+".join(parts)


def implied_accuracy(precision: str) -> str:
    """The front-end's accuracy where none is asked for: what its rounding costs is no more than the model's."""
    return "high" if precision == "float32" else "fast"


def identity(settings: dict) -> dict:
    """The settings that decide a run's result: all but NOT_IDENTITY.

    Where the files lie is not among them, the data's name is.
    """
    return _without(settings, NOT_IDENTITY)


def differences(old: dict, new: dict) -> list[str]:
    """What differs between two nested dicts, one line a key, in the order of the new one.

    >>> differences({"seed": 0, "protocol": {"steps": 100}}, {"seed": 0, "protocol": {"steps": 200}})
    ['protocol.steps: 100 -> 200']
    """
    old, new = _flatten(old), _flatten(new)
    absent = object()

    def show(value: Any) -> str:
        return "(absent)" if value is absent else json.dumps(value, default=str)

    return [
        f"{key}: {show(old.get(key, absent))} -> {show(new.get(key, absent))}"
        for key in new | old
        if old.get(key, absent) != new.get(key, absent)
    ]


def read_result(folder: Path) -> dict | None:
    """The result of the run in a folder; None where it is not done.

    Raises:
        ValueError: result.json is there and damaged.
    """
    return _read(
        folder / RESULT,
        {"scores": dict, "config": dict},
        "delete it and run the same command again, which redoes this run",
    )


def write_result(folder: Path, result: dict) -> None:
    """Writes result.json: the run is done from then on, so this comes last.

    JSON knows neither NaN nor infinity: they are written as null. NumPy's scalars are written as numbers.
    """
    write_whole(folder / RESULT, _dump(_finite(result)))


def empty(folder: Path) -> None:
    """Deletes what a run's folder holds but its lock and its log."""
    for path in folder.iterdir():
        if path.name not in (LOCK, LOG) and not path.name.startswith(f".{LOCK}."):  # of who tries to claim it
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def set_aside(path: Path) -> Path:
    """Gives a damaged file another name, that of an older one if there is, so that the run can go on without it."""
    return path.replace(path.with_name(path.name + DAMAGED))


def read_plan(folder: Path) -> list[str]:
    """The runs planned in a <runs>/<data>/<protocol> folder, in order; empty where there is no plan.

    Raises:
        ValueError: sweep.json is there and damaged.
    """
    plan = _read(folder / PLAN, {"runs": list}, _REPLAN)
    return plan["runs"] if plan else []


def read_costs(folder: Path) -> dict[str, float]:
    """What the planned runs take, compared with each other, as `sweep.pace.cost` has it; older plans know none."""
    plan = _read(folder / PLAN, {"runs": list}, _REPLAN)
    return plan.get("costs", {}) if plan else {}


def write_plan(folder: Path, runs: list[str], costs: dict[str, float] | None = None) -> list[str]:
    """Adds runs to the plan of a <runs>/<data>/<protocol> folder, so that a table knows what is missing.

    Args:
        folder: where sweep.json lies or will lie.
        runs: folders of the runs relative to it, such as "linear/mel-512-128/seed-0".
        costs: of these runs, for `read_costs`.

    Returns:
        The whole plan: what was planned before in its order, then what is new.
    """
    plan = read_plan(folder)
    if set(runs) <= set(plan):
        return plan
    with locks.wait(folder / f".{PLAN}.lock"):  # another sweep may be adding its runs
        plan = list(dict.fromkeys([*read_plan(folder), *runs]))
        write_whole(folder / PLAN, _dump({"runs": plan, "costs": read_costs(folder) | (costs or {})}))
    return plan


def _flatten(settings: dict, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, with dotted keys."""
    flat = {}
    for key, value in settings.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def _finite(value: Any) -> Any:
    """The value with None for each NaN or infinity in it, and Python's numbers for NumPy's."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _dump(content: dict) -> str:
    return json.dumps(content, indent=2, allow_nan=False) + "\n"


def _without(settings: dict, keys: set[str], prefix: str = "") -> dict:
    """A copy of nested dicts without some of its dotted keys."""
    return {
        key: _without(value, keys, f"{prefix}{key}.") if isinstance(value, dict) else value
        for key, value in settings.items()
        if prefix + key not in keys
    }


def _read(path: Path, parts: dict[str, type], remedy: str) -> dict | None:
    """The JSON object in a file, None where there is no file, a ValueError with the remedy where it lacks a part."""
    try:
        content = json.loads(path.read_bytes())
        if not isinstance(content, dict) or any(not isinstance(content.get(key), kind) for key, kind in parts.items()):
            raise ValueError(f"needs {' and '.join(parts)}")
    except FileNotFoundError:
        return None
    except ValueError as error:  # also what is no JSON or no UTF-8
        raise ValueError(f"{path}: damaged, {error}; {remedy}") from None
    return content
