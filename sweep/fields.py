"""Define the fields of a configuration: allowed values, effect on the result, and spelling in a row's name.

A group of conf/ is a frozen dataclass whose fields are made by the functions below:

    @dataclass(frozen=True, kw_only=True)
    class Protocol(Group):
        steps: int = whole()
        # and under it, as a string, one sentence: "Optimiser steps."

The checks and their messages, the identity of a run and the name of its row (`sweep.config`) and the reference page
(docs/_build/keys.py) are derived from these fields.
"""

import ast
import dataclasses
import difflib
import inspect
import math
import os
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass
from typing import Any, ClassVar, Self

from sweep.checks import (
    check_choice,
    check_even,
    check_folder,
    check_number,
    check_odd,
    check_positive,
    check_share,
    check_text,
    check_whole,
    shown,
)


@dataclass(frozen=True)
class Key:
    """The metadata of a field.

    Attributes:
        check: function of the key's name and a value; raises ValueError for a wrong value.
        takes: description of the allowed values.
        changes_result: whether two runs that differ in this field may have different results.
        spelling: format in a row's name, such as "threshold={}"; None: the name leaves the field out.
        usual: value that a row's name leaves out, or a function that returns it for a configuration.
        text: whether the value is text: "folder", whose leading ~ is the home folder, or "words"; None: no text.
        takes_null: whether the value may be null.
        groups: dataclasses that a nested group may be, by name ("only" for a single one); None: no nested group.
        later: whether a record leaves the field out where it has its default, because runs were made before it came:
            their identity stays what it was.
    """

    check: Callable[[str, Any], None]
    takes: str
    changes_result: bool = True
    spelling: str | None = None
    usual: Any = None
    text: str | None = None
    takes_null: bool = False
    groups: Mapping[str, type["Group"]] | None = None
    later: bool = False


def whole(least: int = 1, **about: Any) -> Any:
    """Make a field for a whole number of at least `least`; `_field` describes the arguments in `about`."""
    return _field(lambda key, value: check_whole(key, value, least), f"whole number, at least {least}", **about)


def even(**about: Any) -> Any:
    """Make a field for an even whole number of at least 2."""
    return _field(check_even, "even whole number", **about)


def odd(**about: Any) -> Any:
    """Make a field for an odd whole number of at least 3."""
    return _field(check_odd, "odd whole number, at least 3", **about)


def positive(**about: Any) -> Any:
    """Make a field for a finite number above 0."""
    return _field(check_positive, "number above 0", **about)


def number(least: float, most: float = math.inf, **about: Any) -> Any:
    """Make a field for a finite number of at least `least` and at most `most`."""
    takes = f"number, at least {least:g}" if most == math.inf else f"number from {least:g} to {most:g}"
    return _field(lambda key, value: check_number(key, value, least, most), takes, **about)


def share(**about: Any) -> Any:
    """Make a field for a number of at least 0 and below 1."""
    return _field(check_share, "number from 0 to below 1", **about)


def choice(*options: Any, **about: Any) -> Any:
    """Make a field for one of some values."""
    words = ", ".join(f"`{_plain(option)}`" for option in options)
    return _field(lambda key, value: check_choice(key, value, options), words, **about)


def text(needs: str = "text", **about: Any) -> Any:
    """Make a field for text that is not empty; `needs` says what it is, such as "a folder"."""
    return _field(lambda key, value: check_text(key, value, needs), needs, kind="words", **about)


def folder(**about: Any) -> Any:
    """Make a field for the path of a folder; a leading ~ is the home folder."""
    needs = "a folder" if None not in about.get("also", ()) else "a folder, or null for none"
    return _field(lambda key, value: check_folder(key, value, needs), needs, kind="folder", **about)


def checked(check: Callable[[str, Any], None], takes: str, **about: Any) -> Any:
    """Make a field with a check of its own, which raises a ValueError for a wrong value; `takes` says what is right."""
    return _field(check, takes, hashed=False, **about)


def values(kind: type, needs: str, **about: Any) -> Any:
    """Make a field for a list or a mapping."""

    def check(key: str, value: Any) -> None:
        if not isinstance(value, kind):
            raise ValueError(f"{key} {shown(value)}: needs {needs}")

    return _field(check, needs, hashed=False, **about)


def group(
    among: Mapping[str, type["Group"]] | None = None, *, changes_result: bool = True, **classes: type["Group"]
) -> Any:
    """Make a field for a nested group: of one class, `only=Class`, or of the class that its key `name` chooses.

    Args:
        among: the classes by name, such as a registry; or they are given as keyword arguments.
        changes_result: attribute of the `Key`.
    """
    groups = classes if among is None else among
    return dataclasses.field(metadata={"key": Key(_accept, "", changes_result, groups=groups)})


def _field(
    check: Callable[[str, Any], object],
    takes: str,
    *,
    also: tuple[Any, ...] = (),
    changes_result: bool = True,
    spelling: str | None = None,
    usual: Any = None,
    kind: str | None = None,
    default: Any = MISSING,
    hashed: bool | None = None,
    later: bool = False,
) -> Any:
    """Make a dataclass field with a `Key`.

    Args:
        check, takes, changes_result, spelling, usual, later: attributes of the `Key`; `kind` is its `text`.
        also: values that are allowed besides those that pass the check, such as None or "auto".
        default: default value of the field; without one the configuration must give a value.
        hashed: whether a hash takes the field in; False where its value may be a list.
    """

    def checked(key: str, value: Any) -> None:
        if any(value is other or (isinstance(other, str) and value == other) for other in also):
            return
        try:
            check(key, value)
        except ValueError as error:
            raise ValueError(", or ".join([str(error), *words])) from None

    words = [word for word in map(_plain, also) if word not in takes]
    takes = " or ".join([*(f"`{word}`" for word in words), takes])
    about = Key(checked, takes, changes_result, spelling, usual, kind, None in also, later=later)
    return dataclasses.field(default=default, hash=hashed, metadata={"key": about})


@dataclass(frozen=True, kw_only=True)
class Group:
    """Keys that belong together, checked when the group is made.

    Attributes:
        PLACE: prefix of a key in a message, such as "protocol.".
    """

    PLACE: ClassVar[str] = ""

    def __post_init__(self):
        for field in keys_of(type(self)):
            field.metadata["key"].check(f"{self.place}{field.name}", getattr(self, field.name))
        self.check()

    @property
    def place(self) -> str:
        """The prefix of this group's keys in a message."""
        return self.PLACE

    def check(self) -> None:
        """Check keys that depend on each other; each key has passed its own check before.

        Raises:
            ValueError: names the key, the value and the remedy.
        """

    @classmethod
    def from_tree(cls, tree: Mapping[str, Any], place: str | None = None) -> Self:
        """Build a group from plain values, as Hydra composes them or `record` returns them.

        Args:
            tree: values by key; nested groups are mappings.
            place: prefix of a key in a message; None: the class's own.

        Raises:
            ValueError: a key is unknown or missing, or has a wrong value.
        """
        place = cls.PLACE if place is None else place
        fields = {field.name: field for field in keys_of(cls)}
        check_keys(tree, list(fields), [name for name in fields if default_of(fields[name]) is MISSING], place)
        return cls(**{name: _built(fields[name], value, place) for name, value in tree.items()})

    def record(self) -> dict[str, Any]:
        """Return the values as JSON types, nested groups as dicts; `from_tree` reads them."""
        fields = [(field, getattr(self, field.name)) for field in keys_of(type(self))]
        pairs = [(f.name, value) for f, value in fields if not (f.metadata["key"].later and value == f.default)]
        return {name: value.record() if isinstance(value, Group) else value for name, value in pairs}


def keys_of(cls: type[Group]) -> Iterator[Field]:
    """Return the fields of a group that a configuration sets."""
    return (field for field in dataclasses.fields(cls) if "key" in field.metadata)


def sentences(cls: type[Group]) -> dict[str, str]:
    """Return the sentence of documentation under each field of a group and of the groups that it derives from."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if not issubclass(base, Group):
            continue
        try:
            (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError):  # a notebook's class, whose source Python does not find
            continue
        body = getattr(definition, "body", [])
        for field, said in zip(body, body[1:], strict=False):
            is_field = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
            if is_field and isinstance(said, ast.Expr) and isinstance(said.value, ast.Constant):
                found[field.target.id] = " ".join(str(said.value.value).split())
    return found


def default_of(field: Field) -> Any:
    """Return the default of a field; MISSING if it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


def check_keys(tree: Mapping[str, Any], known: list[str], needed: list[str], place: str) -> None:
    """Check that a tree has all needed keys and no unknown one.

    Raises:
        ValueError: a key is unknown or missing; names the key, its value and the closest known key.
    """
    for key, value in tree.items():
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            remedy = f"did you mean {close[0]}?" if close else f"there is {', '.join(known)}"
            raise ValueError(f"{place}{shown(key)} ({shown(value)}): unknown key; {remedy}")
    for key in needed:
        if key not in tree or tree[key] == "???":
            raise ValueError(f"{place}{key}: missing; give it a value")


def _built(field: Field, value: Any, place: str) -> Any:
    """Return the value of a field; a mapping for a nested group is built into the group."""
    groups = field.metadata["key"].groups
    if field.metadata["key"].text == "folder" and isinstance(value, str):
        return os.path.expanduser(value)
    if groups is None or isinstance(value, Group):
        return value
    key = f"{place}{field.name}"
    if not isinstance(value, Mapping):
        keys = ", ".join(f"{key}.{inner.name}" for cls in list(groups.values())[:1] for inner in keys_of(cls))
        raise ValueError(f"{key} {shown(value)}: needs keys: {keys}")
    if "only" in groups:
        return groups["only"].from_tree(value)
    check_choice(f"{key}.name", value.get("name"), groups)
    return groups[value["name"]].from_tree(value)


def _accept(key: str, value: Any) -> None:
    """Accept any value: a nested group checks itself."""


def _plain(value: Any) -> str:
    """Return a value as YAML writes it."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
