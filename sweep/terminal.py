"""What a command does about its surroundings: a package that is not installed, a terminal that lacks a character."""

import contextlib
import sys
from collections.abc import Iterator

# Module name to package name on PyPI, where the two differ.
_PACKAGES = {"hydra": "hydra-core", "omegaconf": "hydra-core", "PIL": "pillow"}


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
