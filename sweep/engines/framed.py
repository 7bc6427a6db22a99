"""The framed engine: the FFT of each whole frame, then each kernel's own spectrum (Brown and Puckette 1992).

By Parseval's theorem the product of a frame x with a kernel h, both n_fft points long, is that of their spectra:

    y = sum_n h[n] x[n] = sum_p H[p] X[p],   X[p] = sum_n x[n] exp(-2 pi i p n / n_fft),
                                             H[p] = 1 / n_fft sum_n h[n] exp(2 pi i p n / n_fft).

The frame is real, so X[n_fft - p] = conj X[p], and the points up to n_fft / 2 suffice:

    y = sum_p A[p] X[p] + B[p] conj X[p] = sum_p (A + B)[p] Re X[p] + i (A - B)[p] Im X[p],
    A[p] = H[p], B[p] = H[n_fft - p]; B = 0 where p is its own mirror image, at 0 and n_fft / 2.

H is narrow where h is long and smooth. As published, small values count as zero: a kernel keeps the points between the
first and the last whose value is above a share of its peak. Neighbouring kernels share one matrix over the points that
any of them keeps. The frame has to be as wide as the longest kernel, which makes the method expensive.
"""

import numpy as np
import torch

from sweep.engines import framing
from sweep.engines.direct import matmul_precision
from sweep.engines.engine import Engine
from sweep.engines.tables import Tables
from sweep.filters import Kernels

# Kernels share a matrix as long as it has at most this many times the rows that the widest of them needs.
_SPREAD = 2
# Bytes of frames in memory at a time: a core's share of cache, or a small part of a GPU's memory.
_CHUNK = {"cpu": 4 << 20, "cuda": 256 << 20}


class Framed(Engine):
    """Multiplies the FFT of frames as wide as the longest kernel by the kernels' spectra.

    Args:
        kernels: bank of kernels to evaluate.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        tolerance: share of a spectrum's peak below which its values count as zero.
        tf32: whether CUDA's matrix products may round their factors to TF32.
    """

    name = "framed"

    def __init__(self, kernels: Kernels, hop_length: int, pad_mode: str, tolerance: float, tf32: bool = False):
        super().__init__(kernels, hop_length, pad_mode)
        self.tolerance, self.tf32 = tolerance, tf32
        # Samples that frames reach beyond the clip's ends, the last one centred just past its last sample.
        self.overhang = (max(0, -int(kernels.first_lags.min())), max(0, int(kernels.last_lags.max()) + 1))
        # A frame covers the lags -n_fft / 2 .. n_fft / 2 - 1.
        self.n_fft = 2 << (max(self.overhang) - 1).bit_length()
        self._tables = Tables()

    def forward(
        self, x: torch.Tensor, phase: bool = True, centre: int = 0, count: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Map (batch, samples) to two of (batch, bins, frames): `count` frames, the first centred at `centre`."""
        samples, half = x.shape[-1], self.n_fft // 2
        count = framing.n_frames(samples, self.hop_length) if count is None else count
        if self.pad_mode == "reflect":
            x = framing.pad(x, *self.overhang, "reflect")
            centre += self.overhang[0]
        left, right = max(0, half - centre), max(0, centre + (count - 1) * self.hop_length + half - x.shape[-1])
        padded = framing.pad(x, left, right, "constant")
        frames = framing.frames(padded, left + centre - half, self.n_fft, self.hop_length, count)
        blocks = self._tables.get((x.device, x.dtype), lambda: self._make_tables(x))
        chunk = _CHUNK.get(x.device.type, _CHUNK["cpu"])
        size = framing.at_a_time(count, chunk, x.shape[0] * self.n_fft * x.element_size())
        parts = []
        with matmul_precision("high" if self.tf32 else "highest", x.is_cuda):
            for first in range(0, count, size):
                spectrum = torch.view_as_real(torch.fft.rfft(frames[:, first : first + size]))
                products = [spectrum[:, :, low:high].flatten(2) @ table for low, high, table in blocks]
                parts.append(
                    [torch.cat(part, dim=-1) for part in zip(*(p.chunk(2, -1) for p in products), strict=True)]
                )
        real, imag = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        return real.transpose(1, 2), imag.transpose(1, 2)

    def multiply_adds(self, samples: int, count: int | None = None) -> float:
        count = framing.n_frames(samples, self.hop_length) if count is None else count
        products = sum(table.numel() for _, _, table in self._make_tables(torch.empty(0)))
        return count * (framing.fft_multiply_adds(self.n_fft) + products)

    def _make_tables(self, like: torch.Tensor) -> list[tuple[int, int, torch.Tensor]]:
        """Return each block's first point, one past its last, and its table, (2 * points, 2 * bins).

        The table's rows are the real and the imaginary part of each point; its columns are all bins' real parts, then
        their imaginary parts.
        """
        spectra = [self._spectrum(k) for k in range(len(self.kernels))]
        tables, first = [], 0
        for k in range(1, len(spectra) + 1):
            if k == len(spectra) or not _belong_together(spectra[first : k + 1]):
                tables.append(_table(spectra[first:k], like))
                first = k
        return tables

    def _spectrum(self, bin: int) -> tuple[int, np.ndarray, np.ndarray]:
        """Return the first point that a kernel keeps, and A and B from there to its last point, complex128."""
        half = self.n_fft // 2
        lags = np.arange(self.kernels.first_lags[bin], self.kernels.last_lags[bin] + 1)
        taps = np.zeros(self.n_fft, dtype=np.complex128)
        taps[lags + half] = self.kernels.taps(bin, lags)
        spectrum = np.fft.ifft(taps)
        ahead, behind = spectrum[: half + 1], spectrum[-np.arange(half + 1)]
        behind[[0, half]] = 0
        size = np.maximum(np.abs(ahead), np.abs(behind))
        kept = np.flatnonzero(size > self.tolerance * size.max())
        points = slice(kept[0], kept[-1] + 1)
        return int(kept[0]), ahead[points].copy(), behind[points]


def _belong_together(spectra: list) -> bool:
    """Return whether one matrix over the points of all these kernels is not much larger than each needs."""
    low, high = min(first for first, _, _ in spectra), max(first + len(ahead) for first, ahead, _ in spectra)
    return high - low <= _SPREAD * max(len(ahead) for _, ahead, _ in spectra)


def _table(spectra: list, like: torch.Tensor) -> tuple[int, int, torch.Tensor]:
    low, high = min(first for first, _, _ in spectra), max(first + len(ahead) for first, ahead, _ in spectra)
    # (points, part of the spectrum, part of the product, bins)
    table = np.zeros((high - low, 2, 2, len(spectra)))
    for k, (first, ahead, behind) in enumerate(spectra):
        rows, of_real, of_imag = slice(first - low, first - low + len(ahead)), ahead + behind, 1j * (ahead - behind)
        table[rows, 0, :, k] = np.stack([of_real.real, of_real.imag], axis=1)
        table[rows, 1, :, k] = np.stack([of_imag.real, of_imag.imag], axis=1)
    tensor = torch.from_numpy(table.reshape(2 * (high - low), 2 * len(spectra)))
    return low, high, tensor.to(like.device, like.dtype)
