"""What has been measured, on disk: written whole after each cell, read again by the command that goes on."""

import csv
import io
from pathlib import Path

import numpy as np

from sweep.files import whole, write_whole

RESULTS = (
    "protocol", "front_end", "head", "trainable", "wide", "seed", "rate", "kernel_rate", "epochs", "steps", "weights",
    "train_mse", "test_mse", "kernels_moved", "bank_moved", "seconds", "size", "machine",
)  # fmt: skip
CURVES = ("protocol", "front_end", "head", "trainable", "seed", "epoch", "train_mse", "test_mse")
RATES = (
    "protocol", "front_end", "head", "trainable", "rate", "kernel_rate", "epochs", "validation_mse", "chosen",
    "seconds", "size", "machine",
)  # fmt: skip
_CELL = ("protocol", "front_end", "head", "trainable", "seed")


class Records:
    """The files of one size in a folder: results<suffix>.csv, curves<suffix>.csv, rates<suffix>.csv, taps<suffix>.npz.

    Args:
        folder: theirs.
        suffix: "" for the full size, else "-reduced".

    Attributes:
        results, curves, rates: rows, numbers as text.
        taps: name -> array.
    """

    def __init__(self, folder: Path, suffix: str):
        self.folder, self.suffix = folder, suffix
        self.results, self.curves, self.rates = (_read(self._path(name)) for name in ("results", "curves", "rates"))
        self.taps = {}
        if self._path("taps").exists():
            with np.load(self._path("taps"), allow_pickle=False) as stored:
                self.taps = dict(stored)

    def has(self, **key) -> bool:
        """Whether a row of the results has these values."""
        return any(_fits(row, key) for row in self.results)

    def chosen(self, **key) -> dict | None:
        """The row of the search's choice for a cell, or None where there is none yet."""
        return next((row for row in self.rates if row["chosen"] == "1" and _fits(row, key)), None)

    def add(self, results: list[dict], curves: list[dict], taps: dict[str, np.ndarray]) -> None:
        """Write finished runs down, the results last: what stands there is done."""
        done = {tuple(str(row[name]) for name in _CELL) for row in results}
        kept = [row for row in self.curves if tuple(row[name] for name in _CELL) not in done]  # of a run cut off here
        self.curves = kept + _as_text(CURVES, curves)
        self.results += _as_text(RESULTS, results)
        self.taps |= taps
        self._write("curves", CURVES, self.curves)
        if taps:
            with whole(self._path("taps")) as partial, open(partial, "wb") as file:
                np.savez_compressed(file, **self.taps)
        self._write("results", RESULTS, self.results)

    def add_rates(self, rates: list[dict]) -> None:
        """Write a finished search down."""
        self.rates += _as_text(RATES, rates)
        self._write("rates", RATES, self.rates)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}{self.suffix}.{'npz' if name == 'taps' else 'csv'}"

    def _write(self, name: str, columns: tuple[str, ...], rows: list[dict]) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, columns, lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(rows)
        write_whole(self._path(name), text.getvalue())


def _fits(row: dict, key: dict) -> bool:
    return all(row[name] == str(value) for name, value in key.items())


def _read(path: Path) -> list[dict]:
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def _as_text(columns: tuple[str, ...], rows: list[dict]) -> list[dict]:
    """Rows with all columns, numbers with five digits: as they are read again."""
    values = ({name: row.get(name, "") for name in columns} for row in rows)
    return [{k: f"{v:.5g}" if isinstance(v, float) else str(v) for k, v in row.items()} for row in values]
