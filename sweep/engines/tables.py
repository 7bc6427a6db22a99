"""Cache the tables that an engine needs for one clip length on one device, outside of any compiled graph."""

from collections.abc import Callable, Hashable

import torch

_KEPT = 8
_NONE = object()


def outside_graph(function: Callable, *arguments):
    """Call a function; under torch.compile, break the graph at the call."""
    if torch.compiler.is_compiling():
        from sweep.engines.untraced import call

        return call(function, *arguments)
    return function(*arguments)


class Tables:
    """A cache of at most eight tables by key, for any number of threads; the oldest entry is dropped first.

    Tables are not buffers: a frozen front-end has an empty state_dict and makes its tables anew on another device.
    """

    def __init__(self):
        self._entries: dict[Hashable, object] = {}

    def get(self, key: Hashable, make: Callable):
        """Return the table of a key; call `make` first if there is none."""
        return outside_graph(self._get, key, make)

    def _get(self, key: Hashable, make: Callable):
        table = self._entries.get(key, _NONE)
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
        return table
