"""Multiply by a bank of bands, most of whose weights are 0, block by block."""

import numpy as np
import torch

Block = tuple[int, int, torch.Tensor]  # first point, one past the last, and weights (points, rows)


def blocks_of(bank: np.ndarray, rows: int) -> list[tuple[int, int, np.ndarray]]:
    """Cut a bank of (bins, points) into blocks of some rows and the points that they use.

    Returns:
        First point, one past the last, and weights (rows, points) of each block.
    """
    blocks = []
    for start in range(0, len(bank), rows):
        block = bank[start : start + rows]
        used = np.flatnonzero(block.any(axis=0))
        first, stop = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        blocks.append((first, stop, block[:, first:stop]))
    return blocks


def blocks_on(like: torch.Tensor, blocks: list[tuple[int, int, np.ndarray]]) -> list[Block]:
    """Return blocks with their weights transposed, on a tensor's device, in its type."""
    return [(a, b, torch.from_numpy(rows.T.copy()).to(like.device, like.dtype)) for a, b, rows in blocks]


def product(values: torch.Tensor, blocks: list[Block]) -> torch.Tensor:
    """Multiply values by a bank in blocks: (batch, frames, points) -> (batch, frames, bins)."""
    return torch.cat([values[..., first:stop] @ weights for first, stop, weights in blocks], dim=-1)
