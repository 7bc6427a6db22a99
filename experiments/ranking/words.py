"""What the tables, sentences and pictures of the ranking share: names of the metrics, tables and intervals as text."""

from collections.abc import Sequence

import numpy as np

METRICS = {"accuracy": "Accuracy", "note_f1": "Note F1", "note_offset_f1": "Note F1 with offsets"}
EXPLAINED = ("accuracy", "note_f1")  # whose spread is divided among the choices


def grid(heads: Sequence[str], lines: Sequence[Sequence[str]], words: int = 1) -> str:
    """Write a table in Markdown; the first columns, so many as `words`, hold words, the others numbers."""
    rule = [" --- " if place < words else " ---: " for place in range(len(heads))]
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'|'.join(rule)}|", *(f"| {' | '.join(it)} |" for it in lines)])


def interval(middle: float, low: float, high: float, form: str = "+.3f") -> str:
    """Write a number and its interval, where there is one.

    >>> interval(0.5, 0.25, 0.75, ".2f"), interval(0.5, np.nan, np.nan)
    ('0.50 (0.25 to 0.75)', '+0.500')
    """
    return f"{middle:{form}}" + (f" ({low:{form}} to {high:{form}})" if np.isfinite([low, high]).all() else "")
