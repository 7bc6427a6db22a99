"""`sweep.compare(...)`: trains and compares rows from Python, a notebook for example, as the command line does."""

import contextlib
import multiprocessing
import operator
import os
import re
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console

from sweep.checks import shown
from sweep.config.words import quoted
from sweep.names import plain, say
from sweep.registry import models, sources
from sweep.terminal import in_notebook, plain_console

if TYPE_CHECKING:
    from sweep.report import Report
    from sweep.scheduling.jobs import Run

_KEY = re.compile(r"\+{0,2}[A-Za-z_][\w./]*")
_NAME_IN_A_MAPPING = re.compile(r"[A-Za-z_][\w-]*")
_ARGUMENTS = {"representation": "representations", "seed": "seeds"}  # keys that are arguments of another name
# Hydra's logging would replace that of the process.
_QUIET = "hydra.hydra_logging.root=null"


def compare(
    representations: str | Iterable[str],
    *,
    model: str | type | Sequence[str | type] = "linear",
    data: str = "demo",
    protocol: str = "quick",
    seeds: int | Iterable[int] = 1,
    console: Console | None = None,
    **keys: Any,
) -> "Report":
    """Train a model behind each of some rows and compare them, as the program `sweep` does.

    The runs have the same folders as the command line's: what is done is skipped, what was interrupted resumes, what
    failed is tried again, and several processes may work on one folder. A line is printed for each run.

    Args:
        representations: name of a row, such as "cqt-48", or several.
        model: name of a registered model, a class derived from `sweep.training.model.Model`, or several; a class that
            has no name yet is registered under its own in lower case, with underscores.
        data: name of a data set, as `sweep list data` prints them.
        protocol: name of a file in conf/protocol.
        seeds: number of seeds, 3 for the seeds 0, 1 and 2; or the seeds themselves.
        console: console to print on; None for standard output.
        keys: other keys of the command line, with two underscores for a dot: `protocol__steps=100`. A value is None, a
            bool, a number, a text or a path, taken literally. A list gives several values, as commas do on the command
            line, except of `cluster`; a tuple is one value that is a list, a dict one that is a mapping.

    Returns:
        The report of the folder <runs>/<data>/<protocol>, with all runs there. A run that failed is in its table.

    Raises:
        ValueError: a value is wrong, the runs would need several tables, or no run is done; one line says the remedy.
        KeyboardInterrupt: the call was interrupted; a checkpoint is written, and the same call resumes.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise ValueError("compare: the script is run again by its processes; call it below if __name__ == '__main__':")
    console = console or (plain_console() if in_notebook() else Console(highlight=False))
    given = {
        "representation": _several(representations),
        "model": [_name(it) for it in model] if isinstance(model, list | tuple) else _name(model),
        "data": data,
        "protocol": protocol,
        "seed": _seeds(seeds),
    }
    for key, name in _ARGUMENTS.items():
        if key in keys:
            raise ValueError(f"{key} ({shown(keys[key])}): unknown key; did you mean {name}?")
    dotted = {key.replace("__", "."): value for key, value in keys.items()}
    words = [_word(key, value) for key, value in {**given, **dotted}.items()]
    try:
        with _left_as_it_was():
            return _report(words, console)
    except KeyboardInterrupt:
        say(console, "stopped; the same call resumes")
        raise
    except (OSError, ValueError) as error:
        raise ValueError(plain(str(error))) from None


def _report(words: list[str], console: Console) -> "Report":
    """Carry out a sweep and return its report.

    Args:
        words: words of the command line.
        console: console to print on.

    Raises:
        ValueError: a word is wrong, or no run is done.
    """
    from sweep.commands import train

    swept = train.sweep(train.ask([*words, _QUIET]), console, printed=False, check=_check)
    if swept.reports:
        return swept.reports[0]
    states = [(run.title, run.state()) for run in swept.runs]
    failed = next((f"{title}  failed: {it.note}" for title, it in states if it.note and it.status != "running"), None)
    raise ValueError(f"no run is done; {failed or 'the same call, later, returns the report'}")


def _check(runs: list["Run"]) -> None:
    """Check that runs belong in one table, and that the processes that take them know their classes.

    Args:
        runs: runs of a sweep.

    Raises:
        ValueError: they do not; says the remedy.
    """
    from sweep.scheduling.plan import tables

    folders = tables(runs)
    if len(folders) > 1:
        raise ValueError(
            f"{', '.join(map(str, folders))}: a report is of one folder; call compare once for each data and protocol"
        )
    for config in (run.config for run in runs if run.config.cluster.name != "none"):
        row, cluster = config.representation, config.cluster.name
        data = [sources[name] for name in (config.data.source, *(one.source for one in config.data.test))]
        classes = (models[config.model.name], type(row), type(row.compression), *data)
        unseen = "a notebook or at a prompt" if not hasattr(sys.modules["__main__"], "__file__") else ""
        unseen = unseen or "this script" * (cluster == "slurm")  # other processes of this host run it again
        for cls in classes if unseen else ():
            if cls.__module__ == "__main__":
                raise ValueError(
                    f"{cls.__name__}: defined in {unseen}, which the processes of cluster={cluster} do not see; put it "
                    "into a file and import it, or choose cluster=none"
                )


def _name(model: Any) -> str:
    """Return the name of a model, a class's own; a class that has none is registered first."""
    if not isinstance(model, type):
        return model
    name = next((name for name, cls in models.importable().items() if cls is model), None)
    if name is None:
        name = models.name_for(model)
        models.register(name)(model)
    return name


def _several(value: Any) -> Any:
    """Return a list of several values, such as a column of a table; one value as it is."""
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def _seeds(seeds: Any) -> Any:
    if isinstance(seeds, Iterable):
        return list(seeds)
    try:
        number = 0 if isinstance(seeds, bool) else operator.index(seeds)
    except TypeError:
        number = 0
    if number < 1:
        raise ValueError(f"seeds {shown(seeds)}: needs a number of seeds, at least 1, or a list of seeds")
    return list(range(number))


def _word(key: str, value: Any) -> str:
    """Write a key and its value as a word of the command line.

    >>> _word("protocol.steps", 100), _word("runs", "1e3"), _word("threshold", [0.3, 0.4])
    ('protocol.steps=100', 'runs="1e3"', 'threshold=0.3,0.4')
    >>> _word("representation.window", ("kaiser", 14.0)), _word("cluster.extra", {"constraint": "a100"})
    ('representation.window=["kaiser",14.0]', 'cluster.extra={constraint:"a100"}')

    Args:
        key: key of the command line.
        value: what `compare` takes.

    Raises:
        ValueError: the key or the value cannot be written so.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"{shown(key)} ({shown(value)}): unknown key; a key is written like protocol__steps")
    several = isinstance(value, list | range) and not key.startswith("cluster.")
    if several and not value:
        raise ValueError(f"{key} {shown(value)}: no run; choose at least one value")
    return f"{key}={','.join(_written(key, part) for part in (value if several else [value]))}"


def _written(key: str, value: Any) -> str:
    """Write a value so that Hydra reads this value."""
    if getattr(value, "ndim", None) == 0:  # a number of NumPy or PyTorch
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list | tuple | range):
        return f"[{','.join(_written(key, part) for part in value)}]"
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str) or not _NAME_IN_A_MAPPING.fullmatch(name):
                raise ValueError(f"{key} {shown(value)}: needs names of letters, digits, - and _ in a mapping")
        return f"{{{','.join(f'{name}:{_written(key, part)}' for name, part in value.items())}}}"
    raise ValueError(f"{key} {shown(value)}: needs None, a bool, a number, a text, or a list or dict of them")


@contextlib.contextmanager
def _left_as_it_was() -> Iterator[None]:
    """Give Hydra a state of its own in a block; afterwards this, sys.argv and handlers of signals are as before.

    Hydra refuses to start where somebody else, such as a program that calls `compare`, has it running.
    """
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.core.singleton import Singleton
    from hydra.core.utils import JobRuntime
    from hydra.version import VersionBase

    states = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)
    kept = {cls: Singleton._instances.pop(cls) for cls in states if cls in Singleton._instances}
    argv, handlers = list(sys.argv), {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for cls in states:
            Singleton._instances.pop(cls, None)
        Singleton._instances.update(kept)
        sys.argv[:] = argv
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():  # Lightning ignores Ctrl-C once it has stopped by it
                if handler is not None and signal.getsignal(number) != handler:
                    signal.signal(number, handler)
