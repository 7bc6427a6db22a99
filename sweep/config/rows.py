"""Read a row from its file in conf/ without a command line: `sweep.row("cqt-48")`."""

import difflib
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sweep.config.hydra import CONF
from sweep.representations import Representation, from_tree

ROWS = CONF / "representation"


def row(name: str, **changes: Any) -> Representation:
    """Return a row by its name.

    Args:
        name: name of a file in conf/representation, such as "mt3".
        changes: keys of the row to change, such as hop_length=256.

    Raises:
        ValueError: there is no such row, or a changed key does not fit; names it and the remedy.

    >>> row("onsets-frames").frequencies.shape
    (229,)
    """
    names = [path.stem for path in ROWS.glob("*.yaml")]
    if name not in names:
        close = difflib.get_close_matches(str(name), names, n=1)
        raise ValueError(f"row {name!r}: there is none; {f'did you mean {close[0]}?' if close else 'see `sweep list`'}")
    return from_tree({**settings(ROWS / f"{name}.yaml"), **changes, "name": name})


def settings(path: Path) -> dict[str, Any]:
    """Return the keys of a file in conf/ over those of the files in its defaults list, as Hydra composes them."""
    own = OmegaConf.load(path)
    names = own.pop("defaults", [])
    bases = [settings(path.parent / f"{base.removesuffix('@_here_')}.yaml") for base in names]
    return OmegaConf.to_container(OmegaConf.merge(*bases, own))
