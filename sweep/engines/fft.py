"""The FFT engine on CUDA: frames in, their magnitudes, powers or bands out, by one kernel that keeps all else on chip."""

import ctypes
from pathlib import Path

import numpy as np
import torch

from sweep.engines import framing, nvrtc
from sweep.engines.tables import Tables

# Of each length: frames at a time in a block, and blocks on a multiprocessor.
_GROUPS = {256: (16, 2), 512: (8, 3), 1024: (8, 3), 2048: (4, 3), 4096: (2, 3), 8192: (1, 3)}
_TILE = 80 << 10  # bytes of shared memory in which a block turns its frames' values around
_ROUNDS = 2  # frames that a group of threads takes one after the other
_KERNELS = {
    n_fft: nvrtc.Kernel(Path(__file__).with_name("fft.cu"), "spectrogram", N=n_fft, GROUPS=groups, BLOCKS=blocks)
    for n_fft, (groups, blocks) in _GROUPS.items()
}


class _Job(ctypes.Structure):
    """What the kernel is asked for; fft.cu says what the fields mean."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("samples", "hop", "reflect", "frames", "total", "bins", "bands")),
        *((name, ctypes.c_int) for name in ("power", "logarithm")),
        ("offset", ctypes.c_float),
        *((name, ctypes.c_int) for name in ("each", "tiled")),
    ]


class FusedFFT:
    """Frames of clips on the FFT's grid, finished in one pass over memory. float32 throughout.

    Args:
        window: (n_fft,) float64.
        hop_length: samples between frames.
        pad_mode: "constant" or "reflect".
        n_bins: the lowest so many are wanted.
        power: 1 or 2, the exponent of the magnitudes.
        bank: (bands, n_bins) float64, or None: what sums of those powers are wanted.
    """

    def __init__(
        self,
        window: np.ndarray,
        hop_length: int,
        pad_mode: str,
        n_bins: int,
        power: int,
        bank: np.ndarray | None = None,
    ):
        self.window, self.hop_length, self.pad_mode = window, hop_length, pad_mode
        self.n_bins, self.power, self.bank = n_bins, power, bank
        self._tables = Tables()

    def serves(self, x: torch.Tensor) -> bool:
        """Whether the kernel can take these clips: CUDA, float32, no gradient, a length it is made for."""
        return (
            x.is_cuda
            and x.dtype == torch.float32
            and not (x.requires_grad and torch.is_grad_enabled())
            and len(self.window) in _KERNELS
            and self.power in (1, 2)
            and nvrtc.available()
        )

    @torch.compiler.disable
    def __call__(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """(batch, samples) -> (batch, bins or bands, frames).

        Args:
            x: clips that it serves.
            offset: added before the logarithm, whose result is contiguous; None: no logarithm, and frames before bins
                in memory, as torch.stft has them.
        """
        n_fft, samples = len(self.window), x.shape[-1]
        if self.pad_mode == "reflect":
            framing.check_reflection(samples, n_fft // 2)
        count = framing.n_frames(samples, self.hop_length)
        window, roots, bands, weights = self._tables.get(x.device, lambda: self._make_tables(x.device))
        values = self.n_bins if self.bank is None else len(self.bank)
        groups, _ = _GROUPS[n_fft]
        tiled = offset is not None
        if tiled:
            out = torch.empty(len(x), values, count, device=x.device)
            each = max(groups, min(32, _TILE // (4 * values) - 1) // groups * groups)
            tile = 4 * values * (each | 1)
        else:
            out = torch.empty(len(x), count, values, device=x.device)
            each, tile = groups * _ROUNDS, 0
        n_bands = 0 if self.bank is None else values
        total = len(x) * count
        job = _Job(
            samples, self.hop_length, self.pad_mode == "reflect", count, total, self.n_bins, n_bands, self.power,
            tiled, offset or 0.0, each, tiled,
        )  # fmt: skip
        half = n_fft // 2
        shared = groups * (half + half // 16) * 8 + tile
        tensors = (x.contiguous(), window, roots, bands, weights, out)
        _KERNELS[n_fft](-(-total // each), groups * half // 16, shared, *tensors, job)
        return out if tiled else out.transpose(1, 2)

    def _make_tables(self, device: torch.device) -> tuple[torch.Tensor, ...]:
        """Half the window, the roots of unity, and of each band where it begins, its width and its weights."""
        n_fft = len(self.window)
        roots = np.exp(-2j * np.pi * np.arange(n_fft) / n_fft).astype(np.complex64)
        bands, weights = np.zeros((2, 1)), np.zeros((1, 1))
        if self.bank is not None:
            used = self.bank != 0
            first = used.argmax(axis=1)
            count = np.where(used.any(axis=1), self.bank.shape[1] - used[:, ::-1].argmax(axis=1) - first, 0)
            bands = np.stack([first, count])
            columns = np.minimum(first + np.arange(max(1, count.max()))[:, None], self.bank.shape[1] - 1)
            weights = np.take_along_axis(self.bank.T, columns, axis=0)
        arrays = self.window.astype(np.float32) / 2, roots, bands.astype(np.int32), weights.astype(np.float32)
        return tuple(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays)
