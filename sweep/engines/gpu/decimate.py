"""A lower rate for long clips, which are cut into blocks there: on CUDA in one pass over memory."""

import ctypes
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from sweep.engines import framing
from sweep.engines.direct import matmul_precision
from sweep.engines.gpu import fused, nvrtc
from sweep.engines.tables import Tables, outside_graph

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
        # As the kernel reads them: zeros follow up to a whole round.
        self._segments = np.pad(self.taps, (0, -len(self.taps) % (_OUTPUTS * factor)))
        self._rounds = len(self._segments) // (_OUTPUTS * factor) + 1
        samples = (_threads(factor) - 1 + self._rounds) * (_OUTPUTS * factor + 4)  # of a block, and gaps between them
        self._shared_bytes = 4 * (samples + len(self._segments))
        self._tables = Tables()

    def __call__(self, x: torch.Tensor, before: int, blocks: tuple[int, int, int], points: int) -> torch.Tensor:
        """(batch, samples) -> (batch * blocks, points) at the lower rate, in float32 at least.

        Args:
            x: clips, which zeros surround.
            before: samples ahead of the clip's first, where the first block begins.
            blocks: how many; from one's start to the next's, and in each, samples at the lower rate.
            points: of a block: zeros follow its samples.
        """
        if not torch.compiler.is_exporting() and outside_graph(self._kernel_serves, x):
            return outside_graph(self._by_kernel, x, before, blocks, points)
        band = self._tables.get((x.device, x.dtype), lambda: torch.from_numpy(self._band()).to(x))
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
        if not (x.is_cuda and x.dtype == torch.float32 and nvrtc.available()) or fused.differentiates(x):
            return False
        return self._shared_bytes <= torch.cuda.get_device_properties(x.device).shared_memory_per_block_optin

    def _band(self) -> np.ndarray:
        """(samples, 64): the low-pass as a matrix."""
        band = np.zeros((_COLUMNS * self.factor + 2 * self.reach, _COLUMNS))
        for output in range(_COLUMNS):
            band[output * self.factor : output * self.factor + len(self.taps), output] = self.taps
        return band

    def _by_kernel(self, x: torch.Tensor, before: int, blocks: tuple[int, int, int], points: int) -> torch.Tensor:
        taps = self._tables.get(("kernel", x.device), lambda: torch.from_numpy(self._segments).to(x))
        n_blocks, advance, wanted = blocks
        out = torch.empty(len(x) * n_blocks, points, device=x.device)
        start, threads = before + self.reach, _threads(self.factor)
        job = _Job(x.shape[1], n_blocks, advance * self.factor, start, wanted, points, self._rounds)
        tiles = -(-points // (threads * _OUTPUTS))
        _kernel(self.factor)(len(out) * tiles, threads, self._shared_bytes, x.contiguous(), taps, out, job)
        return out


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
