"""How a call is timed: warmed up, synchronised with the device, in turn with its rivals; and the memory it takes."""

import ctypes
import gc
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from sweep.training import machine

SETTLED = 0.05  # seconds: of a shorter work several calls make one time
BURST = 0.04  # seconds that they last on a CPU; 0.03 were not enough for what follows a peer whose threads spin


def synchronise(device: torch.device) -> None:
    """Wait until everything launched so far is done, on all streams."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(work: Callable, device: torch.device) -> float:
    """Wall-clock time from an idle device to an idle device."""
    synchronise(device)
    began = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - began


def in_turn(works: dict, device: torch.device, rounds: int, budget: float) -> dict[object, list[float]]:
    """Times of several works, one call of each after the other, so that a busy moment hits them all alike.

    A short work has time to settle, for which peer comes before which is chance. On CUDA it is called once, untimed,
    before each time: right after a large matrix product, whose power makes the clock fall, 1 ms reads as 1.4. On a CPU
    the median of a burst's second half counts: when a library's second thread has slept or another's still spins, the
    scheduler puts both threads on one core until its next tick, and of calls of 0.8 ms every third takes 5.

    Args:
        works: key -> what to call.
        device: to synchronise with.
        rounds: how many times each is called, after a round to warm up.
        budget: seconds after which a work that has been timed three times stops; four times that stop it before. A
            work of which one call takes longer than the budget needs no warming up: its first call counts.
    """
    first = {key: seconds(work, device) for key, work in works.items()}
    times = {key: [once] if once > budget else [] for key, once in first.items()}
    for _ in range(rounds):
        for key, work in works.items():
            if sum(times[key]) < (budget if len(times[key]) >= 3 else 4 * budget):
                times[key].append(_settled(work, device) if first[key] < SETTLED else seconds(work, device))
    return times


def _settled(work: Callable, device: torch.device) -> float:
    """A short work's time."""
    if device.type == "cuda":
        work()
        return seconds(work, device)
    calls, until = [], time.perf_counter() + BURST
    while time.perf_counter() < until:
        calls.append(seconds(work, device))
    return statistics.median(calls[len(calls) // 2 :])


def spread(times: list[float], scale: float = 1.0) -> tuple[float, float, float]:
    """Median, lower and upper quartile, in milliseconds, times `scale`.

    >>> spread([0.001, 0.002, 0.003, 0.004, 0.005])
    (3.0, 2.0, 4.0)
    """
    lower, middle, upper = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else 3 * times
    return tuple(round(1e3 * scale * t, 6) for t in (middle, lower, upper))


def bandwidth(device: torch.device) -> float:
    """Bytes a second that a large copy within the device's memory moves, read and written: 4 GB on CUDA, 0.5 on a CPU.

    A CPU's copy reads the lines that it writes too, which counts for nothing here: the floor is what a copy attains.
    """
    source = torch.ones(1 << (29 if device.type == "cuda" else 26), device=device)
    target = torch.ones_like(source)
    times = in_turn({"copy": lambda: target.copy_(source)}, device, rounds=10, budget=10.0)["copy"]
    return 2 * source.nbytes / statistics.median(times)


def held(device: torch.device) -> int:
    """Bytes in use now: allocated by torch on CUDA; resident in the process on a CPU."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    try:
        ctypes.CDLL(None).malloc_trim(0)  # what was freed goes back, so that it can be counted anew
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, AttributeError):
        return 0  # neither glibc nor Linux: peak() says None
    return 4096 * pages


def peak(work: Callable, device: torch.device, own: int) -> float | None:
    """MB that a call takes at most: beyond what is in use before it, and its own tables, `own` bytes, which are."""
    gc.collect()  # what is only found to be garbage during the call would count as negative
    before = held(device)
    machine.reset_peak_memory(device)
    work()
    synchronise(device)
    most = machine.peak_memory(device)
    return None if most is None else round(max(0, most - before + own) / 1e6, 1)


def captured(function: Callable, batches: list[torch.Tensor]) -> torch.cuda.CUDAGraph:
    """A CUDA graph that calls a function on each batch.

    Raises:
        RuntimeError: it cannot be captured, or the graph holds less than it launched.
    """
    torch.cuda.synchronize()
    aside = torch.cuda.Stream()
    with torch.cuda.stream(aside):
        expected = function(batches[-1]).clone()  # warms up off the default stream, as capturing asks
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for batch in batches:
            result = function(batch)
    result.zero_()  # a library that launches on a stream of its own would leave the graph empty
    graph.replay()
    torch.cuda.synchronize()
    if not torch.allclose(result, expected, rtol=1e-2, atol=1e-3 * expected.abs().max().item()):
        raise RuntimeError("the captured graph does not compute the result")
    return graph
