"""Several processes of this host on one sweep, one for each GPU or core: cluster=gpus and cluster=cpus."""

import contextlib
import io
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sweep.config import HostCluster
from sweep.scheduling.jobs import DONE, Run, Walk

_MOST_RUNS = 100_000  # in one sweep: the processes start before it is known how many there are
_STARTS = 3  # of a process on one GPU or core: where it dies each time, the place is no good
_CONTEXT = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork


@dataclass(frozen=True)
class Place:
    """Where one process computes.

    Attributes:
        name: in words; empty where there is only one.
        gpu: its CUDA device, as CUDA_VISIBLE_DEVICES names it; None: it has none.
        cores: that it may use.
    """

    name: str
    gpu: str | None
    cores: tuple[int, ...]


def places(cluster: HostCluster) -> list[Place]:
    """Where the processes of a sweep compute, the cores shared out among them.

    Raises:
        ValueError: there is no GPU.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))
    gpus = visible_gpus() if cluster.name == "gpus" else [None] * len(cores)
    if not gpus:
        raise ValueError("cluster gpus: there is no GPU on this host; choose cluster=cpus, or none")
    if isinstance(cluster.processes, int):
        gpus = gpus[: cluster.processes]
    n = len(gpus)
    kind = "GPU" if cluster.name == "gpus" else "process"
    ends = [i * len(cores) // n for i in range(n + 1)]
    shares = [tuple(cores[a:b]) or (cores[a],) for a, b in zip(ends, ends[1:], strict=False)]
    return [Place(f"{kind} {i}", gpu, share) for i, (gpu, share) in enumerate(zip(gpus, shares, strict=True))]


def visible_gpus() -> list[str]:
    """The GPUs of this host that CUDA_VISIBLE_DEVICES allows, found without torch, which takes seconds to import."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        gpus = [gpu.strip() for gpu in chosen.split(",")]
        return gpus[: next((i for i, gpu in enumerate(gpus) if gpu in ("", "-1")), len(gpus))]
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    except (OSError, subprocess.SubprocessError):  # a container may have the devices and not the program
        return [str(i) for i, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


class Workers:
    """Processes that load what they need at once and wait for the runs; they end with the `with` block.

    Args:
        places: one process for each.
    """

    def __init__(self, places: list[Place]):
        self.attempts, self.states = (_CONTEXT.RawArray("B", _MOST_RUNS) for _ in range(2))
        self.starts = {place: 0 for place in places}
        self.processes: dict[Connection, tuple[Place, BaseProcess]] = {}
        self.busy = {place: 0.0 for place in places}  # seconds
        self.runs: list[Run] = []
        for place in places:
            self._start(place)

    def __enter__(self) -> "Workers":
        signal.signal(signal.SIGTERM, _stop)  # as Ctrl-C
        return self

    def __exit__(self, *_):
        """End those that still work: they write a checkpoint first if they train."""
        for _, process in self.processes.values():
            process.terminate()
        for _, process in self.processes.values():
            process.join()

    def go(self, runs: list[Run], console: Console) -> bool:
        """Have all runs done; whether they are.

        A process that dies is started anew, and its run is taken by whoever comes by first.

        Args:
            runs: in the order of the table.
            console: for what the processes say, and for a bar over all runs where it is a terminal.
        """
        began = time.perf_counter()
        if any(place.gpu for place in self.starts):  # never a CPU by oversight
            runs = [replace(run, config=replace(run.config, device="cuda")) for run in runs]
        self.runs = sorted(runs, key=lambda run: run.config.cost, reverse=True)
        for pipe in self.processes:
            self._send(pipe)
        with bar(console, len(runs)) as advance:
            while self.processes:
                for pipe in wait(list(self.processes), timeout=0.5):
                    self._hear(cast(Connection, pipe), console)
                advance(sum(map(bool, self.states[: len(runs)])))
        took = time.perf_counter() - began
        shares = ", ".join(f"{place.name} {min(seconds / took, 1):.0%}" for place, seconds in self.busy.items())
        console.print(f"{len(self.starts)} processes took {took:.1f} s, in which they ran: {shares}", soft_wrap=True)
        return all(state == DONE for state in self.states[: len(runs)])

    def _start(self, place: Place) -> Connection:
        self.starts[place] += 1
        ours, theirs = _CONTEXT.Pipe()
        threads = min(len(place.cores), int(os.environ.get("OMP_NUM_THREADS") or len(place.cores)))
        setting = {"CUDA_VISIBLE_DEVICES": place.gpu or "", "OMP_NUM_THREADS": str(threads)}
        arguments = (theirs, place, self.attempts, self.states, len(self.starts))
        process = _CONTEXT.Process(target=_work, args=arguments, name=place.name)
        with _environment(setting):
            process.start()
        theirs.close()
        self.processes[ours] = place, process
        return ours

    def _send(self, pipe: Connection) -> None:
        with contextlib.suppress(OSError):  # it has died: that is heard
            pipe.send(self.runs)

    def _hear(self, pipe: Connection, console: Console) -> None:
        place, process = self.processes[pipe]
        try:
            said, style = pipe.recv()
        except (EOFError, OSError):  # it has ended
            process.join()
            del self.processes[pipe]
            left = any(not state for state in self.states[: len(self.runs)])
            if process.exitcode and left:
                again = self.starts[place] < _STARTS
                how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"exit code {process.exitcode}"
                remark = "it is started anew" if again else f"it died {_STARTS} times and is given up"
                console.print(f"{place.name}: process {process.pid} died ({how}); {remark}", style="red")
                if again:
                    self._send(self._start(place))
            return
        if isinstance(said, float):
            self.busy[place] += said
        else:
            console.print(escape(said), style=style, soft_wrap=True)


def _work(pipe: Connection, place: Place, attempts, states, processes: int) -> None:
    """A process: loads everything, waits for the runs, goes through them."""
    from sweep.results.scoring import follow_parent

    follow_parent()  # and leave Ctrl-C to the parent, which then ends this process
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, place.cores)  # torch and the processes that score keep to them
    try:
        import sweep.training.run  # noqa: F401  torch and Lightning: seconds, while the parent composes the runs

        runs = pipe.recv()

        def say(line: str, style: str) -> None:
            pipe.send((line, style))

        # What it does before the runs is said once, by the first of the processes.
        console = Console(file=cast(IO, _Lines(say)), width=1000) if place.name.endswith(" 0") else Console(quiet=True)
        how: dict = {"spent": lambda seconds: pipe.send((seconds, "")), "processes": processes}
        Walk(runs, say, console, attempts, states, place.name, **how).go()
    except KeyboardInterrupt:
        os._exit(130)
    except (EOFError, OSError):  # the parent has ended
        os._exit(1)


class _Lines(io.TextIOBase):
    """A file whose lines are said."""

    def __init__(self, say):
        self.say = say

    def write(self, text: str) -> int:
        for line in filter(None, text.splitlines()):
            self.say(line, "dim")
        return len(text)


def _stop(number, _):
    raise KeyboardInterrupt(number)


@contextlib.contextmanager
def _environment(setting: dict[str, str]) -> Iterator[None]:
    """Variables that a process has from its start."""
    before = {key: os.environ.get(key) for key in setting}
    os.environ.update(setting)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


@contextlib.contextmanager
def bar(console: Console, total: int) -> Iterator:
    """A bar over all runs where the console is a terminal; yields what takes how many are over, and what to say."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    columns += [TextColumn("left"), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("all runs", total=total)
        yield lambda over, now="all runs": progress.update(task, completed=over, description=now)
