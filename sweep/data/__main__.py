"""python -m sweep.data DIR: says what a data folder holds and lists everything that is wrong with it."""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from sweep.data.report import report


def main() -> int:
    """Runs the command line; 0 where all can be read, 1 where there is a problem."""
    parser = argparse.ArgumentParser(
        prog="python -m sweep.data",
        description="Reads all recordings of a data folder as training does, prints what they are, and lists every "
        "problem with its file and line. Exits 1 if there is one.",
    )
    parser.add_argument("directory", metavar="DIR", type=Path, help="the folder that data.root would be")
    parser.add_argument(
        "--source",
        choices=("musicnet", "folder"),
        help="how it is laid out (default: musicnet if it has train_data or test_data, else folder)",
    )
    arguments = parser.parse_args()
    return 1 if report(arguments.directory, arguments.source, Console(highlight=False)) else 0


if __name__ == "__main__":
    sys.exit(main())
