"""How far each choice of scoring moves a score, beside how far seeds, front-ends and models move it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from rich.console import Console

from sweep.names import say
from sweep.report.printing import csv, print_cells
from sweep.report.report import write
from sweep.report.tau import kendall
from sweep.rescoring.rescore import BASELINE, WRITTEN, Rescored
from sweep.rescoring.scores import METRICS as SCORED
from sweep.results.metrics import METRICS

_ROW = ["model", "representation", "variant"]
_SPARE = ["runs", "sd"]


@dataclass(frozen=True)
class Move:
    """What moves a score, and how far.

    Attributes:
        what: the choice, or what else differs between runs, in words.
        runs: number of runs, rows or models that it rests on.
        mean, deviation, lowest, highest: mean change of a run's score by a choice, its standard deviation, the smallest
            and the largest change. For anything else they are of deviations from a mean, and `mean` is NaN.
        tau: Kendall's tau between the rows' means before and after a choice; NaN for anything else, or with one row.
        leads: the row with the highest mean after a choice, if it is another one than before; otherwise "".
    """

    what: str
    runs: int
    mean: float
    deviation: float
    lowest: float
    highest: float
    tau: float = float("nan")
    leads: str = ""


def moves(rescored: Rescored, metric: str) -> list[Move]:
    """Compute what moves a score: each choice, then seeds, front-ends and models, as far as several were compared.

    Args:
        rescored: runs, with scores.
        metric: one of `scores.METRICS`.
    """
    table = rescored.table[(rescored.table.metric == metric) & rescored.table.score.notna()]
    base = table[table.choice == BASELINE]
    found = []
    # Frames have no onsets, whatever the tolerance.
    chosen = table[~table.choice.isin([WRITTEN, BASELINE] + ["tolerance"] * (metric == "accuracy"))]
    for (key, value), part in chosen.groupby(["choice", "value"], sort=False):
        found.append(_of_choice(rescored.titles[key, value], part, base))
    return found + _between_runs(base)


def _of_choice(what: str, part: pd.DataFrame, base: pd.DataFrame) -> Move:
    before, after = (_row_means(side[side.run.isin(part.run)]) for side in (base, part))
    tau = float(kendall(before.to_numpy(), after.to_numpy())) if len(before) > 1 else float("nan")
    best = [side.idxmax() for side in (before, after)]
    leads = _name(best[1], before.index) if best[0] != best[1] else ""
    moved = part.moved
    return Move(what, len(part), moved.mean(), moved.std(), moved.min(), moved.max(), tau, leads)


def _between_runs(base: pd.DataFrame) -> list[Move]:
    """Compute how far seeds move a score within rows, front-ends within models, and models over the rows they share."""
    found = []
    own = base.score - base.groupby(_ROW).score.transform("mean")
    several = base.groupby(_ROW).score.transform("count") > 1
    if several.any():
        freedom = several.sum() - base[several].groupby(_ROW).ngroups
        found.append(_spread("seeds, within a row", own[several], freedom))
    means = _row_means(base)
    models = means.index.get_level_values("model")
    for model in dict.fromkeys(models):
        rows = means[models == model]
        if len(rows) > 1:
            named = f"front-ends, {model}" if len(set(models)) > 1 else "front-ends"
            found.append(_spread(named, rows - rows.mean(), len(rows) - 1))
    by_model = means.unstack("model").dropna()
    if by_model.shape[1] > 1 and len(by_model):
        by_model = by_model.mean()
        found.append(_spread("models, over the rows that all have", by_model - by_model.mean(), len(by_model) - 1))
    return found


def _spread(what: str, deviations: pd.Series, freedom: int) -> Move:
    deviation = float(np.sqrt((deviations**2).sum() / freedom))
    return Move(what, len(deviations), float("nan"), deviation, deviations.min(), deviations.max())


def _row_means(table: pd.DataFrame) -> pd.Series:
    """Average the score of each row over its seeds, in the order of the table."""
    return table.groupby(_ROW, sort=False).score.mean()


def _name(row: tuple, rows: pd.MultiIndex) -> str:
    """Name a row; its model only where there are several."""
    model, *names = row
    return "+".join(filter(None, names)) + f" ({model})" * (rows.get_level_values("model").nunique() > 1)


def cells_of(found: list[Move]) -> pd.DataFrame:
    """Format moves as text."""
    signed = "{:+.4f}"
    return pd.DataFrame(
        {
            "choice": [move.what for move in found],
            "runs": [str(move.runs) for move in found],
            "mean": [_text(move.mean, signed) for move in found],
            "sd": [_text(move.deviation, "{:.4f}") for move in found],
            "lowest": [_text(move.lowest, signed) for move in found],
            "highest": [_text(move.highest, signed) for move in found],
            "tau": [_text(move.tau, "{:.2f}") for move in found],
        }
    )


def _text(value: float, form: str) -> str:
    return form.format(value) if np.isfinite(value) else ""


def show(rescored: Rescored, console: Console) -> None:
    """Write rescored.csv, and print for each metric what moves it.

    Args:
        rescored: runs, with scores.
        console: console to print on.
    """
    table = rescored.table
    write(console, rescored.folder, {"rescored.csv": lambda: csv(table)})
    for metric in SCORED:
        found = moves(rescored, metric)
        words, place = METRICS[metric].words, f"{rescored.folder.parent.name}/{rescored.folder.name}"
        base = table[(table.metric == metric) & (table.choice == BASELINE)]
        if not base.score.notna().any():
            continue
        count = base.run.nunique()
        title = f"{place}: what moves {words}, {count} run{'s' * (count > 1)} scored anew"
        if found:
            print_cells(console, title, cells_of(found), _led(found, base), _SPARE, _rounding(base, words))
        else:  # one run by its own choices
            say(console, f"{title}\n{_rounding(base, words)}")


def _rounding(base: pd.DataFrame, words: str) -> str:
    """Say how near the runs' own choices come to result.json, where that has the score."""
    moved = base.moved.dropna()
    if moved.empty:
        return "result.json has no such scores; these are of the kept probabilities."
    return (
        f"By the runs' own choices the kept probabilities give {words} {moved.mean():+.4f} off result.json on average, "
        f"{moved.abs().max():.4f} at most."
    )


def _led(found: list[Move], base: pd.DataFrame) -> list[str]:
    """Say which row is the highest, and which choices put another one first."""
    means = _row_means(base)
    if len(means) < 2:
        return []
    others = [f"with {move.what}: {move.leads}" for move in found if move.leads]
    return [f"Highest: {'; '.join([_name(means.idxmax(), means.index), *others])}."]


EXPLAINED = (
    "Of a choice: how much it changes a run's score, mean, standard deviation and extremes over the runs; tau: "
    "Kendall's between the rows' means before and after. Of seeds, front-ends and models: deviations from the mean of "
    "the row, of the rows and of the models, at the runs' own choices; runs is the number of runs, of rows, of models."
)
