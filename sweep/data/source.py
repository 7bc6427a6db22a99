"""The base class of data sources, which find the recordings of a folder, each an audio file and its labels."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from rich.console import Console

from sweep.data.recording import DataError, Pair

SPLITS = ("train", "test")


class Source:
    """A folder of recordings; each layout is a subclass, registered under its value of `data.source`.

    Arguments that a subclass adds are its keys in a configuration.

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
        """Find the recordings of "train" or "test", and the problems with them, one line each, or a `Remark`."""
        raise NotImplementedError

    def notes(self, labels: Path) -> Iterable[tuple[float, float, int]] | None:
        """Read the notes of a label file that is neither MusicNet's CSV nor MIDI; None: it is one, by its ending.

        Returns:
            Onset and offset in seconds, and MIDI note, of each note.

        Raises:
            DataError: the file has a problem; names the file, the place in it and the remedy.
        """
        return None

    def make(self, console: Console) -> None:
        """Create the folder if the program makes this data set."""

    def files(self) -> list[tuple[str, Path]] | None:
        """List the files that are read, each with its split; None: the set never changes."""
        pairs = ((split, pair) for split in SPLITS for pair in self.find(split)[0])
        return [(split, path) for split, pair in pairs for path in (pair.audio, pair.labels)]

    def fingerprint(self) -> str | None:
        """Hash the files' names and sizes, to tell folders of the same name apart.

        Raises:
            DataError: a file has vanished or cannot be looked at.
        """
        found = self.files()
        if found is None:
            return None
        names = ((split, path.relative_to(self.root).as_posix(), path) for split, path in found)
        parts = sorted((split, as_compared(name), size_of(path)) for split, name, path in names)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def missing(root: Path) -> list[str]:
    """Return a line that says that there is no such folder, or that it cannot be entered; none if it can."""
    if not os.path.isdir(root):
        return [f"{root}: no such folder: correct data.root"]
    if not os.access(root, os.R_OK | os.X_OK):
        return [f"{root}: cannot be entered: correct its permissions or data.root"]
    return []


def as_compared(name: str) -> str:
    """Return a name in the form by which names are compared: accents count the same however they are written.

    macOS writes "é" as an "e" and an accent (Unicode's form NFD), other systems mostly as one character (NFC).
    """
    return unicodedata.normalize("NFC", name)


def same_name(path: Path, other: Path, what: str = "name") -> str:
    """Say that two files share a name, and if one sees no difference, what it is."""
    alone = as_compared(path.name) == as_compared(other.name) and path.name != other.name
    return f"same {what} as {other.name}{', but for how its accents are written' if alone else ''}"


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, or raise a DataError that names it."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}): put it back or correct its permissions"
        ) from error
