"""KEY=VALUE among the words of a command line, as `python -m sweep` takes them."""

import re
from collections.abc import Iterable
from pathlib import Path


def split_keys(words: list[str], keys: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """The words that are no keys, each once, and the values of those that are.

    A word such as out=x is no key where a file of that name is there.

    Raises:
        ValueError: a key is none of these.

    >>> split_keys(["a.wav", "out=here"], ["out"])
    (['a.wav'], {'out': 'here'})
    """
    keyed = [word for word in words if re.match(r"[a-z]+=", word) and not Path(word).exists()]
    given = dict(word.split("=", 1) for word in keyed)
    for key, value in given.items():
        if key not in keys:
            raise ValueError(f"{key}={value}: no such file and no such key; there is {', '.join(keys)}")
    return [word for word in dict.fromkeys(words) if word not in keyed], given
