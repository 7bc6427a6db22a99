"""Record what a front-end launches for clips of one shape in a CUDA graph, and replay it.

Of a few clips the host takes longer to launch a dozen GPU kernels than the GPU takes to run them. A CUDA graph launches
them at once, on clips that were copied to where it reads them; its result is copied, too, before the next call. The
clips' gradient is recorded in a graph of its own, which needs nothing but the clips and the gradient of the values.
"""

import contextlib
import threading
import weakref
from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, Any

import torch

from sweep.engines import derivatives, tables

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform

_CALLS = 3  # the call of a shape that is recorded: tables are made and GPU kernels compiled before
_SAMPLES = 1 << 21  # of all clips, up to which launches count
_REPEATED = 1 << 17  # samples up to which they count more than computing the values once more for their gradient
_KEPT = 8  # shapes
_LOCK = threading.Lock()  # one records at a time
_PAUSED = threading.local()


class _Pool:
    """Memory that the graphs of a stream share, as they run one after the other; it is freed with the last of them.

    Attributes:
        handle: PyTorch's name of it.
        stream: where they are recorded: what PyTorch keeps for each stream, as cuBLAS's memory, is theirs alone.
        lock: held from a graph's launch until its values are copied, so that no other thread launches one there.
    """

    def __init__(self, stream: torch.cuda.Stream):
        self.handle, self.stream, self.lock = torch.cuda.graph_pool_handle(), stream, threading.Lock()


_STREAMS: dict[Hashable, torch.cuda.Stream] = {}  # where what is launched on a stream is recorded
_POOLS: "weakref.WeakValueDictionary[Hashable, _Pool]" = weakref.WeakValueDictionary()  # those that have graphs


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Record and replay nothing within a block, in this thread: for calls that will not come again."""
    _PAUSED.on = True
    try:
        yield
    finally:
        _PAUSED.on = False


def serves(x: torch.Tensor) -> bool:
    """Return whether launches for clips may be recorded: few float32 samples on CUDA that at most a gradient follows.

    They have to be on the current device.
    """
    if not x.is_cuda or x.dtype != torch.float32 or not 0 < x.numel() <= _SAMPLES or derivatives.transformed(x):
        return False
    if torch.compiler.is_compiling() or type(x) not in (torch.Tensor, torch.nn.Parameter):
        return False
    if torch.cuda.current_device() != x.device.index or torch._C._len_torch_dispatch_stack():
        return False
    return not getattr(_PAUSED, "on", False) and not torch.cuda.is_current_stream_capturing()


class Recorder:
    """Computes a front-end's values, from the third call of a shape on by replaying what the GPU was told to do.

    So it does with the clips' gradient. A copy of it, or what is pickled, has recorded nothing.
    """

    def __init__(self):
        self._entries: dict[Hashable, int | _Recording | None] = {}

    def __reduce__(self):
        return Recorder, ()

    def __call__(self, front_end: "Transform", x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Return what `front_end._framed` computes of clips and an offset, in new memory.

        Args:
            front_end: the front-end that this belongs to.
            x: clips for which `serves` is true, (batch, samples).
            offset: number added before the logarithm; None: no logarithm.
        """
        key = _key(x, offset)
        entry = self._entries.get(key, 0)
        if type(entry) is int:
            entry = entry + 1 if entry + 1 < _CALLS else _record(front_end, (x,), offset)
            # Written whole, so that threads need no lock: at worst two record the same.
            self._entries = dict([*((k, e) for k, e in self._entries.items() if k != key), (key, entry)][-_KEPT:])
        if not isinstance(entry, _Recording):
            return front_end._framed(x, offset)
        if not derivatives.differentiates(x):
            return entry.replay(x)
        if x.numel() > _REPEATED and not (front_end.kernels_last and derivatives.in_any_order()):
            return front_end._framed(x, offset)
        return _Differentiable.apply(x, front_end, offset, entry)

    def gradient(
        self, front_end: "Transform", x: torch.Tensor, by_values: torch.Tensor, offset: float | None
    ) -> torch.Tensor:
        """Return the clips' gradient, given that of the values; it is recorded as soon as these were."""
        entry = self._entries.get(_key(x, offset))
        if isinstance(entry, _Recording):
            back = entry.back
            if type(back) is int:
                back = entry.back = _record(front_end, (x, by_values), offset)
            if isinstance(back, _Recording):
                return back.replay(x, by_values)
        return _gradient(front_end, (x, by_values), offset)


def _key(x: torch.Tensor, offset: float | None) -> tuple:
    stream = torch._C._cuda_getCurrentRawStream(x.device.index)
    return x.shape, x.device.index, stream, offset, derivatives.in_any_order()


class _Differentiable(torch.autograd.Function):
    """Recorded values as one autograd operation that saves only the clips for the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, front_end: "Transform", offset: float | None, recording: "_Recording"
    ) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.front_end, ctx.offset = front_end, offset
        return recording.replay(x)

    @staticmethod
    def backward(ctx: Any, by_values: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (x,), front_end = ctx.saved_tensors, ctx.front_end
        again = torch.is_grad_enabled()  # a second derivative may follow
        if serves(x) and not again and not torch._C._functorch.is_legacy_batchedtensor(by_values):
            return front_end._recorder.gradient(front_end, x, by_values, ctx.offset), None, None, None
        with torch.autocast(x.device.type, enabled=False), torch.enable_grad():
            values = front_end._framed(x, ctx.offset)
            return torch.autograd.grad(values, x, by_values, create_graph=again)[0], None, None, None


def gradient(front_end: "Transform", x: torch.Tensor, by_values: torch.Tensor, offset: float | None) -> torch.Tensor:
    """Return the gradient of clips, (batch, samples), given that of what a front-end computes of them.

    A few clips' is replayed from a CUDA graph as their values are. Nothing follows it.

    Args:
        by_values: gradient of the values, (batch, [channels,] bins, frames).
        offset: number that was added before the logarithm; None: no logarithm.
    """
    if front_end.many_launches and serves(x):
        return front_end._recorder.gradient(front_end, x, by_values, offset)
    return _gradient(front_end, (x, by_values), offset) if len(x) else torch.zeros_like(x)


def _gradient(front_end: "Transform", inputs: tuple[torch.Tensor, ...], offset: float | None) -> torch.Tensor:
    x, by_values = inputs
    alone = derivatives.gradients_alone() if front_end.kernels_last else contextlib.nullcontext()
    with torch.cuda.device_of(x), torch.autocast(x.device.type, enabled=False), torch.enable_grad(), alone:
        x = x.detach().requires_grad_()
        return torch.autograd.grad(front_end._framed(x, offset), x, by_values)[0].contiguous()


class _Recording:
    """A graph, where it reads clips, and the gradient of values, and where it writes its result.

    Attributes:
        back: recording of the values' gradient; None: there can be none; a number: there is none yet.
    """

    def __init__(self, graph: torch.cuda.CUDAGraph, inputs: tuple, result: torch.Tensor, used: list, pool: _Pool):
        self.graph, self.inputs, self.result, self.pool = graph, inputs, result, pool
        self.used = used  # the tables that the graph reads stay in memory
        self.back: int | _Recording | None = 0

    def replay(self, *given: torch.Tensor) -> torch.Tensor:
        with self.pool.lock:
            for place, numbers in zip(self.inputs, given, strict=True):
                place.copy_(numbers)
            self.graph.replay()
            return self.result.clone()


def _record(front_end: "Transform", inputs: tuple[torch.Tensor, ...], offset: float | None) -> _Recording | int | None:
    """Record a call; None if it cannot be: a parameter may move, and a copy to the GPU has no place in a graph.

    The replicas of torch.nn.DataParallel hide their parameters and share one recorder.

    While another thread records, it is left to a later call: that thread may wait for this one, autograd's own.
    """
    if any(True for _ in front_end.parameters()) or getattr(front_end, "_is_replica", False):
        return None
    if not _LOCK.acquire(blocking=False):
        return _CALLS - 1
    try:
        with torch.inference_mode(False), torch.no_grad(), contextlib.suppress(RuntimeError):
            return _captured(front_end, inputs, offset)
        return None
    finally:
        _LOCK.release()


def _captured(front_end: "Transform", inputs: tuple[torch.Tensor, ...], offset: float | None) -> _Recording:
    def compute(copies: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return front_end._framed(*copies, offset) if len(copies) == 1 else _gradient(front_end, copies, offset)

    where = inputs[0].device.index, torch._C._cuda_getCurrentRawStream(inputs[0].device.index)
    if where not in _STREAMS:
        _STREAMS[where] = torch.cuda.Stream()
    pool = _POOLS[where] = _POOLS.get(where) or _Pool(_STREAMS[where])
    copies = tuple(t.clone(memory_format=torch.contiguous_format) for t in inputs)
    graph = torch.cuda.CUDAGraph()
    compute(copies)  # Triton compiles GPU kernels for aligned memory
    # Not torch.cuda.graph: it waits for the GPU, empties the cache, and stays on its stream after an error.
    with tables.collected() as used, torch.cuda.stream(pool.stream):
        graph.capture_begin(pool=pool.handle, capture_error_mode="thread_local")
        try:
            result = compute(copies)
        finally:
            graph.capture_end()
    return _Recording(graph, copies, result, used, pool)
