"""Frames of a clip: padding, strided views that hold no copies, their spectra on the FFT's grid, and the way back."""

import numpy as np
import torch
import torch.nn.functional as F


def n_frames(samples: int, hop_length: int) -> int:
    """Frames of a clip when they are centred: 1 + samples // hop_length."""
    return 1 + samples // hop_length


def pad(x: torch.Tensor, left: int, right: int, mode: str) -> torch.Tensor:
    """Extend (batch, samples) by zeros ("constant") or by its mirror image ("reflect")."""
    samples = x.shape[-1]
    if mode == "reflect" and max(left, right) >= samples:
        raise ValueError(
            f"a clip of {samples} samples is too short for reflect padding by {max(left, right)}; "
            'use a longer clip, a shorter n_fft, or pad_mode="constant"'
        )
    return F.pad(x, (left, right), mode=mode)


def frames(padded: torch.Tensor, start: int, length: int, hop_length: int, count: int) -> torch.Tensor:
    """View (batch, samples) as (batch, count, length): frame t covers start + t hop_length .. + length - 1."""
    stop = start + (count - 1) * hop_length + length
    return padded[:, start:stop].unfold(-1, length, hop_length)


def framed_spectrum(x: torch.Tensor, window: torch.Tensor, hop_length: int, pad_mode: str) -> torch.Tensor:
    """Spectrum of each windowed frame on the FFT's own grid, with the phase of torch.stft and librosa.stft.

    Args:
        x: (batch, samples).
        window: (n_fft,).
        hop_length: samples between frames.
        pad_mode: "constant" or "reflect".

    Returns:
        (batch, frames, n_fft // 2 + 1) complex: frames before bins, the FFT's own order.
    """
    n_fft = len(window)
    padded = pad(x, n_fft // 2, n_fft // 2, pad_mode)
    return torch.fft.rfft(frames(padded, 0, n_fft, hop_length, n_frames(x.shape[-1], hop_length)) * window)


def overlap_add(frames: torch.Tensor, hop_length: int) -> torch.Tensor:
    """Sum (batch, count, length) where they lie: (batch, (count - 1) hop_length + length), the opposite of `frames`."""
    count, length = frames.shape[1:]
    total = (count - 1) * hop_length + length
    return F.fold(frames.transpose(1, 2), (1, total), (1, length), stride=(1, hop_length)).flatten(1)


def overlapped(window: np.ndarray, hop_length: int, count: int) -> np.ndarray:
    """The sum of `count` copies of a window that start hop_length apart: (count hop_length + length or more,) float64.

    Cut into rows of hop_length, the window's row r falls on row b of the sum once for each copy b - r = 0 .. count - 1,
    so row b is the sum of the window's rows b - count + 1 .. b: a difference of two running sums.
    """
    rows = -(-len(window) // hop_length)
    cut = np.pad(window, (0, rows * hop_length - len(window))).reshape(rows, hop_length)
    running = np.concatenate([np.zeros((1, hop_length)), cut.cumsum(axis=0)])
    b = np.arange(count + rows)
    return (running[np.minimum(b + 1, rows)] - running[np.clip(b - count + 1, 0, rows)]).ravel()
