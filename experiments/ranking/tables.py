"""Prints results.csv as tables and sentences in Markdown: python -m experiments.ranking.tables [results.csv] [--fill].

With --fill they are put into README.md. Intervals are 95 % intervals over the units named with them.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.collecting import fill
from experiments.ranking.claims import claims
from experiments.ranking.factors import Share, choices, design, rank, shares
from experiments.ranking.losses import BASE, Knob, Loss, knobs, losses
from experiments.ranking.noise import Beside, Unit, beside, carrying
from experiments.ranking.orders import Alike, Key, Order, best_rows, orders, pairs
from experiments.ranking.samples import RESULTS, described, models_of, of_model, read, samples
from experiments.ranking.steady import Held, steady, without
from experiments.ranking.words import EXPLAINED, METRICS, grid, interval
from sweep.report.certainty import means
from sweep.report.units import Sample

README = Path(__file__).with_name("README.md")
USUAL = (25, 300)  # ms, the windows that are usual: neither very short nor longer than music's notes
Samples = dict[tuple[str, str], Sample]


def units(found: Samples) -> str:
    """Say for each set what the units of its intervals are."""
    sets = {name: sample for (name, metric), sample in found.items() if metric == "accuracy"}
    return "\n".join(f"- {name}: {described(sample)}." for name, sample in sets.items())


def scores(found: Samples) -> str:
    """Write each row's mean and place, by set, model and metric."""
    columns, names = {}, list[str]()
    for (name, metric), sample in found.items():
        for model in models_of(sample) if metric in EXPLAINED else ():
            rows, of_rows = of_model(sample, model)
            columns[name, METRICS[metric], model] = pd.Series(means(of_rows), rows)
            names += [row for row in rows if row not in names]
    parts = []
    for name in dict.fromkeys(key[0] for key in columns):
        of_set = {key: values for key, values in columns.items() if key[0] == name}
        lines = [[row, *(_placed(values, row) for values in of_set.values())] for row in names]
        heads = [f"{metric}, {model}" for _, metric, model in of_set]
        parts += [f"**{name}**", grid(["row", *heads], [line for line in lines if any(line[1:])])]
    return "\n\n".join(parts)


def _placed(values: pd.Series, row: str) -> str:
    if row not in values or np.isnan(values[row]):
        return ""
    return f"{values[row]:.3f} ({values.rank(ascending=False, method='min')[row]:.0f})"


def best(found: Samples) -> str:
    """Write how many rows may be the best, by set, metric and model, and which may be under several models."""
    lines = []
    for (name, metric), sample in found.items():
        of_it = best_rows(sample)
        for model, rows in of_it.of_model.items():
            told = "cannot be said" if rows is None else f"{len(rows)} of {of_it.rows[model]}"
            names, of_rows = of_model(sample, model)
            lines.append([name, METRICS[metric], model, names[int(np.nanargmax(means(of_rows)))], told])
        compared = [model for model, rows in of_it.of_model.items() if rows is not None]
        for under in dict.fromkeys((tuple(of_it.whole), tuple(compared))) if compared else ():
            said = ", ".join(of_it.everywhere(list(under))) or "none"
            lines.append([name, METRICS[metric], f"each of {', '.join(under)}", "", said])
    return grid(["set", "by", "model", "highest", "may be the best"], lines, words=5)


def taus(found: list[Alike], varied: str) -> str:
    """Write Kendall's tau of the orders that differ in one thing: "model", "metric" or "set"."""
    place = ("model", "metric", "set").index(varied)
    chosen = [pair for pair in found if pair.varied == [varied]]
    values = list(dict.fromkeys(key[place] for pair in chosen for key in (pair.one, pair.other)))
    heads = [(one, other) for one, other in combinations(values, 2)]
    rest = list(dict.fromkeys(_without(pair.one, place) for pair in chosen))
    cells = {(_without(pair.one, place), pair.one[place], pair.other[place]): _tau(pair) for pair in chosen}
    cells |= {(key, other, one): cell for (key, one, other), cell in cells.items()}
    lines = [[*map(_word, key), *(cells.get((key, *head), "") for head in heads)] for key in rest]
    named = [name for name in ("model", "metric", "set") if name != varied]
    return grid([*named, *(f"{_word(one)}, {_word(other)}" for one, other in heads)], lines, words=2)


def _without(key: Key, place: int) -> tuple[str, ...]:
    return (*key[:place], *key[place + 1 :])


def _word(name: str) -> str:
    return METRICS.get(name, name)


def _tau(pair: Alike) -> str:
    return f"{interval(pair.tau, pair.low, pair.high, '.2f')}, {pair.rows} rows"


def explained(found: dict[Key, Order], names: Sequence[str] | None = None) -> dict[Key, list[Share]]:
    """Divide the spread of the rows' scores among their choices.

    Args:
        found: orders of the rows.
        names: rows to take; None: all.

    Returns:
        The shares of each order of EXPLAINED that has at least three rows for each column of the linear model.
    """
    shared = {}
    for key, order in found.items():
        rows = [row for row in order.rows if names is None or row in names]
        columns = design([choices(row) for row in rows]) if key[1] in EXPLAINED and len(rows) > 2 else {}
        if columns and len(rows) >= 3 * rank(columns)[1]:
            at = [order.rows.index(row) for row in rows]
            shared[key] = shares(order.scores[at].mean(1), columns)
    return shared


def shares_table(shared: dict[Key, list[Share]]) -> str:
    """Write what each choice explains, in percent of the variance over the rows, and beyond all others (own)."""
    parts = []
    for name in dict.fromkeys(key[2] for key in shared):
        of_set = {key: found for key, found in shared.items() if key[2] == name}
        first = next(iter(of_set.values()))
        lines = []
        for place, one in enumerate(first):
            cells = [f"{100 * one.chance:.0f}", f"{100 * one.known:.0f}"]
            for found in of_set.values():
                it = found[place]
                cells.append(f"{_percent(it.share, it.low, it.high)}; {100 * it.own:.0f}")
            lines.append([f"{one.factor}, {one.columns}", *cells])
        total = [f"{100 * sum(it.share for it in found):.0f}" for found in of_set.values()]
        chance = f"{100 * sum(it.chance for it in first):.0f}"
        lines.append([f"all, {sum(it.columns for it in first)}", chance, "", *total])
        heads = [f"{METRICS[metric]}, {model}" for model, metric, _ in of_set]
        parts += [f"**{name}**", grid(["choice, columns", "by chance", "known", *heads], lines)]
    return "\n\n".join(parts)


def ranks(found: dict[Key, Order], names: Sequence[str] | None = None) -> str:
    """Say whether the choices of the rows can be told apart at all: the rank of the linear model and its columns."""
    rows = max((order.rows for order in found.values()), key=len)
    columns = design([choices(row) for row in rows if names is None or row in names])
    if not columns:
        return ""
    full, count = rank(columns)
    told = "none follows from the others exactly" if full == count else "the rest follow from them exactly"
    return f"Of the {count} columns {full} are independent, so {told}."


def _percent(middle: float, low: float, high: float) -> str:
    return interval(100 * middle, 100 * low, 100 * high, ".0f")


def losses_table(found: dict[tuple[str, str], list[Loss]]) -> str:
    """Write what each choice loses against the highest row of each model."""
    lines = []
    for (name, metric), of_it in found.items():
        for it in of_it:
            bound = f"{it.bound:.3f}" if np.isfinite(it.bound) else ""
            loses = "the same row" if it.row == it.best else interval(it.loss, it.low, it.high)
            cells = [it.best, f"{it.choice}: {it.row}", loses, bound]
            lines.append([name, METRICS[metric], it.model, *cells])
    return grid(["set", "by", "model", "highest", "taken", "loses", "at most"], lines, words=5)


def steady_table(held: Held) -> str:
    """Write how each row fares over all orders."""
    lines = []
    for it in held.fared:
        loses = interval(it.loss, it.low, it.high, ".3f")
        places = [f"{it.place:.1f}", str(it.lowest)]
        lines.append([it.row, _order(it.where), *places, loses, f"{100 * it.first:.0f} %"])
    heads = ["row", "where it loses most", "mean place", "lowest", "loses there", "loses least of all in"]
    return f"{len(held.fared)} rows in {len(held.orders)} orders:\n\n" + grid(heads, lines, words=2)


def halves_table(found: list[Beside]) -> str:
    """Write how alike orders from halves of the units are: within each of two orders, and across them."""
    lines = []
    for it in found:
        taus = [f"{tau:.2f}" for tau in it.halves]
        lines.append([_order(it.pair.one), _order(it.pair.other), str(it.pair.rows), *taus])
    heads = ["one order", "the other", "rows", "halves of the one", "halves of the other", "across"]
    return grid(heads, lines, words=2)


def carried_table(found: list[Unit]) -> str:
    """Write which unit carries most of each order."""
    lines = [[_order(it.order), it.name, f"{100 * it.share:.0f} %", f"{it.tau:.2f}"] for it in found]
    return grid(["order", "unit", "of the spread", "tau without it"], lines, words=2)


def _order(key: Key) -> str:
    model, metric, name = key
    return f"{name}, {METRICS[metric]}, {model}"


def knobs_table(found: dict[tuple[str, str], list[Knob]]) -> str:
    """Write what each changed thing does to each score; bold where it is sure of all knobs at once."""
    parts = []
    for name in dict.fromkeys(name for name, _ in found):
        columns = {}
        for (of_set, metric), of_it in found.items():
            for it in of_it if of_set == name else ():
                cell = interval(it.change, it.low, it.high)
                columns.setdefault((metric, it.model), {})[it.row] = f"**{cell}**" if it.sure else cell
                bases = columns.setdefault("base", {})
                bases[it.row] = it.base
        bases = columns.pop("base")
        lines = [[_knob(row, base), *(of.get(row, "") for of in columns.values())] for row, base in bases.items()]
        heads = [f"{METRICS[metric]}, {model}" for metric, model in columns]
        parts += [f"**{name}**", grid(["changed", *heads], lines)]
    return "\n\n".join(parts)


def _knob(row: str, base: str) -> str:
    word = row.removeprefix("knob/")
    return word if base == BASE else f"{word} (base {base.removeprefix('knob/')})"


def markdown(table: pd.DataFrame) -> str:
    """Write all tables and sentences."""
    ranked, changed = samples(table), samples(table, ("knobs",))
    found = orders(ranked)
    alike, shared = list(pairs(found)), explained(found)
    split = [it for pair in alike if not _offsets(pair) and (it := beside(pair, found))]
    alone = [carrying(key, order) for key, order in found.items() if key[1] in EXPLAINED]
    paper = [row for row in dict.fromkeys(table.representation) if _of_paper(row)]
    usual = [row for row in dict.fromkeys(table.representation) if row.partition("/")[0] != "knob" and _usual(row)]
    lost = {key: losses(sample) for key, sample in ranked.items() if key[1] in EXPLAINED}
    moved = {key: knobs(sample) for key, sample in changed.items()}
    held = [it for it in (steady(found), steady(found, most=True)) if it]
    parts = [
        *("### In short", claims(ranked, alike, split, alone, shared, lost, moved, held, without(found))),
        *("### Units", units({**ranked, **{(f"{k[0]}, knobs", k[1]): it for k, it in changed.items()}})),
        *("### Which rows may be the best", best(ranked)),
        *("### Do the models order the rows alike?", taus(alike, "model")),
        *("### Do the metrics?", taus(alike, "metric"), "### Do the sets?", taus(alike, "set")),
        *("### How much of an order is chance?", halves_table(split), carried_table(alone)),
        *("### What explains the spread", shares_table(shared), ranks(found)),
        *("The paper's rows alone:", shares_table(explained(found, paper)), ranks(found, paper)),
        *(
            f"Rows with windows of {USUAL[0]} to {USUAL[1]} ms alone, {len(usual)}:",
            shares_table(explained(found, usual)),
        ),
        *("### What a choice loses", losses_table(lost)),
        *("### Which rows hold everywhere", *map(steady_table, held)),
        *("### What one knob is worth", knobs_table({key: it for key, it in moved.items() if it})),
        *("### All rows", scores(ranked)),
    ]
    pictures = [f"![{path.stem}]({path.name})" for path in sorted(README.parent.glob("figure-*.png"))]
    return "\n\n".join(filter(None, [*parts, *pictures]))


def _usual(row: str) -> bool:
    return USUAL[0] <= 2 ** choices(row)["window"] <= USUAL[1]


def _offsets(pair: Alike) -> bool:
    return any(key[1] not in EXPLAINED for key in (pair.one, pair.other))


def _of_paper(row: str) -> bool:
    return row.partition("-")[0] in ("linear", "log", "mel", "cqt")


def main() -> None:
    """Print the tables, or put them into the page."""
    parser = argparse.ArgumentParser(prog="python -m experiments.ranking.tables", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="file that `collect` wrote")
    parser.add_argument("--fill", action="store_true", help="put them into README.md instead of printing them")
    options = parser.parse_args()
    try:
        text = markdown(read(options.results))
        fill(README, text) if options.fill else print(text)
    except (OSError, ValueError) as error:
        sys.exit(f"experiments.ranking: {error}")


if __name__ == "__main__":
    main()
