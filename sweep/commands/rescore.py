"""`sweep rescore RUNS KEY=VALUE ...`: scores finished runs anew, without training, and prints what moves the scores."""

import argparse

from rich.console import Console

from sweep.files import from_user
from sweep.names import say


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the description and the arguments of the command."""
    parser.description = (
        "Score the finished runs of a folder anew from the probabilities that they kept (keep_probabilities=true),\n"
        "without training: each choice alone, against the runs' own. Print for accuracy, note F1 and note F1 with\n"
        "offsets how far each choice moves the score, beside how far seeds and front-ends move it, and write\n"
        "rescored.csv (every run, choice and score) beside the table. Nothing of the runs is changed. The choices:\n\n"
        "  data.shift=S         seconds by which the labels are moved, later if positive\n"
        "  data.root=DIR        a folder of the same recordings with other labels\n"
        "  data.KEY=VALUE       a key of the data's source, such as another version of its labels\n"
        "  threshold=P          probability above which a note sounds, and with an onset head begins\n"
        "  tolerance=S          seconds by which the onset of a right note may be off; the runs have 0.05\n"
        "  frame_step=N         samples at 44.1 kHz between the frames that are scored, a multiple of 512\n\n"
        "Keys that need each other are one choice, joined by a plus: data.labels=midi+data.labels_root=DIR."
    )
    parser.add_argument(
        "directory",
        metavar="RUNS",
        type=from_user,
        help="folder of results: the root, one run, or anything between; all runs of a table are scored",
    )
    parser.add_argument("words", metavar="KEY=VALUE[,VALUE...][+KEY=...]", nargs="*", help="a choice, or several")
    parser.add_argument(
        "--root", metavar="DIR", type=from_user, help="folder of the recordings (default: where the runs found them)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print and write the scores of all results below a folder.

    Raises:
        ValueError: there are no runs with kept probabilities, or a word is no choice, or no choice applies to a run.
    """
    from sweep.rescoring.choices import check_choices, read_choices
    from sweep.rescoring.moves import EXPLAINED, show
    from sweep.rescoring.rescore import rescore
    from sweep.results.finding import protocol_folders
    from sweep.results.table import read_runs

    directory, choices = arguments.directory, read_choices(arguments.words)
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such folder")
    console, remarks, scored = Console(highlight=False), list[str](), False
    tables = {folder: read_runs(folder) for folder in protocol_folders(directory, remarks)}
    check_choices(choices, (result for runs in tables.values() for result in runs.results.values()))
    for folder, runs in tables.items():
        found = rescore(folder, runs, choices, console, arguments.root)
        remarks += [*runs.remarks, *found.remarks]
        if not found.table.empty:
            scored = True
            show(found, console)
    if not scored:
        raise ValueError("; ".join(remarks) or f"{directory}: no results in or below it; sweep +grid=smoke makes some")
    say(console, EXPLAINED, "dim")
    for line in remarks:
        say(console, line, "yellow")
    return 0
