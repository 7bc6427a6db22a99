"""Derive the keys of a class from its constructor's signature: their types, defaults and sentences."""

import inspect
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from sweep.checks import shown
from sweep.fields import check_keys

# What a configuration can hold; list[float] and the like count as their first part.
_PLAIN = (int, float, str, bool, list, dict, type(None))


def options_of(cls: type, given: tuple[str, ...]) -> dict[str, inspect.Parameter]:
    """Return the configuration keys of a class: its constructor's arguments except those in `given`."""
    return {name: it for name, it in inspect.signature(cls, eval_str=True).parameters.items() if name not in given}


def check_signature(cls: type, given: tuple[str, ...], place: str) -> None:
    """Check that each key of a class has a type that a configuration can hold, and a default of that type.

    Args:
        cls: class whose keys are checked.
        given: constructor arguments that no configuration sets.
        place: prefix of a key in a message, such as "model.".

    Raises:
        ValueError: names the class, the key and the remedy.
    """
    try:
        found = options_of(cls, given)
    except Exception as error:
        raise ValueError(f"{cls.__qualname__}: its keys cannot be read: {shown(error)}; correct its __init__") from None
    for name, it in found.items():
        where = f"{cls.__qualname__}: {place}{name}"
        if it.kind in (it.VAR_POSITIONAL, it.VAR_KEYWORD):
            raise ValueError(f"{where}: name each key, with its type and default, in place of {it}")
        check_key(where, name, it.annotation, it.default)


def check_key(where: str, name: str, wanted: Any, default: Any) -> None:
    """Check the type and the default of one key of a class.

    Args:
        where: class and key, for the message.
        name: the key.
        wanted, default: its annotation and its default; `inspect.Parameter.empty` if it has none.

    Raises:
        ValueError: says what is wrong, and the remedy.
    """
    if wanted is inspect.Parameter.empty:
        raise ValueError(f"{where}: has no type; write {name}: int = 64 or the like")
    said = inspect.formatannotation(wanted)
    if not all(part in _PLAIN for part in _parts(wanted)):
        raise ValueError(f"{where}: {said}: choose int, float, str, bool, list, dict, or one of them or None")
    if default is inspect.Parameter.empty:
        raise ValueError(f"{where}: has no default; write {name}: {said} = ...")
    if not fits(default, wanted):
        raise ValueError(f"{where}: its default {shown(repr(default))} is not of its type {said}; correct one")


def check_options(cls: type, given: tuple[str, ...], options: Mapping[str, Any], place: str) -> None:
    """Check the keys that a configuration sets for a class.

    Args:
        cls: class whose keys are checked.
        given: constructor arguments that no configuration sets.
        options: values by key.
        place: prefix of a key in a message, such as "model.".

    Raises:
        ValueError: a key is unknown, or a value has another type than the argument's annotation.
    """
    known = options_of(cls, given)
    check_keys(options, list(known), [], place)
    for key, value in options.items():
        wanted = known[key].annotation
        if not fits(value, wanted):
            said = inspect.formatannotation(wanted)
            remedy = f"; as text it is written '{place}{key}=\"{shown(value)}\"'" if str in _parts(wanted) else ""
            raise ValueError(f"{place}{key} {shown(repr(value))}: needs a value of type {said}{remedy}")


def fits(value: Any, wanted: Any) -> bool:
    """Return whether a value is of a type, as a configuration means it: 1 is a float, true is no number."""
    parts = _parts(wanted)
    if not all(isinstance(part, type) for part in parts) or inspect.Parameter.empty in parts:
        return True
    if isinstance(value, bool):
        return bool in parts
    return isinstance(value, parts) or (float in parts and isinstance(value, int))


def explained(cls: type) -> dict[str, str]:
    """Return what a class's docstring says of its constructor's arguments, a sentence by the argument's name."""
    text = inspect.cleandoc(cls.__doc__ or "")
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)*)", text, flags=re.M)
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=    \S)", section[1].rstrip() if section else ""):
        names, _, said = entry.strip().partition(": ")
        for name in names.split(", "):
            found[name.partition(" ")[0]] = " ".join(said.split())
    return found


def _parts(wanted: Any) -> tuple:
    """Return the types of which a value may be: those of a union, and list for list[int]."""
    if typing.get_origin(wanted) in (types.UnionType, typing.Union):
        return tuple(part for one in typing.get_args(wanted) for part in _parts(one))
    return (typing.get_origin(wanted) or wanted,)
