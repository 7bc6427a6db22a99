"""Read what the pictures of a report show: each run's accuracy by recording, its loss curve and its evidence."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.report.units import ROW
from sweep.results.evidence import read_evidence
from sweep.results.result import read_result

CURVES = ("train/loss", "validation/loss", "validation/average_precision")


@dataclass(frozen=True)
class Details:
    """What the pictures show of one done run.

    Attributes:
        row: (model, representation, variant).
        seed: seed of the run.
        accuracy: accuracy of each test recording, by its id.
        curves: step and the logged ones of CURVES, one row a logged step; empty if the run kept none.
        evidence: arrays of evidence.npz (`sweep.results.evidence`); empty if the run kept none.
    """

    row: tuple[str, str, str]
    seed: int
    accuracy: dict[str, float]
    curves: pd.DataFrame
    evidence: dict[str, np.ndarray]


def read_details(folder: Path, table: pd.DataFrame) -> tuple[list[Details], list[str]]:
    """Read the details of the done runs of a table.

    Args:
        folder: <runs>/<data>/<protocol> folder.
        table: table of the runs, `build_table`.

    Returns:
        The details, and sentences on what is missing or damaged.
    """
    found, problems = [], []
    for run in table[table.status == "done"].itertuples():
        try:
            evidence = read_evidence(folder / run.run)
        except ValueError as error:
            evidence = {}
            problems.append(str(error))
        recordings = read_result(folder / run.run).recordings
        accuracy = {name: scores["accuracy"] for name, scores in recordings.items()}
        row = tuple(getattr(run, name) for name in ROW)
        found.append(Details(row, run.seed, accuracy, read_curves(folder / run.run), evidence))
    without = {
        "no loss curve (logger=none keeps none)": [run for run in found if run.curves.empty],
        "no counts by pitch, no excerpt and no weights (older versions kept none; overwrite=true makes them anew)": [
            run for run in found if not run.evidence
        ],
    }
    problems += [f"{len(runs)} of {len(found)} runs have {what}." for what, runs in without.items() if runs]
    return found, problems


def read_curves(folder: Path) -> pd.DataFrame:
    """Read the curves of a run from its CSV files; each resumption wrote another file, and later files take precedence.

    Args:
        folder: folder of the run.
    """
    parts = []
    for path in folder.glob("curves/from-step-*/metrics.csv"):
        try:
            parts.append(pd.read_csv(path).assign(first=int(path.parent.name.rpartition("-")[2])))
        except (pd.errors.EmptyDataError, pd.errors.ParserError, ValueError):
            continue  # a run that was killed may leave half a line
    if not parts:
        return pd.DataFrame({"step": []})
    points = pd.concat(parts)
    points = points[["step", *(name for name in CURVES if name in points), "first"]]
    return points.sort_values("first").groupby("step").last().drop(columns="first").reset_index()


def rows_of(lines: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Identify each line by (model, representation, variant).

    Args:
        lines: lines of the table, `summarise`.
    """
    return list(lines[ROW].itertuples(index=False, name=None))
