"""The direct engine: multiply frames by a matrix of taps, as the definition does."""

import contextlib

import numpy as np
import torch
from torch import nn

from sweep.engines import framing
from sweep.engines.engine import Engine
from sweep.engines.gpu import fused
from sweep.engines.sampled import Sampled
from sweep.engines.tables import Tables
from sweep.filters import Kernels

# Bins of similar length share one matrix; the longest may be this many times as long as the shortest. Half an octave
# of a constant-Q bank: 14 products for seven octaves, a fifth of their taps zeros.
_SPREAD = 2**0.5
_FUSED_UP_TO = 4096  # samples of a kernel up to which the GPU kernel serves


class Direct(Engine):
    """Multiplies frames (a strided view) by taps, grouped by kernel length so that short kernels cost little.

    Frozen kernels with symmetric taps, h[-n] = conj h[n], are folded: the real part needs only the sum of the two
    samples at +-n and the imaginary part only their difference, which halves the work.

    Args:
        kernels: bank of kernels to evaluate.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        trainable: whether the taps are parameters, one (2, bins, length) per group: real parts, then imaginary parts.
        tf32: whether CUDA's matrix products may round their factors to TF32.
        max_samples: longest clip, in samples; taps at lags that meet no sample of it are not stored. None: any length.
    """

    name = "direct"

    def __init__(
        self,
        kernels: Kernels | Sampled,
        hop_length: int,
        pad_mode: str,
        trainable: bool = False,
        tf32: bool = False,
        max_samples: int | None = None,
    ):
        super().__init__(kernels, hop_length, pad_mode)
        self.tf32 = tf32
        self.max_samples = max_samples if pad_mode == "constant" else None  # with reflection every lag meets a sample
        reach = self.max_samples or int(kernels.lengths.max())
        self.groups = _groups_by_length(np.minimum(kernels.lengths, 2 * reach))
        # First lag and one past the last of each group, as Python integers: torch.compile would trace NumPy's.
        firsts, lasts = kernels.first_lags, kernels.last_lags
        self.spans = [
            (max(int(firsts[bins].min()), -reach), min(int(lasts[bins].max()) + 1, reach)) for bins in self.groups
        ]
        self._tables = Tables()
        self.taps, self.trained = None, trainable
        if trainable:
            taps = [_stacked_taps(kernels[b], np.arange(*s)) for b, s in zip(self.groups, self.spans, strict=True)]
            self.taps = nn.ParameterList(nn.Parameter(torch.from_numpy(t).float()) for t in taps)

    def forward(
        self, x: torch.Tensor, phase: bool = True, centre: int = 0, count: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (batch, samples) to real and imaginary parts, (batch, bins, frames) each.

        Args:
            x: clips, (batch, samples).
            phase: ignored; the phase is always right.
            centre: sample at the first frame's centre.
            count: number of frames; None is 1 + samples // hop_length.
        """
        samples = x.shape[-1]
        if self.max_samples is not None and samples > self.max_samples:
            raise ValueError(
                f"a clip of {samples} samples meets taps that are not there, for max_samples is {self.max_samples}; "
                "choose a larger max_samples, or shorter clips"
            )
        spans = self._spans(samples, x.is_cuda and self.taps is None)
        left, right = max(0, max(-first for first, _ in spans) - centre), max(0, max(stop for _, stop in spans))
        padded = framing.pad(x, left, right, self.pad_mode)
        count = framing.n_frames(samples, self.hop_length) if count is None else count
        if self.taps is None:
            tables = self._tables.get((tuple(spans), x.device, x.dtype), lambda: self._make_tables(spans, x))
        else:
            tables = [self._reachable(*group, x.dtype) for group in zip(self.taps, self.spans, spans, strict=True)]
        parts = []
        with matmul_precision("high" if self.tf32 else "highest", x.is_cuda):
            for table, (first, stop) in zip(tables, spans, strict=True):
                frames = framing.frames(padded, left + centre + first, stop - first, self.hop_length, count)
                n_bins = self.groups[len(parts)].stop - self.groups[len(parts)].start
                parts.append([part[..., :n_bins] for part in _product(frames, first, table)])
        real, imag = (torch.cat(part, dim=-1) if len(part) > 1 else part[0] for part in zip(*parts, strict=True))
        return real.transpose(1, 2), imag.transpose(1, 2)

    def multiply_adds(self, samples: int, count: int | None = None) -> float:
        """Return the multiply-adds for a clip, or for so many frames of it: one a stored tap and frame."""
        count = framing.n_frames(samples, self.hop_length) if count is None else count
        spans = self._spans(samples)
        if self.taps is not None:
            sizes = zip(self.groups, spans, strict=True)
            return float(count * sum(2 * (bins.stop - bins.start) * (stop - first) for bins, (first, stop) in sizes))
        tables = self._make_tables(spans, torch.empty(0))
        return float(
            count * sum(part.numel() for table in tables for part in (table if type(table) is tuple else [table]))
        )

    @property
    def trainable(self) -> bool:
        return self.taps is not None

    @property
    def is_product(self) -> bool:
        return len(self.groups) == 1

    def kernel(self, bin: int) -> tuple[int, np.ndarray]:
        if not self.trainable:
            return super().kernel(bin)
        group = next(i for i, bins in enumerate(self.groups) if bin < bins.stop)
        (first, _), place = self.spans[group], bin - self.groups[group].start
        real, imag = self.taps[group].detach()[:, place].double().cpu().numpy()
        return first, real + 1j * imag

    def frozen(self, tf32: bool) -> Engine:
        if not self.trainable:
            return self
        firsts, taps = zip(*(self.kernel(bin) for bin in range(len(self.kernels))), strict=True)
        bank = Sampled(np.array(firsts), taps)
        direct = Direct(bank, self.hop_length, self.pad_mode, tf32=tf32, max_samples=self.max_samples)
        direct.trained = True
        return direct.because("the taps were trained")

    def _spans(self, samples: int, aligned: bool = False) -> list[tuple[int, int]]:
        """Return the first lag and one past the last that each group needs for a clip of so many samples."""
        if self.pad_mode != "constant" or isinstance(samples, torch.SymInt):  # of an exported graph for any length
            return self.spans
        spans = [(-_aligned(-first), _aligned(stop)) for first, stop in self.spans] if aligned else self.spans
        # Lags beyond the clip's length meet no sample, so they are neither stored nor computed.
        return [(max(first, -samples), min(stop, samples)) for first, stop in spans]

    @property
    def has_gpu_kernels(self) -> bool:
        return not self.trainable

    def finish_into(self, x: torch.Tensor, finish, out: torch.Tensor, first: int) -> bool:
        # cuBLAS is faster at float32 products, and blocks of long kernels take much memory.
        if self.trainable or not self.tf32 or self.kernels.lengths.max() > _FUSED_UP_TO:
            return False
        if self.pad_mode == "reflect":
            framing.check_reflection(x.shape[-1], max(-self.kernels.first_lags.min(), self.kernels.last_lags.max() + 1))
        blocks = self._tables.get(("fused", x.device), lambda: fused.stack(self._make_blocks(x), self.tf32))
        options = {"reflect": self.pad_mode == "reflect", "offset": finish.offset, "power": finish.power}
        fused.finish_product(x.contiguous(), self.hop_length, blocks, out, first, len(self.kernels), **options)
        return True

    def gradient(self, x: torch.Tensor, finish, by_out: torch.Tensor) -> torch.Tensor | None:
        if self.trainable or self.kernels.lengths.max() > _FUSED_UP_TO:
            return None
        blocks = self._tables.get(("fused", x.device), lambda: fused.stack(self._make_blocks(x), self.tf32))
        options = {"reflect": self.pad_mode == "reflect", "offset": finish.offset, "power": finish.power}
        return fused.product_gradient(x.contiguous(), self.hop_length, blocks, by_out, **options)

    def _make_blocks(self, like: torch.Tensor) -> list[tuple[int, torch.Tensor]]:
        """Return each block's first lag and its taps, (lags, 2 * bins): real parts, then imaginary parts."""
        blocks = []
        for start in range(0, len(self.kernels), fused.BINS):
            kernels = self.kernels[start : start + fused.BINS]
            first, stop = int(kernels.first_lags.min()), int(kernels.last_lags.max()) + 1
            taps = torch.from_numpy(_stacked_taps(kernels, np.arange(first, stop)))
            blocks.append((first, taps.flatten(0, 1).T.to(like.device, like.dtype)))
        return blocks

    @staticmethod
    def _reachable(taps: torch.Tensor, whole: tuple, span: tuple, dtype: torch.dtype) -> torch.Tensor:
        """Return the table of trainable taps at the lags that a sample can meet, (lags, 2 * bins)."""
        return taps[..., span[0] - whole[0] : span[1] - whole[0]].to(dtype).flatten(0, 1).T

    def _make_tables(self, spans: list[tuple[int, int]], like: torch.Tensor) -> list:
        """Return each group's taps, (lags, 2 * bins), real parts first; if folded, two tables of (lags / 2, bins)."""
        tables = []
        for bins, (first, stop) in zip(self.groups, spans, strict=True):
            taps = _stacked_taps(self.kernels[bins], np.arange(first, stop))
            if like.is_cuda:
                taps = np.pad(taps, ((0, 0), (0, _aligned(taps.shape[1]) - taps.shape[1]), (0, 0)))
            tensor = torch.from_numpy(taps).to(like.device, like.dtype)
            if _mirrored(taps, first):
                cosines, sines = tensor[0, :, -first:].T.contiguous(), tensor[1, :, -first:].T.contiguous()
                cosines[0] /= 2  # lag 0 is in both halves; its sine is 0
                tables.append((cosines, sines))
            else:
                tables.append(tensor.flatten(0, 1).T.contiguous())
        return tables


def _product(frames: torch.Tensor, first: int, table) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply (batch, frames, lags from `first` on) by a group's table; return two of (batch, frames, bins)."""
    if not isinstance(table, tuple):
        return (frames @ table).chunk(2, dim=-1)
    cosines, sines = table
    ahead, behind = frames[..., -first:], frames[..., 1 : 1 - first].flip(-1)
    return (ahead + behind) @ cosines, (ahead - behind) @ sines


def _aligned(n: int) -> int:
    """Round up to a multiple of 8: cuBLAS's fast GPU kernels need matrix rows aligned to 16 or 32 bytes."""
    return n + -n % 8


def _groups_by_length(lengths: np.ndarray) -> list[slice]:
    """Return slices of neighbouring bins whose lengths differ by at most the spread."""
    groups, start = [], 0
    for k in range(1, len(lengths) + 1):
        if k == len(lengths) or not lengths[start : k + 1].max() <= _SPREAD * lengths[start : k + 1].min():
            groups.append(slice(start, k))
            start = k
    return groups


def _stacked_taps(kernels: Kernels | Sampled, lags: np.ndarray) -> np.ndarray:
    """Return the real and the imaginary parts of the taps, (2, bins, lags) float64."""
    taps = np.stack([kernels.taps(k, lags) for k in range(len(kernels))])
    return np.stack([taps.real, taps.imag])


def _mirrored(taps: np.ndarray, first: int) -> bool:
    """Return whether the lags are -m .. m - 1, the tap at -m is 0 and the others satisfy h[-n] = conj h[n]."""
    m = -first
    if m < 1 or taps.shape[-1] != 2 * m:
        return False
    ahead, behind = taps[..., m + 1 :], taps[..., m - 1 : 0 : -1]
    small = 1e-12 * np.abs(taps).max()
    same = np.abs(ahead[0] - behind[0]).max(initial=0) <= small and np.abs(ahead[1] + behind[1]).max(initial=0) <= small
    return bool(same and np.abs(taps[..., 0]).max() <= small and np.abs(taps[1, :, m]).max() <= small)


@contextlib.contextmanager
def matmul_precision(precision: str, on_cuda: bool):
    """Set the precision of float32 products on CUDA within a block: "highest" (float32) or "high" (TF32).

    A graph that is traced takes the precision that is set where it runs.
    """
    if not on_cuda or torch.compiler.is_compiling():
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
