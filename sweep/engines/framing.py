"""Pad, resample and frame a clip, and apply the transposes of these operations."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from sweep.engines.derivatives import in_any_order, visible

_WORTHWHILE = 0.75  # share of the rate; resampling to more than this costs more than it saves
FEW_ROWS = 64  # overlapping frames up to which a CPU adds them one row after the other


def n_frames(samples: int, hop_length: int) -> int:
    """Return the number of centred frames of a clip: 1 + samples // hop_length."""
    return 1 + samples // hop_length


def fft_multiply_adds(points: int) -> float:
    """Return the multiply-adds of an FFT of so many real points, 1.25 n log2 n (`Engine.multiply_adds`)."""
    return 1.25 * points * math.log2(points)


def resample_multiply_adds(samples: int, hop_length: int, hop: int) -> float:
    """Return the multiply-adds of `resample` for a clip of so many samples: an FFT, and one back at the lower rate."""
    if hop == hop_length:
        return 0.0
    points = resampled_length(samples, hop_length, hop)
    return fft_multiply_adds(points // hop * hop_length) + fft_multiply_adds(points)


def pad(x: torch.Tensor, left: int, right: int, mode: str) -> torch.Tensor:
    """Pad (batch, samples) with zeros ("constant") or with its mirror image ("reflect")."""
    if mode == "reflect":
        check_reflection(x.shape[-1], max(left, right))
        # On a CPU it is four times as fast as torch's own, which on CUDA has no gradient in a fixed order.
        if visible(x) or not in_any_order():
            return torch.cat([x[:, 1 : left + 1].flip(1), x, x[:, x.shape[1] - 1 - right : -1].flip(1)], dim=1)
    return F.pad(x, (left, right), mode=mode)


def padded_back(y: torch.Tensor, left: int, right: int, mode: str) -> torch.Tensor:
    """Apply the transpose of `pad` as a matrix: add each sample's mirror images to it."""
    stop = y.shape[-1] - right
    inner = y[:, left:stop]
    if mode == "reflect":
        inner = inner.clone()
        inner[:, 1 : left + 1] += y[:, :left].flip(1)
        inner[:, inner.shape[1] - 1 - right : -1] += y[:, stop:].flip(1)
    return inner


def check_reflection(samples: int, by: int) -> None:
    """Raise a ValueError if a clip of so many samples is too short for reflect padding."""
    if by >= samples:
        raise ValueError(
            f"a clip of {samples} samples is too short for reflect padding by {by}; "
            'use a longer clip, a shorter n_fft, or pad_mode="constant"'
        )


def check_onnx() -> None:
    """Raise a ValueError during an export to ONNX, which has no operation for slices of a spectrum."""
    if torch.onnx.is_in_onnx_export():
        raise ValueError('ONNX cuts no complex spectra as this engine does; choose engine="direct", or torch.export')


def frames(padded: torch.Tensor, start: int, length: int, hop_length: int, count: int) -> torch.Tensor:
    """View (batch, samples) as (batch, count, length): frame t covers start + t hop_length .. + length - 1."""
    stop = start + (count - 1) * hop_length + length
    return padded[:, start:stop].unfold(-1, length, hop_length)


def at_a_time(total: int, limit: int, each: int) -> int:
    """Return how many of some things to compute at a time, so that they take at most so many bytes.

    Args:
        total: number of things; all are taken where a graph for any batch is traced.
        limit: bytes that all may take.
        each: bytes of one.
    """
    return total if isinstance(each, torch.SymInt) else max(1, limit // max(1, each))


def lower_hop(hop_length: int, highest: float, *lengths: int) -> int:
    """Return the hop at the lowest rate that keeps the bins' frequencies; hop_length if no lower rate is worth it.

    Args:
        hop_length: samples between frames at the clip's own rate.
        highest: highest frequency to keep, in cycles per sample of the clip's own rate.
        lengths: lengths in samples that must be whole at the lower rate too, and the first even.
    """
    for hop in sorted(2**a * b for a in range(1, 12) for b in (1, 3, 5, 9)):
        if hop > _WORTHWHILE * hop_length:
            break
        whole = all(length * hop % hop_length == 0 for length in lengths)
        if whole and lengths[0] * hop // hop_length % 2 == 0 and hop / hop_length / 2 > highest:
            return hop
    return hop_length


def resample(x: torch.Tensor, hop_length: int, hop: int) -> torch.Tensor:
    """Resample clips (batch, samples) to hop / hop_length times the rate, scaled so that sums over samples stay.

    The result is exact below half the lower rate: the clip's FFT is truncated there and transformed back with fewer
    points. The clip is padded with zeros to a length whose FFT is fast. Circular wrap-around does no harm, because the
    frequencies that are cut off meet no kernel.
    """
    if hop == hop_length:
        return x
    check_onnx()
    points = resampled_length(x.shape[-1], hop_length, hop)
    spectrum = torch.fft.rfft(x, points // hop * hop_length)[:, : points // 2]  # excluding half the rate itself
    return torch.fft.irfft(spectrum, points)


def resampled_length(samples: int, hop_length: int, hop: int) -> int:
    """Return the number of samples that `resample` makes of so many."""
    return samples if hop == hop_length else _fast_even_length(-(-samples // hop_length)) * hop


def resampled_back(y: torch.Tensor, hop_length: int, hop: int, samples: int) -> torch.Tensor:
    """Apply the transpose of `resample` as a matrix: (batch, samples at the lower rate) -> (batch, samples)."""
    if hop == hop_length:
        return y
    points = y.shape[-1]
    spectrum = torch.fft.rfft(y)[:, : points // 2]
    return torch.fft.irfft(spectrum, points // hop * hop_length)[:, :samples] * (hop_length / hop)


def _fast_even_length(n: int) -> int:
    """Return the least even 2^a 3^b 5^c that is at least n; of any n of an exported graph, the least even number."""
    n += n % 2
    if isinstance(n, torch.SymInt):
        return n
    while True:
        rest = n
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return n
        n += 2


def framed_spectrum(x: torch.Tensor, window: torch.Tensor, hop_length: int, pad_mode: str) -> torch.Tensor:
    """Compute the FFT of each windowed frame, with the phase of torch.stft and librosa.stft.

    Args:
        x: clips, (batch, samples).
        window: window, (n_fft,).
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".

    Returns:
        (batch, frames, n_fft // 2 + 1) complex: frames before bins, the FFT's own order.
    """
    n_fft = len(window)
    padded = pad(x, n_fft // 2, n_fft // 2, pad_mode)
    return torch.fft.rfft(frames(padded, 0, n_fft, hop_length, n_frames(x.shape[-1], hop_length)) * window)


def overlap_add(frames: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Add overlapping frames, (batch, count, length) -> (batch, (count - 1) hop_length + length); undoes `frames`."""
    count, length = frames.shape[1:]
    total, rows = (count - 1) * hop_length + length, -(-length // hop_length)
    if frames.is_cuda or rows > FEW_ROWS:
        return F.fold(frames.transpose(1, 2), (1, total), (1, length), stride=(1, hop_length)).flatten(1)
    # Frames cut into rows of hop_length: row r of frame t falls on row t + r of the sum. Ten times as fast as fold.
    cut = F.pad(frames, (0, rows * hop_length - length)).unflatten(-1, (rows, hop_length))
    whole = F.pad(cut[:, :, 0], (0, 0, 0, rows - 1))
    for row in range(1, rows):
        whole[:, row : row + count] += cut[:, :, row]
    return whole.flatten(1)[:, :total]


def add_frames(whole: torch.Tensor, parts: torch.Tensor, window: torch.Tensor, hop_length: int, first: int) -> None:
    """Add windowed frames to clips: frame t, times the window, from sample (first + t) hop_length on.

    Args:
        whole: clips to add to, (batch, samples).
        parts: the frames, (batch, count, length).
        window: (length,).
        hop_length: samples between frames.
        first: number of the first frame.
    """
    count, length = parts.shape[1:]
    for start in range(0, length, hop_length):  # rows of different frames, which do not overlap
        row = slice(start, min(start + hop_length, length))
        place = frames(whole, first * hop_length + start, row.stop - start, hop_length, count)
        place.addcmul_(parts[..., row], window[row])


def overlapped(window: np.ndarray, hop_length: int, count: int) -> np.ndarray:
    """Sum `count` copies of a window that start hop_length apart: (count hop_length + length or more,) float64.

    Cut into rows of hop_length, the window's row r falls on row b of the sum once for each copy b - r = 0 .. count - 1,
    so row b is the sum of the window's rows b - count + 1 .. b: a difference of two running sums.
    """
    rows = -(-len(window) // hop_length)
    cut = np.pad(window, (0, rows * hop_length - len(window))).reshape(rows, hop_length)
    running = np.concatenate([np.zeros((1, hop_length)), cut.cumsum(axis=0)])
    b = np.arange(count + rows)
    return (running[np.minimum(b + 1, rows)] - running[np.clip(b - count + 1, 0, rows)]).ravel()
