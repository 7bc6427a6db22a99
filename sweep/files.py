"""Writes files whole: whoever reads one sees the old content or the new, whatever happens to the writer."""

import contextlib
import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from sweep import locks

ABANDONED = 3600  # seconds without a write after which a partial file of another machine has no writer any more
FULL = (errno.ENOSPC, errno.EDQUOT)
NOTES = ".notes"  # ends the stem of what `sweep transcribe` writes beside audio, which is no part of a data set


class NoRoom(OSError):
    """The disk is full.

    Args:
        path: what was to be written.
        error: the system's.
    """

    def __init__(self, path: Path, error: OSError):
        super().__init__(error.errno, f"not written, {os.strerror(error.errno)}: make room and give the command again")
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.args[1]}"


@contextlib.contextmanager
def whole(path: Path, durable: bool = True) -> Iterator[Path]:
    """A hidden name beside a file, `.<name>.<writer>.partial`, for the block to write to.

    What lies there when the block ends goes to the disk and takes the file's name. When the block fails it is removed,
    and what a writer left that was killed is removed by the next one. Folders are made as needed.

    Args:
        path: of the file.
        durable: have it survive a power cut too, which takes a disk some milliseconds.

    Raises:
        NoRoom: the disk is full; the file is what it was.
    """
    partial = path.with_name(partial_name(path.name))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        clean(path.parent, path.name)
        yield partial
        if durable:
            with open(partial, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(partial, path)
        if durable:
            _sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        full = _full(error)
        if full and not isinstance(error, NoRoom):
            raise NoRoom(path, full) from error
        raise


def write_whole(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Writes a file whole; one that holds the content already is left alone, its time of change too."""
    content = content.encode() if isinstance(content, str) else content
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    with whole(path, durable) as partial:
        partial.write_bytes(content)


def partial_name(name: str) -> str:
    """A name beside `name` for this process to write to, which others know to be its."""
    return f".{name}.{locks.identity()}~{secrets.token_hex(4)}.partial"


def clean(folder: Path, name: str = "*") -> None:
    """Removes the partial files of a name, or of all, whose writers are dead; their folders too."""
    for left in folder.glob(f".{name}.*.partial"):
        with contextlib.suppress(OSError):  # its writer or another cleaner was faster
            dead = locks.is_dead(left.name.split(".")[-2])
            if dead or dead is None and time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _full(error: BaseException | None) -> OSError | None:
    """The full disk that is behind an error: torch's own comes on top of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__ or error.__context__
    return None


def _sync_folder(folder: Path) -> None:
    """Have the new name survive a power cut too, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
