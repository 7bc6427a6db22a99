"""The comparison table of one <runs>/<data>/<protocol> folder: built from its results, printed and written."""

import os
import re
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.text import Text

from sweep import locks
from sweep.files import write_whole
from sweep.report.printing import markdown, print_cells
from sweep.report.rankings import rank
from sweep.report.remarks import certainty_remarks, remarks_on, values
from sweep.report.summary import summarise
from sweep.report.units import read_sample
from sweep.results import CHECKPOINT, LOCK, MODEL, PLAN, RESULT, TRACEBACK, read_plan, read_result
from sweep.scoring import SCORES

FAMILIES = ("linear", "log", "mel", "cqt")  # the paper's order

IDENTITY = ("run", "representation", "variant", "family", "model", "data", "protocol", "seed", "status", "note")
COUNTS = ("bins", "context", "empty_filters", "recordings", "parameters_frontend", "parameters_model", "resumed_from")
COUNTS += ("peak_memory_bytes", "window")
SECONDS = ("seconds_setup", "seconds_training", "seconds_scoring")
WORDS = ("norm", "source", "arithmetic", "frontend_accuracy", "changed", "device", "git_revision")
NUMBERS = (*SCORES, "threshold", *SECONDS, "windows_per_second", "gpu_utilisation")

# The scores that are printed: heading, and which end of the column is the better one.
PRINTED_SCORES = {
    "accuracy": ("Acc", max),
    "precision": ("P", max),
    "recall": ("R", max),
    "f_measure": ("F", max),
    "e_tot": ("Etot", min),
    "average_precision": ("AP", max),
}
# Of the table, of its family: what a row may be the best of.
BEST = {(False, False): "", (True, False): "table", (False, True): "family", (True, True): "both"}
SPARE = [
    "R",
    "P",
    "windows/s",
    "F",
    "bins",
    "context",
    "Etot",
    "AP",
]  # what a narrow console does without, first to last


def build_table(folder: Path) -> pd.DataFrame:
    """The runs of one <runs>/<data>/<protocol> folder, planned or found, in the paper's order.

    Args:
        folder: holds sweep.json and, below <model>/<representation>[+<variant>]/seed-<n>/, the runs.

    Returns:
        One row a run. status is done, running (a living process holds its lock), failed, unfinished (there is a
        checkpoint), missing, or damaged (the result cannot be read); note says where it runs or why it failed.
        Scores are those of result.json, NaN where a run is not done.

    Raises:
        ValueError: sweep.json is damaged or names something that is no run.
    """
    found = [path.relative_to(folder).as_posix() for path in sorted(folder.glob("*/*/seed-*")) if _is_run(path)]
    rows = [_row(folder, run) for run in dict.fromkeys([*read_plan(folder), *found])]
    rows.sort(key=_place)
    table = pd.DataFrame(rows, columns=[*IDENTITY, *COUNTS, *NUMBERS, *WORDS])
    return table.astype(dict.fromkeys(("seed", *COUNTS), "Int64") | dict.fromkeys(NUMBERS, float))


def print_reports(directory: Path, console: Console | None = None) -> bool:
    """Prints a table for each <data>/<protocol> folder in, below or above a directory, and writes it there.

    table.csv holds every column of each run in full precision, summary.csv those of each printed line, table.md what is
    printed. Where the directory holds several rankings of the same data, they are set side by side: see
    `sweep.report.rankings`. No file is touched where nothing changed.

    Args:
        directory: the root of the runs, one run's folder, or anything between.
        console: where to print; standard output where None, 100 columns wide unless it is a terminal.

    Returns:
        Whether there was anything to report.

    Raises:
        ValueError: a sweep.json is damaged.
    """
    console = console or Console(width=None if sys.stdout.isatty() else 100)
    folders, samples = _protocol_folders(directory), {}
    for folder in folders:
        table = build_table(folder)
        sample = read_sample(folder, table)
        lines = summarise(table, sample)
        title, cells = _title(table), _cells(lines)
        remarks = remarks_on(table, certainty_remarks(lines, sample))
        print_cells(console, title, cells, remarks, SPARE)
        files = {"table.csv": table.to_csv(index=False), "summary.csv": lines.to_csv(index=False)}
        _write(console, folder, files | {"table.md": markdown(title, cells, remarks)})
        samples[folder] = lines, sample
    for data in dict.fromkeys(folder.parent for folder in folders):
        below = {folder.name: found for folder, found in samples.items() if folder.parent == data}
        rankings = rank(below) if len(below) == len(_protocol_folders(data)) else None
        if rankings:
            title, cells, remarks = f"{data.name}: {rankings.title}", rankings.cells(), rankings.remarks()
            print_cells(console, title, cells, remarks, rankings.spare)
            files = {"rankings.csv": rankings.table.to_csv(index=False), "rankings.md": markdown(title, cells, remarks)}
            _write(console, data, files)
    return bool(folders)


def _write(console: Console, folder: Path, files: dict[str, str]) -> None:
    try:
        for name, text in files.items():
            write_whole(folder / name, text)
    except OSError as error:  # somebody else's results can be looked at all the same
        console.print(Text(f"{' and '.join(files)} were not written: {error}", "red"))


def _protocol_folders(directory: Path) -> list[Path]:
    """The <data>/<protocol> folders in and below a directory, and the one it lies in if it is part of one."""
    folders = set()
    for name, below, files in os.walk(os.path.abspath(directory)):
        path = Path(name)
        if PLAN in files:
            folders.add(path)
        if path.name.startswith("seed-") and _is_run(path):
            if len(path.parents) > 2:
                folders.add(path.parents[2])
            below.clear()  # logs and pictures
    return sorted(folders)


def _is_run(path: Path) -> bool:
    return any((path / name).exists() for name in (RESULT, TRACEBACK, CHECKPOINT, LOCK))


def _row(folder: Path, run: str) -> dict:
    """One run's row: what its path says, and what its result says or why there is none."""
    parts = re.fullmatch(r"(?P<model>[^/]+)/(?P<representation>[^/+]+)(\+(?P<variant>[^/]+))?/seed-(?P<seed>\d+)", run)
    if not parts:
        raise ValueError(f"{folder / PLAN}: {run} is not <model>/<representation>/seed-<n>; delete the file")
    row = {"run": run, "data": folder.parent.name, "protocol": folder.name, "note": "", **parts.groupdict(default="")}
    row |= {"seed": int(row["seed"]), "family": row["representation"].partition("-")[0]}
    try:
        result = read_result(folder / run)
    except ValueError as error:
        return row | {"status": "damaged", "note": str(error)}
    if result:
        return row | {"status": "done"} | _figures(result)
    runs_at = locks.holder(folder / run / LOCK)
    if runs_at:
        return row | {"status": "running", "note": runs_at}
    if (folder / run / TRACEBACK).exists():
        lines = (folder / run / TRACEBACK).read_text(errors="replace").strip().splitlines()
        return row | {"status": "failed", "note": lines[-1] if lines else ""}
    begun = any((folder / run / name).exists() for name in (CHECKPOINT, MODEL))
    return row | {"status": "unfinished" if begun else "missing"}


def _figures(result: dict) -> dict:
    """The figures of a done run, one level deep."""
    config = result.get("config", {})
    return {
        **{name: figure for name, figure in result.items() if name not in ("representation", "model", "data", "seed")},
        **result["scores"],
        **{f"parameters_{name}": count for name, count in result.get("parameters", {}).items()},
        **{f"seconds_{name}": seconds for name, seconds in result.get("seconds", {}).items()},
        "recordings": len(result.get("recordings", {})),
        "threshold": result.get("threshold", config.get("threshold")),
        "arithmetic": config.get("precision"),
        "frontend_accuracy": config.get("frontend", {}).get("accuracy"),
        "window": config.get("protocol", {}).get("window", 16_384),
        "norm": config.get("representation", {}).get("norm"),
        "source": config.get("data", {}).get("source"),
        "changed": " ".join(f"{key}={value}" for key, value in config.get("changed", {}).items() if _shared(key)),
    }


def _shared(key: str) -> bool:
    """Whether a changed key is one that all rows should share; a representation's stands in its row's name."""
    return not key.startswith("representation.")


def _place(row: dict) -> tuple:
    """Sorts a row by family, numbers, variant, model and seed."""
    family = FAMILIES.index(row["family"]) if row["family"] in FAMILIES else len(FAMILIES)
    return family, _natural(row["representation"]), _natural(row["variant"]), row["model"], row["seed"]


def _natural(name: str) -> list[str | int]:
    """Sorts digits by their number, so that linear-512 comes before linear-1024; words and numbers alternate."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _title(table: pd.DataFrame) -> str:
    recordings = values(table.recordings) or "no"
    return (
        f"{table.data[0]}, protocol {table.protocol[0]}, model {values(table.model)}: "
        f"{(table.status == 'done').sum()} of {len(table)} runs done, "
        f"{recordings} test recording{'' if recordings == '1' else 's'}"
    )


def _cells(lines: pd.DataFrame) -> pd.DataFrame:
    """The printed columns as text; the best scores stand between **, a line without a done run has a status as time."""

    def text(column: pd.Series, form: str) -> list[str]:
        return ["" if pd.isna(value) else form.format(value) for value in column]

    cells = pd.DataFrame(
        {"representation": lines.representation + lines.variant.map(lambda name: f"+{name}" * bool(name))}
    )
    if lines.model.nunique() > 1:
        cells["model"] = lines.model
    if lines.runs.max() > 1:
        pairs = zip(lines.seeds, lines.runs, strict=True)
        cells["seeds"] = [f"{done}" if done == runs else f"{done} of {runs}" for done, runs in pairs]
    cells["bins"] = text(lines.bins, "{}")
    long = (lines.context > lines.window).fillna(False)
    cells["context"] = [
        f"{cell}*" if star else cell for cell, star in zip(text(lines.context, "{:,}"), long, strict=True)
    ]
    for column, (heading, better) in PRINTED_SCORES.items():
        scores = lines[column].round(3)
        best = better(scores.dropna(), default=None) if scores.count() > 1 else None
        cells[heading] = [
            f"**{cell}**" if score == best else cell for cell, score in zip(text(scores, "{:.3f}"), scores, strict=True)
        ]
        if column == "accuracy":
            if lines.accuracy_spread.notna().any():
                cells["\N{PLUS-MINUS SIGN}"] = text(lines.accuracy_spread, "{:.3f}")
            if lines.accuracy_low.notna().any():
                ends = zip(text(lines.accuracy_low, "{:.3f}"), text(lines.accuracy_high, "{:.3f}"), strict=True)
                cells["95 %"] = ["\N{EN DASH}".join(filter(None, pair)) for pair in ends]
                marks = zip(lines.best_of_table.fillna(False), lines.best_of_family.fillna(False), strict=True)
                cells["best"] = [BEST[pair] for pair in marks]
    cells["windows/s"] = text(lines.windows_per_second, "{:,.0f}")
    cells["time"] = [
        _time(s) if status == "done" else status for s, status in zip(lines.seconds, lines.status, strict=True)
    ]
    return cells


def _time(seconds: float) -> str:
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
