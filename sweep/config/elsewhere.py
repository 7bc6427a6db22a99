"""The sets of `data.test`: other data sets, on whose test recordings a run is scored besides those of its own set."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweep.checks import check_choice, check_folder, shown
from sweep.config.chosen import Chosen
from sweep.fields import folder, keys_of, number, text
from sweep.registry import sources

TAKES = "`null`, the name of a data set, a folder, a mapping as `{source: folder, root: DIR}`, or a list of these"


@dataclass(frozen=True, kw_only=True)
class DataSet(Chosen):
    """What every data set has, whether a run is trained on it or scored only; `options` are its source's own keys."""

    name: str = text()
    """Name of the folder, which tells data sets apart."""
    source: str = text()
    """Layout of the folder."""
    root: str = folder(changes_result=False)
    """Folder of the recordings."""
    shift: float = number(-10, 10, default=0.0)
    """Seconds by which all labels are moved, later if positive, where a data set's are known to lead or lag."""
    fingerprint: str | None = text("a hash", also=(None,), default=None)
    """Hash of the files' names and sizes, taken when the sweep is planned; null for the demo set."""


@dataclass(frozen=True, kw_only=True)
class OtherSet(DataSet):
    """A data set that a run is scored on and not trained on."""

    PLACE = "data.test."

    @property
    def place(self) -> str:
        """The prefix of this set's keys in a message."""
        return f"{self.PLACE}{shown(self.name)}."

    def check(self) -> None:
        check_choice(f"{self.place}source", self.source, sources.names())
        self.choose(sources, self.source)


ASIDE = tuple(field.name for field in keys_of(OtherSet) if not field.metadata["key"].changes_result)


def check_sets(key: str, value: Any) -> None:
    """Check for a tuple of sets."""
    if not isinstance(value, tuple) or not all(isinstance(one, OtherSet) for one in value):
        raise ValueError(f"{key} {shown(value)}: needs {TAKES.replace('`', '')}")


def sets_from_tree(value: Any) -> Any:
    """Build the sets of a record, which holds the keys of each by its name; return what is no such mapping as it is.

    Args:
        value: the record's entry; None for no set.
    """
    if value is None:
        return ()
    if not isinstance(value, Mapping) or not all(isinstance(keys, Mapping) for keys in value.values()):
        return value
    return tuple(OtherSet.from_tree({**keys, "name": name}, f"{OtherSet.PLACE}{name}.") for name, keys in value.items())


def record_of(sets: tuple[OtherSet, ...]) -> dict[str, dict[str, Any]]:
    """Return the keys of each set by its name, as JSON types; `sets_from_tree` reads them."""
    return {one.name: {key: value for key, value in one.record().items() if key != "name"} for one in sets}


def changes_no_result(key: str) -> bool:
    """Return whether a dotted key of an identity is one of another set that changes no result, its root."""
    return key.startswith(OtherSet.PLACE) and key.rpartition(".")[2] in ASIDE


def name_of_set(key: str, root: str, remedy: str) -> str:
    """Return the name of a data set, which is that of its folder.

    Args:
        key: key of the folder, for a message.
        root: the folder, which need not exist; a leading ~ is the home folder.
        remedy: how another name is given.

    Raises:
        ValueError: the path cannot be one of a folder, or has no name of its own.
    """
    check_folder(key, root := os.path.expanduser(root), "a folder")
    name = os.path.basename(os.path.realpath(root))
    if not name:
        raise ValueError(f"{key} {root}: has no name of its own; give it one, {remedy}")
    return name.encode(errors="backslashreplace").decode()  # a name may be no UTF-8
