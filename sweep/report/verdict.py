"""Write the verdict of a table: the two rows to choose between, how certain that is, and what would tell more."""

import json
import math

import pandas as pd

from sweep.report.decision import Decision
from sweep.report.more_data import more_data
from sweep.report.units import ROW

_CONFIDENCE = "at 95 % confidence"


def verdict(decision: Decision, lines: pd.DataFrame) -> str:
    """Write the verdict in words.

    Args:
        decision: rows to name, `decide`.
        lines: lines of the table, `summarise`.
    """
    best, done = decision.highest, decision.done
    missing = int((lines.status != "done").sum())
    rest = f" {missing} of {len(lines)} rows are still to come." * bool(missing)
    if best is None:
        if (lines.status == "done").any():
            return (
                f"Nothing can be chosen: {decision.metric.words} is undefined, as it is without notes to test on.{rest}"
            )
        return "Nothing can be chosen yet: no run is done."
    scored = f"{best.label}, {decision.metric.words} {best.value:.3f}"
    if pd.notna(best.low):
        scored += f" (95 % {best.low:.3f}\N{EN DASH}{best.high:.3f})"
    if len(done) == 1:
        return f"There is nothing to choose between yet: the one row that is done is {scored}.{rest}"
    told = f"Highest: {scored}{_among(decision)}. {_good_enough(decision)}"
    basis = f" {_basis(decision)}."
    return told + basis + _more(decision) + rest


def as_json(decision: Decision, sentence: str) -> str:
    """Format the verdict as verdict.json, for programs.

    Args:
        decision: rows to name, `decide`.
        sentence: the verdict in words, `verdict`.
    """
    best, good, done, sample = decision.highest, decision.good_enough, decision.done, decision.sample
    content = {
        "choice": None if best is None else best.label,
        "metric": decision.metric.name,
        "value": None if best is None else _number(best.value),
        "interval": None if best is None else [_number(best.low), _number(best.high)],
        "margin": decision.margin,
        "good_enough": None,
        "bounds": {row.label: _number(row.loss) for row in done.itertuples()},
        "not_told_from_the_best": None if decision.unsure else list(decision.tied.label) if best is not None else [],
        "units": {"kind": sample.kind, "number": len(sample.units), "recordings": len(sample.recordings)},
        "seeds": decision.seeds,
        "limits": [*filter(None, [decision.unsure]), *decision.limits],
        "sentence": sentence,
    }
    if good is not None:
        content["good_enough"] = {
            "row": good.label,
            "value": _number(good.value),
            "less": _number(decision.less),
            "at_most": _number(decision.at_most),
            "multiply_adds": _number(good.multiply_adds),
            "of_the_highest": _number(good.multiply_adds / best.multiply_adds),
            "as_good_for_practical_purposes": decision.alike,
        }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _among(decision: Decision) -> str:
    """Say how many rows the highest can be told from."""
    if decision.unsure:
        return ""
    tied, rows = len(decision.tied), len(decision.done)
    if tied == 1:
        return f", better than {'the other row' if rows == 2 else f'each of the other {rows - 1} rows'} {_CONFIDENCE}"
    return f", one of {tied} rows of {rows} that may be the best"


def _good_enough(decision: Decision) -> str:
    """Name the row that is good enough, what it saves and what it may lose."""
    good, best, margin = decision.good_enough, decision.highest, f"{decision.margin:g}"
    if good is None:
        return f"No cheaper row is within {margin} of it."
    said = f"Good enough: {good.label} needs {_share(good, best)} and scores {_digits(decision.less)} less here"
    if math.isnan(decision.at_most):
        return f"{said}; how much less it may score elsewhere cannot be said."
    if decision.alike:
        return f"{said}; at most {_digits(decision.at_most)} less, so it is as good for practical purposes."
    return f"{said}; at most {_digits(decision.at_most)} less than the best row, {_CONFIDENCE}."


def _share(good: pd.Series, best: pd.Series) -> str:
    """Say what share of the highest row's operations, or of its parameters, a cheaper row needs."""
    what, share = "operations", good.multiply_adds / best.multiply_adds
    if share == 1:
        what, share = "parameters", good.parameters / best.parameters
    parts = round(1 / share)
    exact = parts > 1 and abs(parts * share - 1) <= 0.1  # near enough to one half, one third, ...
    return f"1/{parts} of the {what}" if exact else f"{100 * share:.0f} % of the {what}"


def _digits(value: float) -> str:
    return f"{value:.3f}" if value >= 0.0005 else f"{value:.4f}" if value >= 0.00005 else "0.000"


def _basis(decision: Decision) -> str:
    """Describe the units and seeds that the certainty is based on, and its limits."""
    seeds = "one seed" if decision.seeds == 1 else f"{decision.seeds} seeds"
    basis = f"Over {decision.sample.described} and {seeds}"
    basis += f" ({', '.join(decision.limits)})" * bool(decision.limits)
    return f"{basis}; how sure this is cannot be said: {decision.unsure}" if decision.unsure else basis


def _more(decision: Decision) -> str:
    """Say what more data would tell about the two rows named, or the two highest."""
    done, best = decision.done, decision.highest
    other = decision.good_enough
    if other is None:
        rest = done[done.label != best.label].sort_values("value", ascending=False, kind="stable")
        other = rest.iloc[0]
    if not decision.unsure and not bool(other.best_of_table):
        return ""  # already decided
    sample = decision.sample
    if not sample.units:
        return ""
    first, second = (sample.rows.index(tuple(row[ROW])) for row in (best, other))
    said = more_data(sample, first, second, (best.label, other.label))
    return f" {said}" * bool(said)


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
