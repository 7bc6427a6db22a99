"""The FFT engine on CUDA: compute magnitudes, powers or bands of frames without intermediate results in memory."""

import ctypes
import math
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from sweep.engines import derivatives, framing
from sweep.engines.finish import Finish
from sweep.engines.gpu import nvrtc
from sweep.engines.tables import Tables

# For each length, frames at a time in a block and blocks on a multiprocessor: the fastest launches of the FFT's GPU
# kernel in experiments/engines/README.md.
_LAUNCHES = {256: (16, 4), 512: (8, 4), 1024: (8, 3), 2048: (4, 4), 4096: (2, 3), 8192: (1, 3)}
# Threads that share a band: so many that each has this many groups of four bins, on average, or more (the threads of a
# band in experiments/engines/README.md).
_FOURS, _MOST_LANES = 1.25, 8
_TILE = 48 << 10  # bytes of shared memory in which a block transposes its frames' values
_ROUNDS = 2  # frames, at most, that a group of threads processes one after the other when values are not transposed


@cache
def _kernel(
    name: str, n_fft: int, *, lanes: int, power: int, log: bool, first: int, fixed: bool = False
) -> nvrtc.Kernel:
    """Return a GPU kernel of fft.cu for an FFT length and a kind of output."""
    groups, blocks = _LAUNCHES[n_fft]
    size = {"N": n_fft, "GROUPS": groups, "BLOCKS": blocks}
    wanted = {"BANDED": int(lanes > 0), "LANES": max(1, lanes), "POWER": power, "LOG": int(log), "FIRST": first}
    source = Path(__file__).with_name("fft.cu")
    return nvrtc.Kernel(source, name, **size, **wanted, GRADIENT=int(name == "gradient"), FIXED=int(fixed))


class _Job(ctypes.Structure):
    """The GPU kernels' arguments; fft.cu describes the fields."""

    _fields_ = [
        *((name, ctypes.c_int) for name in ("samples", "hop", "reflect", "frames", "total", "bins", "bands")),
        ("offset", ctypes.c_float),
        ("each", ctypes.c_int),
    ]


class _Launch:
    """A GPU kernel of fft.cu for clips of one shape, with all that is not clips, values or their gradient.

    Args:
        kernel: GPU kernel.
        size: number of blocks, threads per block, and bytes of shared memory.
        tables: tensors that it reads after the clips.
        job: its numbers.
        shape: shape of its result.
    """

    def __init__(self, kernel: nvrtc.Kernel, size: tuple, tables: tuple, job: _Job, shape: tuple[int, ...]):
        self.kernel, self.size, self.tables, self.job, self.shape = kernel, size, tables, job, shape
        self.pointers = [ctypes.c_void_p(table.data_ptr()) for table in tables]

    def __call__(self, x: torch.Tensor, out: torch.Tensor, *by_values) -> torch.Tensor:
        self.kernel(*self.size, x.contiguous(), *self.pointers, *by_values, out, self.job)
        return out


class FusedFFT:
    """Computes finished FFT spectrograms of clips in one pass over memory, in float32 throughout.

    Args:
        window: window, (n_fft,) float64.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        n_bins: number of bins.
        power: exponent of the magnitudes, 1 or 2.
        bank: weights of bands, (bands, n_bins) float64; None: the bins themselves.
        first_bin: lowest bin; 0 with a bank.
    """

    def __init__(
        self,
        window: np.ndarray,
        hop_length: int,
        pad_mode: str,
        n_bins: int,
        power: float,
        bank: np.ndarray | None = None,
        first_bin: int = 0,
    ):
        self.window, self.hop_length, self.pad_mode = window, hop_length, pad_mode
        self.n_bins, self.power, self.bank, self.first_bin = n_bins, power, bank, first_bin
        self._lanes = 0 if bank is None else _count_lanes(bank)
        self._tables, self._launches = Tables(), Tables()

    def refusal(self, device: torch.device) -> str | None:
        """Say why the GPU kernels cannot process float32 clips on a device; None: they can, on GPUs from Volta on."""
        if device.type != "cuda":
            return "the fused FFT kernel needs CUDA"
        if len(self.window) not in _LAUNCHES:
            return f"the fused FFT kernel takes n_fft {', '.join(map(str, _LAUNCHES))}"
        if self.power not in (1, 2):
            return "the fused FFT kernel takes power 1 or 2"
        return None if nvrtc.available() else "the fused FFT kernel needs NVRTC, which comes with torch for CUDA"

    def serves(self, x: torch.Tensor) -> bool:
        """Return whether the GPU kernels can process these clips: CUDA from Volta on, float32, a supported length."""
        if not x.is_cuda or x.dtype != torch.float32 or torch.compiler.is_compiling() or derivatives.transformed(x):
            return False
        return len(self.window) in _LAUNCHES and self.power in (1, 2) and _serves_on(x.device)

    def __call__(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Map (batch, samples) to (batch, bins or bands, frames).

        Args:
            x: clips for which `serves` is true.
            offset: number added before the logarithm, whose result is contiguous; None: no logarithm, and frames
                before bins in memory, as torch.stft has them.
        """
        if self.pad_mode == "reflect":
            framing.check_reflection(x.shape[-1], len(self.window) // 2)
        if derivatives.differentiates(x):
            wanted = offset is not None or derivatives.values_wanted()
            return Finish(offset=offset).log(_Differentiable.apply(x, self, wanted))
        return self._spectrogram(x, offset)

    def _spectrogram(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        offset = None if offset is None else float(offset)
        launch = self._launches.get((x.shape, x.device, offset), lambda: self._forward(x, offset))
        if launch is None:
            return Finish(offset=offset).log(self._spectrogram(x, None)).contiguous()
        out = launch(x, torch.empty(launch.shape, device=x.device, dtype=torch.float32))
        return out.transpose(1, 2) if offset is None else out

    def _forward(self, x: torch.Tensor, offset: float | None) -> _Launch | None:
        """Return the launch for values; None: it needs more shared memory than a small GPU has."""
        n_fft, count, device = len(self.window), framing.n_frames(x.shape[-1], self.hop_length), x.device
        roots = self._tables.get(("roots", device), lambda: self._make_roots(device))
        bands = self._tables.get(("bands", device), lambda: _runs(self.bank, self._lanes, device))
        values = self.n_bins if self.bank is None else len(self.bank)
        most = _LAUNCHES[n_fft][0] * _ROUNDS
        if offset is not None:  # values are transposed
            most = min(32, _threads(n_fft), _tile(n_fft, device) // (4 * values) - 1)
        job = self._job(x, count, _each(n_fft, len(x) * count, most, device), offset or 0.0)
        shared = _points(n_fft) + (0 if offset is None else 4 * values * (job.each | 1))
        if offset is not None and shared > getattr(_properties(device), "shared_memory_per_block_optin", shared):
            return None
        size = -(-job.total // job.each), _threads(n_fft), shared
        shape = (len(x), count, values) if offset is None else (len(x), values, count)
        return _Launch(self._kernel("spectrogram", log=offset is not None), size, (*roots, *bands), job, shape)

    def backward(self, x: torch.Tensor, by_values: torch.Tensor) -> torch.Tensor:
        """Return the clips' gradient, given that of (batch, bins or bands, frames).

        Overlapping frames are added up in the kernel in no fixed order; behind it where torch has to be deterministic.
        """
        n_fft, fixed = len(self.window), not derivatives.in_any_order()
        by_values = by_values.resolve_neg()
        launch = self._launches.get((x.shape, x.device, "gradient", fixed), lambda: self._back(x, fixed))
        out = x.new_empty(launch.shape) if fixed else x.new_zeros(launch.shape)
        launch(x, out, by_values, *map(ctypes.c_longlong, by_values.stride()))
        if not fixed:
            return out
        whole = framing.overlap_add(out, self.hop_length)
        whole = F.pad(whole, (0, x.shape[-1] + n_fft - whole.shape[-1]))
        return framing.padded_back(whole, n_fft // 2, n_fft // 2, self.pad_mode)

    def _back(self, x: torch.Tensor, fixed: bool) -> _Launch:
        """Return the launch for the gradient, in a fixed order that of each frame."""
        n_fft, count, device = len(self.window), framing.n_frames(x.shape[-1], self.hop_length), x.device
        roots = self._tables.get(("roots", device), lambda: self._make_roots(device))
        sparse = self._tables.get(("bins", device), lambda: _sparse(self._bands_of_bins(), device))
        groups, _ = _LAUNCHES[n_fft]
        job = self._job(x, count, _each(n_fft, len(x) * count, groups * _ROUNDS, device), 0.0)
        size = -(-job.total // job.each), _threads(n_fft), _points(n_fft) + 4 * groups * (job.bands + 4)
        shape = (len(x), count, n_fft) if fixed else tuple(x.shape)
        return _Launch(self._kernel("gradient", log=False, fixed=fixed), size, (*roots, *sparse), job, shape)

    def _room(self, x: torch.Tensor) -> torch.Tensor:
        """Return memory for the values of clips, frames first."""
        values = self.n_bins if self.bank is None else len(self.bank)
        return x.new_empty(len(x), framing.n_frames(x.shape[-1], self.hop_length), values)

    def _kernel(self, name: str, log: bool, fixed: bool = False) -> nvrtc.Kernel:
        options: dict = {"lanes": self._lanes, "power": int(self.power), "first": self.first_bin}
        return _kernel(name, len(self.window), log=log, fixed=fixed, **options)

    def _job(self, x: torch.Tensor, count: int, each: int, offset: float) -> _Job:
        samples, bands = x.shape[-1], 0 if self.bank is None else len(self.bank)
        reflect, stop = self.pad_mode == "reflect", self.first_bin + self.n_bins
        shape = (count, len(x) * count, stop, bands)
        return _Job(samples, self.hop_length, reflect, *shape, offset, each)

    def _make_roots(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        """Return half the window, and the roots of unity."""
        roots = np.exp(-2j * np.pi * np.arange(len(self.window)) / len(self.window)).astype(np.complex64)
        return tuple(torch.from_numpy(array).to(device) for array in (self.window.astype(np.float32) / 2, roots))

    def _bands_of_bins(self) -> np.ndarray | None:
        """Return the transposed bank, padded with zeros: (n_fft // 2 + 1, bands)."""
        if self.bank is None:
            return None
        return np.pad(self.bank, ((0, 0), (0, len(self.window) // 2 + 1 - self.n_bins))).T


class _Differentiable(torch.autograd.Function):
    """The GPU kernels as one autograd operation that saves only the clips for the backward pass."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, fft: FusedFFT, wanted: bool) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.fft = fft
        return fft._spectrogram(x, None) if wanted else fft._room(x).transpose(1, 2)

    @staticmethod
    @once_differentiable
    def backward(ctx, by_values: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return ctx.fft.backward(x, by_values), None, None


@cache
def _serves_on(device: torch.device) -> bool:
    return nvrtc.available() and _properties(device).major >= 7  # older ones have too little shared memory


@cache
def _properties(device: torch.device):
    """Return a GPU's properties; None for the tests' emulation."""
    return torch.cuda.get_device_properties(device) if device.type == "cuda" else None


def _threads(n_fft: int) -> int:
    """Return the number of threads of a block."""
    return _LAUNCHES[n_fft][0] * n_fft // 32


def _points(n_fft: int) -> int:
    """Return the bytes of shared memory for the points of a block's frames."""
    half = n_fft // 2
    return _LAUNCHES[n_fft][0] * (half + half // 16) * 8


def _each(n_fft: int, total: int, most: int, device: torch.device) -> int:
    """Return the frames of a block: many, to share its set-up, but few enough to keep every multiprocessor busy."""
    groups, blocks = _LAUNCHES[n_fft]
    share = total // (getattr(_properties(device), "multi_processor_count", 1) * blocks)
    return max(groups, min(most, share) // groups * groups)


def _tile(n_fft: int, device: torch.device) -> int:
    """Return the bytes of shared memory for the tile: on a small GPU as much as the points leave free."""
    most = getattr(_properties(device), "shared_memory_per_block_optin", _TILE + _points(n_fft))
    return min(_TILE, most - _points(n_fft))


def _fours(bank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each band's first aligned group of four bins, and how many groups hold all its nonzero weights."""
    used = bank != 0
    first = used.argmax(axis=1) // 4
    last = np.where(used.any(axis=1), bank.shape[1] - used[:, ::-1].argmax(axis=1), 4 * first)
    return first, -(-last // 4) - first


def _count_lanes(bank: np.ndarray) -> int:
    """Return the number of threads for each band."""
    return min(_MOST_LANES, 1 << int(math.log2(max(1.0, _fours(bank)[1].mean() / _FOURS))))


def _runs(bank: np.ndarray | None, lanes: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each band's first group of four and their number, (bands, 2), and weights, (turns, bands * lanes, 4)."""
    if bank is None:
        return torch.zeros(1, 2, dtype=torch.int32, device=device), torch.zeros(4, device=device)
    first, count = _fours(bank)
    fours = np.arange(max(1, -(-count.max() // lanes)) * lanes)
    inside = fours < count[:, None]
    at = np.where(inside, first[:, None] + fours, 0)[..., None] * 4 + np.arange(4)
    padded = np.pad(bank, ((0, 0), (0, -bank.shape[1] % 4)))
    weights = np.take_along_axis(padded, at.reshape(len(bank), -1), axis=1).reshape(at.shape) * inside[..., None]
    weights = weights.reshape(len(bank), -1, lanes, 4).transpose(1, 0, 2, 3).reshape(-1, len(bank) * lanes, 4)
    runs = np.stack([first, count], axis=1).astype(np.int32)
    return torch.from_numpy(runs).to(device), torch.from_numpy(np.ascontiguousarray(weights, np.float32)).to(device)


def _sparse(bank: np.ndarray | None, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each row's first entry and number of groups of four, (2, rows), and the entries, (groups, rows, 4)."""
    if bank is None:
        return torch.zeros(2, dtype=torch.int32, device=device), torch.zeros(4, device=device)
    used = bank != 0
    first = used.argmax(axis=1)
    count = np.where(used.any(axis=1), used.shape[1] - used[:, ::-1].argmax(axis=1) - first, 0)
    fours = -(-count // 4)
    columns = first[:, None] + np.arange(4 * max(1, fours.max()))
    inside = np.arange(columns.shape[1]) < count[:, None]
    weights = np.take_along_axis(bank, np.where(inside, columns, 0), axis=1) * inside
    weights = weights.reshape(len(bank), -1, 4).transpose(1, 0, 2).astype(np.float32)
    where = np.stack([first, fours]).astype(np.int32)
    return tuple(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in (where, weights))
