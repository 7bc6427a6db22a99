"""Define the columns of a table, choose among them, and format their cells."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from sweep.report.units import ROW
from sweep.results.scoring import SCORES
from sweep.results.table import on_set, sets_of

# Text of the column "best", by whether a row may be the best of the table and the best of its family.
BEST = {(False, False): "", (True, False): "table", (False, True): "family", (True, True): "both"}
# Headings of the columns that a narrow console leaves out, first to last.
SPARE = ["R", "P", "windows/s", "F", "bins", "context", "Etot", "AP"]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        heading: heading of the column.
        names: columns of summary.csv and table.csv that it shows; the table is sorted by the first of them.
        text: function from the lines of `summarise` to the text of each cell.
        better: max or min if a higher or lower value is better, so that the best is set between **; None if neither.
        wanted: function that tells whether the column is shown by default; None if it is shown on request only.
    """

    heading: str
    names: tuple[str, ...]
    text: Callable[[pd.DataFrame], list[str]]
    better: Callable | None = None
    wanted: Callable[[pd.DataFrame], bool] | None = None


def default_columns(lines: pd.DataFrame) -> list[Column]:
    """Choose the columns of a table for which the user named none.

    Args:
        lines: lines of the table, `summarise`.
    """
    columns = [column for column in COLUMNS if column.wanted and column.wanted(lines)]
    # The score that ranks the rows stands before the others, its spread, its interval and its marks behind it.
    names = [column.names[0] for column in columns]
    place, metric = names.index("accuracy"), lines.metric.iloc[0]
    first = [column for column in COLUMNS if column.names[0] == metric]
    first += [column for column in columns if column.names[0] in ("spread", "low", "best_of_table")]
    columns = [*columns[:place], *first, *(column for column in columns[place:] if column not in first)]
    place = [column.names[0] for column in columns].index("windows_per_second")
    return [*columns[:place], *_elsewhere(lines, dict.fromkeys([metric, "note_f1"])), *columns[place:]]


def spare_of(columns: Iterable[Column]) -> list[str]:
    """Return the headings of the columns that a narrow console leaves out, first to last.

    Args:
        columns: columns of the table.
    """
    return [*SPARE, *(column.heading for column in columns if column.heading.startswith("note F1 on "))]


def heading_of(metric: str) -> str:
    """Return the heading of a score's column.

    Args:
        metric: name of the score.
    """
    return next(column.heading for column in COLUMNS if column.names[0] == metric)


def choose_columns(lines: pd.DataFrame, names: Iterable[str]) -> list[Column]:
    """Look up the columns that a user names; the representation is always the first one.

    Args:
        lines: lines of the table, `summarise`.
        names: headings of the table, in any case and with any spaces, or columns of summary.csv.

    Raises:
        ValueError: a column does not exist.
    """
    every = [*COLUMNS, *_elsewhere(lines, SCORES)]
    known = {_plain(column.heading): column for column in reversed(every)}
    known |= {column.names[0]: column for column in every if column.names[0] not in known}
    chosen = [COLUMNS[0]]
    for name in names:
        column = known.get(_plain(name)) or _unnamed(lines, name.strip())
        if column is None:
            headings = ", ".join(column.heading for column in every)
            raise ValueError(f"--columns {name}: no such column; choose among {headings}, or those of summary.csv")
        if column not in chosen:
            chosen.append(column)
    return chosen


def cells_of(lines: pd.DataFrame, columns: list[Column]) -> pd.DataFrame:
    """Format the columns as text, under their headings; the best score of a column is set between **.

    Args:
        lines: lines of the table, `summarise`.
        columns: columns to format.
    """
    cells = {}
    for column in columns:
        texts = column.text(lines)
        if column.better and lines[column.names[0]].count() > 1:
            shown = lines[column.names[0]].round(3)
            best = column.better(shown.dropna())
            texts = [f"**{text}**" if value == best else text for text, value in zip(texts, shown, strict=True)]
        cells[column.heading] = texts
    return pd.DataFrame(cells)


def part_of(table: pd.DataFrame, identity: Iterable[str], columns: list[Column]) -> pd.DataFrame:
    """Select the columns of summary.csv or table.csv that the table shows, with those that identify a row.

    Args:
        table: content of summary.csv or table.csv.
        identity: names of the columns that identify a row.
        columns: columns of the printed table.
    """
    names = dict.fromkeys([*identity, *(name for column in columns for name in column.names)])
    return table[[name for name in names if name in table]]


def name_of(lines: pd.DataFrame) -> pd.Series:
    """Name each row of a table: <representation>, or <representation>+<variant>.

    Args:
        lines: lines of the table, `summarise`.
    """
    return lines.representation + lines.variant.map(lambda name: f"+{name}" * bool(name))


def label_of(lines: pd.DataFrame) -> pd.Series:
    """Name each row as `name_of` does, with the model if the table has several.

    Args:
        lines: lines of the table, `summarise`.
    """
    return name_of(lines) if lines.model.nunique() <= 1 else name_of(lines) + " (" + lines.model + ")"


def _elsewhere(lines: pd.DataFrame, scores: Iterable[str]) -> list[Column]:
    """Return the columns of some scores on other sets, a group for each set; a score that no line has is left out."""
    at_home = {column.names[0]: column for column in COLUMNS}
    found = []
    for name in sets_of(lines):
        for score in scores:
            column, own = at_home.get(score), on_set(score, name)
            if column and lines[own].notna().any():
                texts = _number(own, "{:.3f}")
                found.append(Column(f"{column.heading} on {name}", (own,), texts, column.better))
    return found


def _plain(heading: str) -> str:
    return heading.replace(" ", "").casefold()


def _texts(values: pd.Series, form: str) -> list[str]:
    return ["" if pd.isna(value) else form.format(value) for value in values]


def _number(name: str, form: str, scale: float = 1) -> Callable[[pd.DataFrame], list[str]]:
    return lambda lines: _texts(lines[name] * scale if scale != 1 else lines[name], form)


def _unnamed(lines: pd.DataFrame, name: str) -> Column | None:
    """Make a column for a column of summary.csv that is not in COLUMNS."""
    if name not in lines:
        return None
    form = "{:.3f}" if name in SCORES or pd.api.types.is_float_dtype(lines[name]) else "{}"
    return Column(name, (name,), _number(name, form))


def _seeds(lines: pd.DataFrame) -> list[str]:
    pairs = zip(lines.seeds, lines.runs, strict=True)
    return [f"{done}" if done == runs else f"{done} of {runs}" for done, runs in pairs]


def _context(lines: pd.DataFrame) -> list[str]:
    long = (lines.context > lines.window).fillna(False)
    return [f"{cell}*" if star else cell for cell, star in zip(_texts(lines.context, "{:,}"), long, strict=True)]


def _interval(lines: pd.DataFrame) -> list[str]:
    ends = zip(_texts(lines.low, "{:.3f}"), _texts(lines.high, "{:.3f}"), strict=True)
    return ["\N{EN DASH}".join(filter(None, pair)) for pair in ends]


def _best(lines: pd.DataFrame) -> list[str]:
    return [BEST[pair] for pair in zip(*(lines[name].fillna(False) for name in _MARKS), strict=True)]


def _time(lines: pd.DataFrame) -> list[str]:
    """Format the time of each line, or the status of a line that is not done."""

    def words(seconds: float) -> str:
        if seconds < 99.5:
            return f"{seconds:.0f} s"
        return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"

    pairs = zip(lines.seconds, lines.status, strict=True)
    return [words(seconds) if status == "done" else status for seconds, status in pairs]


def _score(heading: str, name: str, better: Callable) -> Column:
    return Column(heading, (name,), _number(name, "{:.3f}"), better, _always)


def _always(_: pd.DataFrame) -> bool:
    return True


def _has_intervals(lines: pd.DataFrame) -> bool:
    return lines.low.notna().any()


_MARKS = ("best_of_table", "best_of_family")
_TIMES = ("seconds", "seconds_setup", "seconds_training", "seconds_scoring")

COLUMNS = (
    Column("representation", tuple(ROW[1:]), lambda lines: list(name_of(lines)), None, _always),
    Column("model", ("model",), _number("model", "{}"), None, lambda lines: lines.model.nunique() > 1),
    Column("seeds", ("seeds", "runs"), _seeds, None, lambda lines: lines.runs.max() > 1),
    Column("bins", ("bins",), _number("bins", "{}"), None, _always),
    Column("context", ("context", "window"), _context, None, _always),
    _score("Acc", "accuracy", max),
    Column(
        "\N{PLUS-MINUS SIGN}",
        ("spread",),
        _number("spread", "{:.3f}"),
        None,
        lambda lines: lines.spread.notna().any(),
    ),
    Column("95 %", ("low", "high"), _interval, None, _has_intervals),
    Column("best", _MARKS, _best, None, _has_intervals),
    _score("P", "precision", max),
    _score("R", "recall", max),
    _score("F", "f_measure", max),
    _score("Etot", "e_tot", min),
    _score("AP", "average_precision", max),
    Column("note F1", ("note_f1",), _number("note_f1", "{:.3f}"), max, lambda lines: lines.note_f1.notna().any()),
    Column("note F1 with offset", ("note_offset_f1",), _number("note_offset_f1", "{:.3f}"), max),
    Column("windows/s", ("windows_per_second",), _number("windows_per_second", "{:,.0f}"), None, _always),
    Column("time", _TIMES, _time, None, _always),
    Column("operations", ("multiply_adds",), _number("multiply_adds", "{:,.0f} M/s", 1e-6)),
    Column("at most less", ("loss",), _number("loss", "{:.3f}")),
    Column("parameters", ("parameters",), _number("parameters", "{:,}")),
    Column("memory", ("peak_memory_bytes",), _number("peak_memory_bytes", "{:,.0f} MiB", 2**-20)),
    Column("empty filters", ("empty_filters",), _number("empty_filters", "{}")),
    Column("threshold", ("threshold",), _number("threshold", "{:.3g}")),
)
