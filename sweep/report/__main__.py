"""python -m sweep.report DIR: prints and writes the tables, pictures and pages of the results below a folder."""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sweep.report.report import print_reports


def main() -> int:
    """Runs the command line; 0 where there was something to report, 2 with one line on stderr where not."""
    parser = argparse.ArgumentParser(
        prog="python -m sweep.report",
        description="Prints a table for each <data>/<protocol> folder of results, and writes it there as table.csv "
        "(every run), summary.csv (every line of the table, with intervals), table.md and table.tex (what is printed), "
        "report.html (the table and all pictures in one file) and pictures/ (as PNG and PDF). Where there are several "
        "rankings of the same data, it sets them side by side, in rankings.csv and rankings.md.",
    )
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        default="runs",
        type=Path,
        help="folder of results: the root, one run, or anything between (default: runs)",
    )
    parser.add_argument(
        "--columns",
        metavar="A,B,...",
        help='of the tables in all their forms: headings such as "Acc,95 %%,best,parameters,memory", or columns of '
        "summary.csv (default: those that the results need, and all in the CSV files)",
    )
    parser.add_argument("--tables-only", action="store_true", help="no page and no pictures")
    given = parser.parse_args()
    try:
        return report(given.directory, given.columns and given.columns.split(","), given.tables_only)
    except (OSError, ValueError) as error:
        print(f"sweep.report: {error}", file=sys.stderr)
        return 2


def report(directory: Path, columns: list[str] | None, tables_only: bool) -> int:
    """Prints and writes all that there is to report.

    Raises:
        ValueError: there is nothing to report, something is damaged, or there is no such column.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such folder")
    reports, rankings = print_reports(directory, columns=columns)
    if not reports:
        raise ValueError(f"{directory}: no results in or below it; python -m sweep makes some")
    if tables_only:
        return 0
    from sweep.report.page import write_page  # takes a second to import

    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    for found in reports:
        with console.status(Text(f"drawing {found.folder}")):
            path, _ = write_page(console, found, rankings.get(found.folder.parent))
        console.print(f"{path}: the table and all pictures in one file; pictures/ beside it: as PNG and PDF")
    return 0


if __name__ == "__main__":
    sys.exit(main())
