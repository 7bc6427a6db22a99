"""Write files whole: a reader sees either the old content or the new, even if the writer is killed."""

import contextlib
import errno
import glob
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from sweep import locks

ABANDONED = 3600  # seconds without a write after which another machine's partial file counts as abandoned
FULL = (errno.ENOSPC, errno.EDQUOT)
NOTES = ".notes"  # `sweep transcribe` ends the stems of its output with it; such files belong to no data set


class NoRoom(OSError):
    """The disk is full.

    Args:
        path: file that could not be written.
        error: error that the operating system raised.
    """

    def __init__(self, path: Path, error: OSError):
        super().__init__(error.errno, f"not written, {os.strerror(error.errno)}: make room and give the command again")
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.args[1]}"


@contextlib.contextmanager
def whole(path: Path, durable: bool = True) -> Iterator[Path]:
    """Yield a hidden name beside a file, `partial_name`, and rename it to the file when the block ends.

    If the block fails, the partial file is removed. Partial files of writers that were killed are removed by the next
    writer. Missing folders are created.

    Args:
        path: file to write.
        durable: whether to flush it to the disk, so that it survives a power cut; this takes some milliseconds.

    Raises:
        NoRoom: the disk is full; the file is unchanged.
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
    """Write a file whole; a file that already holds the content is not touched and keeps its modification time."""
    content = content.encode() if isinstance(content, str) else content
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    with whole(path, durable) as partial:
        partial.write_bytes(content)


def partial_name(name: str) -> str:
    """Return a name for the partial file of `name`, `.<name>.<writer>.partial`; it contains this process's identity.

    A long name is shortened to a digest, so that a file of any name that the folder takes can be written.
    """
    return f".{locks.short(name)}.{locks.identity()}~{secrets.token_hex(4)}.partial"


def clean(folder: Path, name: str | None = None) -> None:
    """Remove the partial files and folders of one name, or of all names, whose writers are dead."""
    label = "*" if name is None else glob.escape(locks.short(name))
    for left in folder.glob(f".{label}.*.partial"):
        with contextlib.suppress(OSError):  # its writer or another process removed it first
            dead = locks.is_dead(left.name.split(".")[-2])
            if dead or dead is None and time.time() - left.stat().st_mtime > ABANDONED:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def from_user(text: str) -> Path:
    """Return a path from the command line; the shell leaves the ~ of `--out=~/notes` to us."""
    return Path(os.path.expanduser(text))  # as it is, if there is no such user


def _full(error: BaseException | None) -> OSError | None:
    """Return the "disk full" error that caused an error, if any; torch raises its own error on top of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in FULL:
            return error
        error = error.__cause__ or error.__context__
    return None


def _sync_folder(folder: Path) -> None:
    """Flush a folder to the disk, so that a rename survives a power cut, where the system supports it."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
