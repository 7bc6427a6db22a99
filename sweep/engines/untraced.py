"""The call by which `sweep.engines.tables.outside_graph` breaks a graph: its decorator alone takes 1 s to import."""

from collections.abc import Callable

import torch


@torch.compiler.disable(
    reason="a front-end's tables are made outside of the graph: leave out fullgraph=True, export with strict=False"
)
def call(function: Callable, *arguments):
    """The function's result, computed where nothing traces."""
    return function(*arguments)
