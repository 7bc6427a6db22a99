"""A peer on a case: building it, checking that it computes what ours does, and the calls of it that are timed."""

import contextlib
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from experiments.speed import timing
from experiments.speed.peers import Peer, reason
from experiments.speed.workloads import Case

CORRELATION = 0.9  # below it a peer computes something else, and its time is not compared
FEW = 2  # clips whose results are compared
LONG = 0.1  # seconds of a batch, from which on what is cached makes no difference


@dataclass
class Entry:
    """A peer built for a case, and what is known of it: its row of the table.

    Attributes:
        peer: which.
        row: columns of results-<device>.csv.
        function: from a batch to its result; None where `row["reason"]` says why not.
        own: bytes that it keeps between calls: kernels and tables.
        batch: clips in one call, halved where they do not fit.
        passes: over the case's clips in what is timed; below 1 where only a few of them are.
        works: what is timed, by column.
    """

    peer: Peer
    row: dict
    function: Callable | None = None
    own: int = 0
    batch: int = 0
    passes: float = 1
    works: dict[str, Callable] = dataclasses.field(default_factory=dict)


def set_up(entry: Entry, case: Case, batch: torch.Tensor, built: dict[str, Entry], references: dict) -> None:
    """Build a peer, twice, timing constructor and first call; compare its output; or write down why not.

    Args:
        entry: whose row and function are filled in.
        case: what it computes.
        batch: (clips, samples) for its first call.
        built: the case's entries so far, by label, for a peer that shares a module.
        references: our output by the numbers it took, kept for the peers that follow.
    """
    peer, row, device = entry.peer, entry.row, batch.device
    batch = batch[: peer.few]
    try:
        if peer.shares:
            function, entry.own = built[peer.shares].function, built[peer.shares].own
            if function is None:
                raise RuntimeError(f"{peer.shares} does not run: {built[peer.shares].row['reason']}")
        else:
            function = _build_twice(entry, case, batch)
        few, like = batch[:FEW], peer.like.get(case.representation.family, {})
        key = tuple(like.items())
        if key not in references:
            ours = dataclasses.replace(case.representation, **like).transform(accuracy="exact").to(device)
            references[key] = ours(few).cpu().numpy()
        with rounding(peer.tf32), torch.no_grad():
            actual = peer.comparable(function(few), case.representation)
        row["correlation"] = round(correlation(actual, references[key][: len(few)]), 5)
        if not row["correlation"] >= CORRELATION:  # nor NaN
            raise ValueError(f"it computes something else: correlation {row['correlation']:.2f}")
        entry.function, entry.batch = function, len(batch)
    except Exception as error:  # a peer's failure is its row
        row["reason"] = reason(error)


def _build_twice(entry: Entry, case: Case, batch: torch.Tensor) -> Callable:
    for column in ("setup_s", "setup_again_s"):
        function = None  # the first one's memory goes
        before = timing.held(batch.device)  # the second time without what a library loads once for all
        timing.synchronise(batch.device)
        began = time.perf_counter()
        function = entry.peer.build(case.representation, batch.device)
        with rounding(entry.peer.tf32), torch.no_grad():
            function(batch)
        timing.synchronise(batch.device)
        entry.row[column] = round(time.perf_counter() - began, 4)
        entry.own = max(0, timing.held(batch.device) - before)
        if entry.row[column] > 3:
            break  # nobody waits for it gladly
    return function


def correlation(actual, expected: np.ndarray) -> float:
    """Pearson's, over the frames that both have, less two at each end, where they pad differently.

    Raises:
        ValueError: the shapes do not match, give or take a frame.
    """
    actual = np.asarray(actual.detach().cpu() if torch.is_tensor(actual) else actual)
    frames = min(actual.shape[-1], expected.shape[-1])
    if actual.shape[:-1] != expected.shape[:-1] or max(actual.shape[-1], expected.shape[-1]) > frames + 1:
        raise ValueError(f"its output is {actual.shape}, ours {expected.shape}")
    inner = slice(2, frames - 2) if frames > 8 else slice(frames)
    return float(np.corrcoef(actual[..., inner].ravel(), expected[..., inner].ravel())[0, 1])


@contextlib.contextmanager
def rounding(tf32: bool):
    """Float32 convolutions and products in TF32 or not, whatever torch's defaults (convolutions: in TF32)."""
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before[0]
        torch.set_float32_matmul_precision(before[1])


class TooSlow(Exception):
    """A pass over the clips would take longer than anybody waits."""


def prepare(entry: Entry, case: Case, clips: torch.Tensor, cotangents: dict, patience: float) -> None:
    """Fill in the works that are timed, and their peak memory; batches that do not fit are halved.

    Args:
        entry: that set_up has built.
        case: what it computes.
        clips: all of them, on the device.
        cotangents: what backward passes start from, by shape, shared by the peers.
        patience: seconds that a pass over all clips may take; what takes longer is not timed, and its row says so.
    """
    while True:
        try:
            entry.passes = _passes(entry, case, clips)
            count = round(case.clips * entry.passes)
            _prepare(entry, case, clips[:count].split(entry.batch), cotangents, patience)
            if entry.passes < case.passes:
                how = f"{count} of the clips, scaled" if entry.passes < 1 else "one pass"
                entry.row["note"] = f"{entry.row['note']}; timed on {how}".removeprefix("; ")
            return
        except torch.cuda.OutOfMemoryError as error:
            entry.works = {}
            if entry.batch == 1:
                entry.row["reason"] = reason(error)
                return
        except Exception as error:  # a peer's failure is its row
            entry.works, entry.row["reason"] = {}, str(error) if isinstance(error, TooSlow) else reason(error)
            return
        torch.cuda.empty_cache()
        entry.batch //= 2
        cotangents.clear()


def _passes(entry: Entry, case: Case, clips: torch.Tensor) -> float:
    """How many passes over the case's clips are timed: one where a batch takes long, a part where the peer says so."""
    if entry.peer.few is not None and entry.peer.few < case.clips:
        return entry.peer.few / case.clips
    batch, once = clips[: entry.batch], 0.0
    if case.passes > 1:
        with rounding(entry.peer.tf32), torch.no_grad():  # twice: a first call may be slow for other reasons
            once = min(timing.seconds(lambda: entry.function(batch), clips.device) for _ in range(2))
    return case.passes if once <= LONG else 1


def check_speed(work: Callable, batches: tuple[torch.Tensor, ...], patience: float, device: torch.device) -> None:
    """Time one batch.

    Raises:
        TooSlow: that many of them would take longer than patience lasts.
    """
    once = timing.seconds(lambda: work(batches[:1]), device)
    if patience < once * len(batches) < 2 * patience:  # a first call may be slow for other reasons
        once = min(once, timing.seconds(lambda: work(batches[:1]), device))
    if once * len(batches) > patience:
        raise TooSlow(f"not timed: one batch of {len(batches[0])} takes {once:.1f} s, and there are {len(batches)}")


def _prepare(entry: Entry, case: Case, batches: tuple[torch.Tensor, ...], cotangents: dict, patience: float) -> None:
    function, row, device = entry.function, entry.row, batches[0].device

    @torch.no_grad()
    def forward(batches=batches):
        for batch in batches:
            function(batch)

    def both(batches=batches):
        for batch in batches:
            x = batch.detach().requires_grad_()
            y = function(x)
            if y.shape not in cotangents:
                cotangents[y.shape] = torch.randn(y.shape, device=device)
            torch.autograd.grad(y, x, cotangents[y.shape])

    with rounding(entry.peer.tf32):
        check_speed(forward, batches, patience, device)
        row["peak_mb"] = timing.peak(forward, device, entry.own)
        entry.works = {"forward": forward}
        if entry.peer.differentiable:
            try:
                check_speed(both, batches, patience, device)
                if len(batches[-1]) < entry.batch:
                    both(batches[-1:])  # makes the last cotangent, so that its memory counts for nobody
                row["peak_both_mb"] = timing.peak(both, device, entry.own)
                entry.works["both"] = both
            except torch.cuda.OutOfMemoryError:
                raise
            except TooSlow as error:
                row["note"] = f"{row['note']}; backward {error}".removeprefix("; ")
            except (RuntimeError, NotImplementedError, TypeError) as error:
                row["note"] = f"{row['note']}; no backward pass: {reason(error)}".removeprefix("; ")
        if device.type == "cuda" and case.workload == "sweep":
            try:
                with torch.no_grad():
                    graph = timing.captured(function, list(batches))
                entry.works["graph"] = graph.replay
            except Exception as error:  # some libraries wait for the device or allocate in their calls
                torch.cuda.synchronize()
                row["note"] = f"{row['note']}; no CUDA graph: {reason(error)}".removeprefix("; ")
