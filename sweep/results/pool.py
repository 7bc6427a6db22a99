"""Processes that count a recording's notes beside the training, kept for all runs."""

import concurrent.futures
import contextlib
import functools
import importlib
import multiprocessing
import multiprocessing.util
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from multiprocessing.connection import wait

_STARTED: list[concurrent.futures.Executor] = []


def count_processes(workers: int | str) -> int:
    """Return the number of scoring processes for `workers`: "auto" is one per core, at most 8, none on one core."""
    if workers != "auto":
        return int(workers)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(8, cores) if cores > 1 else 0


@functools.cache
def start_pool(processes: int) -> concurrent.futures.Executor:
    """Start a pool of counting processes, kept for all runs; they load mir_eval while the first run trains.

    Args:
        processes: number of processes.
    """
    context = multiprocessing.get_context("spawn")  # a fork of a process that uses CUDA or threads may hang
    pool = concurrent.futures.ProcessPoolExecutor(processes, mp_context=context, initializer=follow_parent)
    # A multiprocessing.Process, such as cluster=gpus starts, waits for its children without ending them. So the pool is
    # shut down here, before (at a higher priority than 10) the queues close through which it tells them to end.
    multiprocessing.util.Finalize(pool, pool.shutdown, exitpriority=20)
    with _without_main():
        for _ in range(processes):
            pool.submit(importlib.import_module, "mir_eval.multipitch")
    _STARTED.append(pool)
    return pool


def stop_pools() -> None:
    """End all pools, for a process that ends by os._exit: their semaphores would outlive it."""
    start_pool.cache_clear()
    while _STARTED:
        _STARTED.pop().shutdown()


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Let processes that start in a block not import the script of this one, which may import torch."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def follow_parent() -> None:
    """Ignore Ctrl-C, which the parent process handles, and exit when the parent has ended for any reason."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sentinel = multiprocessing.parent_process().sentinel
    threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()
