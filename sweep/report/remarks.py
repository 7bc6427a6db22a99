"""What a reader must know to read a table rightly."""

import pandas as pd

_CNN_BINS = 128  # that the CNN's first kernel spans


def values(column: pd.Series, form: str = "") -> str:
    """The different values of a column, in words."""
    return " and ".join(format(value, form) for value in sorted(set(column.dropna())))


def remarks_on(table: pd.DataFrame) -> list[str]:
    """What a reader must know to read the table rightly, one sentence or two each."""
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
        f"context: samples that the longest kernel needs; marked * where more than the {values(done.window, ',')} of a "
        "window, so that low bins reach into padding.",
    ]
    empty = done[done.empty_filters > 0].drop_duplicates("representation")
    if len(empty):
        filters = ", ".join(f"{row.representation} ({row.empty_filters})" for row in empty.itertuples())
        remarks += [f"Empty mel filters, whose input is the constant log(1e-5): {filters}."]
    if "cqt" in set(done.family):
        norm = values(done.norm[done.family == "cqt"]) or "sqrt_length"
        ours = "our normalisation: scaled by the square root of each kernel's length"
        remarks += [f"Constant-Q in {ours if norm == 'sqrt_length' else f'normalisation {norm}'}."]
    if done.seed.nunique() == 1:
        remarks += ["One seed: no error bars, so a small difference between two rows may be chance."]
    if done.arithmetic.notna().any():
        remarks += [
            f"Arithmetic: precision={values(done.arithmetic)}, front-end accuracy {values(done.frontend_accuracy)}."
        ]
    narrow = done[(done.model == "cnn") & (done.bins < _CNN_BINS)].representation.unique()
    if len(narrow):
        remarks += [
            f"The CNN's first kernel spans all bins where there are fewer than its {_CNN_BINS}: {', '.join(narrow)}."
        ]
    controlled = done.variant.str.contains(r"\bcapacity\b")
    if controlled.any():
        remarks += [
            "+capacity: each frame's bins go through a fixed random projection to as many features for all rows."
        ]
    if not controlled.all():
        remarks += ["Representation and model size are confounded: the model's weights grow with the number of bins."]
    remarks += _changes(done)
    if (done.source == "demo").any():
        remarks += ["Demo data: these scores are synthetic and are not evidence about recorded music."]
    return remarks


def _changes(done: pd.DataFrame) -> list[str]:
    """What the command line changed in the protocol or the data, and which rows differ in that."""
    groups = done.groupby("changed", sort=False).representation.unique()
    if len(groups) == 1:
        return [f"Changed on the command line: {groups.index[0]}."] if groups.index[0] else []
    parts = (f"{changed or 'nothing changed'}: {', '.join(rows)}" for changed, rows in groups.items())
    return [f"These rows were not made alike, so do not compare them across: {'; '.join(parts)}."]
