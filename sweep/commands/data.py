"""`sweep data DIR`: prints what a data folder holds and lists everything that is wrong with it."""

import argparse
from typing import Any

import yaml
from rich.console import Console

from sweep.checks import shown
from sweep.data.report import report
from sweep.data.source import layout_of
from sweep.files import from_user
from sweep.registry import check_options, sources


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Read all recordings of a data folder as training does, print what they are, and list every problem with its\n"
        "file and line. Exits 1 if there is one. Remarks, such as notes that were cut, are no problems."
    )
    parser.add_argument("directory", metavar="DIR", type=from_user, help="the folder that data.root would be")
    parser.add_argument(
        "--source",
        choices=[name for name in sources.names() if name != "demo"],
        help="how it is laid out (default: that of a published set if it looks like one, else folder)",
    )

    parser.add_argument(
        "keys", metavar="KEY=VALUE", nargs="*", help="keys of that layout, such as pedal=true; `sweep list data NAME`"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the report; return 0 if everything can be read, 1 if there is a problem.

    Raises:
        ValueError: a key is not one of the layout's, or a value cannot be read.
    """
    source = arguments.source or layout_of(arguments.directory)
    options = {}
    for word in arguments.keys:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word}: write KEY=VALUE")
        options[key.removeprefix("data.")] = _read(word, value)
    if options:
        check_options(sources[source], sources.given, options, "data.")
    return 1 if report(arguments.directory, source, Console(highlight=False), options) else 0


def _read(word: str, value: str) -> Any:
    """Read a value as YAML."""
    try:
        return yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):  # a ValueError: 2024-13-01, which looks like a date
        raise ValueError(f"{shown(word)}: its value cannot be read; in quotes, KEY='\"VALUE\"', it is text") from None
