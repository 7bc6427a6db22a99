"""Build a table of the runs of one <runs>/<data>/<protocol> folder from their results."""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sweep.config import identity
from sweep.names import name_of_folder, plain
from sweep.registry import families
from sweep.results.finding import find_runs
from sweep.results.metrics import Ranking
from sweep.results.plan import Planned, read_sweep
from sweep.results.result import ELSEWHERE, Result
from sweep.results.scoring import SCORES
from sweep.results.state import State, state_of

IDENTITY = ("run", "representation", "variant", "family", "model", "data", "protocol", "seed", "status", "note")
COUNTS = ("bins", "context", "empty_filters", "recordings", "parameters_frontend", "parameters_model", "resumed_from")
COUNTS += ("peak_memory_bytes", "window")
SECONDS = ("seconds_setup", "seconds_training", "seconds_scoring")
WORDS = ("norm", "remarks", "source", "arithmetic", "frontend_accuracy", "changed", "device", "git_revision", "engine")
WORDS += ("sees", "labels", "trained_on")
REMARKS = "; "  # between the remarks on a row
MOVED = ("moved_kernels", "moved_bank")
OPERATIONS = ("multiply_adds_frontend", "multiply_adds_model")
ON = "_on_"  # between a score, or the number of recordings, and the name of another set
NUMBERS = (*SCORES, "threshold", *OPERATIONS, *SECONDS, "windows_per_second", "gpu_utilisation", *MOVED)


@dataclass(frozen=True)
class Runs:
    """The runs of one <runs>/<data>/<protocol> folder.

    Attributes:
        table: one row a run, as `build_table` returns it.
        results: results of the done runs, by run.
        planned: entries of sweep.json, by run; None if it is damaged.
        ranking: how the last command ranked the rows.
        remarks: one line for each thing that was left out, such as a copy of a run, or could not be read.
        sets: names of the other sets that runs were scored on.
    """

    table: pd.DataFrame
    results: dict[str, Result]
    planned: dict[str, Planned] | None
    ranking: Ranking
    remarks: list[str]
    sets: list[str]


def build_table(folder: Path) -> pd.DataFrame:
    """Tabulate the runs of one <runs>/<data>/<protocol> folder, planned or found, in the paper's order.

    Args:
        folder: folder of sweep.json and of the runs, which are in <model>/<representation>[+<variant>]/seed-<n>/.

    Returns:
        One row a run. status and note are those of `results.state.State`, for the configuration in sweep.json. Scores
        are those of result.json, NaN if a run is not done or a score is not defined.
    """
    return read_runs(folder).table


def read_runs(folder: Path, on: str | None = None) -> Runs:
    """Read the runs of one <runs>/<data>/<protocol> folder; whatever cannot be read costs its own part only.

    Args:
        folder: folder of sweep.json and of the runs.
        on: name of another set, whose scores and recordings take the place of the runs' own; a done run that was not
            scored on it is left out. Nothing changes if no run was.
    """
    remarks = list[str]()
    found = find_runs(folder, remarks)
    planned, ranking = None, Ranking()
    try:
        planned, ranking, remark = read_sweep(folder)
        remarks += [remark] * bool(remark)
    except ValueError as error:
        remarks.append(str(error))
    plan = planned or {}
    wanted = {run: plan[run].identity if run in plan else None for run in dict.fromkeys([*plan, *found])}
    states = {run: state_of(folder / run, identity) for run, identity in wanted.items()}
    sets = list(dict.fromkeys(name for state in states.values() if state.result for name in state.result.elsewhere))
    if on in sets:
        without = [run for run, state in states.items() if state.result and on not in state.result.elsewhere]
        remarks += [f"{folder / run}: left out, not scored on {on}" for run in without[:1]]
        remarks += [f"{folder}: {len(without) - 1} more such runs"] * (len(without) > 1)
        states = {run: state for run, state in states.items() if run not in without}
        states = {run: replace(it, result=it.result and _scored_on(it.result, on)) for run, it in states.items()}
    # A long name is cut in the folder's, but a result holds it whole.
    whole = {run.rpartition("/")[0]: state.result for run, state in states.items() if state.result}
    rows = {run: _row(folder, run, plan.get(run), state, whole) for run, state in states.items()}
    for run, original in _copies(rows, states, plan).items():
        del rows[run], states[run]
        remarks.append(f"{folder / run}: left out, a copy of {original}")
    known = families.importable({row["family"] for row in rows.values()})
    order = {name: family.ORDER for name, family in known.items()}
    ordered = sorted(rows.values(), key=lambda row: (order.get(row["family"], math.inf), *_place(row)))
    shown = sets if on is None else []
    counts, scores = [on_set("recordings", it) for it in shown], [on_set(score, it) for it in shown for score in SCORES]
    table = pd.DataFrame(ordered, columns=[*IDENTITY, *COUNTS, *NUMBERS, *WORDS, *counts, *scores])
    table = table.astype(dict.fromkeys(("seed", *COUNTS, *counts), "Int64") | dict.fromkeys((*NUMBERS, *scores), float))
    results = {run: state.result for run, state in states.items() if state.result}
    return Runs(table, results, planned, ranking, [plain(remark) for remark in remarks], sets)


def on_set(score: str, name: str) -> str:
    """Return the column of a score, or of "recordings", their number, on another set.

    >>> on_set("accuracy", "maps")
    'accuracy_on_maps'
    """
    return f"{score}{ON}{name}"


def sets_of(table: pd.DataFrame) -> list[str]:
    """Return the names of the other sets that a table, or a summary of it, has columns of."""
    return [
        column.removeprefix(on_set("recordings", "")) for column in table if column.startswith(on_set("recordings", ""))
    ]


def _scored_on(result: Result, name: str) -> Result:
    """Return a result whose scores are those on another set."""
    found = {key: result.elsewhere[name][key] for key in ELSEWHERE}
    source = str(keys_of_set(result, name).get("source", ""))
    return replace(result, **found, elsewhere={}, source=source)


def keys_of_set(result: Result, name: str) -> dict[str, Any]:
    """Return the keys of another set in a run's configuration; {} if they are not there."""
    found: Any = result.config
    for key in ("data", "test", name):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _copies(rows: dict[str, dict], states: dict[str, State], plan: dict[str, Planned]) -> dict[str, str]:
    """Find the runs that repeat another one, and that other one: the planned one, or the one in its own folder."""

    def strangeness(run: str) -> tuple[bool, bool, list[str]]:
        result = states[run].result
        return run not in plan, bool(result and rows[run]["representation"] != result.representation), run.split("/")

    copies, originals = {}, dict[str, str]()
    for run in sorted(rows, key=strangeness):
        result, row = states[run].result, rows[run]
        names = [repr([row[name] for name in ("model", "representation", "variant", "seed")])]
        said = [repr([row["model"], result.representation, result.variant, row["seed"]])] if result else []
        if result and result.config:
            names.append(repr(sorted(identity(result.config).items())))
        original = next((originals[name] for name in [*names, *said] if name in originals), None)
        if original is None:
            originals |= dict.fromkeys(names, run)
        elif run not in plan:
            copies[run] = original
    return copies


def _row(folder: Path, run: str, planned: Planned | None, state: State, whole: dict[str, Result]) -> dict:
    """Build one run's row from its path and from its result, or from the reason why it has none."""
    model, name, seed = run.split("/")
    row: dict = {"run": run, "model": _name(model), "seed": int(seed.removeprefix("seed-"))}
    row |= {"data": _name(folder.parent.name), "protocol": _name(folder.name)}
    representation, _, variant = map(_name, name.partition("+"))
    if name_of_folder(name) is None and f"{model}/{name}" in whole:
        result = whole[f"{model}/{name}"]
        representation, variant = result.representation, result.variant
    row |= {"representation": representation, "variant": variant}
    row |= {"family": planned.family if planned else representation.partition("-")[0]}
    return row | {"status": state.status, "note": state.note} | (_figures(state.result) if state.result else {})


def _name(folder: str) -> str:
    name = name_of_folder(folder)
    return folder if name is None else name


def _figures(result: Result) -> dict:
    """Flatten the scores and figures of a done run to one level."""
    same = ("family", "threshold", "bins", "context", "empty_filters", "norm", "window")
    same += ("resumed_from", "windows_per_second", "peak_memory_bytes", "gpu_utilisation", "frontend_accuracy")
    same += ("source", "changed", "device", "git_revision", "engine", "labels", "trained_on")
    model = result.config.get("model")
    segmental = isinstance(model, dict) and model.get("sees") == "segment"
    return {
        **{name: getattr(result, name) for name in same},
        **{name: result.scores.get(name) for name in SCORES},
        **{f"parameters_{name}": count for name, count in result.parameters.items()},
        **{f"multiply_adds_{name}": number for name, number in result.multiply_adds.items()},
        **{f"seconds_{name}": seconds for name, seconds in result.seconds.items()},
        **{f"moved_{name}": change for name, change in result.moved.items()},
        **{on_set("recordings", name): len(part["recordings"]) for name, part in result.elsewhere.items()},
        **{
            on_set(score, name): part["scores"].get(score)
            for name, part in result.elsewhere.items()
            for score in SCORES
        },
        "recordings": len(result.recordings),
        "remarks": REMARKS.join(result.remarks),
        "arithmetic": result.precision,
        "sees": "segment" if segmental else "window",
    }


def _place(row: dict) -> tuple:
    """Sort key within a family: representation, variant, model and seed."""
    return _natural(row["representation"]), _natural(row["variant"]), row["model"], row["seed"]


def _natural(name: str) -> list[str]:
    """Sort key that compares digits as numbers, so that linear-512 comes before linear-1024."""
    return [part.zfill(20) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
