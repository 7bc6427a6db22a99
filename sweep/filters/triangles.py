"""Compute triangular bands over a grid of frequencies."""

import numpy as np


def triangular_bands(corners: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Compute triangles of peak 1: band k rises from corner k, peaks at k + 1 and falls to k + 2.

    Args:
        corners: (bands + 2,) corners, increasing.
        grid: (points,) where they are evaluated, in the corners' unit: in Hz they are linear in Hz.

    Returns:
        (bands, points) float64.

    >>> triangular_bands(np.array([0.0, 2.0, 3.0]), np.arange(4.0))
    array([[0. , 0.5, 1. , 0. ]])
    """
    low, peak, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    return np.maximum(0.0, np.minimum((grid - low) / (peak - low), (high - grid) / (high - peak)))


def normalised(bank: np.ndarray, corners: np.ndarray, norm: str | None) -> np.ndarray:
    """Scale triangles by their normalisation.

    Args:
        bank: (bands, points) triangles of peak 1.
        corners: (bands + 2,) their corners in Hz.
        norm: "slaney" divides each by half its width in Hz (equal areas in Hz); "area" by its weights' sum, unless that
            is 0; None by nothing.
    """
    if norm == "slaney":
        return bank * 2 / (corners[2:, None] - corners[:-2, None])
    if norm == "area":
        sums = bank.sum(axis=1, keepdims=True)
        return bank / np.where(sums == 0, 1.0, sums)
    return bank
