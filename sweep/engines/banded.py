"""The banded engine: one FFT per frame, at the lowest rate that the bins allow, times a banded matrix.

It serves kernels that are all N samples long, such as a windowed Fourier bank at any frequencies. With X the FFT of a
frame and G_k that of bin k's taps,

    y_k = sum_m frame[m] h_k[m] = sum_p X[p] G_k[p],   G_k[p] = 1/N sum_m h_k[m] exp(2 pi i m p / N),

where G_k is as narrow as the window's transform: twenty of a thousand points hold all but 5e-4 of a Hann window. The
points of neighbouring bins overlap, so a block of bins is one small matrix product with a slice of X.

Where all bins lie far below half the sample rate, the clip is first resampled, exactly within that band: its FFT is
truncated and transformed back with fewer points. The window is a smooth function, so its samples at the lower rate are
the taps there; one without a formula, which has no samples there, stays at the clip's rate. A frame's FFT gets shorter
with the rate.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F

from sweep import filters
from sweep.engines import framing
from sweep.engines.direct import matmul_precision
from sweep.engines.engine import Engine
from sweep.engines.gpu import fused
from sweep.engines.tables import Tables
from sweep.filters import Kernels

_BLOCK = fused.BINS  # bins that share one matrix product: their slices hold about as many points as there are bins


class Banded(Engine):
    """Evaluates a bank by one FFT per frame and a banded matrix.

    Args:
        kernels: bank of kernels, all of one length and one first lag.
        hop_length: samples between frames.
        pad_mode: padding of a clip, "constant" or "reflect".
        tolerance: fraction of a kernel's spectral peak below which points are left out.
        tf32: whether CUDA's matrix products may round their factors to TF32.
    """

    name = "banded"
    is_product = True
    has_gpu_kernels = True

    def __init__(self, kernels: Kernels, hop_length: int, pad_mode: str, tolerance: float, tf32: bool = False):
        super().__init__(kernels, hop_length, pad_mode)
        self.tf32 = tf32
        self.length, self.before = int(kernels.lengths[0]), -int(kernels.first_lags[0])
        window = filters.window(kernels.window, self.length, symmetric=kernels.symmetric)
        self.half_width, self.hop = half_width(window, tolerance), hop_length
        if filters.has_formula(kernels.window):
            highest = kernels.frequencies.max() / kernels.sample_rate + (self.half_width + 1) / self.length
            self.hop = framing.lower_hop(hop_length, highest, self.length, self.before)
        self._tables = Tables()

    def forward(self, x: torch.Tensor, phase: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        points, count = self._points(x)
        blocks = self._tables.get((x.device, x.dtype), lambda: self._make_blocks(x))
        with matmul_precision("high" if self.tf32 else "highest", x.is_cuda):
            parts = [points[:, low : low + len(table)] @ table for low, table in blocks]
        real, imag = (torch.cat(part, dim=1) for part in zip(*(p.chunk(2, dim=1) for p in parts), strict=True))
        real, imag = (part.view(x.shape[0], count, -1).transpose(1, 2) for part in (real, imag))
        return real, imag

    def finish_into(self, x: torch.Tensor, finish, out: torch.Tensor, first: int) -> bool:
        points, _ = self._points(x)
        blocks = self._tables.get(("fused", x.device), lambda: fused.stack(self._make_blocks(x), self.tf32))
        rows, columns = points.view(x.shape[0], -1), points.shape[1]
        options = {"reflect": False, "offset": finish.offset, "power": finish.power}
        fused.finish_product(rows, columns, blocks, out, first, len(self.kernels), **options)
        return True

    def gradient(self, x: torch.Tensor, finish, by_out: torch.Tensor) -> torch.Tensor:
        blocks = self._tables.get(("fused", x.device), lambda: fused.stack(self._make_blocks(x), self.tf32))
        points, count = self._points(x)
        options = {"reflect": False, "offset": finish.offset, "power": finish.power}
        rows = points.view(x.shape[0], -1)
        by_rows = fused.product_gradient(rows, points.shape[1], blocks, by_out, **options)
        return self._points_back(by_rows.view(x.shape[0], count, -1, 2), x.shape[-1])

    def multiply_adds(self, samples: int) -> float:
        padding, _, length = self._layout()
        products = sum(4 * (highest - lowest + 1) * len(bins) for bins, _, lowest, highest in self._ranges())
        frames = framing.n_frames(samples, self.hop_length) * (framing.fft_multiply_adds(length) + products)
        return frames + framing.resample_multiply_adds(samples + sum(padding), self.hop_length, self.hop)

    def _points(self, x: torch.Tensor) -> tuple[torch.Tensor, int]:
        """Compute the frames' spectra, parts interleaved, (batch * frames, columns), and the number of frames."""
        count = framing.n_frames(x.shape[-1], self.hop_length)
        padding, first, length = self._layout()
        clip = framing.resample(framing.pad(x, *padding, self.pad_mode), self.hop_length, self.hop)
        frames = framing.frames(clip, first, length, self.hop, count)
        return torch.view_as_real(torch.fft.rfft(frames)).flatten(0, 1).flatten(1), count

    def _points_back(self, by_points: torch.Tensor, samples: int) -> torch.Tensor:
        """Apply the transpose of `_points` as a matrix: (batch, frames, points, 2) -> (batch, samples)."""
        padding, first, length = self._layout()
        shares = self._tables.get(("shares", by_points.device, by_points.dtype), lambda: _shares(length).to(by_points))
        by_frames = torch.fft.irfft(torch.view_as_complex(by_points * shares), length, norm="forward")
        by_clip, padded = framing.overlap_add(by_frames, self.hop), samples + sum(padding)
        points = framing.resampled_length(padded, self.hop_length, self.hop)
        by_clip = F.pad(by_clip, (first, points - first - by_clip.shape[1]))
        by_clip = framing.resampled_back(by_clip, self.hop_length, self.hop, padded)
        return framing.padded_back(by_clip, *padding, self.pad_mode)

    def _layout(self) -> tuple[tuple[int, int], int, int]:
        """Return the padding before and after a clip, and the first frame's start and length at the lower rate."""
        padding, first = (self.before, self.length - self.before), 0
        if self.pad_mode == "constant":
            # The padding is a multiple of the hop, so that frames start at whole samples of the lower rate.
            whole = -(-self.before // self.hop_length) * self.hop_length
            padding, first = (whole, padding[1]), (whole - self.before) * self.hop // self.hop_length
        return padding, first, self.length * self.hop // self.hop_length

    def _ranges(self) -> Iterator[tuple[range, np.ndarray, int, int]]:
        """Yield for each block of bins the points of G that it needs, and the lowest and the highest point of X.

        A real frame's X[-p] is the conjugate of X[p], so points below 0 or above N / 2 are added to their mirrors.
        """
        length = self._layout()[2]
        centres = self.kernels.frequencies / self.kernels.sample_rate * self.length
        for first in range(0, len(centres), _BLOCK):
            bins = range(first, min(first + _BLOCK, len(centres)))
            low = math.floor(centres[bins.start] - self.half_width)
            high = math.ceil(centres[bins.stop - 1] + self.half_width)
            points = np.arange(low, high + 1) if high - low < length else np.arange(length)
            images = _mirrored(points, length)
            yield bins, points, int(images.min()), int(images.max())

    def _make_blocks(self, like: torch.Tensor) -> list[tuple[int, torch.Tensor]]:
        """Return for each block of bins its first column in the interleaved X, and its part of G, (columns, 2 bins)."""
        low_rate, (_, _, length) = self.hop / self.hop_length, self._layout()
        kernels, blocks = self.kernels, []
        lags = (np.arange(length) - round(self.before * low_rate)) / low_rate  # in samples of the full rate
        for bins, points, lowest, highest in self._ranges():
            taps = np.stack([kernels.taps(k, lags) for k in bins])
            spectra = np.fft.ifft(taps, axis=1)
            table = np.zeros((highest - lowest + 1, 2, 2, len(bins)))
            for point, image in zip(points % length, _mirrored(points, length), strict=True):
                g, row, sign = spectra[:, point], table[image - lowest], 1 if point == image else -1
                row[0] += np.stack([g.real, g.imag])
                row[1] += sign * np.stack([-g.imag, g.real])
            table = torch.from_numpy(table.reshape(-1, 2 * len(bins))).to(like.device, like.dtype)
            blocks.append((2 * lowest, table))
        return blocks


def _mirrored(points: np.ndarray, length: int) -> np.ndarray:
    """Return the points of a real frame's FFT, 0 to length // 2, that these points equal or are conjugate to."""
    return np.minimum(points % length, -points % length)


def _shares(length: int) -> torch.Tensor:
    """Return the weights of real and imaginary parts, (points, 2), that make irfft the transpose of rfft.

    irfft adds the conjugate points, so each weighs one half; the points at 0 Hz and half the rate have no conjugate.
    Their imaginary parts are set to 0, because not every cuFFT ignores them.
    """
    shares = torch.full((length // 2 + 1, 2), 0.5)
    for edge in (0, -1)[: 2 - length % 2]:
        shares[edge] = torch.tensor([1.0, 0.0])
    return shares


def half_width(window: np.ndarray, tolerance: float) -> int:
    """Return the distance from the peak, in FFT points, beyond which a window's transform is within the tolerance."""
    finer = 8
    spectrum = np.abs(np.fft.rfft(window, finer * len(window)))
    # The transform of a window such as Hamming's falls off slowly, so the sum of its tail counts too.
    tail = np.sqrt(np.cumsum(spectrum[::-1] ** 2)[::-1])
    beyond = (spectrum > tolerance * spectrum[0]) | (tail > 3 * tolerance * tail[0])
    return int(np.flatnonzero(beyond)[-1]) // finer + 1
