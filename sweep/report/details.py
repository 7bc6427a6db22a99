"""Read what the pictures of a report show: each run's score by recording, its loss curve and its evidence."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sweep.report.units import ROW
from sweep.results.evidence import read_evidence
from sweep.results.metrics import METRICS
from sweep.results.table import Runs
from sweep.walking import files_below

_BEGUN = re.compile(r"from-step-([0-9]{1,18})")  # folder of the curves of one call
CURVES = ("train/loss", "validation/loss", "validation/average_precision")


@dataclass(frozen=True)
class Details:
    """What the pictures show of one done run.

    Attributes:
        row: (model, representation, variant).
        seed: seed of the run.
        scores: score of each test recording by the metric that ranks the rows, by its id; None where it is not defined.
        recordings: scores and counts of each test recording, as result.json holds them.
        curves: step and the logged ones of CURVES, one row a logged step; empty if the run kept none.
        evidence: arrays of evidence.npz (`sweep.results.evidence`); empty if the run kept none.
    """

    row: tuple[str, str, str]
    seed: int
    scores: dict[str, float | None]
    recordings: list[dict[str, Any]]
    curves: pd.DataFrame
    evidence: dict[str, np.ndarray]


def read_details(folder: Path, runs: Runs, metric: str) -> tuple[list[Details], list[str]]:
    """Read the details of the done runs of a folder.

    Args:
        folder: <runs>/<data>/<protocol> folder.
        runs: its runs.
        metric: name of the metric that ranks the rows.

    Returns:
        The details, and sentences on what is missing or damaged.
    """
    found, problems = [], list[str]()
    for run in runs.table[runs.table.status == "done"].itertuples():
        evidence = {}
        try:
            evidence = read_evidence(folder / run.run)
        except ValueError as error:
            problems.append(str(error))
        recordings = runs.results[run.run].recordings
        by_recording = {name: scores.get(metric) for name, scores in recordings.items()}
        row = tuple(getattr(run, name) for name in ROW)
        found.append(
            Details(
                row,
                run.seed,
                by_recording,
                list(recordings.values()),
                read_curves(folder / run.run, problems),
                evidence,
            )
        )
    without = {
        "no loss curve (logger=none keeps none)": [run for run in found if run.curves.empty],
        "no counts by pitch, no excerpt and no weights (older versions kept none; overwrite=true makes them anew)": [
            run for run in found if not run.evidence
        ],
    }
    problems += [f"{len(runs)} of {len(found)} runs have {what}." for what, runs in without.items() if runs]
    return found, problems


def read_curves(folder: Path, problems: list[str]) -> pd.DataFrame:
    """Read the curves of a run from its CSV files; each resumption wrote another file, and later files take precedence.

    Args:
        folder: folder of the run.
        problems: list to which a line is added for each file that is damaged or cannot be read.
    """
    parts = []
    for path in files_below(folder / "curves", problems):
        number = _BEGUN.fullmatch(path.parent.name)
        if number and path.name == "metrics.csv":
            try:
                parts.append(_read_curve(path).assign(first=int(number[1])))
            except (pd.errors.EmptyDataError, FileNotFoundError):
                continue  # the run has just begun, or was deleted
            except Exception as error:  # damaged bytes raise what they like
                said = error.strerror if isinstance(error, OSError) else " ".join(str(error).split())
                problems.append(f"{path}: damaged, {said}; remove it, or make the run anew with overwrite=true")
    if not parts:
        return pd.DataFrame({"step": []})
    points = pd.concat(parts)
    return points.sort_values("first").groupby("step").last().drop(columns="first").reset_index()


def _read_curve(path: Path) -> pd.DataFrame:
    """Read the numbers of one CSV file; a run that was killed may leave half a line."""
    read = pd.read_csv(path, on_bad_lines="skip")
    if "step" not in read:
        raise ValueError("it has no column step")
    names = ["step", *(name for name in CURVES if name in read)]
    numbers = read[names].apply(pd.to_numeric, errors="coerce").astype(float)
    return numbers.where(np.isfinite(numbers)).dropna(subset=["step"])


def rows_of(lines: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Identify each line by (model, representation, variant).

    Args:
        lines: lines of the table, `summarise`.
    """
    return list(lines[ROW].itertuples(index=False, name=None))


def words(done: pd.DataFrame) -> str:
    """Name the metric that ranks the lines, for an axis.

    Args:
        done: done lines of the table, with their names.
    """
    return METRICS[done.metric.iloc[0]].words
