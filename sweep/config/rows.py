"""Read a row from its file in conf/ without a command line: `sweep.row("cqt-48")`."""

import difflib
from typing import Any

from sweep.config.conf import over, row_files, settings
from sweep.config.registered import registered_rows
from sweep.representations import Representation, from_tree


def row(name: str, /, **changes: Any) -> Representation:
    """Return a row by its name.

    Args:
        name: name of a file in conf/representation, such as "mt3" or "knob/pcen", or of a registered family's row.
        changes: keys of the row to change, such as hop_length=256 or level={"name": "window"}; a step of another name
            replaces the row's own, and one of the same or without a name changes keys of it.

    Raises:
        ValueError: there is no such row, or a changed key does not fit; names it and the remedy.

    >>> row("onsets-frames").frequencies.shape
    (229,)
    """
    if "name" in changes:
        raise ValueError("row: a row's name is that of its file; leave name out")
    names = row_files()
    if name not in names and name in (others := registered_rows()):
        return from_tree({**over(others[name], changes), "name": name})
    if name not in names:
        close = difflib.get_close_matches(str(name), names, n=1)
        raise ValueError(f"row {name!r}: there is none; {f'did you mean {close[0]}?' if close else 'see `sweep list`'}")
    return from_tree({**over(settings(names[name]), changes), "name": name})
