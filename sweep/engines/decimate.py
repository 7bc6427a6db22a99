"""A lower rate for long clips, which are cut into blocks there: on CUDA in one pass over memory."""

import ctypes
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from sweep.engines import framing, fused, nvrtc
from sweep.engines.tables import Tables

_COLUMNS = 64  # outputs of a row of PyTorch's product
_OUTPUTS = 8  # of a thread
_SAMPLES = 1024  # that a block's threads begin at, about: what shared memory holds sets it


class Decimator:
    """Low-passes clips and keeps one sample in `factor`.

    The low-pass is designed by the window method (Kaiser 1974). Samples come out `factor` times as large, so that sums
    over them are those over all samples.

    Args:
        factor: of the rates, a power of 2.
        passed: up to this share of the lower rate all is kept; from one minus it on, nothing.
        ripple: what that is exact to.
    """

    def __init__(self, factor: int, passed: float, ripple: float):
        self.factor = factor
        attenuation = -20 * math.log10(ripple)
        self.reach = 4 * math.ceil((attenuation - 7.95) / (14.36 * (1 - 2 * passed)) * factor / 8)
        n = np.arange(-self.reach, self.reach + 1)
        taps = np.sinc(n / factor) * np.kaiser(len(n), 0.1102 * (attenuation - 8.7))
        self.taps = taps * (factor / taps.sum())
        self._tables = Tables()

    def __call__(self, x: torch.Tensor, before: int, blocks: tuple[int, int, int], points: int) -> torch.Tensor:
        """(batch, samples) -> (batch * blocks, points) at the lower rate.

        Args:
            x: clips, which zeros surround.
            before: samples ahead of the clip's first, where the first block begins.
            blocks: how many; from one's start to the next's, and in each, samples at the lower rate.
            points: of a block: zeros follow its samples.
        """
        if self._kernel_serves(x):
            return self._by_kernel(x, before, blocks, points)
        band = self._tables.get((x.device, x.dtype), lambda: torch.from_numpy(self._band()).to(x))
        n_blocks, advance, wanted = blocks
        rows = -(-((n_blocks - 1) * advance + wanted) // _COLUMNS)
        total = (rows - 1) * _COLUMNS * self.factor + len(band)
        left = before + self.reach
        padded = F.pad(x, (left, max(0, total - left - x.shape[-1])))
        low = (framing.frames(padded, 0, len(band), _COLUMNS * self.factor, rows) @ band).flatten(1)
        low = framing.frames(low, 0, wanted, advance, n_blocks).reshape(-1, wanted)
        return F.pad(low, (0, points - wanted))

    def _kernel_serves(self, x: torch.Tensor) -> bool:
        if not (x.is_cuda and x.dtype == torch.float32 and nvrtc.available()):
            return False
        if fused.differentiates(x) or torch.compiler.is_compiling():
            return False
        limit = torch.cuda.get_device_properties(x.device).shared_memory_per_block_optin
        return self._shared_bytes() <= limit

    def _shared_bytes(self) -> int:
        """Of a block: its samples, with gaps, and the taps."""
        taps = len(self._segments())
        samples = (_threads(self.factor) + taps // (_OUTPUTS * self.factor)) * (_OUTPUTS * self.factor + 4)
        return 4 * (samples + taps)

    def _band(self) -> np.ndarray:
        """(samples, 64): the low-pass as a matrix."""
        band = np.zeros((_COLUMNS * self.factor + 2 * self.reach, _COLUMNS))
        for output in range(_COLUMNS):
            band[output * self.factor : output * self.factor + len(self.taps), output] = self.taps
        return band

    def _by_kernel(self, x: torch.Tensor, before: int, blocks: tuple[int, int, int], points: int) -> torch.Tensor:
        taps = self._tables.get(("kernel", x.device), lambda: torch.from_numpy(self._segments()).to(x))
        n_blocks, advance, wanted = blocks
        out = torch.empty(len(x) * n_blocks, points, device=x.device)
        rounds, threads = len(taps) // (_OUTPUTS * self.factor) + 1, _threads(self.factor)
        start = before + self.reach
        job = _Job(x.shape[1], n_blocks, advance * self.factor, start, wanted, points, rounds)
        tiles = -(-points // (threads * _OUTPUTS))
        _kernel(self.factor)(len(out) * tiles, threads, self._shared_bytes(), x.contiguous(), taps, out, job)
        return out

    def _segments(self) -> np.ndarray:
        """The low-pass as the kernel reads it: zeros follow up to a whole round."""
        return np.pad(self.taps, (0, -len(self.taps) % (_OUTPUTS * self.factor)))


class _Job(ctypes.Structure):
    """What the kernel is asked for; decimate.cu says what the fields mean."""

    _fields_ = [
        (name, ctypes.c_int) for name in ("length", "blocks", "advance", "before", "wanted", "points", "rounds")
    ]


def _threads(factor: int) -> int:
    """Of a block."""
    return max(32, min(128, _SAMPLES // factor))


@cache
def _kernel(factor: int) -> nvrtc.Kernel:
    source = Path(__file__).with_name("decimate.cu")
    return nvrtc.Kernel(source, "decimate", FACTOR=factor, THREADS=_threads(factor))
