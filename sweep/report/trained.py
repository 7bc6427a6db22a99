"""Compare rows with a trained front-end to the same rows with a fixed one."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.report import certainty
from sweep.report.units import ROW, Sample


@dataclass(frozen=True)
class Trained:
    """Result of `pair_up`.

    Attributes:
        table: one row a pair: model, representation, variant (the trained one's); fixed, trained and difference, by
            the metric; low and high, the 95 % interval of the difference; moved_kernels and moved_bank; slower, the
            fixed front-end's windows per second over the trained one's.
        metric: the metric in words.
    """

    table: pd.DataFrame
    metric: str

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"fixed and trained front-ends: {len(self.table)} pairs"

    @property
    def spare(self) -> list[str]:
        """Headings of the columns that a narrow console leaves out, first to last."""
        return ["slower", "kernels moved", "bank moved"]

    def cells(self) -> pd.DataFrame:
        """Format the printed columns as text; a difference whose interval excludes 0 is set between **."""
        table = self.table
        cells = pd.DataFrame({"representation": table.representation + "+" + table.variant})
        if table.model.nunique() > 1:
            cells.insert(0, "model", table.model)
        for name in ("fixed", "trained"):
            cells[name] = _texts(table[name], "{:.3f}")
        sure = (table.low > 0) | (table.high < 0)
        differences = _texts(table.difference, "{:+.3f}")
        cells["difference"] = [f"**{text}**" if mark else text for text, mark in zip(differences, sure, strict=True)]
        cells["95 %"] = [
            f"{low:+.3f} to {high:+.3f}" if np.isfinite(low) else ""
            for low, high in zip(table.low, table.high, strict=True)
        ]
        for heading, name in (("kernels moved", "moved_kernels"), ("bank moved", "moved_bank")):
            if table[name].notna().any():
                cells[heading] = _texts(table[name], "{:.1%}")
        cells["slower"] = _texts(table.slower, "{:.1f} times")
        return cells

    def remarks(self) -> list[str]:
        """Explain the columns."""
        return [
            f"difference: {self.metric} of the trained less that of the fixed front-end, over the seeds that both have."
            " 95 %: its paired t-interval over the units and seeds of the table above; highlighted if it excludes 0. "
            "No correction for many pairs: 1 in 20 is highlighted by chance. With one seed it is about these models.",
            "moved: median change of a kernel (band) relative to its initial norm. slower: windows per second of the "
            "fixed over those of the trained.",
        ]


def pair_up(lines: pd.DataFrame, sample: Sample) -> Trained | None:
    """Pair each line whose front-end was trained with the line that differs in nothing else.

    Args:
        lines: lines of the table, `summarise`.
        sample: scores behind the lines.

    Returns:
        The pairs; None if there are none.
    """
    done = lines[lines.status == "done"].set_index(ROW)
    rows = []
    for key in done.index:
        fixed = (key[0], key[1], fixed_variant(key[2]))
        if fixed == key or fixed not in done.index:
            continue
        one, other = done.loc[[fixed]].iloc[0], done.loc[[key]].iloc[0]
        places = [sample.rows.index(row) for row in (fixed, key)]
        differences = sample.scores[places[1]] - sample.scores[places[0]]
        (interval,) = certainty.intervals(differences[None], strata=sample.strata)
        (paired,) = certainty.means(differences[None])  # over the seeds that both have
        difference = paired if np.isfinite(paired) else other.value - one.value
        figures = {"fixed": one.value, "trained": other.value, "difference": difference}
        figures |= {
            "low": interval[0],
            "high": interval[1],
            "slower": one.windows_per_second / other.windows_per_second,
        }
        figures |= {name: other[name] for name in ("moved_kernels", "moved_bank")}
        rows.append(dict(zip(ROW, key, strict=True)) | figures)
    return Trained(pd.DataFrame(rows), sample.metric.words) if rows else None


def _texts(values: pd.Series, form: str) -> list[str]:
    """Format numbers; one that is not defined is an empty text."""
    return ["" if pd.isna(value) else form.format(value) for value in values]


def fixed_variant(variant: str) -> str:
    """Return the variant of the same row with a fixed front-end.

    >>> fixed_variant("trainable=bank+frontend_rate=1e-05+capacity")
    'capacity'
    """
    of_trained = ("trainable", "frontend_rate")
    return "+".join(part for part in variant.split("+") if part.partition("=")[0] not in of_trained)
