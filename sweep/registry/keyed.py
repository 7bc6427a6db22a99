"""Make keys of a class's annotated attributes, so that a family or a compression of a few lines has checked ones."""

import dataclasses
import inspect
import typing
from typing import Any

from sweep.checks import shown
from sweep.fields import Group, checked, keys_of
from sweep.registry.options import fits


def as_group(cls: type) -> type:
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
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def check_fields(cls: type[Group], place: str) -> None:
    """Check that each field that a class and its bases outside the package add is a key with a default.

    Args:
        cls: class from outside the package.
        place: prefix of a key in a message, such as "family.".

    Raises:
        ValueError: names the class, the key and the remedy.
    """
    added = {
        name
        for base in cls.__mro__
        if not base.__module__.startswith("sweep.")
        for name in inspect.get_annotations(base)
    }
    keys = {field.name: field for field in keys_of(cls)}
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        where = f"{cls.__qualname__}: {place}{field.name}"
        if field.name not in added or not field.init:
            continue
        if field.name not in keys:
            raise ValueError(f"{where}: is no key; leave @dataclass out, or make it one with sweep.fields")
        if field.default is dataclasses.MISSING:
            raise ValueError(f"{where}: has no default; give it one")


def _of_type(wanted: Any, default: Any) -> Any:
    said = inspect.formatannotation(wanted)

    def check(key: str, value: Any) -> None:
        if not fits(value, wanted):
            raise ValueError(f"{key} {shown(repr(value))}: needs a value of type {said}")

    about = {} if default is dataclasses.MISSING else {"default": default}
    return checked(check, said, **about)
