"""What a choice of row loses against the highest one, and what one changed thing is worth: paired differences."""

from typing import NamedTuple

import numpy as np

from experiments.ranking.samples import models_of, of_model
from sweep.report.certainty import FEWEST_UNITS, compare, difference, means
from sweep.report.units import Sample

PUBLISHED = {"the paper's best": "log-4096", "the library's default": "mel-2048-128"}
BASE = "onsets-frames"
BASES = {"knob/harmonics": "knob/cqt-36"}  # rows with another base


class Loss(NamedTuple):
    """What one chooses by taking a row.

    Attributes:
        model: model whose scores are lost.
        choice: why the row is taken, in words.
        row, best: the row, and the highest of the model.
        loss, low, high: mean of best - row and its paired 95 % interval; NaN where there are too few units, or one row.
        bound: upper 95 % bound of what the row may lose against the truly best; NaN where rows cannot be compared.
    """

    model: str
    choice: str
    row: str
    best: str
    loss: float
    low: float
    high: float
    bound: float


def losses(sample: Sample) -> list[Loss]:
    """Compute what each model's scores lose by PUBLISHED, and by the row that is the highest under another model."""
    models = {model: of_model(sample, model) for model in models_of(sample)}
    highest = {model: rows[int(np.nanargmax(means(scores)))] for model, (rows, scores) in models.items()}
    found = []
    for model, (rows, scores) in models.items():
        bounds, top = compare(scores, strata=sample.strata).loss, rows.index(highest[model])
        choices = PUBLISHED | {f"the highest under {other}": row for other, row in highest.items() if other != model}
        for choice, row in choices.items():
            if row in rows:
                at = rows.index(row)
                apart = difference(scores, top, at, strata=sample.strata) if at != top else (0.0, np.nan, np.nan)
                found.append(Loss(model, choice, row, rows[top], *apart, float(bounds[at])))
    return found


class Knob(NamedTuple):
    """What one changed thing does to a score.

    Attributes:
        model: model whose scores change.
        row, base: the changed row, and the one that it is compared with.
        change, low, high: mean of row - base and its paired 95 % interval; NaN where there are too few units.
        sure: whether the interval excludes 0 at a level that allows for all knobs of the model (Bonferroni); never with
            fewer than FEWEST_UNITS units, whose intervals do not keep so small a level.
        same: number of units that move as the mean does, and of units.
    """

    model: str
    row: str
    base: str
    change: float
    low: float
    high: float
    sure: bool
    same: tuple[int, int]


def knobs(sample: Sample, level: float = 0.95) -> list[Knob]:
    """Compare each row of +grid=knobs with its base, model by model.

    Args:
        sample: scores of the part `knobs` on one set by one metric.
        level: probability that an interval contains the true change.
    """
    found = []
    for model in models_of(sample):
        rows, scores = of_model(sample, model)
        pairs = [(row, BASES.get(row, BASE)) for row in rows]
        pairs = [(row, base) for row, base in pairs if row != base and base in rows]
        strict = 1 - (1 - level) / max(len(pairs), 1)
        for row, base in pairs:
            at = rows.index(row), rows.index(base)
            change = difference(scores, *at, strata=sample.strata, level=level)
            _, low, high = difference(scores, *at, strata=sample.strata, level=strict)
            apart = np.nanmean(scores[at[0]], 0) - np.nanmean(scores[at[1]], 0)
            same = int((np.sign(apart) == np.sign(change[0])).sum()), int(np.isfinite(apart).sum())
            sure = bool(low > 0 or high < 0) and same[1] >= FEWEST_UNITS
            found.append(Knob(model, row, base, *change, sure, same))
    return found
