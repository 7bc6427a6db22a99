"""The base class of data sources, which find the recordings of a folder, each an audio file and its labels."""

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from rich.console import Console

from sweep.data.midi import Midi
from sweep.data.recording import DataError, Pair

SPLITS = ("train", "test")
# What a folder in a layout holds, of which one is enough.
SIGNS = {
    "musicnet": [f"{split}_data" for split in SPLITS],
    "maestro": ["maestro-v*.csv", "maestro-v*.json"],
    "guitarset": ["annotation/*.jams"],
    "slakh": [f"{split}/Track*/metadata.yaml" for split in SPLITS],
    "maps": ["MUS", "*/MUS", "*/*/MUS"],
}
VALIDATION = "validation"  # a third split, of data sets that hold out recordings themselves


class About(NamedTuple):
    """What is known of a published data set, as its holder states it.

    Attributes:
        size: recordings, hours and bytes, in words.
        licence: its licence, such as "CC BY-NC-SA 4.0".
        where: address of the page where it can be had.
    """

    size: str
    licence: str
    where: str


class Source:
    """A folder of recordings; each layout is a subclass, registered under its value of `data.source`.

    Arguments that a subclass adds are its keys in a configuration. One whose name ends with "_root" is a folder: two
    runs may name it differently, as they may `root`, and the fingerprint covers the files that are read there.

    Args:
        root: folder of the recordings.

    Attributes:
        RESAMPLES: whether audio of another sample rate is resampled; sources whose labels count samples refuse it.
        LABELS: sentence for a table on what the labels' onsets and offsets are; a pedal may lengthen what is heard.
            Where it depends on the source's own keys, `remark` is overridden.
        HOLDS_OUT: whether `find` knows the split "validation", of recordings that the data set itself holds out. Where
            it depends on the source's own keys or files, `splits` is overridden.
        LABEL_KEYS: own keys that change labels alone. Audio is cached once for all their values, and once for each
            value of any other key.
        ABOUT: size, licence and place of the published data set; None for a layout of anybody's recordings.
    """

    RESAMPLES: ClassVar[bool] = False
    LABELS: ClassVar[str] = ""
    HOLDS_OUT: ClassVar[bool] = False
    LABEL_KEYS: ClassVar[tuple[str, ...]] = ()
    ABOUT: ClassVar[About | None] = None

    def __init__(self, root: Path):
        self.root = root

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that `find` knows: "train", perhaps "validation", and "test"."""
        return ("train", VALIDATION, "test") if self.HOLDS_OUT else SPLITS

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        """Find the recordings of a split, and the problems with them, one line each, or a `Remark`.

        Args:
            split: "train" or "test", or "validation" where `splits` has it.
        """
        raise NotImplementedError

    def notes(self, labels: Path) -> Midi | Iterable[tuple[float, float, int]] | None:
        """Read the notes of a label file; None: it is MusicNet's CSV or MIDI, by its ending.

        Returns:
            Onset and offset in seconds, and MIDI note, of each note; or what `read_midi` returns, with the pedal
            followed where the source has a key for that. All that is odd about MIDI is then counted in remarks.

        Raises:
            DataError: the file has a problem; names the file, the place in it and the remedy.
        """
        return None

    def remark(self) -> str:
        """Say below a table what the labels are, and version and split where the data set has several.

        A run keeps it in its result, since a table is made without the data.
        """
        return self.LABELS

    def make(self, console: Console) -> None:
        """Create the folder if the program makes this data set."""

    def files(self) -> list[tuple[str, Path]] | None:
        """List the files that are read, each with its split; None: the set never changes."""
        pairs = ((split, pair) for split in self.splits for pair in self.find(split)[0])
        return [(split, path) for split, pair in pairs for path in (pair.audio, pair.labels)]

    def fingerprint(self) -> str | None:
        """Hash the files' names and sizes, to tell folders of the same name apart; `fingerprint_of` all splits."""
        return self.fingerprint_of(self.splits)

    def fingerprint_of(self, splits: Sequence[str]) -> str | None:
        """Hash the names and sizes of the files of some splits; None: the set never changes.

        Raises:
            DataError: a file has vanished or cannot be looked at.
        """
        found = self.files()
        if found is None:
            return None
        of_splits = [(split, path) for split, path in found if split in splits]
        parts = sorted((split, as_compared(self.name_of(path)), size_of(path)) for split, path in of_splits)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def name_of(self, path: Path) -> str:
        """Return the name of a file in the fingerprint: its path in the folder, which may lie anywhere."""
        return path.relative_to(self.root).as_posix()


def layout_of(root: Path) -> str:
    """Guess the layout of a folder by what stands in it: one of SIGNS, otherwise "folder"."""
    found = (name for name, signs in SIGNS.items() if any(any(root.glob(sign)) for sign in signs))
    return next(found, "folder")


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
