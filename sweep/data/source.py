"""What a data source does: it finds the recordings of a folder, each an audio file and its labels."""

import hashlib
from pathlib import Path
from typing import ClassVar

from rich.console import Console

from sweep.data.recording import Pair

SPLITS = ("train", "test")


class Source:
    """A folder of recordings; a subclass, registered under the name that `data.source` gives, knows its layout.

    Args:
        root: the folder.

    Attributes:
        RESAMPLES: whether audio of another sample rate is resampled; sources whose labels count samples refuse it.
    """

    RESAMPLES: ClassVar[bool] = False

    def __init__(self, root: Path):
        self.root = root

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        """The recordings of "train" or "test", and the problems with them, one line each."""
        raise NotImplementedError

    def make(self, console: Console) -> None:
        """Make the folder, if this is a data set that the program makes."""

    def files(self) -> list[tuple[str, Path]] | None:
        """The files that make up the set, each with its split if the layout does not say it; None: always the same."""
        raise NotImplementedError

    def fingerprint(self) -> str | None:
        """What tells one folder from another of its name: a hash of its files' names and sizes."""
        found = self.files()
        if found is None:
            return None
        parts = sorted((split, path.relative_to(self.root).as_posix(), path.stat().st_size) for split, path in found)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
