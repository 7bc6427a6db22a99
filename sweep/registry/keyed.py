"""Make keys of a class's annotated attributes, so that a family or a compression of a few lines has checked ones."""

import copy
import dataclasses
import functools
import inspect
import typing
from typing import Any, TypeVar, cast

from sweep.checks import shown
from sweep.fields import Group, checked, default_of, keys_of
from sweep.registry.options import check_key, fits

T = TypeVar("T", bound=type)


def as_group(cls: T) -> T:
    """Make a class a frozen dataclass in which each annotated attribute is a key, as one of `sweep.fields` is.

    A class that is a dataclass already stays as it is.

    Args:
        cls: subclass of `Group`.
    """
    if "__dataclass_fields__" in vars(cls):
        return cls
    for name, wanted in inspect.get_annotations(cls, eval_str=True).items():
        default = vars(cls).get(name, dataclasses.MISSING)
        if typing.get_origin(wanted) is not typing.ClassVar and not isinstance(default, dataclasses.Field):
            setattr(cls, name, _of_type(wanted, default))
    said = cls.__doc__ or ""
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
    made.__doc__ = said  # otherwise a dataclass without one has its signature there
    return cast(T, made)


def check_fields(cls: type[Group], place: str) -> None:
    """Check that each field that a class and its bases outside the package add is a key with a default.

    Args:
        cls: class from outside the package.
        place: prefix of a key in a message, such as "family.".

    Raises:
        ValueError: names the class, the key and the remedy.
    """
    added: dict[str, Any] = {}
    for base in cls.__mro__:
        if not base.__module__.startswith("sweep."):
            added = {**inspect.get_annotations(base, eval_str=True), **added}
    keys = {field.name for field in keys_of(cls)}
    for field in dataclasses.fields(cls):
        where = f"{cls.__qualname__}: {place}{field.name}"
        if field.name not in added or not field.init:
            continue
        if field.name not in keys:
            raise ValueError(f"{where}: is no key; leave @dataclass out, or make it one with sweep.fields")
        default = default_of(field)
        default = inspect.Parameter.empty if default is dataclasses.MISSING else default
        check_key(where, field.name, added[field.name], default)


def _of_type(wanted: Any, default: Any) -> Any:
    said = inspect.formatannotation(wanted)

    def check(key: str, value: Any) -> None:
        if not fits(value, wanted):
            raise ValueError(f"{key} {shown(repr(value))}: needs a value of type {said}")

    if isinstance(default, list | dict):
        made = checked(check, said)
        made.default_factory = functools.partial(copy.deepcopy, default)
        return made
    return checked(check, said, **({} if default is dataclasses.MISSING else {"default": default}))
