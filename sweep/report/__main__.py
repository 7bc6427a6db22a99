"""python -m sweep.report DIR: prints and writes the tables of the results below a folder."""

import argparse
import sys
from pathlib import Path

from sweep.report.table import print_reports


def main() -> int:
    """Runs the command line; 0 where there was something to report, 2 with one line on stderr where not."""
    parser = argparse.ArgumentParser(
        prog="python -m sweep.report",
        description="Prints a table for each <data>/<protocol> folder of results, and writes it there as table.csv "
        "(every run), summary.csv (every line of the table, with intervals) and table.md (what is printed). Where "
        "there are several rankings of the same data, it sets them side by side, in rankings.csv and rankings.md.",
    )
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        default="runs",
        type=Path,
        help="folder of results: the root, one run, or anything between (default: runs)",
    )
    directory = parser.parse_args().directory
    problem = None
    if not directory.is_dir():
        problem = f"{directory}: no such folder"
    else:
        try:
            if not print_reports(directory):
                problem = f"{directory}: no results in or below it; python -m sweep makes some"
        except (OSError, ValueError) as error:
            problem = str(error)
    if problem:
        print(f"sweep.report: {problem}", file=sys.stderr)
    return 2 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
