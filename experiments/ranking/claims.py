"""Sentences that say what the tables of the ranking show; every number and every row in them comes from the results."""

import numpy as np

from experiments.ranking.factors import Share
from experiments.ranking.losses import BASE, Knob, Loss
from experiments.ranking.noise import Beside, Unit
from experiments.ranking.orders import Alike, Key, best_rows
from experiments.ranking.steady import Held
from experiments.ranking.words import EXPLAINED, interval
from sweep.report.units import Sample

MODELS = ("linear", "conv")  # those that all rows are trained before
_STEADY = 3  # rows that are named
_MUCH = 0.5  # share of an order's spread


def claims(
    ranked: dict[tuple[str, str], Sample],
    alike: list[Alike],
    split: list[Beside],
    alone: list[Unit],
    shared: dict[Key, list[Share]],
    lost: dict[tuple[str, str], list[Loss]],
    moved: dict[tuple[str, str], list[Knob]],
    held: list[Held],
    without: dict[str, Held],
) -> str:
    """Write the sentences as a list.

    Args:
        ranked: samples by set and metric.
        alike: Kendall's tau of pairs of orders, `orders.pairs`.
        split: how alike orders from halves of the units are.
        alone: the unit that carries most of each order.
        shared: what the choices explain, by model, metric and set.
        lost: what choices lose, by set and metric.
        moved: what changed things do, by set and metric.
        held: what holds of the rows that are in every order, and of all rows.
        without: what holds of the former without one of the sets.
    """
    claimed = [
        _orders(alike, "model", MODELS, "under another model, linear and conv"),
        _orders(alike, "metric", EXPLAINED, "by another metric, accuracy and note F1"),
        _orders(alike, "set", tuple(dict.fromkeys(name for name, _ in ranked))[:2], "on another set"),
        _beside(split),
        _carrying(alone),
        _best(ranked),
        _steady(held, without),
        _explained(shared),
        *_lost(lost),
        _moved(moved),
    ]
    return "\n".join(f"- **{head}**\n" + "\n".join(f"    - {it}" for it in items) for head, items in claimed if items)


def _by_set(found: dict[str, list[str]]) -> list[str]:
    return [f"{name}: {'; '.join(said)}." for name, said in found.items()]


def _metric(name: str) -> str:
    return {"accuracy": "accuracy", "note_f1": "note F1"}[name]


def _orders(alike: list[Alike], varied: str, values: tuple[str, ...], what: str) -> tuple[str, list[str]]:
    """Kendall's tau of the orders of the rows with one thing changed between two values."""
    place, found = ("model", "metric", "set").index(varied), dict[str, list[str]]()
    for pair in alike:
        model, metric, name = pair.one
        if pair.varied != [varied] or {pair.one[place], pair.other[place]} != set(values):
            continue
        if model in MODELS and metric in EXPLAINED:
            words = {"model": _metric(metric), "metric": model, "set": f"{_metric(metric)}, {model}"}[varied]
            tau = f"{words} {interval(pair.tau, pair.low, pair.high, '.2f')}, {pair.rows} rows"
            where = " and ".join(values) if varied == "set" else name
            found.setdefault(where, []).append(tau)
    return f"How alike the order is {what}: Kendall's tau.", _by_set(found)


def _best(ranked: dict[tuple[str, str], Sample]) -> tuple[str, list[str]]:
    """The rows that may be the best under both MODELS; and those that may be in each comparison of all models."""
    found, sets = dict[str, list[str]](), list[list[str]]()
    for (name, metric), sample in ranked.items():
        if metric in EXPLAINED:
            best = best_rows(sample)
            sets += [rows for rows in best.of_model.values() if rows is not None]
            models = best.whole
            rows = best.everywhere(models) if models else []
            few = f" ({', '.join(rows)})" if 0 < len(rows) <= 8 else ""
            told = f"{len(rows)} of {best.rows[models[0]]}{few}" if models else "cannot be said, too few units"
            found.setdefault(name, []).append(f"{_metric(metric)} {told}")
    items = _by_set(found)
    if len(sets) > 1:
        every = [row for row in sets[0] if all(row in rows for rows in sets)]
        items.append(f"in each of the {len(sets)} sets of such rows, of all models: {', '.join(every) or 'none'}.")
    return "Rows that may be the best under linear and under conv, at 95 % confidence.", items


def _beside(split: list[Beside]) -> tuple[str, list[str]]:
    """How far orders from other halves of the units agree, within and across, where one thing is changed."""
    items = []
    for it in split:
        one, other = it.pair.one, it.pair.other
        if {one[0], other[0]} <= set(MODELS) and it.pair.rows > 12:
            (at,) = [place for place in range(3) if one[place] != other[place]]
            same = ", ".join(_name(word) for place, word in enumerate(one) if place != at)
            halves = f"halves of {_name(one[at])} {it.halves.first:.2f}, of {_name(other[at])} {it.halves.second:.2f}"
            items.append(f"{same}: {halves}, across {it.halves.across:.2f}.")
    return "How much of that is chance: mean tau of orders from other halves of the units.", items


def _carrying(alone: list[Unit]) -> tuple[str, list[str]]:
    """The orders of which one unit carries more than _MUCH."""
    much = [it for it in alone if it.share > _MUCH]
    items = [f"{', '.join(map(_name, it.order))}: {it.name} {100 * it.share:.0f} %, tau {it.tau:.2f}." for it in much]
    return "Orders whose better half hangs on one unit, its share of the spread and tau without it.", items


def _name(word: str) -> str:
    return _metric(word) if word in EXPLAINED else word


def _steady(held: list[Held], without: dict[str, Held]) -> tuple[str, list[str]]:
    """The rows that lose least where they lose most, with all sets and without each; the pairs that always agree."""
    items = []
    for it in held:
        least = []
        for row in it.fared[:_STEADY]:
            where = ", ".join(map(_name, row.where))
            loses = interval(row.loss, row.low, row.high, ".3f")
            least.append(f"{row.row} {loses} ({where}; place {row.lowest}; first in {100 * row.first:.0f} % of draws)")
        rows = len(it.fared)
        items.append(f"{rows} rows in {len(it.orders)} orders: {'; '.join(least)}.")
        every = f"{len(it.agreed)} of {rows * (rows - 1) // 2} pairs"
        items.append(f"{rows} rows in {len(it.orders)} orders: {every} stand the same way round in each.")
    for name, it in without.items():
        least = [f"{row.row} {interval(row.loss, row.low, row.high, '.3f')}" for row in it.fared[:_STEADY]]
        items.append(f"{len(it.fared)} rows without {name}, {len(it.orders)} orders: {'; '.join(least)}.")
    return "Rows that lose least where they lose most.", items


def _explained(shared: dict[Key, list[Share]]) -> tuple[str, list[str]]:
    """The choice that explains most, and the next one."""
    found = dict[str, list[str]]()
    for (model, metric, name), of_it in shared.items():
        first, *others = sorted(of_it, key=lambda it: -it.share)
        told = f"{model}, {_metric(metric)}: {first.factor} {_percent(first)}"
        if others:
            told += f", then {others[0].factor} {_percent(others[0])}"
        found.setdefault(name, []).append(told)
    return "What explains most of how far the rows lie apart, in percent of the variance.", _by_set(found)


def _percent(it: Share) -> str:
    return interval(100 * it.share, 100 * it.low, 100 * it.high, ".0f")


def _lost(lost: dict[tuple[str, str], list[Loss]]) -> list[tuple[str, list[str]]]:
    """What each choice loses, by model, metric and set."""
    claimed: dict[str, dict[str, list[str]]] = {}
    for (name, metric), of_it in lost.items():
        for it in of_it:
            other = it.choice.removeprefix("the highest under ")
            if metric not in EXPLAINED or it.model not in MODELS or other != it.choice and other not in MODELS:
                continue
            head = f"What one loses by {it.choice}" + f", {it.row}" * (other == it.choice)
            apart = "nothing, it is the highest" if it.row == it.best else interval(it.loss, it.low, it.high)
            told = f"{it.model}, {_metric(metric)} {apart}" + f" ({it.row})" * (other != it.choice)
            claimed.setdefault(f"{head}.", {}).setdefault(name, []).append(told)
    return [(head, _by_set(found)) for head, found in claimed.items()]


def _moved(moved: dict[tuple[str, str], list[Knob]]) -> tuple[str, list[str]]:
    """The knobs that are sure of all at once, and how far the others move a score."""
    items = []
    for (name, metric), of_it in moved.items():
        for model in dict.fromkeys(it.model for it in of_it if metric in EXPLAINED):
            own = [it for it in of_it if it.model == model and np.isfinite(it.change)]
            sure = sorted((it for it in own if it.sure), key=lambda it: -abs(it.change))
            told = "; ".join(f"{_changed(it)} {interval(it.change, it.low, it.high)}" for it in sure) or "none"
            items.append(f"{name}, {model}, {_metric(metric)}: {told}.{_rest([it for it in own if not it.sure])}")
    return (
        "Knobs that are told from 0 with all knobs of a model, metric and set allowed for; six units at least.",
        items,
    )


def _rest(unsure: list[Knob]) -> str:
    """The largest change that is not sure, and half the width of their median interval."""
    if not unsure:
        return ""
    most = max(unsure, key=lambda it: abs(it.change))
    same = " in {} of {} units".format(*most.same)
    half = float(np.nanmedian([(it.high - it.low) / 2 for it in unsure]))
    change = interval(most.change, most.low, most.high)
    told = f" Of the other {len(unsure)} the largest is {_changed(most)} {change},{same}"
    return told + (f"; half of their intervals are wider than ±{half:.3f}." if np.isfinite(half) else ".")


def _changed(it: Knob) -> str:
    row = it.row.removeprefix("knob/")
    return row if it.base == BASE else f"{row} against {it.base.removeprefix('knob/')}"
