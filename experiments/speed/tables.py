"""The columns of results-<device>.csv, what is worked out from them, and the tables that the README shows."""

import argparse
import math
from pathlib import Path

import pandas as pd

COLUMNS = (
    "workload", "row", "front_end", "mode", "forward_ms", "forward_q1", "forward_q3", "both_ms", "both_q1", "both_q3",
    "graph_ms", "graph_q1", "graph_q3", "setup_s", "setup_again_s", "peak_mb", "peak_both_mb", "floor_ms",
    "over_floor", "best_peer", "best_peer_over_this", "both_best_peer_over_this", "correlation", "repeats", "batch",
    "size", "family", "bins", "frames", "samples", "music", "device", "machine", "threads", "load", "bandwidth_gb_s",
    "versions", "revision", "note", "reason",
)  # fmt: skip
OURS = "ours"


def finish(rows: list[dict]) -> list[dict]:
    """Fill in each row's ratio to the floor and to the fastest peer of its case; a graph's to the fastest graph's.

    `forward_ms` counts outside graphs, `graph_ms` apart. What was not measured stays empty.
    """
    by_case = {}
    for row in rows:
        by_case.setdefault((row["workload"], row["row"]), []).append(row)
    for case in by_case.values():
        rivals = [row for row in case if row["front_end"] != OURS]
        best = {}
        for column in ("forward_ms", "both_ms"):
            timed = [row for row in rivals if row.get(column)]
            best[column] = min(timed, key=lambda row: float(row[column])) if timed else None
        for row in case:
            if row.get("forward_ms"):
                row["over_floor"] = round(float(row["forward_ms"]) / float(row["floor_ms"]), 2)
            if best["forward_ms"] and row.get("forward_ms"):
                row["best_peer"] = label(best["forward_ms"])
            for column, ratio in (("forward_ms", "best_peer_over_this"), ("both_ms", "both_best_peer_over_this")):
                if best[column] and row.get(column):
                    row[ratio] = round(float(best[column][column]) / float(row[column]), 3)
    return rows


def label(row) -> str:
    """A front-end's name in the tables: with its mode where it has several."""
    name, mode = row["front_end"], row["mode"]
    return f"{name} {mode}" if name == OURS or mode == "TF32" else name


def read(path: Path) -> pd.DataFrame:
    """The results, `label` added."""
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    table["label"] = table.apply(label, axis=1)
    return table


def report(table: pd.DataFrame) -> str:
    """All tables of a results file, in Markdown."""
    first = table.iloc[0]
    head = f"{first['machine']}, {first['threads']} threads, {first['music']}, copy {first['bandwidth_gb_s']} GB/s; "
    head += f"load average {table.load.min():.1f} to {table.load.max():.1f}, the experiment's own included."
    parts = [head]
    for workload, rows in table.groupby("workload", sort=False):
        for size, same in rows.groupby("size", sort=False):
            parts.append(f"**{workload}**: {size}. Times in ms, median (quartiles).")
            parts.append(sweep(same) if workload == "sweep" else paper(same))
    failed = table[table.reason.notna()]
    lines = [f"- {name}: {why} ({', '.join(rows.row)})" for (name, why), rows in failed.groupby(["label", "reason"])]
    lines = [line if len(line) < 220 else line[: line.rindex("(")] + f"({line.count(',') + 1} rows)" for line in lines]
    return "\n\n".join([*parts, "Without a time:\n\n" + "\n".join(lines) if lines else ""]).rstrip()


def paper(table: pd.DataFrame) -> str:
    """A block of rows per representation, a line per front-end, the fastest first."""
    lines = [
        "| | forward | best peer / this | this / floor | forward + backward | set-up, s (again) | peak, MB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row, case in table.groupby("row", sort=False):
        timed = case[case.forward_ms.notna()].sort_values("forward_ms")
        lines.append(f"| **{row}**, floor {number(case.floor_ms.iloc[0])} | | | | | | |")
        for _, it in timed.iterrows():
            cells = (
                it.label,
                timing(it, "forward"),
                number(it.best_peer_over_this),
                number(it.over_floor),
                timing(it, "both"),
                number(it.setup_s) + (f" ({number(it.setup_again_s)})" if present(it.setup_again_s) else ""),
                number(it.peak_mb),
            )
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def sweep(table: pd.DataFrame) -> str:
    """A line per representation: ours in each mode, nnAudio's fastest, librosa, the best peer; ratios of some modes."""
    by_specux = ["ours specux"] if (table.label == "ours specux").any() else []
    names = ["ours exact", "ours high", "ours fast", *by_specux, "nnAudio", "librosa"]
    compared = ["ours fast", "ours high", *by_specux]
    columns = [column for column in ("graph_ms", "forward_ms") if table[column].notna().any()]
    lines = []
    for column in columns:
        what = "in a CUDA graph" if column == "graph_ms" else "forward"
        lines += [
            "",
            f"| {what} | floor | {' | '.join(names)} | best peer | its time | its / {' | its / '.join(compared)} |",
            "| --- |" + " ---: |" * (len(names) + 1) + " --- |" + " ---: |" * (len(compared) + 1),
        ]
        for row, case in table.groupby("row", sort=False):
            times = dict(zip(case.label, case[column], strict=True))
            nnaudio = [t for name, t in times.items() if name.startswith("nnAudio") and present(t)]
            times["nnAudio"] = min(nnaudio, default=math.nan)
            rivals = case[(case.front_end != OURS) & case[column].notna()].sort_values(column)
            best, best_ms = (rivals.label.iloc[0], rivals[column].iloc[0]) if len(rivals) else ("", math.nan)
            cells = [row, number(case.floor_ms.iloc[0]), *(number(times.get(name, math.nan)) for name in names), best]
            cells += [number(best_ms), *(number(best_ms / times.get(name, math.nan)) for name in compared)]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines).strip()


def timing(row, column: str) -> str:
    """A median and its quartiles."""
    middle, lower, upper = (row[f"{column}_{what}"] for what in ("ms", "q1", "q3"))
    return f"{number(middle)} ({number(lower)}-{number(upper)})" if present(middle) else ""


def present(value) -> bool:
    """Whether there is a number."""
    return not (value is None or value == "" or pd.isna(value))


def number(value: float) -> str:
    """Three digits.

    >>> number(0.01234), number(1.234), number(12.34), number(1234.5)
    ('0.0123', '1.23', '12.3', '1,234')
    """
    if not present(value):
        return ""
    digits = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:,.{max(0, digits)}f}"


def main() -> None:
    """Print the tables of results files, those beside this file by default."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed.tables", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(Path(__file__).parent.glob("results-*.csv")))
    for path in parser.parse_args().files:
        print(report(read(path)) + "\n")


if __name__ == "__main__":
    main()
