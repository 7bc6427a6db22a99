"""Check a data source on a folder."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from sweep.checks import called, naming
from sweep.data import contract
from sweep.data.source import Source


def check_source(cls: type[Source], root: str | Path, **keys: Any) -> None:
    """Check that a source finds recordings that can be read, and tells folders apart by what they hold.

    Checked: `find` gives recordings of both splits whose files are there and can be read, the same at a second call;
    no id is twice in a split or in both; `files` and `fingerprint` depend on the files alone; and a copy of the folder
    at another place has the same fingerprint.

    Args:
        cls: the source's class.
        root: folder of recordings in its layout, a small one: it is copied to a temporary folder.
        keys: keys of the source.

    Raises:
        ValueError: names the class, what is wrong and the remedy, in one line.
    """
    with naming(f"source {cls.__name__}"):
        source = called(f"{cls.__name__}(root)", cls, Path(root), **keys)
        called("make()", source.make, Console(quiet=True))
        contract.check_source(source)
        with tempfile.TemporaryDirectory() as scratch:
            elsewhere = Path(shutil.copytree(root, Path(scratch, "elsewhere")))
            here, there = source.fingerprint(), cls(elsewhere, **keys).fingerprint()
        if here != there:
            raise ValueError(
                f"fingerprint() is {here}, and {there} of a copy at another place; take names relative to root, and "
                "sizes"
            )
