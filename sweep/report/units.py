"""Choose the units of a comparison: test recordings, groups of them, or blocks of time if there are few recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.report.certainty import FEWEST_UNITS
from sweep.results.metrics import METRICS, Metric
from sweep.results.table import Runs

FEWEST_RECORDINGS = 6  # fewest recordings that are units themselves; with fewer, the units are blocks of time
# Neighbouring blocks of 10 s are correlated: accuracies by 0.11, differences between rows by 0.15. The mean of a
# first-order autoregression of correlation r has (1 + r) / (1 - r) times the variance that independent blocks give.
DEPENDENCE = (1 + 0.15) / (1 - 0.15)
ROW = ["model", "representation", "variant"]  # columns that the seeds of one row share

RECORDINGS, GROUPS, BLOCKS = "test recordings", "groups of test recordings", "blocks of time"


@dataclass(frozen=True)
class Sample:
    """Scores behind a table, by one metric.

    Attributes:
        metric: the metric.
        rows: (model, representation, variant) of each row.
        scores: (rows, seeds, units) scores, NaN where there is no such run; 0 units if nothing can be compared.
        units: names of the units: a recording's id, a group's name, or id/number for a block.
        recordings: ids of the test recordings that all runs have.
        kind: what the units are: RECORDINGS, GROUPS or BLOCKS.
    """

    metric: Metric
    rows: list[tuple[str, str, str]]
    scores: np.ndarray
    units: list[str]
    recordings: list[str]
    kind: str

    @property
    def blocks(self) -> bool:
        """Whether the units are blocks of time."""
        return self.kind == BLOCKS

    @property
    def strata(self) -> int:
        """Number of means removed from the units' deviations, an argument of `certainty.intervals`."""
        return len(self.recordings) if self.blocks else 1

    @property
    def described(self) -> str:
        """How many units there are and of what, such as "24 blocks of time in 4 test recordings"."""
        count = len(self.recordings)
        of = f"{'one' if count == 1 else count} test recording{'' if count == 1 else 's'}"
        name = {GROUPS: "groups", BLOCKS: BLOCKS}.get(self.kind)
        return f"{len(self.units)} {name} in {of}" if name else of

    @property
    def comparable(self) -> bool:
        """Whether there are enough units to compare rows."""
        return len(self.units) >= max(FEWEST_UNITS, self.strata + 1)


def read_sample(runs: Runs, metric: str) -> Sample:
    """Collect the scores of the done runs of a folder.

    Args:
        runs: runs of the folder.
        metric: name of the metric, one of METRICS.
    """
    by, done = METRICS[metric], runs.table[runs.table.status == "done"]
    # A run without the score, such as one that scored no notes, has no values; it costs the others none.
    found = {
        run: result.recordings
        for run, result in runs.results.items()
        if any(_score(by, recording) is not None for recording in result.recordings.values())
    }
    first: dict = next(iter(found.values()), {})
    # A recording without notes has no score.
    recordings = [name for name in first if all(_score(by, other.get(name)) is not None for other in found.values())]
    groups = group_names([first[name] for name in recordings])
    kind = GROUPS if groups else BLOCKS if len(recordings) < FEWEST_RECORDINGS else RECORDINGS
    rows = list(dict.fromkeys(done[ROW].itertuples(index=False, name=None)))
    seeds = sorted(set(done.seed))
    values = {run: _values(by, [scores[i] for i in recordings], kind, groups) for run, scores in found.items()}
    counts = [tuple(map(len, parts)) for parts in values.values() if parts is not None]
    shape = max(counts, key=counts.count, default=())  # runs with other blocks cannot be paired
    scores = np.full((len(rows), len(seeds), sum(shape)), np.nan)
    for run in done.itertuples():
        parts = values.get(run.run)
        if parts is not None and tuple(map(len, parts)) == shape and shape:
            place = rows.index((run.model, run.representation, run.variant)), seeds.index(run.seed)
            scores[place] = np.concatenate(parts)
    units = [f"{i}/{b}" for i, n in zip(recordings, shape, strict=False) for b in range(n)]
    units = units if kind == BLOCKS else recordings if kind == RECORDINGS else list(dict.fromkeys(groups))
    return Sample(by, rows, scores, units if shape else [], recordings, kind)


def group_names(recordings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the group of each recording, or an empty list if some have none or all have the same one.

    Args:
        recordings: scores of each test recording, with the entry "group" where the data set names groups.
    """
    found = [scores.get("group") for scores in recordings]
    return [str(group) for group in found] if all(found) and len(set(found)) > 1 else []


def group_values(values: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """Compute a value for each group, such that the mean of all values is the mean of the recordings.

    Args:
        values: (recordings,) scores.
        groups: group of each recording.

    Returns:
        (groups,) values, in the order in which the groups first occur.

    >>> group_values(np.array([0.4, 0.6, 0.2]), ["a", "a", "b"]).round(3)  # means 0.5 and 0.2, of all 0.4
    array([0.533, 0.267])
    """
    # The mean over recordings is the ratio of two sums over groups, of scores and of recordings. A group of n of N
    # recordings deviates by G n / N times (its mean - the mean), to first order, as a block does below.
    middle, names = values.mean(), list(dict.fromkeys(groups))
    deviations = [(values[np.array(groups) == name] - middle).sum() for name in names]
    return middle + len(names) / len(values) * np.array(deviations)


def block_values(counts: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
    """Compute a value for each block of time, such that the mean of all values is the mean score of the recordings.

    Args:
        counts: (blocks,) numerators and denominators of each recording's score, `Metric.ratio`.

    Returns:
        (blocks,) values of each recording, for `certainty.intervals` with strata=len(counts).

    >>> block_values([(np.array([4, 2]), np.array([4, 10]))])[0].round(3)  # accuracies 1 and 0.2, 6 of 14 in all
    array([0.808, 0.049])
    """
    # A recording's score A = sum t / sum d, of the numerators t and the denominators d, is a ratio of sums over its B
    # blocks. Block b deviates by B (t_b - A d_b) / sum d, to first order (the linearised jackknife; Cochran, Sampling
    # Techniques, 1977, section 6.4); these deviations sum to 0. The mean over R recordings has variance
    # sum_i sum_b dev_ib^2 / (R^2 B_i (B_i - 1)). Each deviation is scaled so that the formula for U units with R means
    # removed, sum dev^2 / (U (U - R)), gives DEPENDENCE times that variance.
    found = [tuple(np.asarray(part, float) for part in pair) for pair in counts]
    n_units, n_recordings = sum(len(part) for part, _ in found), len(found)
    scores = [part.sum() / whole.sum() if whole.sum() else 0.0 for part, whole in found]
    middle = np.mean(scores)
    values = []
    for (part, whole), score in zip(found, scores, strict=True):
        n = len(part)
        deviations = n * (part - score * whole) / max(whole.sum(), 1)
        scale = DEPENDENCE * n_units * (n_units - n_recordings) / (n_recordings**2 * n * (n - 1)) if n > 1 else 0.0
        values.append(middle + np.sqrt(scale) * deviations)
    return values


def _score(metric: Metric, recording: dict[str, Any] | None) -> float | None:
    return None if recording is None else recording.get(metric.name)


def _values(
    metric: Metric, recordings: list[dict[str, Any]], kind: str, groups: Sequence[str]
) -> list[np.ndarray] | None:
    """Values of a run's units by recording, groups in one part; None if blocks are wanted and the run kept none."""
    if kind != BLOCKS:
        scores = np.array([[_score(metric, recording)] for recording in recordings], float)
        return [group_values(scores[:, 0], groups)] if kind == GROUPS else list(scores)
    if metric.ratio is None:
        return None
    ratios = [_ratio(recording.get("blocks"), metric) for recording in recordings]
    known = [ratio for ratio in ratios if ratio is not None]
    return block_values(known) if known and len(known) == len(ratios) else None


def _ratio(blocks: Any, metric: Metric) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the ratio of a recording's counts; None if there are none or they are something else."""
    try:
        counts = np.array(blocks[metric.counts], float)
        return metric.ratio(counts) if counts.ndim == 2 and len(counts) and np.isfinite(counts).all() else None
    except (TypeError, ValueError, KeyError, IndexError):
        return None
