"""How sure a comparison is: spread over seeds, intervals over units, and which rows may be the best.

Everything here is a pure function of scores[row, seed, unit], where a unit is a test recording or a block of time in
one (sweep.report.units says which), NaN where a row has no such run or a run no such score. Units are paired: unit u is
the same music for every row. The model behind it, with random effects of mean 0 except the row's,

    score = row + unit + row x unit + row x seed + residual,

says what varies when the experiment is repeated: the music (unit, row x unit), and the training (row x seed). With one
seed the training's part cannot be seen, and everything here is then about the models that were trained.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

FEWEST_UNITS = 6  # to compare rows: five units have only 2^4 = 16 patterns of signs, and 1 in 20 cannot be among them
_DRAWS = 2000
_CHUNK = 40  # draws at a time: 0.4 MB an array at 34 rows, which stays in a processor's cache
# Signs of deviations whose mean has been taken out have slightly shorter tails than t has: with the plain quantile the
# family-wise error was 0.056 at 10 units and 0.058 at 6 (experiments/certainty), so the quantile is a little higher.
_STRICTER = 0.7


@dataclass(frozen=True)
class Comparison:
    """What `compare` finds.

    Attributes:
        best: (rows,) bool, the rows that cannot be told from the best.
        behind: (rows,) how far a row's mean lies under the highest mean; NaN for a row without scores.
        low, high: (rows,) simultaneous interval of that difference, NaN where rows cannot be compared.
    """

    best: np.ndarray
    behind: np.ndarray
    low: np.ndarray
    high: np.ndarray


def means(scores: np.ndarray) -> np.ndarray:
    """(rows,) the mean over the units of the mean over the seeds; NaN for a row without scores."""
    return _mean(_mean(scores, 1), 1)


def spread(scores: np.ndarray) -> np.ndarray:
    """(rows,) standard deviation over seeds of the mean over units, NaN where a row has fewer than two seeds."""
    by_seed = _mean(scores, 2)
    seeds = np.isfinite(by_seed).sum(1)
    squares = np.nansum((by_seed - _mean(by_seed, 1)[:, None]) ** 2, axis=1)
    return np.sqrt(np.where(seeds > 1, squares / np.maximum(seeds - 1, 1), np.nan))


def seed_variance(scores: np.ndarray) -> tuple[float, int]:
    """Variance over seeds of a run's mean over units, pooled over the rows, and its degrees of freedom.

    Pooled, because two or three seeds of one row say next to nothing about its variance (at three seeds the 95 % factor
    of t is 4.3) while 34 rows together do. (0.0, 0) where no row has two seeds.
    """
    freedom = np.maximum(np.isfinite(_mean(scores, 2)).sum(1) - 1, 0)
    if not freedom.sum():
        return 0.0, 0
    return float(np.nansum(freedom * np.nan_to_num(spread(scores)) ** 2) / freedom.sum()), int(freedom.sum())


def intervals(scores: np.ndarray, *, groups: int = 1, level: float = 0.95) -> np.ndarray:
    """A t-interval of each row's mean: over units, and over seeds where there are several.

    Args:
        scores: (rows, seeds, units), NaN where there is none.
        groups: how many means were taken out of the units' deviations: 1, or for blocks the number of recordings
            (`block_values`).
        level: probability that the interval holds the truth.

    Returns:
        (rows, 2) low and high; NaN for a row with too few units.

    >>> intervals(np.array([[[0.4, 0.5, 0.6]]])).round(3)  # 0.5 -+ 4.303 * 0.1 / sqrt(3)
    array([[0.252, 0.748]])
    """
    # The mean of S seeds and U units has variance (unit + row x unit) / U + seed / S + residual / (S U). The variance
    # over units of the seeds' means estimates the first part times U, with the residual; seed_variance the second
    # times S, with the residual once more, which errs on the wide side by as much as the residual / (S U). The sum's
    # degrees of freedom are Satterthwaite's (Biometrics Bulletin 2, 1946).
    by_unit = _mean(scores, 1)
    units = np.isfinite(by_unit).sum(1)
    seeds = np.isfinite(scores).any(2).sum(1)
    middle = _mean(by_unit, 1)
    freedom = np.where(units > groups, units - groups, np.nan)
    of_units = np.nansum((by_unit - middle[:, None]) ** 2, axis=1) / (freedom * units)
    pooled, pooled_freedom = seed_variance(scores)
    of_seeds = pooled / np.maximum(seeds, 1)
    total = of_units + of_seeds
    parts = of_units**2 / freedom + of_seeds**2 / max(pooled_freedom, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(parts > 0, total**2 / parts, freedom)
    half = special.stdtrit(freedom, 0.5 + level / 2) * np.sqrt(total)
    return np.stack([middle - half, middle + half], axis=1)


def compare(scores: np.ndarray, *, groups: int = 1, level: float = 0.95, draws: int = _DRAWS) -> Comparison:
    """Finds the rows that cannot be told from the best: a set that holds all truly best rows, ties too, at `level`.

    A row leaves the set where some other row is better than it by more than chance explains: a paired, moderated t
    beyond the quantile of the greatest such t among all pairs, step by step. So the best is never taken as known, and
    the probability that any truly best row is left out is at most 1 - level, whichever rows are tied.

    With fewer than FEWEST_UNITS units no row leaves the set. Only units at which every row has a score are compared.

    Args:
        scores, groups, level: as for `intervals`.
        draws: of signs.
    """
    # T_ji = (mean_j - mean_i) / SE_ji says that j is better than i. H_i, "row i is among the best", is rejected where
    # max_j T_ji > c. If H_i is true, no j is truly better, so its T_ji are at most those of the centred scores, whose
    # joint distribution is drawn below: c(M), the quantile of max over i in M and over all j, holds the family-wise
    # error for the true ones among M. Since c(M) falls with M, M may be the rows not yet rejected (Romano and Wolf,
    # JASA 100, 2005); at the first step c is that of all pairs.
    compared = np.isfinite(scores).any((1, 2))
    by_unit = _mean(scores[compared], 1)
    by_unit = by_unit[:, np.isfinite(by_unit).all(0)]
    rows, units = by_unit.shape
    behind, low, high = (np.full(len(scores), np.nan) for _ in range(3))
    middle = means(scores)
    if rows:
        behind = np.nanmax(middle) - middle
    if rows < 2 or units < max(FEWEST_UNITS, groups + 1):
        return Comparison(compared, behind, low, high)

    seeds = np.isfinite(scores[compared]).any(2).sum(1)
    pooled, pooled_freedom = seed_variance(scores[compared])
    of_seeds = pooled * (1 / seeds[:, None] + 1 / seeds)
    means_of_rows = by_unit.mean(1)
    deviations = by_unit - means_of_rows[:, None]
    freedom = units - groups
    squares = _pair_squares(deviations @ deviations.T)
    share, typical, logarithm = _moderate(squares, freedom)
    error = np.sqrt(((1 - share) * squares / freedom + share * typical) / units + of_seeds)
    advantage = means_of_rows[:, None] - means_of_rows
    t = _ratio(advantage, error)

    # Draws: every unit keeps its deviations of all rows, hence their dependence, and changes their sign at random. This
    # is the distribution under no difference if deviations are as likely below 0 as above. The training's part is
    # normal.
    generator = np.random.default_rng(0)
    enlarged = deviations * np.sqrt(units / freedom)  # a mean has been taken out of them
    enlarged_squares = _pair_squares(enlarged @ enlarged.T)
    greatest = np.empty((draws, rows))
    for first in range(0, draws, _CHUNK):
        count = min(_CHUNK, draws - first)
        drawn = generator.choice([-1.0, 1.0], (count, units)) @ enlarged.T / units
        difference = drawn[:, :, None] - drawn[:, None]
        squares = np.maximum(enlarged_squares - units * difference**2, 0)
        typicals = typical * np.exp(_mean_logarithm(squares) - logarithm) if share else np.zeros(count)
        variance = ((1 - share) * squares / (units - 1) + share * typicals[:, None, None]) / units
        if pooled_freedom:
            training = generator.standard_normal((count, rows)) * np.sqrt(pooled / seeds)
            difference += training[:, :, None] - training[:, None]
            scale = generator.chisquare(pooled_freedom, count) / pooled_freedom
            variance += scale[:, None, None] * of_seeds
        greatest[first : first + count] = _ratio(difference, np.sqrt(variance)).max(1)

    quantile = 1 - _STRICTER * (1 - level)
    best, worst = np.ones(rows, bool), t.max(0)
    while True:
        bound = np.quantile(greatest[:, best].max(1), quantile, method="higher")
        left = best & (worst <= bound)
        if (left == best).all():
            break
        best = left
    leader = means_of_rows.argmax()
    margin = np.quantile(greatest.max(1), quantile, method="higher") * error[leader]
    places = np.flatnonzero(compared)
    low[places], high[places] = advantage[leader] - margin, advantage[leader] + margin
    low[places[leader]] = high[places[leader]] = 0.0
    in_set = np.zeros(len(scores), bool)
    in_set[places[best]] = True
    return Comparison(in_set, behind, low, high)


def _moderate(squares: np.ndarray, freedom: int) -> tuple[float, float, float]:
    """Smyth's prior of the pairs' variances: its weight, the typical variance, and the mean log of the pairs' squares.

    Each pair's own variance has few degrees of freedom, so the greatest of 561 t would be one with an accidentally
    small variance. If the true variances are scaled inverse chi-square around a typical one, the variance expected of a
    pair is (1 - share) of its own + share of the typical one, with share = d0 / (d0 + freedom) from the moments of the
    logarithms (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004, section 6.2).
    """
    own = squares[np.triu_indices(len(squares), 1)] / freedom
    own = own[own > 1e-24]  # two rows that are the same have none
    if not own.size:
        return 0.0, 0.0, 0.0
    centred = np.log(own) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = centred.var() - special.polygamma(1, freedom / 2)
    if excess <= 1e-6:  # the pairs' variances differ no more than chance makes them
        return 1.0, float(np.exp(centred.mean())), float(_mean_logarithm(squares))
    prior = 2 * _inverse_trigamma(excess)
    typical = np.exp(centred.mean() + special.digamma(prior / 2) - np.log(prior / 2))
    return prior / (prior + freedom), float(typical), float(_mean_logarithm(squares))


def _inverse_trigamma(value: float) -> float:
    """The x at which trigamma is this value, by Newton's method on 1 / trigamma, which is nearly straight."""
    x = 0.5 + 1 / value
    for _ in range(50):
        step = special.polygamma(1, x) * (1 - special.polygamma(1, x) / value) / special.polygamma(2, x)
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x


def _mean_logarithm(squares: np.ndarray) -> np.ndarray:
    """(...) mean over the pairs of rows of the logarithm of (..., rows, rows)."""
    off = squares[(..., *np.triu_indices(squares.shape[-1], 1))]
    return np.log(np.maximum(off, 1e-24)).mean(-1)


def _pair_squares(products: np.ndarray) -> np.ndarray:
    """(rows, rows) sum of squares of the difference of two rows, from the sums of products."""
    own = np.diag(products)
    return np.maximum(own[:, None] + own - 2 * products, 0)


def _ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """The difference over its standard error; rows that never differ give 0, not rounding over rounding."""
    return difference / np.maximum(error, 1e-9)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """The mean of what is not NaN; NaN where there is nothing."""
    count = np.isfinite(values).sum(axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)
