"""Tables that an engine needs for one clip length on one device, made once and kept, outside of any graph."""

from collections.abc import Callable, Hashable

import torch

_KEPT = 8


def outside_graph(function: Callable, *arguments):
    """Call a function; where torch.compile traces, it breaks the graph there."""
    if torch.compiler.is_compiling():
        from sweep.engines.untraced import call

        return call(function, *arguments)
    return function(*arguments)


class Tables:
    """A small cache: key -> whatever `make` returns. The oldest entry goes when there are more than eight.

    It is no buffer: a frozen front-end has an empty state_dict and makes its tables anew where it is moved to.
    """

    def __init__(self):
        self._entries: dict[Hashable, object] = {}

    def get(self, key: Hashable, make: Callable):
        """What is kept under a key; made first if there is nothing."""
        return outside_graph(self._get, key, make)

    def _get(self, key: Hashable, make: Callable):
        if key not in self._entries:
            from torch._subclasses.fake_tensor import unset_fake_temporarily

            # A table made inside inference mode could never be saved for a backward pass later; one made while
            # torch.export traces would hold no numbers.
            with torch.inference_mode(False), torch.no_grad(), unset_fake_temporarily():
                self._entries[key] = make()
            if len(self._entries) > _KEPT:
                del self._entries[next(iter(self._entries))]
        return self._entries[key]
