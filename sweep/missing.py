"""One line in place of a traceback where a package that a command needs is not installed."""

import contextlib
from collections.abc import Iterator

# Of a module the package that pip knows, where they are not called the same.
_PACKAGES = {"hydra": "hydra-core", "omegaconf": "hydra-core", "PIL": "pillow"}


@contextlib.contextmanager
def one_line_if_missing(command: str) -> Iterator[None]:
    """Around imports, or a function: ends the command with exit code 1 where somebody else's module is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "sweep").partition(".")[0]
        if module == "sweep":
            raise
        package = _PACKAGES.get(module, module)
        raise SystemExit(f"{command}: needs {package}, which is not installed: pip install spectrogram-sweep") from None
