"""Compare the rankings of the same representations under several protocols, models, variants or metrics."""

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.report.tau import Halves, halves, kendall, kendall_interval
from sweep.report.units import Sample

FEWEST_ROWS = 3  # fewest rows of a ranking
_MOVERS = 5  # most rows named in a remark


@dataclass(frozen=True)
class Pair:
    """Two rankings of the same rows.

    Attributes:
        names: names of the two rankings.
        tau: Kendall's tau-b between the mean scores.
        low, high: 95 % interval of tau over units; NaN if there are too few units.
        units: number of units that the interval rests on.
        halves: tau of orders from halves of the units; None with too few.
        moves: places that each representation rises from the first ranking to the second, in the order of the table.
    """

    names: tuple[str, str]
    tau: float
    low: float
    high: float
    units: int
    halves: Halves | None
    moves: pd.Series


@dataclass(frozen=True)
class Rankings:
    """Result of `rank`.

    Attributes:
        table: one row a representation: bins, and for each ranking score_<name> and rank_<name> (1 is the best).
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
        return ["bins", *(f"score {name}" for name in reversed(self.names))]

    def cells(self) -> pd.DataFrame:
        """Format the printed columns as text; the best row of each ranking is set between **."""
        cells = pd.DataFrame({"representation": self.table.representation, "bins": self.table.bins.map(str)})
        for name in self.names:
            score, place = self.table[f"score_{name}"], self.table[f"rank_{name}"]
            cells[f"score {name}"] = ["" if pd.isna(value) else f"{value:.3f}" for value in score]
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
                + _beside(pair)
                + (f"Most places up or down: {movers}." if movers else "No row changes its place.")
            ]
        return remarks + [
            "Units are the test recordings, groups of them or blocks of time named under each table; the interval is "
            "about other such units, not about other training runs."
        ]


def rank(tables: dict[str, tuple[pd.DataFrame, Sample]], across: bool = True) -> Rankings | None:
    """Rank the representations by their mean score, once for each table, model and variant that has some.

    Args:
        tables: lines of `summarise` and the sample behind them, by a name: of a protocol, or of a metric.
        across: whether rankings of different models and variants are compared, too.

    Returns:
        The rankings; None unless there are two of at least FEWEST_ROWS representations each.
    """
    found = {}
    for table_name, (lines, sample) in tables.items():
        for (model, variant), part in lines[lines.status == "done"].groupby(["model", "variant"], sort=False):
            if part.value.count() >= FEWEST_ROWS:
                found[table_name, model, variant] = part.set_index("representation"), sample
    if len(found) < 2:
        return None
    varies = [len(set(column)) > 1 for column in zip(*found, strict=True)]
    names = {key: " ".join(part for part, shown in zip(key, varies, strict=True) if shown and part) for key in found}
    names = {key: name or "default" for key, name in names.items()}
    lines = [part for part, _ in tables.values()]
    order = list(dict.fromkeys(pd.concat(lines).sort_index(kind="stable").representation))
    table = pd.DataFrame({"bins": pd.concat([part.bins for part, _ in found.values()]).groupby(level=0).first()})
    table = table.reindex([name for name in order if name in table.index])
    for key, (part, _) in found.items():
        table[f"score_{names[key]}"] = part.value
        table[f"rank_{names[key]}"] = part.value.rank(ascending=False, method="min")
    both = [keys for keys in itertools.combinations(found, 2) if across or keys[0][1:] == keys[1][1:]]
    pairs = [_pair(names, found, *keys, list(table.index)) for keys in both]
    return Rankings(table.reset_index(names="representation"), list(names.values()), [pair for pair in pairs if pair])


def _pair(names: dict, found: dict, one: tuple, two: tuple, order: list[str]) -> Pair | None:
    """Compare two rankings on the rows and units that both have; None if they share fewer than FEWEST_ROWS rows."""
    parts = [found[key][0] for key in (one, two)]
    parts = [part[part.value.notna()] for part in parts]
    rows = [name for name in order if all(name in part.index for part in parts)]
    if len(rows) < FEWEST_ROWS:
        return None
    scores_of_rows = [part.value[rows] for part in parts]
    places = [side.rank(ascending=False, method="min") for side in scores_of_rows]
    samples = [found[key][1] for key in (one, two)]
    units = [unit for unit in samples[0].units if unit in samples[1].units]
    if samples[0].kind != samples[1].kind:
        units = []
    scores = []
    for (_, model, variant), sample in zip((one, two), samples, strict=True):
        places_of_rows = [sample.rows.index((model, name, variant)) for name in rows]
        columns = [sample.units.index(unit) for unit in units]
        seeds = sample.scores[places_of_rows][:, :, columns]
        with np.errstate(invalid="ignore"):
            scores.append(np.nansum(seeds, 1) / np.isfinite(seeds).sum(1))
    known = np.isfinite(scores).all((0, 1))
    sides = [side[:, known] for side in scores]
    interval = kendall_interval(*sides, strata=samples[0].strata)
    tau = float(kendall(*(side.to_numpy() for side in scores_of_rows)))
    moves = places[0] - places[1]
    return Pair((names[one], names[two]), tau, *interval, int(known.sum()), halves(*sides), moves)


def _beside(pair: Pair) -> str:
    """Say how far orders from halves of the units agree, without which a tau says little."""
    if pair.halves is None:
        return ""
    one, two = pair.names
    first, second, across = (f"{tau:.2f}" for tau in pair.halves)
    return f"Orders from two halves of the units agree by {first} ({one}) and {second} ({two}), across by {across}. "
