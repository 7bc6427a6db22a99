"""Write the remarks below a table: definitions of its columns, and limits of what follows from it."""

import warnings

import numpy as np
import pandas as pd

from sweep.registry import families
from sweep.report.certainty import FEWEST_UNITS
from sweep.report.columns import name_of
from sweep.report.rankings import FEWEST_ROWS
from sweep.report.tau import carried
from sweep.report.units import FEWEST_RECORDINGS, GROUPS, Sample
from sweep.results.scoring import BLOCK_SECONDS
from sweep.results.table import REMARKS

_MOST = 0.5  # share of the spread
_CNN_BINS = 128  # bins that the CNN's first kernel spans


def values(column: pd.Series, form: str = "") -> str:
    """Join the distinct values of a column with "and".

    Args:
        column: values; NaN is left out.
        form: format of a value, such as ",".
    """
    return " and ".join(format(value, form) for value in sorted(set(column.dropna())))


def remarks_on(table: pd.DataFrame, certainty: list[str]) -> list[str]:
    """Write the remarks on a table, one or two sentences each.

    Args:
        table: table of the runs, `build_table`.
        certainty: remarks on the certainty, `certainty_remarks`, which are put among the others.
    """
    done, rest = table[table.status == "done"], table[table.status != "done"]
    remarks = [f"{row.status}: {row.run}: {row.note}" for row in rest[rest.note != ""].itertuples()]
    if len(rest):
        remarks += [f"{len(rest)} of {len(table)} runs are not done: the sweep's command, given again, runs them."]
    if done.empty:
        return remarks
    remarks += [
        f"Acc, P, R, F, Etot: mir_eval multipitch at threshold {values(done.threshold)}. AP: micro average precision. "
        "Unweighted means over the test recordings; the best of a column stands out.",
        f"windows/s: training; time: of the call that finished the run; on {values(done.device)}.",
        "context: samples, at the row's own rate, that the longest kernel needs; marked * where more than a window "
        f"has, {values(done.window, ',')}, so that low bins reach into padding.",
    ]
    segmental = done.model[done.sees == "segment"]
    if len(segmental):
        remarks += [
            f"For {values(segmental)} a window is a segment here, in windows/s too: the model says of each of its "
            "frames what sounds."
        ]
    if done.note_f1.notna().any():
        remarks += [
            "note F1: mir_eval.transcription, equal pitch and onset within 50 ms; with offset also that, within 50 ms "
            "or 20 % of the duration."
        ]
    remarks += sorted(set(done.labels.dropna()) - {""})
    if said := values(done.trained_on[done.trained_on != ""]):
        remarks += [f"Trained on {said}."]
    remarks += _of_rows(done)
    empty = done[done.empty_filters > 0].drop_duplicates(["representation", "variant"])
    if len(empty):
        counts = zip(name_of(empty), empty.empty_filters, strict=True)
        filters = ", ".join(f"{name} ({count})" for name, count in counts)
        remarks += [f"Empty filters, whose input is constant: {filters}."]
    for name, family in families.importable(sorted(done.family.dropna().unique())).items():
        said = family.remark(values(done.norm[done.family == name]))
        remarks += [said] * (said is not None)
    remarks += certainty
    if done.arithmetic.notna().any():
        remarks += [
            f"Arithmetic: precision={values(done.arithmetic)}, front-end accuracy {values(done.frontend_accuracy)}."
        ]
    narrow = done[(done.model.str.partition("+")[0] == "cnn") & (done.bins < _CNN_BINS)].representation.unique()
    if len(narrow):
        remarks += [
            f"The CNN's first kernel spans all bins where there are fewer than its {_CNN_BINS}: {', '.join(narrow)}."
        ]
    controlled = done.variant.str.contains(r"\bcapacity\b")
    if controlled.any():
        remarks += [
            "+capacity: each frame's bins go through a fixed random projection to as many features for all rows."
        ]
    if (~controlled & (done.sees != "segment")).any():
        which = values(done.model[done.sees != "segment"])
        whose = f"the weights of {which} grow" if len(segmental) else "the model's weights grow"
        remarks += [f"Representation and model size are confounded: {whose} with the number of bins."]
    remarks += _changes(done)
    if (done.source == "demo").any():
        remarks += ["Demo data: these scores are synthetic and are not evidence about recorded music."]
    return remarks


def _of_rows(done: pd.DataFrame) -> list[str]:
    """Write what the rows say of themselves, each remark with the rows that it is about."""
    rows = done.drop_duplicates(["representation", "variant"])
    names = list(name_of(rows))
    about: dict[str, list[str]] = {}
    for name, remarks in zip(names, rows.remarks, strict=True):
        for remark in filter(None, remarks.split(REMARKS)):
            about.setdefault(remark, []).append(name)
    written = []
    order = list(dict.fromkeys(remark.partition(":")[0] for remark in about))
    for remark, some in sorted(about.items(), key=lambda item: order.index(item[0].partition(":")[0])):
        others = [name for name in names if name not in some]
        which = f": all but {', '.join(others)}" if len(some) > len(others) else f": {', '.join(some)}"
        written.append(f"{remark}{which if others else ''}.")
    return written


def certainty_remarks(lines: pd.DataFrame, sample: Sample) -> list[str]:
    """Write remarks on what the intervals and marks are based on, and what cannot be concluded from them.

    Args:
        lines: lines of the table, `summarise`.
        sample: scores behind the lines.
    """
    if not sample.rows:
        return []
    recordings = len(sample.recordings)
    seeds = int(lines.seeds.max())
    remarks = []
    of = _count(recordings, "test recording")
    if lines.low.notna().any():
        also = f" and {seeds} seeds; \N{PLUS-MINUS SIGN}: standard deviation over seeds" if seeds > 1 else ""
        remarks += [f"95 %: t-interval of the mean {sample.metric.words} over {sample.described}{also}."]
        if sample.comparable:
            remarks += [
                "best: rows that cannot be told from the best of the table, of their family, or of both (paired max-t; "
                "each of these sets holds all that are truly best with 95 % confidence)."
            ]
    if sample.blocks:
        remarks += _block_remarks(lines, sample, of)
    elif sample.kind == GROUPS:
        remarks += [
            "Recordings of one group, of one player for example, are no independent evidence: the units are groups."
        ]
    if sample.comparable:
        remarks += _one_unit(sample)
    if seeds == 1:
        remarks += [
            "One seed: how much another training run would change a row is not known, so all this is about these "
            "trained models; a small difference between two representations may be chance. seed=0,1,2 measures it."
        ]
    elif (lines.seeds[lines.seeds > 0] < seeds).any():
        remarks += [f"Some rows have fewer than {seeds} seeds; their intervals take the others' variance over seeds."]
    return remarks


def _one_unit(sample: Sample) -> list[str]:
    """Warn where one unit, such as a chord held for the last block, carries most of how far the rows lie apart."""
    remarks = []
    for group in dict.fromkeys((model, variant) for model, _, variant in sample.rows):
        at = [place for place, (model, _, variant) in enumerate(sample.rows) if (model, variant) == group]
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # units without a score
            scores = np.nanmean(sample.scores[at], axis=1)
        known = np.isfinite(scores).all(0)
        if len(at) < FEWEST_ROWS or known.sum() < FEWEST_UNITS:
            continue
        unit, share, tau = carried(scores[:, known])
        name = np.array(sample.units)[known][unit]
        if share > _MOST:
            whose = f"{'+'.join(filter(None, group))}: {name}, one of {known.sum()} units, carries {100 * share:.0f} %"
            without = f"without it the order of the rows agrees with this one by a Kendall's tau of {tau:.2f}"
            remarks += [f"{whose} of how far the better half of the rows lie apart; {without}."]
    return remarks


def _block_remarks(lines: pd.DataFrame, sample: Sample, of: str) -> list[str]:
    """Write remarks on blocks of time, for tests with too few recordings to compare."""
    missing = lines[(lines.seeds > 0) & lines.low.isna()]
    remarks = []
    if len(missing):
        rows = "" if len(missing) == (lines.seeds > 0).sum() else f" for {', '.join(missing.representation)}"
        why = "these results, of an older version, do not hold. overwrite=true makes them anew."
        if sample.metric.ratio is None:
            why = f"{sample.metric.words} does not have."
        few = f"with fewer than {FEWEST_RECORDINGS} test recordings it needs blocks of time"
        remarks += [f"No interval{rows}: {few}, which {why}"]
    if len(missing) < (lines.seeds > 0).sum():
        remarks += [
            f"Fewer than {FEWEST_RECORDINGS} test recordings: the units are blocks of time, of {BLOCK_SECONDS:.0f} s "
            "in recordings over a minute; the intervals allow for the correlation of neighbouring blocks."
        ]
    only = "this recording" if len(sample.recordings) == 1 else "these recordings"
    return [*remarks, f"{of[0].upper()}{of[1:]}: nothing follows about other music than {only}."]


def _count(number: int, noun: str) -> str:
    return f"{'one' if number == 1 else number} {noun}{'' if number == 1 else 's'}"


def _changes(done: pd.DataFrame) -> list[str]:
    """Write a remark on what the command line changed in the protocol or the data, and on rows that differ in it."""
    groups = done.groupby("changed", sort=False).representation.unique()
    if len(groups) == 1:
        return [f"Changed on the command line: {groups.index[0]}."] if groups.index[0] else []
    parts = (f"{changed or 'nothing changed'}: {', '.join(rows)}" for changed, rows in groups.items())
    return [f"These rows have different settings, so do not compare them across: {'; '.join(parts)}."]
