"""Estimate how many test recordings or seeds would tell two rows apart."""

import math

import numpy as np

from sweep.report import certainty
from sweep.report.units import GROUPS, Sample

# Sum of the normal quantiles of 0.975 and 0.8: with so many standard errors between them, two rows are told apart at
# 95 % confidence in four of five repetitions (Cohen, Statistical Power Analysis, 1988, chapter 2).
_ERRORS = 1.96 + 0.84
_MOST = 1000  # beyond it a number says only that the rows are as good as equal here


def more_data(sample: Sample, first: int, second: int, names: tuple[str, str]) -> str:
    """Write how much more data would decide which of two rows is better, as far as the results can tell.

    The difference of two rows has the variance unit / U + 2 seed / S for U units and S seeds. The part of the units is
    known from FEWEST_UNITS units on, the part of the seeds, pooled over all rows, from two seeds on. What is not known
    is not guessed.

    Args:
        sample: scores behind the table.
        first, second: places of the two rows in the sample.
        names: their names.

    Returns:
        A sentence; "" if the two rows do not differ here.
    """
    scores = sample.scores[[first, second]]
    difference = abs(float(np.diff(certainty.means(scores))[0]))
    if not difference > 1e-9:
        return ""
    allowed = (difference / _ERRORS) ** 2
    seeds = int(np.isfinite(sample.scores).any(2).sum(1).max())
    of_seeds = 2 * certainty.seed_variance(sample.scores)[0] if seeds > 1 else None
    of_units, units = None, len(sample.units)
    if sample.comparable and not sample.blocks:
        of_units = float(np.nanvar(np.diff(np.nanmean(scores, axis=1), axis=0), ddof=1))
    what = "groups of recordings" if sample.kind == GROUPS else "test recordings"
    them = " and ".join(names)
    unknown = f"{_known(sample)} cannot say how many would decide between"
    if of_units is None and of_seeds is None:
        return f"{unknown} {them}; nor does one seed say what another training would change."
    if of_units is None:
        enough = f"about {_count(of_seeds / allowed, 2)} seeds would decide between {them}"
        return f"As to training, {enough}; {unknown[0].lower()}{unknown[1:]} them."
    if of_seeds is None:
        return (
            f"About {_count(of_units / allowed, 2)} {what} would decide between the trained models of {them}; one seed "
            "does not say what another training would change."
        )
    ways = []
    if allowed > of_seeds / seeds:
        ways.append(f"{_count(of_units / (allowed - of_seeds / seeds), 2)} {what} with {seeds} seeds")
    if allowed > of_units / units:
        ways.append(f"{_count(of_seeds / (allowed - of_units / units), 2)} seeds with {units} {what}")
    if not ways:
        ways.append(f"{_count(2 * of_units / allowed, 2)} {what} with {_count(2 * of_seeds / allowed, 2)} seeds")
    return f"About {' or '.join(ways)} would decide between {them}."


def _count(number: float, least: int) -> str:
    return f"{max(math.ceil(number), least):,}" if number <= _MOST else f"more than {_MOST:,}"


def _known(sample: Sample) -> str:
    count, what = (len(sample.units), "groups of recordings") if sample.kind == GROUPS else (len(sample.recordings), "")
    return f"{count} {what}" if what else "One recording" if count == 1 else f"{count} recordings"
