"""The reference clock, in which labels, lengths and windows are counted, and the same places at another sample rate."""

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

SAMPLE_RATE = 44_100  # Hz
ESTIMATE_EVERY = 512  # samples between a window model's estimates of a recording, unless others are asked for

T = TypeVar("T", int, np.ndarray, "torch.Tensor")


def at_rate(samples: T, sample_rate: int) -> T:
    """Convert places or lengths in the reference clock to samples at another rate, rounded half up.

    Args:
        samples: whole numbers of samples at 44,100 Hz, which may be negative; a tensor may lie on any device.
        sample_rate: the other rate in Hz.

    >>> at_rate(16_384, 16_000), at_rate(-8192, 22_050), at_rate(5, 44_100)
    (5944, -4096, 5)
    """
    if sample_rate == SAMPLE_RATE:
        return samples
    return (2 * samples * sample_rate + SAMPLE_RATE) // (2 * SAMPLE_RATE)
