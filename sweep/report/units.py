"""Choose the units of a comparison: test recordings, or blocks of time if there are few recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.results.result import read_result

FEWEST_RECORDINGS = 6  # fewest recordings that are units themselves; with fewer, the units are blocks of time
# Neighbouring blocks of 10 s are correlated: accuracies by 0.11, differences between rows by 0.15. The mean of a
# first-order autoregression of correlation r has (1 + r) / (1 - r) times the variance that independent blocks give.
DEPENDENCE = (1 + 0.15) / (1 - 0.15)
ROW = ["model", "representation", "variant"]  # columns that the seeds of one row share


@dataclass(frozen=True)
class Sample:
    """Accuracies behind a table.

    Attributes:
        rows: (model, representation, variant) of each row.
        scores: (rows, seeds, units) accuracy, NaN where there is no such run; 0 units if nothing can be compared.
        units: names of the units: a recording's id, or id/number for a block.
        recordings: ids of the test recordings that all runs have.
        blocks: whether the units are blocks of time.
    """

    rows: list[tuple[str, str, str]]
    scores: np.ndarray
    units: list[str]
    recordings: list[str]
    blocks: bool

    @property
    def groups(self) -> int:
        """Number of means removed from the units' deviations, an argument of `certainty.intervals`."""
        return len(self.recordings) if self.blocks else 1


def read_sample(folder: Path, table: pd.DataFrame) -> Sample:
    """Read the accuracies of the done runs of a table.

    Args:
        folder: <runs>/<data>/<protocol> folder.
        table: table of the runs, `build_table`.
    """
    done = table[table.status == "done"]
    runs = {run: read_result(folder / run).recordings for run in done.run}
    first: dict = next(iter(runs.values()), {})
    recordings = [name for name in first if all(name in other for other in runs.values())]
    blocks = len(recordings) < FEWEST_RECORDINGS
    rows = list(dict.fromkeys(done[ROW].itertuples(index=False, name=None)))
    seeds = sorted(set(done.seed))
    values = {run: _values([scores[i] for i in recordings], blocks) for run, scores in runs.items()}
    counts = [tuple(map(len, parts)) for parts in values.values() if parts is not None]
    shape = max(counts, key=counts.count, default=())  # runs with other blocks cannot be paired
    scores = np.full((len(rows), len(seeds), sum(shape)), np.nan)
    for run in done.itertuples():
        parts = values[run.run]
        if parts is not None and tuple(map(len, parts)) == shape and shape:
            place = rows.index((run.model, run.representation, run.variant)), seeds.index(run.seed)
            scores[place] = np.concatenate(parts)
    units = [f"{i}/{b}" if blocks else i for i, n in zip(recordings, shape, strict=False) for b in range(n)]
    return Sample(rows, scores, units, recordings, blocks)


def block_values(recordings: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Compute a value for each block of time, such that the mean of all values is the mean accuracy of the recordings.

    Args:
        recordings: (blocks, 3) counts of each recording: notes in the reference, in the estimate, and right.

    Returns:
        (blocks,) values of each recording, for `certainty.intervals` with groups=len(recordings).

    >>> block_values([np.array([[4, 4, 4], [6, 6, 2]])])[0].round(3)  # accuracies 1 and 0.2, 6 of 14 in all
    array([0.808, 0.049])
    """
    # A recording's accuracy A = sum t / sum d, with t right notes and d = reference + estimate - right, is a ratio of
    # sums over its B blocks. Block b deviates by B (t_b - A d_b) / sum d, to first order (the linearised jackknife;
    # Cochran, Sampling Techniques, 1977, section 6.4); these deviations sum to 0. The mean over R recordings has
    # variance sum_i sum_b dev_ib^2 / (R^2 B_i (B_i - 1)). Each deviation is scaled so that the formula for U units with
    # R means removed, sum dev^2 / (U (U - R)), gives DEPENDENCE times that variance.
    found = [np.asarray(counts, float) for counts in recordings]
    n_units, n_recordings = sum(map(len, found)), len(found)
    sizes = [counts[:, 0] + counts[:, 1] - counts[:, 2] for counts in found]
    accuracies = [
        counts[:, 2].sum() / size.sum() if size.sum() else 0.0 for counts, size in zip(found, sizes, strict=True)
    ]
    middle = np.mean(accuracies)
    values = []
    for counts, size, accuracy in zip(found, sizes, accuracies, strict=True):
        n = len(counts)
        deviations = n * (counts[:, 2] - accuracy * size) / max(size.sum(), 1)
        scale = DEPENDENCE * n_units * (n_units - n_recordings) / (n_recordings**2 * n * (n - 1)) if n > 1 else 0.0
        values.append(middle + np.sqrt(scale) * deviations)
    return values


def _values(recordings: list[dict], blocks: bool) -> list[np.ndarray] | None:
    """Values of a run's units by recording; None if blocks are wanted and the run kept none."""
    if not blocks:
        return [np.array([scores["accuracy"]], float) for scores in recordings]
    counts = [scores.get("blocks", {}).get("frames") for scores in recordings]
    return block_values([np.array(part) for part in counts]) if counts and all(counts) else None
