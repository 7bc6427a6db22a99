"""Read what `data.test` names: an option of conf/data, a folder, a mapping with keys, or a list of these."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from sweep.checks import shown
from sweep.config.conf import settings
from sweep.config.elsewhere import TAKES, OtherSet, name_of_set
from sweep.config.groups import Data
from sweep.config.registered import option
from sweep.data.source import layout_of
from sweep.fields import keys_of
from sweep.registry import sources

_KEY = "data.test"
_OF_HOME = {field.name for field in keys_of(Data)} - {field.name for field in keys_of(OtherSet)}


def asked_sets(value: Any, folders: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Return the keys of each set that a command line names, by the set's name.

    Keys that are not given are those of the set's option in conf/data, or of the option of its source.

    Args:
        value: value of `data.test`.
        folders: folders in which Hydra looks for options of `data`.

    Raises:
        ValueError: a set does not exist or lacks its folder, or two sets have one name.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in [] if value is None else value if isinstance(value, list) else [value]:
        keys = _keys(one, folders)
        name = keys.pop("name")
        if name in found:
            raise ValueError(
                f"{_KEY} {shown(name)}: two sets have this name; give one another, "
                "{source: ..., root: ..., name: NAME}"
            )
        found[name] = keys
    return found


def _keys(one: Any, folders: Sequence[Path]) -> dict[str, Any]:
    """Return the keys of one set, its name among them."""
    if isinstance(one, str) and (known := _option(one, folders)) is not None:
        given, usual = {}, known
    elif isinstance(one, str) and (os.sep in one or os.path.isdir(one)):
        root = os.path.expanduser(one)
        given = {"root": root, "source": layout_of(Path(root))}
        usual = _option(given["source"], folders) or {}
    elif isinstance(one, Mapping):
        given = dict(one)
        if "source" not in given and isinstance(root := given.get("root"), str):
            given["source"] = layout_of(Path(os.path.expanduser(root)))
        usual = _option(given.get("source"), folders) or {}
    elif isinstance(one, str) and one:
        raise ValueError(f"{_KEY} {shown(one)}: no such folder, and no such option of data; {_meant(one, folders)}")
    else:
        raise ValueError(f"{_KEY} {shown(one)}: needs {TAKES.replace('`', '')}")
    keys = {**{key: value for key, value in usual.items() if key not in _OF_HOME}, **given}
    keys = OmegaConf.to_container(OmegaConf.create(keys), resolve=True)
    if not isinstance(root := keys.get("root"), str) or root in ("", "???"):
        raise ValueError(f"{_KEY} {shown(one)}: its root is missing; name its folder, {{source: ..., root: DIR}}")
    if "name" not in keys:
        keys["name"] = name_of_set(_KEY, root, "{source: ..., root: ..., name: NAME}")
    return keys


def _option(name: Any, folders: Sequence[Path]) -> dict[str, Any] | None:
    """Return what an option of `data` sets; None if there is none of this name."""
    if not isinstance(name, str) or not name or os.sep in name:
        return None
    files = [path for folder in folders if (path := folder / f"{name}.yaml").is_file()]
    if files:
        return settings(files[0])
    return option("data", name) if name in sources.foreign() else None


def _meant(name: str, folders: Sequence[Path]) -> str:
    known = sorted({*(path.stem for folder in folders for path in folder.glob("*.yaml")), *sources.foreign()})
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]}?" if close else f"there is {', '.join(known)}"
