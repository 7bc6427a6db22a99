"""Record what a front-end launches for clips of one shape in a CUDA graph, and replay it.

Of a few clips the host takes longer to launch a dozen GPU kernels than the GPU takes to run them. A CUDA graph launches
them at once, on clips that were copied to where it reads them; its result is copied, too, before the next call.
"""

import contextlib
import threading
import weakref
from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch

from sweep.engines import derivatives, tables

if TYPE_CHECKING:
    from sweep.transforms.transform import Transform

_CALLS = 3  # the call of a shape that is recorded: tables are made and GPU kernels compiled before
_SAMPLES = 1 << 21  # of all clips, up to which launches count
_KEPT = 8  # shapes
_LOCK = threading.Lock()  # one records at a time


class _Pool:
    """Memory that the graphs of a stream share, as they run one after the other; it is freed with the last of them.

    Attributes:
        handle: PyTorch's name of it.
        lock: held from a graph's launch until its values are copied, so that no other thread launches one there.
    """

    def __init__(self):
        self.handle, self.lock = torch.cuda.graph_pool_handle(), threading.Lock()


_POOLS: "weakref.WeakValueDictionary[Hashable, _Pool]" = weakref.WeakValueDictionary()  # those that have graphs


def serves(x: torch.Tensor) -> bool:
    """Return whether launches for clips may be recorded: few float32 samples on CUDA that nothing else follows."""
    if not x.is_cuda or x.dtype != torch.float32 or x.numel() > _SAMPLES or derivatives.followed(x):
        return False
    if torch.compiler.is_compiling() or type(x) not in (torch.Tensor, torch.nn.Parameter):
        return False
    return not torch.cuda.is_current_stream_capturing() and torch._C._len_torch_dispatch_stack() == 0


class Recorder:
    """Computes a front-end's values, from the third call of a shape on by replaying what the GPU was told to do.

    A copy of it, or what is pickled, has recorded nothing.
    """

    def __init__(self):
        self._entries: dict[Hashable, int | _Recording | None] = {}

    def __reduce__(self):
        return Recorder, ()

    def __call__(self, front_end: "Transform", x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Return what `front_end._framed` computes of clips and an offset, in new memory.

        Args:
            front_end: the front-end that this belongs to.
            x: clips for which `serves` is true, (batch, samples) on the current device.
            offset: number added before the logarithm; None: no logarithm.
        """
        stream = torch._C._cuda_getCurrentRawStream(x.device.index)
        key = (x.shape, x.device.index, stream, offset)
        entry = self._entries.get(key, 0)
        if type(entry) is int:
            entry = entry + 1 if entry + 1 < _CALLS else _record(front_end, x, offset, key[1:3])
            # Written whole, so that threads need no lock: at worst two record the same.
            self._entries = dict([*((k, e) for k, e in self._entries.items() if k != key), (key, entry)][-_KEPT:])
        return entry.replay(x) if isinstance(entry, _Recording) else front_end._framed(x, offset)


class _Recording:
    """A graph, where it reads clips and where it writes values."""

    def __init__(self, graph: torch.cuda.CUDAGraph, clips: torch.Tensor, values: torch.Tensor, used: list, pool: _Pool):
        self.graph, self.clips, self.values, self.pool = graph, clips, values, pool
        self.used = used  # the tables that the graph reads stay in memory

    def replay(self, x: torch.Tensor) -> torch.Tensor:
        with self.pool.lock:
            self.clips.copy_(x)
            self.graph.replay()
            return self.values.clone()


def _record(front_end: "Transform", x: torch.Tensor, offset: float | None, stream: tuple) -> _Recording | None:
    """Record a call; None if it cannot be: a parameter may move, and a copy to the GPU has no place in a graph."""
    if any(True for _ in front_end.parameters()):
        return None
    with torch.inference_mode(False), torch.no_grad(), _LOCK, contextlib.suppress(RuntimeError):
        pool = _POOLS.setdefault(stream, _Pool())
        clips, graph = x.clone(memory_format=torch.contiguous_format), torch.cuda.CUDAGraph()
        front_end._framed(clips, offset)  # Triton compiles GPU kernels for aligned memory
        # Not torch.cuda.graph: it waits for the GPU, empties the cache, and stays on its stream after an error.
        with tables.collected() as used, torch.cuda.stream(torch.cuda.Stream()):
            graph.capture_begin(pool=pool.handle, capture_error_mode="thread_local")
            try:
                values = front_end._framed(clips, offset)
            finally:
                graph.capture_end()
        return _Recording(graph, clips, values, used, pool)
    return None
