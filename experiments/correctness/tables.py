"""The results as a file and as Markdown."""

import csv
import importlib.metadata
from pathlib import Path

COLUMNS = (
    "transform", "front_end", "mode", "signal", "convention", "error", "error_rescaled", "factor", "worst_bin_hz",
    "worst_bin_error", "error_by_ours", "aliasing_db", "aliasing_tone_hz", "aliasing_bin_hz", "engine_aliasing_db",
    "reason",
)  # fmt: skip
ROUNDED = ("error", "error_rescaled", "factor", "worst_bin_error", "error_by_ours")
PACKAGES = ("torch", "numpy", "nnAudio", "librosa", "torchaudio", "diffsptk")


def installed(package: str) -> bool:
    """Whether a package is there."""
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def write(path: Path, rows: list[dict]) -> None:
    """Write rows, errors with four digits."""
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows({k: f"{v:.4g}" if k in ROUNDED else v for k, v in row.items()} for row in rows)


def read(path: Path) -> list[dict]:
    """The rows of a file, as text."""
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def label(row: dict) -> str:
    """A front-end's name in the tables."""
    return f"{row['front_end']} {row['mode']}".strip()


def report(rows: list[dict]) -> str:
    """A table a transform: errors by signal, the worst bin over all signals, aliasing; then what did not run."""
    lines = []
    for transform in dict.fromkeys(row["transform"] for row in rows):
        some = [row for row in rows if row["transform"] == transform and row["signal"]]
        signals = list(dict.fromkeys(row["signal"] for row in some))
        aliases = any(row["aliasing_db"] for row in some)
        heads = [f"**{transform}**", *signals, "worst bin"] + ["aliasing, dB"] * aliases
        lines += ["", f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
        for name in dict.fromkeys(map(label, some)):
            of_it = {row["signal"]: row for row in some if label(row) == name}
            worst = max(of_it.values(), key=lambda row: float(row["worst_bin_error"]))
            cells = [f"{float(of_it[signal]['error']):.1e}" for signal in signals]
            cells.append(f"{float(worst['worst_bin_error']):.1e} at {float(worst['worst_bin_hz']):,.0f} Hz")
            convention = worst["convention"]
            name += f" (by {convention}'s convention)" if convention != "ours" else ""
            if aliases:
                cells.append(f"{float(worst['aliasing_db']):.0f}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
    lines.append("")
    lines += [f"- {row['transform']}, {label(row)}: {row['reason']}" for row in rows if row["reason"]]
    return "\n".join(lines).strip()
