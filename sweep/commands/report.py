"""`sweep report DIR`: prints and writes the tables, pictures and pages of the results below a folder."""

import argparse

from rich.console import Console
from rich.text import Text

from sweep.files import from_user
from sweep.names import plain, say
from sweep.report import print_reports
from sweep.results.metrics import METRICS


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Print a table for each <data>/<protocol> folder of results, and write it there as table.csv (every run),\n"
        "summary.csv (every line of the table, with intervals), table.md and table.tex (what is printed),\n"
        "verdict.json, metrics.csv and .md (the rankings by accuracy and by note F1), report.html (all in one file)\n"
        "and pictures/ (as PNG and PDF). Where there are several rankings of the same data, they are set side by\n"
        "side, in rankings.csv and rankings.md."
    )
    parser.add_argument(
        "directory",
        metavar="DIR",
        nargs="?",
        default="runs",
        type=from_user,
        help="folder of results: the root, one run, or anything between (default: runs)",
    )
    parser.add_argument(
        "--columns",
        metavar="A,B,...",
        help='columns of the tables in all their forms: headings such as "Acc,95 %%,best,parameters,memory", or '
        "columns of summary.csv (default: those that the results need, and all in the CSV files)",
    )
    parser.add_argument(
        "--metric", choices=METRICS, help="score that ranks the rows (default: that of the sweep's last command)"
    )
    parser.add_argument(
        "--margin",
        type=float,
        help="by how much a cheaper row may score less and be good enough (default: that of the sweep's last command)",
    )
    parser.add_argument(
        "--on",
        metavar="SET",
        help="report the scores on another set that the sweep named by data.test, into a folder on-SET there "
        "(default: those on the test recordings of the set that was trained on)",
    )
    parser.add_argument("--tables-only", action="store_true", help="no page and no pictures")


def run(arguments: argparse.Namespace) -> int:
    """Print and write the reports of all results below a folder.

    Raises:
        ValueError: there are no results, or a column does not exist.
    """
    directory = arguments.directory
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such folder")
    columns = arguments.columns.split(",") if arguments.columns else None
    how = {"metric": arguments.metric, "margin": arguments.margin, "on": arguments.on}
    reports, rankings = print_reports(directory, columns=columns, **how)
    if not reports:
        raise ValueError(f"{directory}: no results in or below it; sweep +grid=smoke makes some")
    if arguments.tables_only:
        return 0
    console = Console(highlight=False)
    try:
        from sweep.report.page import write_page  # takes a second to import
    except ImportError as error:
        say(console, f"{directory}: no page and no pictures, {error}; pip install spectrogram-sweep", "red")
        return 0
    for found in reports:
        with console.status(Text(plain(f"drawing {found.place}"))):
            try:
                path, _ = write_page(console, found, rankings.get(found.folder.parent))
            except Exception as error:  # the page is a copy: the tables are written, and other folders have pages too
                path = None
                say(console, f"{found.place}: report.html was not made: {type(error).__name__}, {error}", "red")
        if path:
            say(console, f"{path}: the table and all pictures in one file; pictures/ beside it: as PNG and PDF")
    return 0
