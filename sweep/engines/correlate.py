"""Correlate a clip with filters at every sample, by FFTs of overlapping blocks, and pool the result into frames."""

import math

import torch
import torch.nn.functional as F

from sweep.engines.framing import fft_multiply_adds, frames
from sweep.engines.slices import fast_length

# Points of a block at least, for clips that are longer; filters may take a quarter of it.
_POINTS, _SHARE = 8192, 4


def block_points(samples: int, length: int) -> int:
    """Return the points of a block's FFT for clips of so many samples and filters of so many taps."""
    return min(fast_length(samples + length - 1), max(_POINTS, fast_length(_SHARE * length)))


def block_spectra(x: torch.Tensor, length: int, points: int) -> torch.Tensor:
    """Compute the FFTs of a clip's blocks, which overlap by length - 1: (batch, samples) -> (batch, blocks, points).

    Raises:
        ValueError: it is exported to ONNX, which has no product of complex numbers.
    """
    if torch.onnx.is_in_onnx_export():
        raise ValueError("ONNX multiplies no complex spectra, as filters at every sample do; choose torch.export")
    samples, step = x.shape[-1], points - length + 1
    count = math.ceil(samples / step)
    padded = F.pad(x, (length // 2, count * step + length - 1 - samples - length // 2))
    return torch.fft.rfft(frames(padded, 0, points, step, count))


def correlated(blocks: torch.Tensor, taps: torch.Tensor, length: int, points: int, samples: int) -> torch.Tensor:
    """Compute y[t] = sum_n h[n] x[t - length // 2 + n] of all samples t of a clip, zeros beyond its ends.

    Args:
        blocks: FFTs of the clips' blocks, `block_spectra`.
        taps: FFTs of the filters' real taps, (channels, points // 2 + 1).
        length: taps of a filter.
        points: points of a block.
        samples: samples of a clip.

    Returns:
        (batch, channels, samples).
    """
    y = torch.fft.irfft(blocks[:, None] * taps.conj()[:, None], points)
    return y[..., : points - length + 1].flatten(2)[..., :samples]


def correlate_multiply_adds(samples: int, length: int, channels: int) -> float:
    """Return the multiply-adds of `block_spectra` and of `correlated` for a clip, the filters' FFTs apart."""
    points = block_points(samples, length)
    count = math.ceil(samples / (points - length + 1))
    return count * (fft_multiply_adds(points) * (1 + channels) + 4 * channels * (points // 2 + 1))


def pooled(values: torch.Tensor, windows: torch.Tensor, hop_length: int, count: int) -> torch.Tensor:
    """Sum values under windows that are centred on the frames: (batch, bins, samples) -> (batch, bins, count).

    The values are cut into rows of hop_length. A window reaches over a few rows, and its part on each is multiplied by
    all rows at once; no sample is copied for each window that holds it.

    Args:
        values: values at each sample of a clip; zeros are beyond its ends.
        windows: window of each bin, (bins, length), whose middle is at a frame's centre.
        hop_length: samples between frames.
        count: number of frames.
    """
    left, length = windows.shape[1] // 2, windows.shape[1]
    parts = math.ceil(length / hop_length)
    right = (count + parts - 1) * hop_length - left - values.shape[-1]
    rows = F.pad(values, (left, right)).unflatten(-1, (-1, hop_length))
    weights = F.pad(windows, (0, parts * hop_length - length)).unflatten(-1, (parts, hop_length)).transpose(1, 2)
    products = rows @ weights
    return sum((products[:, :, part : part + count, part] for part in range(1, parts)), products[:, :, :count, 0])
