"""Run the command line: as the program `sweep`, or at the end of a script that registers classes of its own."""

import runpy
import sys
from pathlib import Path

from sweep import terminal
from sweep.terminal import one_line_if_missing, replace_unencodable

# How submitit starts a SLURM job with the Python that it is given, which for a script is `python SCRIPT`.
_JOB = ["-u", "-m", "submitit.core._submit"]


def main() -> None:
    """Run the command line that this script was called with, as `sweep` does, with the classes that it registers.

    It is the last line of a script: `python mine.py +grid=all model=mine` or `python mine.py transcribe RUN AUDIO`. It
    does nothing where the script is imported, as by the processes of a sweep, which want its classes alone.

    Raises:
        SystemExit: the command ended; its code is the command's exit code.
    """
    if sys._getframe(1).f_globals.get("__name__") != "__main__":
        return
    terminal.script = Path(sys.argv[0]).resolve()
    if sys.argv[1:4] == _JOB:
        sys.argv = sys.argv[3:]
        runpy.run_module(_JOB[-1], run_name="__main__", alter_sys=True)
        return
    run()


@one_line_if_missing("sweep")
def run() -> None:
    """Run the command line of the program."""
    from sweep.commands import parser

    replace_unencodable()
    words = sys.argv[1:]
    if words and words[0] in parser.COMMANDS:
        sys.exit(parser.main(words))
    if words and words[0].isalpha():  # a key of a sweep has a "="
        sys.exit(f"sweep: {words[0]}: no such command; {parser.suggest(words[0])}")
    from sweep.commands import train

    train.main(words)
