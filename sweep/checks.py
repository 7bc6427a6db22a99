"""Checks of numbers that come from a configuration: each error says the key, the value and the remedy."""

import math

import numpy as np


def check_whole(key: str, value, least: int = 1) -> None:
    """A whole number of at least 1, or what `least` says."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{key} {value}: needs a whole number of at least {least}")


def check_even(key: str, value) -> None:
    """An even whole number of at least 2."""
    check_whole(key, value, least=2)
    if value % 2:
        raise ValueError(f"{key} {value} is odd: a frame needs a centre sample; choose {value - 1} or {value + 1}")


def check_positive(key: str, value) -> None:
    """A finite number above 0."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise ValueError(f"{key} {value}: needs a number above 0")


def check_number(key: str, value, least: float) -> None:
    """A finite number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not least <= value < math.inf:
        raise ValueError(f"{key} {value}: needs a number of at least {least:g}")


def check_share(key: str, value) -> None:
    """A number of at least 0 and below 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{key} {value}: needs a number of at least 0 and below 1")


def check_text(key: str, value, needs: str) -> None:
    """Text that is not empty; `needs` says what it stands for."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} {value}: needs {needs}")


def check_range(f_min, f_max, lowest: float | None = None) -> None:
    """A band f_min < f_max in Hz; f_min above 0, or at least `lowest`."""
    check_positive("f_max", f_max)
    if lowest is None:
        check_positive("f_min", f_min)
    elif isinstance(f_min, bool) or not isinstance(f_min, int | float | np.number) or not f_min >= lowest:
        raise ValueError(f"f_min {f_min}: needs a number of at least {lowest:g}")
    if not f_min < f_max:
        raise ValueError(f"f_min {f_min:g} Hz >= f_max {f_max:g} Hz; choose f_min below f_max")


def check_choice(key: str, value, choices) -> None:
    """One of some named options; 1 is not true."""
    if not any(type(value) is type(option) and value == option for option in choices):
        raise ValueError(f"{key} {value!r}: choose one of {', '.join(str(c) for c in choices)}")
