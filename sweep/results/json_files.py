"""Read the JSON files of results, which may be damaged, cut or of another hand, into dataclasses."""

import dataclasses
import functools
import json
import math
import types
from pathlib import Path
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

NO_ACCESS = (PermissionError, IsADirectoryError, NotADirectoryError, FileNotFoundError)  # other errors are damage
_INTEGERS = 2**63  # tables hold integers of 64 bits


def unreadable(path: Path, error: OSError) -> str:
    """Describe in one line a file that is there but cannot be read, with the remedy."""
    return f"{path}: cannot be read ({error.strerror or error}): correct its permissions, or remove it"


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a file that holds one JSON object; None if there is no such file.

    Raises:
        ValueError: what is wrong with the file, without its name if it is damaged, with it if it cannot be read.
    """
    try:
        content = json.loads(path.read_bytes(), parse_constant=_no_constant)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnreadableError(unreadable(path, error)) from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(content, dict):
        raise ValueError("no JSON object")
    return content


class UnreadableError(ValueError):
    """A file is there but cannot be read; the message names it."""


def build(cls: type, content: dict[str, Any], *, others: bool = False) -> Any:
    """Build a dataclass from the content of a JSON object.

    Args:
        cls: dataclass; the values must be of its fields' types.
        content: the values by the fields' names.
        others: whether the object may have other keys, which are ignored.

    Raises:
        ValueError: a field is missing, its value has another type, or there is another key.
    """
    hints = _hints(cls)
    strange = [key for key in content if key not in hints]
    if strange and not others:
        raise ValueError(f"it has {shown(strange[0])}")
    values = {field.name: content.get(field.name, field.default) for field in dataclasses.fields(cls)}
    for name, value in values.items():
        if value is dataclasses.MISSING or value is None and not fits(None, hints[name]):
            raise ValueError(f"it has no {name}")
        if not fits(value, hints[name]):
            raise ValueError(f"its {name} is {shown(value)}")
    return cls(**values)


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value has a type, such as dict[str, float | None]; an integer will do for a float.

    Args:
        value: value that was read.
        hint: the type.
    """
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is dict:
        return isinstance(value, dict) and all(fits(item, parts[1]) for item in value.values())
    if origin is list:
        return isinstance(value, list) and all(fits(item, parts[0]) for item in value)
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, float) and math.isfinite(value) or fits(value, int)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < _INTEGERS
    return isinstance(value, hint)


def shown(value: Any) -> str:
    """Write a value for a message, cut if it is long."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:40]}\N{HORIZONTAL ELLIPSIS}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
