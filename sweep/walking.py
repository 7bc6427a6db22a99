"""Walk through folders on real disks by one rule, the same for data and for results."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

LEADS_NOWHERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def walk(root: Path, unread: list[str]) -> Iterator[tuple[Path, list[str], list[str]]]:
    """Yield each folder below a root, from the root down, with the sorted names of its sub-folders and of its files.

    This is `os.walk` with the rule that the program has for all folders, of data and of results:

    - What is hidden, by a dot at the start of its name, is left out in silence; the root may be hidden.
    - Links are followed, and each folder is visited once, so a circle of links ends; those to a folder above the root
      are left out in silence. Folders come before links to them.
    - A folder that cannot be entered and a link that leads nowhere add a line to `unread`, since data might be lost.
    - What vanishes meanwhile was not there. Pipes, sockets and devices are no files.

    Args:
        root: folder in which to start; nothing is yielded if there is none.
        unread: list to which the lines are added, each with the folder or link, the reason and the remedy.

    Yields:
        The folder, the names of its sub-folders, and the names of its files. The caller may remove names from the list
        of sub-folders, which are then not visited.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     for path in ("a/x.csv", "a/b/y.csv", ".git/z"):
    ...         Path(name, path).parent.mkdir(parents=True, exist_ok=True)
    ...         Path(name, path).touch()
    ...     os.symlink("..", Path(name, "a", "up"))
    ...     os.symlink("gone", Path(name, "link"))
    ...     unread = []
    ...     found = [(folder.name, below, files) for folder, below, files in walk(Path(name), unread)]
    >>> found[1:]
    [('a', ['b', 'up'], ['x.csv']), ('b', [], ['y.csv'])]
    >>> [line.rpartition("/")[2] for line in unread]
    ['link: a link that leads nowhere: mend or remove it']
    """
    folders, links = [root], list[Path]()
    seen = {str(above) for above in Path(os.path.realpath(root)).parents}
    while folders or links:
        folder = folders.pop() if folders else links.pop(0)
        real = os.path.realpath(folder)
        if real in seen:
            continue
        seen.add(real)
        members = _members(folder, unread)
        if members is None:
            continue
        below, files, linked = members
        yield folder, below, files
        links += [folder / name for name in below if name in linked]
        folders += [folder / name for name in reversed(below) if name not in linked]


def files_below(root: Path, unread: list[str]) -> list[Path]:
    """List all files below a folder, as `walk` finds them."""
    return [folder / name for folder, _, files in walk(root, unread) for name in files]


def _members(folder: Path, unread: list[str]) -> tuple[list[str], list[str], set[str]] | None:
    """Return the names of sub-folders, of files, and of links among the former; None if the folder is not entered."""
    below, files, linked = [], [], set()
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                try:
                    if entry.is_symlink():
                        os.stat(entry)  # is_dir and is_file would keep silent on a link that leads nowhere
                    if entry.is_dir():
                        below.append(entry.name)
                        linked |= {entry.name} if entry.is_symlink() else set()
                    elif entry.is_file():
                        files.append(entry.name)
                except OSError as error:
                    if os.path.lexists(entry):
                        unread.append(_unread_link(entry.path, error))
    except (FileNotFoundError, NotADirectoryError):
        return None  # it has vanished
    except OSError as error:
        reason = error.strerror or error
        unread.append(f"{folder}: cannot be entered ({reason}), nothing in it is read: correct its permissions")
        return None
    return sorted(below), sorted(files), linked


def _unread_link(path: str, error: OSError) -> str:
    """Describe a link, or a member of a folder that may only be listed, that cannot be followed."""
    if error.errno in LEADS_NOWHERE:
        return f"{path}: a link that leads nowhere: mend or remove it"
    return f"{path}: cannot be read ({error.strerror or error}): correct its permissions"
