"""The base class of data sources, which find the recordings of a folder, each an audio file and its labels."""

import hashlib
from pathlib import Path
from typing import ClassVar

from rich.console import Console

from sweep.data.recording import Pair

SPLITS = ("train", "test")


class Source:
    """A folder of recordings; each layout is a subclass, registered under its value of `data.source`.

    Args:
        root: folder of the recordings.

    Attributes:
        RESAMPLES: whether audio of another sample rate is resampled; sources whose labels count samples refuse it.
        LABELS: sentence for a table on what the labels' onsets and offsets are; a pedal may lengthen what is heard.
    """

    RESAMPLES: ClassVar[bool] = False
    LABELS: ClassVar[str] = ""

    def __init__(self, root: Path):
        self.root = root

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        """Find the recordings of "train" or "test", and the problems with them, one line each."""
        raise NotImplementedError

    def make(self, console: Console) -> None:
        """Create the folder if the program makes this data set."""

    def files(self) -> list[tuple[str, Path]] | None:
        """List the set's files, each with its split if the layout does not show it; None: the set never changes."""
        raise NotImplementedError

    def fingerprint(self) -> str | None:
        """Hash the files' names and sizes, to tell folders of the same name apart."""
        found = self.files()
        if found is None:
            return None
        parts = sorted((split, path.relative_to(self.root).as_posix(), path.stat().st_size) for split, path in found)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
