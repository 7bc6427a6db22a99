"""Compute the uncertainty of a comparison: spread over seeds, intervals over units, and the rows that may be the best.

Every function here is a pure function of scores[row, seed, unit]. A unit is a test recording, a group of them or a
block of time in a recording (sweep.report.units chooses); a score is NaN if the row has no such run or the run no such
score. Units are paired: unit u is the same music for every row. The statistical model, in which every effect but the
row's is random with mean 0,

    score = row + unit + row x unit + row x seed + residual,

describes what varies when the experiment is repeated: the music (unit, row x unit) and the training (row x seed). With
one seed the variance of the training cannot be estimated, and all statements are about the trained models only.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

FEWEST_UNITS = 6  # fewest units to compare rows: five have only 2^4 = 16 sign patterns, too few for a level of 1 in 20
_DRAWS = 2000
_CHUNK = 40  # draws at a time: 0.4 MB an array at 34 rows, which stays in a processor's cache
# Random signs of centred deviations have slightly shorter tails than Student's t: with the plain quantile the
# family-wise error was 0.056 at 10 units and 0.058 at 6 (experiments/certainty), so the quantile is a little higher.
_STRICTER = 0.7


@dataclass(frozen=True)
class Comparison:
    """Result of `compare`.

    Attributes:
        best: (rows,) bool, the rows that cannot be told from the best.
        behind: (rows,) distance of a row's mean below the highest mean; NaN for a row without scores.
        low, high: (rows,) simultaneous interval of that difference; NaN if rows cannot be compared.
        loss: (rows,) upper bound of what a row may lose against the truly best row; simultaneous, so that it holds for
            a row that was chosen by its score too; NaN if rows cannot be compared.
    """

    best: np.ndarray
    behind: np.ndarray
    low: np.ndarray
    high: np.ndarray
    loss: np.ndarray


def means(scores: np.ndarray) -> np.ndarray:
    """Average over seeds, then over units: (rows,), NaN for a row without scores.

    Args:
        scores: (rows, seeds, units), NaN where there is no score.
    """
    return _mean(_mean(scores, 1), 1)


def spread(scores: np.ndarray) -> np.ndarray:
    """Standard deviation over seeds of the mean over units: (rows,), NaN for a row with fewer than two seeds.

    Args:
        scores: (rows, seeds, units), NaN where there is no score.
    """
    by_seed = _mean(scores, 2)
    seeds = np.isfinite(by_seed).sum(1)
    squares = np.nansum((by_seed - _mean(by_seed, 1)[:, None]) ** 2, axis=1)
    return np.sqrt(np.where(seeds > 1, squares / np.maximum(seeds - 1, 1), np.nan))


def seed_variance(scores: np.ndarray) -> tuple[float, int]:
    """Variance over seeds of a run's mean over units, pooled over the rows, and its degrees of freedom.

    It is pooled because two or three seeds of one row hardly determine its variance (at three seeds the 95 % factor of
    t is 4.3), while 34 rows together do.

    Args:
        scores: (rows, seeds, units), NaN where there is no score.

    Returns:
        Variance and degrees of freedom; (0.0, 0) if no row has two seeds.
    """
    freedom = np.maximum(np.isfinite(_mean(scores, 2)).sum(1) - 1, 0)
    if not freedom.sum():
        return 0.0, 0
    return float(np.nansum(freedom * np.nan_to_num(spread(scores)) ** 2) / freedom.sum()), int(freedom.sum())


def intervals(scores: np.ndarray, *, strata: int = 1, level: float = 0.95) -> np.ndarray:
    """Compute a t-interval of each row's mean, over units and, if there are several, over seeds.

    Args:
        scores: (rows, seeds, units), NaN where there is no score.
        strata: number of means removed from the units' deviations: 1, or for blocks the number of recordings
            (`block_values`).
        level: probability that the interval contains the true mean.

    Returns:
        (rows, 2) low and high; NaN for a row with too few units.

    >>> intervals(np.array([[[0.4, 0.5, 0.6]]])).round(3)  # 0.5 -+ 4.303 * 0.1 / sqrt(3)
    array([[0.252, 0.748]])
    """
    # The mean of S seeds and U units has variance (unit + row x unit) / U + seed / S + residual / (S U). The variance
    # over units of the seeds' means estimates the first part times U, including the residual; seed_variance estimates
    # the second part times S, including the residual again, so the interval is too wide by at most residual / (S U).
    # The degrees of freedom of the sum are Satterthwaite's (Biometrics Bulletin 2, 1946).
    by_unit = _mean(scores, 1)
    units = np.isfinite(by_unit).sum(1)
    seeds = np.isfinite(scores).any(2).sum(1)
    middle = _mean(by_unit, 1)
    freedom = np.where(units > strata, units - strata, np.nan)
    of_units = np.nansum((by_unit - middle[:, None]) ** 2, axis=1) / (freedom * units)
    pooled, pooled_freedom = seed_variance(scores)
    of_seeds = pooled / np.maximum(seeds, 1)
    half = _half_length(of_units, freedom, of_seeds, pooled_freedom, level)
    return np.stack([middle - half, middle + half], axis=1)


def difference(
    scores: np.ndarray, first: int, second: int, *, strata: int = 1, level: float = 0.95
) -> tuple[float, float, float]:
    """Compute a paired t-interval of the difference of two rows that were chosen before their scores were seen.

    The training's part is pooled over all rows, as in `compare`, whose intervals hold for rows chosen by their scores.

    Args:
        scores, strata, level: the arguments of `intervals`.
        first, second: places of the two rows.

    Returns:
        Mean of the first row less that of the second over the units of both, and the interval; NaN with too few units.

    >>> [round(x, 3) for x in difference(np.array([[[0.5, 0.6, 0.8]], [[0.4, 0.5, 0.6]]]), 0, 1)]
    [0.133, -0.01, 0.277]
    """
    pair = scores[[first, second]]
    one, other = _mean(pair, 1)
    apart = (one - other)[np.isfinite(one - other)]
    units, freedom = len(apart), len(apart) - strata
    if freedom < 1:
        return (float(apart.mean()) if units else np.nan), np.nan, np.nan
    pooled, pooled_freedom = seed_variance(scores)
    of_seeds = pooled * (1 / np.isfinite(pair).any(2).sum(1)).sum()
    of_units = apart.var() / freedom
    half = float(_half_length(of_units, freedom, of_seeds, pooled_freedom, level))
    return float(apart.mean()), float(apart.mean()) - half, float(apart.mean()) + half


def compare(scores: np.ndarray, *, strata: int = 1, level: float = 0.95, draws: int = _DRAWS) -> Comparison:
    """Find the rows that cannot be told from the best: a set that contains all truly best rows, and ties, at `level`.

    A row leaves the set if some other row is better by more than chance explains: its paired, moderated t exceeds the
    quantile of the greatest such t among all pairs, step by step. So no row is assumed to be the best, and the
    probability that any truly best row is left out is at most 1 - level, whichever rows are tied.

    With fewer than FEWEST_UNITS units no row leaves the set. Only units for which every row has a score are compared.

    Args:
        scores, strata, level: the arguments of `intervals`.
        draws: number of random sign patterns.
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
    behind, low, high, loss = (np.full(len(scores), np.nan) for _ in range(4))
    middle = means(scores)
    if rows:
        behind = np.nanmax(middle) - middle
    if rows < 2 or units < max(FEWEST_UNITS, strata + 1):
        return Comparison(compared, behind, low, high, loss)

    seeds = np.isfinite(scores[compared]).any(2).sum(1)
    pooled, pooled_freedom = seed_variance(scores[compared])
    of_seeds = pooled * (1 / seeds[:, None] + 1 / seeds)
    means_of_rows = by_unit.mean(1)
    deviations = by_unit - means_of_rows[:, None]
    freedom = units - strata
    squares = _pair_squares(deviations @ deviations.T)
    share, typical, logarithm = _moderate(squares, freedom)
    error = np.sqrt(((1 - share) * squares / freedom + share * typical) / units + of_seeds)
    advantage = means_of_rows[:, None] - means_of_rows
    t = _ratio(advantage, error)

    # Draws: the deviations of all rows at a unit change sign together at random, which keeps the dependence between
    # rows. This is the distribution without differences if deviations are symmetric about 0. The training's part is
    # drawn from a normal distribution.
    generator = np.random.default_rng(0)
    enlarged = deviations * np.sqrt(units / freedom)  # corrects for the means removed from them
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
    margin = np.quantile(greatest.max(1), quantile, method="higher") * error
    places = np.flatnonzero(compared)
    low[places], high[places] = advantage[leader] - margin[leader], advantage[leader] + margin[leader]
    low[places[leader]] = high[places[leader]] = 0.0
    # Whichever row is truly the best, it is at most this much better (multiple comparisons with the best: Hsu, Annals
    # of Statistics 9, 1981). A row is compared with itself too, hence at least 0.
    np.fill_diagonal(margin, 0.0)
    loss[places] = (advantage + margin).max(0)
    in_set = np.zeros(len(scores), bool)
    in_set[places[best]] = True
    return Comparison(in_set, behind, low, high, loss)


def _half_length(of_units: Any, freedom: Any, of_seeds: Any, pooled_freedom: int, level: float) -> np.ndarray:
    """Half the length of a t-interval of a mean whose variance is a sum of two; its freedom is Satterthwaite's."""
    total = of_units + of_seeds
    parts = of_units**2 / freedom + of_seeds**2 / max(pooled_freedom, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(parts > 0, total**2 / parts, freedom)
    return special.stdtrit(freedom, 0.5 + level / 2) * np.sqrt(total)


def _moderate(squares: np.ndarray, freedom: int) -> tuple[float, float, float]:
    """Fit Smyth's prior of the pairs' variances: its weight, the typical variance, and the mean log of the squares.

    Each pair's own variance has few degrees of freedom, so the greatest of 561 t would be one with an accidentally
    small variance. If the true variances are scaled inverse chi-square around a typical one, the expected variance of a
    pair is (1 - share) x its own + share x the typical one, with share = d0 / (d0 + freedom) from the moments of the
    logarithms (Smyth, Statistical Applications in Genetics and Molecular Biology 3, 2004, section 6.2).
    """
    own = squares[np.triu_indices(len(squares), 1)] / freedom
    own = own[own > 1e-24]  # two identical rows have variance 0
    if not own.size:
        return 0.0, 0.0, 0.0
    centred = np.log(own) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = centred.var() - special.polygamma(1, freedom / 2)
    if excess <= 1e-6:  # the pairs' variances differ no more than by chance
        return 1.0, float(np.exp(centred.mean())), float(_mean_logarithm(squares))
    prior = 2 * _inverse_trigamma(excess)
    typical = np.exp(centred.mean() + special.digamma(prior / 2) - np.log(prior / 2))
    return prior / (prior + freedom), float(typical), float(_mean_logarithm(squares))


def _inverse_trigamma(value: float) -> float:
    """Solve trigamma(x) = value by Newton's method on 1 / trigamma, which is nearly linear."""
    x = 0.5 + 1 / value
    for _ in range(50):
        step = special.polygamma(1, x) * (1 - special.polygamma(1, x) / value) / special.polygamma(2, x)
        x += step
        if abs(step) < 1e-9 * x:
            break
    return x


def _mean_logarithm(squares: np.ndarray) -> np.ndarray:
    """Average the logarithm of (..., rows, rows) over the pairs of rows: (...)."""
    off = squares[(..., *np.triu_indices(squares.shape[-1], 1))]
    return np.log(np.maximum(off, 1e-24)).mean(-1)


def _pair_squares(products: np.ndarray) -> np.ndarray:
    """Sums of squares of the differences between rows, (rows, rows), from the sums of products."""
    own = np.diag(products)
    return np.maximum(own[:, None] + own - 2 * products, 0)


def _ratio(difference: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Divide a difference by its standard error; identical rows give 0 instead of a ratio of rounding errors."""
    return difference / np.maximum(error, 1e-9)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Average the finite values along an axis; NaN where there are none."""
    count = np.isfinite(values).sum(axis)
    return np.where(count > 0, np.nansum(values, axis=axis) / np.maximum(count, 1), np.nan)
