"""What the scores of a comparison rest on: test recordings, or blocks of time where there are few recordings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.results.result import read_result

FEWEST_RECORDINGS = 6  # that are compared as they are; of fewer, blocks of time are
# Neighbouring blocks of 10 s are alike: accuracies correlate by 0.11, the differences of rows by 0.15. The mean of
# a first-order autoregression of correlation r varies by (1 + r) / (1 - r) more than that of independent blocks.
DEPENDENCE = (1 + 0.15) / (1 - 0.15)
ROW = ["model", "representation", "variant"]  # what the seeds of one row share


@dataclass(frozen=True)
class Sample:
    """The accuracies behind a table.

    Attributes:
        rows: what each row is, (model, representation, variant).
        scores: (rows, seeds, units) accuracy, NaN where there is no such run; no units where nothing can be compared.
        units: their names: a recording's id, or id/number for a block.
        recordings: the ids of the test recordings that all runs have.
        blocks: whether the units are blocks.
    """

    rows: list[tuple[str, str, str]]
    scores: np.ndarray
    units: list[str]
    recordings: list[str]
    blocks: bool

    @property
    def groups(self) -> int:
        """As `certainty.intervals` wants it."""
        return len(self.recordings) if self.blocks else 1


def read_sample(folder: Path, table: pd.DataFrame) -> Sample:
    """The accuracies of the done runs of a table.

    Args:
        folder: <runs>/<data>/<protocol>.
        table: `build_table`'s.
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
    shape = max(counts, key=counts.count, default=())  # runs that were cut into other blocks cannot be paired
    scores = np.full((len(rows), len(seeds), sum(shape)), np.nan)
    for run in done.itertuples():
        parts = values[run.run]
        if parts is not None and tuple(map(len, parts)) == shape and shape:
            place = rows.index((run.model, run.representation, run.variant)), seeds.index(run.seed)
            scores[place] = np.concatenate(parts)
    units = [f"{i}/{b}" if blocks else i for i, n in zip(recordings, shape, strict=False) for b in range(n)]
    return Sample(rows, scores, units, recordings, blocks)


def block_values(recordings: Sequence[np.ndarray]) -> list[np.ndarray]:
    """One value for each block of time, such that their plain mean is the mean accuracy of the recordings.

    Args:
        recordings: of each, (blocks, 3) counts: notes in the reference, in the estimate, and right.

    Returns:
        Of each recording, (blocks,) values for `certainty.intervals` with groups=len(recordings).

    >>> block_values([np.array([[4, 4, 4], [6, 6, 2]])])[0].round(3)  # accuracies 1 and 0.2, 6 of 14 in all
    array([0.808, 0.049])
    """
    # A recording's accuracy A = sum t / sum d, with t right notes and d = reference + estimate - right, is a ratio:
    # block b moves it by B (t_b - A d_b) / sum d, the first-order term (the linearised jackknife; Cochran, Sampling
    # Techniques, 1977, section 6.4), and these deviations sum to 0. The mean over R recordings has variance
    # sum_i sum_b dev_ib^2 / (R^2 B_i (B_i - 1)). Each deviation is scaled so that the rule for U units of which R
    # means are known, sum dev^2 / (U (U - R)), gives DEPENDENCE times that.
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
    """The values of a run's units by recording; None where it kept no blocks and blocks are wanted."""
    if not blocks:
        return [np.array([scores["accuracy"]], float) for scores in recordings]
    counts = [scores.get("blocks") for scores in recordings]
    return block_values([np.array(part) for part in counts]) if counts and all(counts) else None
