"""Cache the tables that an engine needs for one clip length on one device, outside of any compiled graph."""

import contextlib
from collections.abc import Callable, Hashable, Iterator

import torch

_KEPT = 8
_NONE = object()
_used: list | None = None  # where tables that are looked up are collected


def outside_graph(function: Callable, *arguments):
    """Call a function; under torch.compile, break the graph at the call."""
    if torch.compiler.is_compiling():
        from sweep.engines.untraced import call

        return call(function, *arguments)
    return function(*arguments)


@contextlib.contextmanager
def collected() -> Iterator[list]:
    """Collect all tables that any thread looks up within a block, since autograd's may; one block at a time."""
    global _used
    _used = used = []
    try:
        yield used
    finally:
        _used = None


class Tables:
    """A cache of at most eight tables by key, for any number of threads; the oldest entry is dropped first.

    Tables are not buffers: a frozen front-end has an empty state_dict and makes its tables anew on another device. A
    copy, or what is pickled, holds none.
    """

    def __init__(self):
        self._entries: dict[Hashable, object] = {}

    def __reduce__(self):
        return Tables, ()

    def get(self, key: Hashable, make: Callable):
        """Return the table of a key; call `make` first if there is none.

        Raises:
            ValueError: the key holds a number that an exported graph leaves open.
        """
        return outside_graph(self._get, key, make)

    def _get(self, key: Hashable, make: Callable):
        try:
            table = self._entries.get(key, _NONE)
        except TypeError:  # a symbol has no hash
            raise ValueError("tables follow from the clip's length: export it as a number, not as a Dim") from None
        if table is _NONE:
            from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
            from torch._subclasses.fake_tensor import unset_fake_temporarily

            # A table made in inference mode could not be saved for a later backward pass; one made while torch.export
            # traces would hold no numbers, and one made within torch.func would belong to that call.
            with temporarily_clear_interpreter_stack(), unset_fake_temporarily():
                with torch.inference_mode(False), torch.no_grad():
                    table = make()
            # Written whole, so that threads need no lock: at worst two make the same table, or one is made again.
            kept = [*self._entries.items(), (key, table)]
            self._entries = dict(kept[-_KEPT:])
        if (used := _used) is not None:
            used.append(table)
        return table
