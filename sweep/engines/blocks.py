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


def product(values: torch.Tensor, blocks: list[Block], out: torch.Tensor | None = None) -> torch.Tensor:
    """Multiply values by a bank in blocks: (batch, frames, points) -> (batch, frames, bins).

    Args:
        out: where to write the result; then no gradient can follow.
    """
    if out is None:
        parts = [values[..., first:stop] @ weights for first, stop, weights in blocks]
        return torch.cat(parts, dim=-1) if len(parts) > 1 else parts[0]
    rows, done = out.view(-1, out.shape[-1]), 0
    points = values.reshape(len(rows), -1)
    for first, stop, weights in blocks:
        torch.mm(points[:, first:stop], weights, out=rows[:, done : done + weights.shape[1]])
        done += weights.shape[1]
    return out


def product_back(by_bins: torch.Tensor, blocks: list[Block]) -> torch.Tensor:
    """Apply the transpose of `product` as a matrix: (batch, frames, bins) -> (batch, frames, points)."""
    points = max(stop for _, stop, _ in blocks)
    rows, done = by_bins.reshape(-1, by_bins.shape[-1]), 0
    by_values = rows.new_zeros(len(rows), points)
    for first, stop, weights in blocks:
        by_values[:, first:stop].addmm_(rows[:, done : done + weights.shape[1]], weights.T)
        done += weights.shape[1]
    return by_values.view(*by_bins.shape[:-1], points)
