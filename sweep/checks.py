"""Check values of a configuration: each error names the key, the value and the remedy."""

import math

import numpy as np


def check_whole(key: str, value, least: int = 1) -> None:
    """Check for a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{key} {value}: needs a whole number of at least {least}")


def check_even(key: str, value) -> None:
    """Check for an even whole number of at least 2."""
    check_whole(key, value, least=2)
    if value % 2:
        raise ValueError(f"{key} {value} is odd: a frame needs a centre sample; choose {value - 1} or {value + 1}")


def check_positive(key: str, value) -> None:
    """Check for a finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise ValueError(f"{key} {value}: needs a number above 0")


def check_number(key: str, value, least: float) -> None:
    """Check for a finite number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not least <= value < math.inf:
        raise ValueError(f"{key} {value}: needs a number of at least {least:g}")


def check_share(key: str, value) -> None:
    """Check for a number of at least 0 and below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{key} {value}: needs a number of at least 0 and below 1")


def check_text(key: str, value, needs: str) -> None:
    """Check for text that is not empty; `needs` says in the message what it stands for."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} {value}: needs {needs}")


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
        raise ValueError(f"{key} {value!r}: choose one of {', '.join(str(c) for c in choices)}")
