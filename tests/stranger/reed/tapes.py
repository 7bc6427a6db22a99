"""Tapes: <root>/<split>/<player>/<take>.wav, and the notes beside it in <take>.json."""

import json
from collections.abc import Iterator
from pathlib import Path

from sweep.data.recording import DataError, Pair
from sweep.data.source import Source, missing


class Tapes(Source):
    """Takes of several players, with notes in JSON.

    Args:
        root: folder of the tapes.
        shortest: notes shorter than so many seconds are left out.
    """

    LABELS = "Labels as a player marked them."

    def __init__(self, root: Path, shortest: float = 0.0):
        super().__init__(root)
        self.shortest = shortest

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        takes = sorted((self.root / split).glob("*/*.wav"))
        problems = missing(self.root) or ([] if takes else [f"{self.root / split}: no take in it; correct data.root"])
        named = [(take, f"{take.parent.name}/{take.stem}") for take in takes]
        return [Pair(name, take, take.with_suffix(".json"), take.parent.name) for take, name in named], problems

    def notes(self, labels: Path) -> Iterator[tuple[float, float, int]]:
        try:
            marked = json.loads(labels.read_text())
        except ValueError as error:
            raise DataError(f"{labels}: no JSON ({error}): export it again") from None
        for note in marked:
            if note["lasts"] >= self.shortest:
                yield note["from"], note["from"] + note["lasts"], note["pitch"]
