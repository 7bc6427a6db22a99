"""`sweep data DIR`: prints what a data folder holds and lists everything that is wrong with it."""

import argparse

from rich.console import Console

from sweep.data.report import report
from sweep.files import from_user
from sweep.registry import sources


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
        help="how it is laid out (default: musicnet if it has train_data or test_data, else folder)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the report; return 0 if everything can be read, 1 if there is a problem."""
    return 1 if report(arguments.directory, arguments.source, Console(highlight=False)) else 0
