"""Decimate long clips and cut them into blocks, on CUDA in one pass over memory."""

import ctypes
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from sweep.engines import derivatives, framing
from sweep.engines.direct import matmul_precision
from sweep.engines.gpu import nvrtc
from sweep.engines.tables import Tables
from sweep.filters.windows import kaiser

_COLUMNS = 64  # outputs per row of PyTorch's matrix product
_OUTPUTS = 8  # outputs per thread
_SAMPLES = 1024  # samples at which a block's threads begin, about; shared memory limits it


class Decimator:
    """Low-passes clips and keeps one sample in `factor`.

    The low-pass is designed by the window method (Kaiser 1974). The output is multiplied by `factor`, so that sums over
    it equal sums over all samples.

    Args:
        factor: ratio of the rates, a power of 2.
        passed: share of the lower rate up to which all is kept; from one minus this share on, nothing is.
        ripple: largest error of the filter's gain.
    """

    def __init__(self, factor: int, passed: float, ripple: float):
        self.factor = factor
        attenuation = -20 * math.log10(ripple)
        self.reach = 4 * math.ceil((attenuation - 7.95) / (14.36 * (1 - 2 * passed)) * factor / 8)
        n = np.arange(-self.reach, self.reach + 1)
        taps = np.sinc(n / factor) * kaiser(len(n), attenuation)
        self.taps = taps * (factor / taps.sum())
        # The layout that the GPU kernel reads: zeros follow up to a whole round.
        self._segments = np.pad(self.taps, (0, -len(self.taps) % (_OUTPUTS * factor)))
        self._rounds = len(self._segments) // (_OUTPUTS * factor) + 1
        samples = (_threads(factor) - 1 + self._rounds) * (_OUTPUTS * factor + 4)  # of a block, with gaps
        self._shared_bytes = 4 * (samples + len(self._segments))
        self._tables = Tables()

    def __call__(self, x: torch.Tensor, before: int, blocks: tuple[int, int, int], points: int) -> torch.Tensor:
        """Map (batch, samples) to (batch * blocks, points) at the lower rate, in float32 at least.

        Args:
            x: clips, (batch, samples), surrounded by zeros.
            before: samples between the start of the first block and the clip's first sample.
            blocks: number of blocks, their distance and their length, in samples at the lower rate.
            points: length of a block with the zeros after its samples.
        """
        if self._kernel_serves(x):
            return self._by_kernel(x, before, blocks, points)
        band = self._tables.get((x.device, x.dtype), lambda: torch.from_numpy(self._band()).to(x.device, x.dtype))
        n_blocks, advance, wanted = blocks
        rows = -(-((n_blocks - 1) * advance + wanted) // _COLUMNS)
        total = (rows - 1) * _COLUMNS * self.factor + len(band)
        left = before + self.reach
        padded = F.pad(x, (left, max(0, total - left - x.shape[-1])))
        with matmul_precision("highest", x.is_cuda):
            low = (framing.frames(padded, 0, len(band), _COLUMNS * self.factor, rows) @ band).flatten(1)
        low = framing.frames(low, 0, wanted, advance, n_blocks).reshape(-1, wanted)
        return F.pad(low, (0, points - wanted))

    def _kernel_serves(self, x: torch.Tensor) -> bool:
        if not x.is_cuda or x.dtype != torch.float32 or torch.compiler.is_compiling() or not nvrtc.available():
            return False
        if derivatives.differentiates(x) or derivatives.transformed(x):
            return False
        return self._shared_bytes <= torch.cuda.get_device_properties(x.device).shared_memory_per_block_optin

    def _band(self) -> np.ndarray:
        """Return the low-pass as a matrix, (samples, 64)."""
        band = np.zeros((_COLUMNS * self.factor + 2 * self.reach, _COLUMNS))
        for output in range(_COLUMNS):
            band[output * self.factor : output * self.factor + len(self.taps), output] = self.taps
        return band

    def _by_kernel(self, x: torch.Tensor, before: int, blocks: tuple[int, int, int], points: int) -> torch.Tensor:
        taps = self._tables.get(("kernel", x.device), lambda: torch.from_numpy(self._segments).to(x))
        n_blocks, advance, wanted = blocks
        out = x.new_empty(len(x) * n_blocks, points)
        start, threads = before + self.reach, _threads(self.factor)
        job = _Job(x.shape[1], n_blocks, advance * self.factor, start, wanted, points, self._rounds)
        tiles = -(-points // (threads * _OUTPUTS))
        _kernel(self.factor)(len(out) * tiles, threads, self._shared_bytes, x.contiguous(), taps, out, job)
        return out


class _Job(ctypes.Structure):
    """The GPU kernel's arguments; decimate.cu describes the fields."""

    _fields_ = [
        (name, ctypes.c_int) for name in ("length", "blocks", "advance", "before", "wanted", "points", "rounds")
    ]


def _threads(factor: int) -> int:
    """Return the number of threads of a block."""
    return max(32, min(128, _SAMPLES // factor))


@cache
def _kernel(factor: int) -> nvrtc.Kernel:
    source = Path(__file__).with_name("decimate.cu")
    return nvrtc.Kernel(source, "decimate", FACTOR=factor, THREADS=_threads(factor))
