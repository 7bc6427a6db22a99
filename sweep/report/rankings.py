"""Compare the rankings of the same representations under several protocols, models or variants."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from sweep.report.units import Sample

FEWEST_ROWS = 3  # fewest rows of a ranking
_MOVERS = 5  # most rows named in a remark
_DRAWS = 2000


@dataclass(frozen=True)
class Pair:
    """Two rankings of the same rows.

    Attributes:
        names: names of the two rankings.
        tau: Kendall's tau-b between the mean accuracies.
        low, high: 95 % interval of tau over units; NaN if there are too few units.
        units: number of units that the interval rests on.
        moves: places that each representation rises from the first ranking to the second, in the order of the table.
    """

    names: tuple[str, str]
    tau: float
    low: float
    high: float
    units: int
    moves: pd.Series


@dataclass(frozen=True)
class Rankings:
    """Result of `rank`.

    Attributes:
        table: one row a representation: bins, and for each ranking accuracy_<name> and rank_<name> (1 is the best).
        names: names of the rankings.
        pairs: comparison of each two rankings.
    """

    table: pd.DataFrame
    names: list[str]
    pairs: list[Pair]

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"rankings of {len(self.table)} representations: {', '.join(self.names)}"

    @property
    def spare(self) -> list[str]:
        """Headings of the columns that a narrow console leaves out, first to last."""
        return ["bins", *(f"Acc {name}" for name in reversed(self.names))]

    def cells(self) -> pd.DataFrame:
        """Format the printed columns as text; the best row of each ranking is set between **."""
        cells = pd.DataFrame({"representation": self.table.representation, "bins": self.table.bins.map(str)})
        for name in self.names:
            accuracy, place = self.table[f"accuracy_{name}"], self.table[f"rank_{name}"]
            cells[f"Acc {name}"] = ["" if pd.isna(value) else f"{value:.3f}" for value in accuracy]
            words = ["" if pd.isna(value) else f"{value:g}" for value in place]
            cells[f"rank {name}"] = [f"**{word}**" if word == "1" else word for word in words]
        if len(self.names) == 2 and self.pairs:
            moves = self.table.representation.map(self.pairs[0].moves)
            cells["rises"] = ["" if pd.isna(value) else f"{value:+g}" for value in moves]
        return cells

    def remarks(self) -> list[str]:
        """Write a sentence or two on each pair of rankings."""
        remarks = []
        for pair in self.pairs:
            sure = "no interval, too few units"
            if np.isfinite(pair.low):
                sure = f"95 % interval over {pair.units} units {pair.low:.2f} to {pair.high:.2f}, bootstrap t"
            moved = pair.moves[pair.moves != 0]
            moved = moved.loc[moved.abs().sort_values(ascending=False, kind="stable").index[:_MOVERS]]
            movers = ", ".join(f"{name} {move:+g}" for name, move in moved.items())
            remarks += [
                f"{' and '.join(pair.names)}: Kendall's tau {pair.tau:.2f} ({sure}) over {len(pair.moves)} rows. "
                + (f"Most places up or down: {movers}." if movers else "No row changes its place.")
            ]
        return remarks + [
            "Units are the test recordings or blocks of time named under each table; the interval is about other such "
            "units, not about other training runs."
        ]


def rank(protocols: dict[str, tuple[pd.DataFrame, Sample]]) -> Rankings | None:
    """Rank the representations by their mean accuracy, once for each protocol, model and variant that has some.

    Args:
        protocols: lines of `summarise` and the sample behind them, by the protocol's name.

    Returns:
        The rankings; None unless there are two of at least FEWEST_ROWS representations each.
    """
    found = {}
    for protocol, (lines, sample) in protocols.items():
        for (model, variant), part in lines[lines.status == "done"].groupby(["model", "variant"], sort=False):
            if part.accuracy.count() >= FEWEST_ROWS:
                found[protocol, model, variant] = part.set_index("representation"), sample
    if len(found) < 2:
        return None
    varies = [len(set(column)) > 1 for column in zip(*found, strict=True)]
    names = {key: " ".join(part for part, shown in zip(key, varies, strict=True) if shown and part) for key in found}
    names = {key: name or "default" for key, name in names.items()}
    lines = [protocols[protocol][0] for protocol in protocols]
    order = list(dict.fromkeys(pd.concat(lines).sort_index(kind="stable").representation))
    table = pd.DataFrame({"bins": pd.concat([part.bins for part, _ in found.values()]).groupby(level=0).first()})
    table = table.reindex([name for name in order if name in table.index])
    for key, (part, _) in found.items():
        table[f"accuracy_{names[key]}"] = part.accuracy
        table[f"rank_{names[key]}"] = part.accuracy.rank(ascending=False, method="min")
    pairs = [_pair(names, found, *keys, list(table.index)) for keys in itertools.combinations(found, 2)]
    return Rankings(table.reset_index(names="representation"), list(names.values()), [pair for pair in pairs if pair])


def kendall(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute Kendall's tau-b along the last axis; NaN if all values of one side are tied.

    Args:
        first, second: (..., n) values to rank.

    Returns:
        (...) tau-b in -1..1.

    >>> float(kendall(np.array([1, 2, 3]), np.array([1, 3, 2])).round(3))  # 2 pairs agree, 1 does not
    0.333
    """
    upper = np.triu_indices(first.shape[-1], 1)
    one, two = (np.sign(side[..., upper[0]] - side[..., upper[1]]) for side in (first, second))
    scale = np.sqrt((one != 0).sum(-1) * (two != 0).sum(-1))
    return np.where(scale > 0, (one * two).sum(-1) / np.maximum(scale, 1), np.nan)


def kendall_interval(
    first: np.ndarray, second: np.ndarray, *, groups: int = 1, level: float = 0.95, draws: int = _DRAWS
) -> tuple[float, float]:
    """Compute a t-interval of Kendall's tau between the rows' means, with a bootstrap over units as standard deviation.

    The jackknife is not used because it overestimates the variance of a step function such as tau; bootstrap
    percentiles are not used because resampled means are noisier than the means, so their tau is too low.
    experiments/certainty measures the coverage.

    Args:
        first, second: (rows, units) scores at the same units.
        groups: number of means removed from the units' deviations, as in `certainty.intervals`.
        level: probability that the interval contains the true tau.
        draws: number of bootstrap samples.

    Returns:
        Lower and upper end, within -1..1; NaN with too few units.
    """
    units = first.shape[1]
    if units - groups < 2:
        return np.nan, np.nan
    weights = np.random.default_rng(0).multinomial(units, np.full(units, 1 / units), size=draws) / units
    deviation = np.nanstd(kendall(weights @ first.T, weights @ second.T), ddof=1) * np.sqrt(units / (units - groups))
    half = special.stdtrit(units - groups, 0.5 + level / 2) * deviation
    tau = float(kendall(first.mean(1), second.mean(1)))
    return max(tau - half, -1.0), min(tau + half, 1.0)


def _pair(names: dict, found: dict, one: tuple, two: tuple, order: list[str]) -> Pair | None:
    """Compare two rankings on the rows and units that both have; None if they share fewer than FEWEST_ROWS rows."""
    parts = [found[key][0] for key in (one, two)]
    parts = [part[part.accuracy.notna()] for part in parts]
    rows = [name for name in order if all(name in part.index for part in parts)]
    if len(rows) < FEWEST_ROWS:
        return None
    accuracies = [part.accuracy[rows] for part in parts]
    places = [accuracy.rank(ascending=False, method="min") for accuracy in accuracies]
    samples = [found[key][1] for key in (one, two)]
    units = [unit for unit in samples[0].units if unit in samples[1].units]
    if samples[0].blocks != samples[1].blocks:
        units = []
    scores = []
    for (_, model, variant), sample in zip((one, two), samples, strict=True):
        places_of_rows = [sample.rows.index((model, name, variant)) for name in rows]
        columns = [sample.units.index(unit) for unit in units]
        seeds = sample.scores[places_of_rows][:, :, columns]
        with np.errstate(invalid="ignore"):
            scores.append(np.nansum(seeds, 1) / np.isfinite(seeds).sum(1))
    known = np.isfinite(scores).all((0, 1))
    interval = kendall_interval(*(side[:, known] for side in scores), groups=samples[0].groups)
    tau = float(kendall(*(accuracy.to_numpy() for accuracy in accuracies)))
    return Pair((names[one], names[two]), tau, *interval, int(known.sum()), places[0] - places[1])
