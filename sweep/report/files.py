"""Write the files of a report, and the tables that stand beside its main one."""

from collections.abc import Callable, Mapping
from pathlib import Path

from rich.console import Console

from sweep.files import write_whole
from sweep.names import say
from sweep.report.elsewhere import ByGroup
from sweep.report.printing import csv, markdown, print_cells
from sweep.report.rankings import Rankings
from sweep.report.trained import Trained

Part = Trained | Rankings | ByGroup


def write(console: Console, folder: Path, files: Mapping[str, Callable[[], str | bytes]]) -> bool:
    """Make files and write them into a folder; print in one line which could not be made or written, and why.

    Args:
        console: console for the line.
        folder: folder to write into.
        files: functions that return the contents, by the files' names.

    Returns:
        Whether all were written.
    """
    failed, why = [], ""
    for name, make in files.items():
        try:
            content = make()
            content = content.encode(errors="backslashreplace") if isinstance(content, str) else content
            write_whole(folder / name, content)
        except Exception as error:  # these files are copies: what fails to make one must not cost the others
            failed.append(name)
            why = why or (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
    if failed:
        verb = "was" if len(failed) == 1 else "were"
        say(console, f"{folder}: {', '.join(failed)} {verb} not written: {why}", "red")
    return not failed


def write_part(console: Console, folder: Path, name: str, label: str, part: Part) -> None:
    """Write a table beside the main one as <name>.csv and <name>.md.

    Args:
        console: console for a line on what could not be written.
        folder: folder to write into.
        name: name of the files.
        label: what the table belongs to, for its title.
        part: the table.
    """
    title = f"{label}: {part.title}"
    write(
        console,
        folder,
        {
            f"{name}.csv": lambda: csv(part.table),
            f"{name}.md": lambda: markdown(title, part.cells(), part.remarks()),
        },
    )


def print_part(console: Console, label: str, part: Part) -> None:
    """Print a table below the main one; `write_part` describes the arguments."""
    print_cells(console, f"{label}: {part.title}", part.cells(), part.remarks(), part.spare)
