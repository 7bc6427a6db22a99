"""Reads results.csv back into the samples that `sweep.report` computes its intervals from."""

from pathlib import Path

import numpy as np
import pandas as pd

from experiments.ranking.collect import KINDS, SCORES
from sweep.report.units import BLOCKS, GROUPS, Sample
from sweep.results.metrics import METRICS

RESULTS = Path(__file__).with_name("results.csv")
RANKED = ("rows", "models", "folds")  # the parts whose rows are ranked; the knobs are compared with their base
MODELS = ("linear", "conv", "cnn", "crnn")
NOUNS = {"blocks": "blocks of time", "groups": "groups", "recordings": "recordings"}


def read(path: Path = RESULTS) -> pd.DataFrame:
    """Read the file that `collect` wrote."""
    table = pd.read_csv(path, dtype={"unit": str, "set": str})
    return table.astype(dict.fromkeys(SCORES, float))


def sample(table: pd.DataFrame, metric: str) -> Sample:
    """Arrange the scores on one set by row, seed and unit.

    Args:
        table: lines of `read`, of one set.
        metric: one of SCORES.
    """
    (kind,) = table.kind.unique()
    rows = list(dict.fromkeys(table[["model", "representation"]].itertuples(index=False, name=None)))
    seeds, units = sorted(set(table.seed)), list(dict.fromkeys(table.unit))
    scores = np.full((len(rows), len(seeds), len(units)), np.nan)
    places = [
        table[["model", "representation"]].apply(tuple, axis=1).map({row: at for at, row in enumerate(rows)}),
        table.seed.map(seeds.index),
        table.unit.map({unit: at for at, unit in enumerate(units)}),
    ]
    scores[tuple(places)] = table[metric]
    scores = scores[:, :, np.isfinite(scores).any((0, 1))] if np.isfinite(scores).any() else scores[:, :, :0]
    whole = {short: long for long, short in KINDS.items()}[kind]
    recordings = list(dict.fromkeys(unit.rpartition("/")[0] for unit in units)) if whole == BLOCKS else units
    return Sample(METRICS[metric], [(*row, "") for row in rows], scores, units[: scores.shape[2]], recordings, whole)


def of_model(found: Sample, model: str) -> tuple[list[str], np.ndarray]:
    """Return the names of a model's rows, and their scores: (rows, seeds, units), without seeds that none has."""
    at = [place for place, row in enumerate(found.rows) if row[0] == model]
    scores = found.scores[at]
    return [found.rows[place][1] for place in at], scores[:, np.isfinite(scores).any((0, 2))]


def models_of(found: Sample) -> list[str]:
    """Return the models of a sample, small to large."""
    return sorted(dict.fromkeys(row[0] for row in found.rows), key=MODELS.index)


def samples(table: pd.DataFrame, parts: tuple[str, ...] = RANKED) -> dict[tuple[str, str], Sample]:
    """Return the sample of each set and metric, of some parts of the table."""
    table = table[table.part.isin(parts)]
    sets = list(dict.fromkeys(table["set"]))
    return {(name, metric): sample(table[table["set"] == name], metric) for name in sets for metric in SCORES}


def described(found: Sample) -> str:
    """Say how many units there are and of what, and how many seeds."""
    seeds = [int(np.isfinite(of_model(found, model)[1]).any(2).sum(1).max()) for model in models_of(found)]
    low, high = min(seeds), max(seeds)
    count, noun = len(found.units), "groups of recordings" if found.kind == GROUPS else NOUNS[KINDS[found.kind]]
    if found.kind == BLOCKS:
        noun += " of one recording" if len(found.recordings) == 1 else f" of {len(found.recordings)} recordings"
    return f"{count} {noun}, {low if low == high else f'{low} to {high}'} seed{'s' * (high > 1)}"
