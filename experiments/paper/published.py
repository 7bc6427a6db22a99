"""What was published, each value with its source, and how tables are written."""

import csv
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXPERIMENTS = HERE.parent
UNKNOWN = "unknown"


class Published:
    """The values of published.csv.

    P1 is nnAudio (IEEE Access 2020), P2 the IJCNN paper of 2020. What the file does not have no source at hand says.
    """

    def __init__(self, path: Path = HERE / "published.csv"):
        self.rows = read(path)

    def __call__(self, table: str, row: str, column: str) -> str:
        """A value as it was printed, or "unknown"."""
        key = (table, row, column)
        return next((it["value"] for it in self.rows if (it["table"], it["row"], it["column"]) == key), UNKNOWN)

    def sources(self, table: str) -> str:
        """Where a table's values stand."""
        return "; ".join(dict.fromkeys(it["source"] for it in self.rows if it["table"] == table))


def read(path: Path) -> list[dict]:
    """The rows of a CSV file, as text; none where there is no such file."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    """Markdown: the first column to the left, the others to the right."""
    lines = [f"| {' | '.join(heads)} |", f"| --- |{' ---: |' * (len(heads) - 1)}"]
    return ["", *lines, *(f"| {' | '.join(row)} |" for row in rows), ""]


def digits(value: float, count: int = 3) -> str:
    """A number to so many digits."""
    return f"{float(f'{value:.{count}g}'):,g}" if abs(value) >= 1e-3 else f"{value:.{count - 1}e}"
