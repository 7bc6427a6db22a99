"""Report a package that is not installed in one line instead of a traceback."""

import contextlib
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
