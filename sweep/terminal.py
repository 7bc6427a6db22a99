"""What surrounds a command: its script, a package that is not installed, a terminal, a notebook."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

# Module name to package name on PyPI, where the two differ.
_PACKAGES = {"hydra": "hydra-core", "omegaconf": "hydra-core", "PIL": "pillow"}

script: Path | None = None
"""The script that called `sweep.main` in this process; None: the program itself runs."""


@contextlib.contextmanager
def one_line_if_missing(command: str) -> Iterator[None]:
    """End the command with one line and exit code 1 if a third-party module is missing; context or decorator.

    Args:
        command: name of the command, printed at the start of the line.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "sweep").partition(".")[0]
        if module == "sweep":
            raise
        package = _PACKAGES.get(module, module)
        raise SystemExit(f"{command}: needs {package}, which is not installed: pip install spectrogram-sweep") from None


def replace_unencodable() -> None:
    """Make stdout and stderr of this process print "?" for a character that their encoding does not have.

    What is printed is a copy of what is written, so it must not fail.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # None without a terminal on Windows, others where output is captured
            stream.reconfigure(errors="replace")


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    from rich.console import Console

    return Console().is_jupyter


def plain_console(file: IO[str] | None = None) -> "Console":
    """Make a console for text alone, 100 columns wide: no colours, bars or HTML, which a kernel's environment asks for.

    Args:
        file: text file to print into; None for standard output.
    """
    from rich.console import Console

    options: dict = {"force_jupyter": False, "force_terminal": False, "color_system": None}
    return Console(file=file, width=100, highlight=False, **options)
