"""Run a sweep in several processes on this host, one for each GPU or core: cluster=gpus and cluster=cpus."""

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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sweep.config import HostCluster
from sweep.names import say
from sweep.scheduling.jobs import DONE, Run, Walk

_MOST_RUNS = 100_000  # most runs in one sweep: the processes start before the number of runs is known
_STARTS = 3  # starts of a process on one GPU or core; if it dies each time, that GPU or core is not used again
_CONTEXT = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork


@dataclass(frozen=True)
class Place:
    """GPU and cores that one process computes on.

    Attributes:
        name: name in words, such as "GPU 0"; "GPU 0.1" is a second process on it.
        gpu: CUDA device as named in CUDA_VISIBLE_DEVICES; None for a process without a GPU.
        cores: numbers of the CPU cores that the process may use.
    """

    name: str
    gpu: str | None
    cores: tuple[int, ...]


def places(cluster: HostCluster) -> list[Place]:
    """Choose the GPU and the cores of each process of a sweep; the cores are divided evenly.

    More processes than GPUs share these in turn; more than cores, the cores.

    Args:
        cluster: configuration of the host's processes.

    Raises:
        ValueError: there is no GPU.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))
    gpus = visible_gpus() if cluster.name == "gpus" else [None] * len(cores)
    if not gpus:
        raise ValueError("cluster gpus: there is no GPU on this host; choose cluster=cpus, or none")
    n = cluster.processes if isinstance(cluster.processes, int) else len(gpus)
    kind = "GPU" if cluster.name == "gpus" else "process"
    ends = [i * len(cores) // n for i in range(n + 1)]
    shares = [tuple(cores[a:b]) or (cores[a],) for a, b in zip(ends, ends[1:], strict=False)]
    rounds = [divmod(i, len(gpus)) for i in range(n)]
    names = [f"{kind} {at}.{again}" if again else f"{kind} {at}" for again, at in rounds]
    return [Place(name, gpus[at], share) for name, (_, at), share in zip(names, rounds, shares, strict=True)]


def visible_gpus() -> list[str]:
    """List the GPUs of this host that CUDA_VISIBLE_DEVICES allows, without torch, which takes seconds to import."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        gpus = [gpu.strip() for gpu in chosen.split(",")]
        return gpus[: next((i for i, gpu in enumerate(gpus) if gpu in ("", "-1")), len(gpus))]
    command = ["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
    except (OSError, subprocess.SubprocessError):  # a container may have the devices but not nvidia-smi
        return [str(i) for i, _ in enumerate(Path("/dev").glob("nvidia[0-9]*"))]


class Workers:
    """Worker processes that import torch at once and then wait for runs; they end with the `with` block.

    Args:
        places: GPU and cores of each process.
    """

    def __init__(self, places: list[Place]):
        self.attempts, self.states = (_CONTEXT.RawArray("B", _MOST_RUNS) for _ in range(2))
        self.starts = {place: 0 for place in places}
        self.processes: dict[Connection, tuple[Place, BaseProcess]] = {}
        self.busy = {place: 0.0 for place in places}  # seconds
        self.runs: list[Run] = []
        self.warnings: set[str] = set()
        for place in places:
            self._start(place)

    def __enter__(self) -> "Workers":
        signal.signal(signal.SIGTERM, _stop)  # handled like Ctrl-C
        return self

    def __exit__(self, *_):
        """Terminate the processes that still work; one that trains writes a checkpoint first."""
        for _, process in self.processes.values():
            process.terminate()
        for _, process in self.processes.values():
            process.join()

    def go(self, runs: list[Run], console: Console) -> bool:
        """Work through all runs.

        A process that dies is restarted, and the next free process takes its run.

        Args:
            runs: runs in the order of the table.
            console: console for the lines of the processes and, on a terminal, for a progress bar over all runs.

        Returns:
            Whether all runs are done.
        """
        began = time.perf_counter()
        if any(place.gpu for place in self.starts):  # never fall back to a CPU
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
        with contextlib.suppress(OSError):  # the process has died, which _hear notices
            pipe.send(self.runs)

    def _hear(self, pipe: Connection, console: Console) -> None:
        place, process = self.processes[pipe]
        try:
            said, style = pipe.recv()
        except (EOFError, OSError):  # the process has ended
            process.join()
            del self.processes[pipe]
            left = any(not state for state in self.states[: len(self.runs)])
            if process.exitcode and left:
                again = self.starts[place] < _STARTS
                how = f"signal {-process.exitcode}" if process.exitcode < 0 else f"exit code {process.exitcode}"
                remark = "it is restarted" if again else f"it died {_STARTS} times and is not restarted"
                console.print(f"{place.name}: process {process.pid} died ({how}); {remark}", style="red")
                if again:
                    self._send(self._start(place))
            return
        if isinstance(said, float):
            self.busy[place] += said
        elif said not in self.warnings:
            self.warnings |= {said} if style == "yellow" else set()  # what each process finds out is said once
            say(console, said, style)


def _work(pipe: Connection, place: Place, attempts, states, processes: int) -> None:
    """Main function of a worker process: import torch, wait for the runs, work through them."""
    from sweep.results.pool import follow_parent, stop_pools

    follow_parent()  # the parent handles Ctrl-C and then ends this process
    signal.signal(signal.SIGTERM, _stop)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, place.cores)  # inherited by torch's threads and by the scoring processes
    try:
        from sweep.training import machine  # imports torch, while the parent composes the runs

        machine.wake("cuda" if place.gpu else "cpu")
        import sweep.training.run  # noqa: F401  imports Lightning

        runs = pipe.recv()

        def say(line: str, style: str) -> None:
            pipe.send((line, style))

        # Only the first process prints what happens before the runs.
        lines: dict = {"file": cast(IO, _Lines(say)), "width": 1000, "force_terminal": False}
        console = Console(**lines) if place.name.endswith(" 0") else Console(quiet=True)
        how: dict = {"spent": lambda seconds: pipe.send((seconds, "")), "processes": processes}
        Walk(runs, say, console, attempts, states, place.name, **how).go()
        pipe.close()
        stop_pools()
        os._exit(0)  # Python's own end, with torch and CUDA, takes seconds, for which the table would wait
    except KeyboardInterrupt:
        os._exit(130)
    except (EOFError, OSError):  # the parent has ended
        os._exit(1)


class _Lines(io.TextIOBase):
    """File that passes each line written to it to `say`."""

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
    """Set environment variables while the block runs, for a process started in it."""
    before = {key: os.environ.get(key) for key in setting}
    os.environ.update(setting)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})


@contextlib.contextmanager
def bar(console: Console, total: int) -> Iterator:
    """Show a progress bar over all runs if the console is a terminal.

    Args:
        console: console to draw on.
        total: number of runs.

    Yields:
        A function that takes the number of finished runs and, optionally, a description.
    """
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()]
    columns += [TextColumn("left"), TimeRemainingColumn()]
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("all runs", total=total)
        yield lambda over, now="all runs": progress.update(task, completed=over, description=now)
