"""Check values of a configuration: each error names the key, the value and the remedy."""

import contextlib
import math
import os
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

_LONGEST = 200  # characters of a value in a message


def shown(value) -> str:
    """Write a value for a message: on one line, without control characters, and cut if it is long."""
    text = str(value)
    cut = f"{text[:_LONGEST]}... ({len(text):,} characters)" if len(text) > _LONGEST else text
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in cut)


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Put what is checked in a block before the line of a ValueError from there, once where such blocks are nested."""
    try:
        yield
    except ValueError as error:
        said, name = str(error), f"{what}: "
        raise ValueError(said if said.startswith(name) else f"{name}{said}") from error.__cause__


def called(what: str, function: Callable, *given: Any, **options: Any) -> Any:
    """Call a function of a class that is being checked, and say in one line what it raises.

    Args:
        what: the call in words, such as "front_end()".
        function, given, options: function, and its arguments.

    Raises:
        ValueError: it raised something, named in the line and kept as the cause.
    """
    try:
        return function(*given, **options)
    except Exception as error:
        raise ValueError(f"{what} raises {shown(' '.join(f'{type(error).__name__}: {error}'.split()))}") from error


def check_whole(key: str, value, least: int = 1) -> int:
    """Check for a whole number of at least `least`; return it as a Python int, where it may be one of NumPy's."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{key} {shown(value)}: needs a whole number of at least {least}")
    if value >= 2**63:
        raise ValueError(f"{key} {shown(value)}: needs a number below 2^63")
    return int(value)


def check_even(key: str, value) -> int:
    """Check for an even whole number of at least 2; return it as a Python int."""
    check_whole(key, value, least=2)
    if value % 2:
        raise ValueError(
            f"{key} {shown(value)} is odd: a frame needs a centre sample; choose {value - 1} or {value + 1}"
        )
    return int(value)


def check_odd(key: str, value) -> int:
    """Check for an odd whole number of at least 3; return it as a Python int."""
    check_whole(key, value, least=3)
    if value % 2 == 0:
        raise ValueError(f"{key} {shown(value)} is even: needs a middle sample; choose {value - 1} or {value + 1}")
    return int(value)


def check_positive(key: str, value) -> None:
    """Check for a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise ValueError(f"{key} {shown(value)}: needs a number above 0")


def check_number(key: str, value, least: float, most: float = math.inf) -> None:
    """Check for a finite number of at least `least` and at most `most`."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not is_number or not least <= value <= most or value == math.inf:
        wanted = f"of at least {least:g}" if most == math.inf else f"from {least:g} to {most:g}"
        raise ValueError(f"{key} {shown(value)}: needs a number {wanted}")


def check_share(key: str, value) -> None:
    """Check for a number of at least 0 and below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value < 1:
        raise ValueError(f"{key} {shown(value)}: needs a number of at least 0 and below 1")


def check_text(key: str, value, needs: str) -> None:
    """Check for text that is not empty; `needs` says in the message what it stands for."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} {shown(value)}: needs {needs}")


def check_folder(key: str, value, needs: str) -> None:
    """Check for the path of a folder, which need not exist; `needs` says in the message what it stands for."""
    check_text(key, value, needs)
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise ValueError(f"{key} {shown(value)}: needs {needs} without control characters in its name")
    longest = max((os.fsencode(part) for part in value.split(os.sep)), key=len)
    if len(longest) > 255 or len(os.fsencode(value)) > 3000:
        raise ValueError(f"{key} {shown(value)}: needs {needs} of a shorter name, one has 255 bytes at most")
    if value.startswith("~"):
        raise ValueError(
            f"{key} {shown(value)}: there is no such home folder; ./{shown(value)} is a folder in this one"
        )


def check_range(f_min, f_max, lowest: float | None = None) -> None:
    """Check a band f_min < f_max in Hz, with f_min above 0, or at least `lowest` if that is given."""
    check_positive("f_max", f_max)
    if lowest is None:
        check_positive("f_min", f_min)
    elif isinstance(f_min, bool) or not isinstance(f_min, int | float | np.number) or not f_min >= lowest:
        raise ValueError(f"f_min {f_min}: needs a number of at least {lowest:g}")
    if not f_min < f_max:
        raise ValueError(f"f_min {f_min:g} Hz >= f_max {f_max:g} Hz; choose f_min below f_max")


def check_choice(key: str, value, choices) -> None:
    """Check for one of some options, of the same type: 1 does not count as true."""
    if not any(type(value) is type(option) and value == option for option in choices):
        raise ValueError(f"{key} {shown(repr(value))}: choose one of {', '.join(str(c) for c in choices)}")
