"""Break a graph for `sweep.engines.tables.outside_graph`; apart from it, as the decorator takes 1 s to import."""

from collections.abc import Callable

import torch


@torch.compiler.disable(
    reason="a front-end's tables are made outside of the graph: leave out fullgraph=True, export with strict=False"
)
def call(function: Callable, *arguments):
    """Call a function outside of tracing and return its result."""
    return function(*arguments)
