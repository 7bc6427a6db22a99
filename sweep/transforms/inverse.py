"""The way back from a complex spectrum whose frames overlap too little to be inverted bin by bin: least squares.

A front-end is a linear map A from clips to complex bins. The waveform that fits a spectrum Y best minimises

    sum_k sum_t |(A x - Y)_k[t]|^2 / g_k^2,

where g_k is bin k's response to a tone of its own frequency, so that all bins count alike. With W = 1 / g^2, and A' the
transpose of A, which autograd applies, it solves A' W A x = A' W Y. Between the clip's ends, and leaving out what
aliases, A' W A is a filter: each bin passes the power spectrum of its window, D_k, shifted to its frequency, so that it
multiplies the spectrum by S / (2 hop_length),

    S(f) = sum_k D_k(f - f_k) + D_k(f + f_k).

S is 1 or more where bins lie and near 0 elsewhere. Conjugate gradients, preconditioned by the filter 1 / (1 + S),
correct for the rest. Where each band is narrower than the frame rate S is all there is (the painless case of Balazs et
al. 2011), and a few steps suffice.

What no bin hears would have any value. So lambda |x|^2 is added to the distance (Tikhonov 1963), lambda = 1e-3 in the
units of S: it leaves out what all bins hear 30 dB less than one hears its own frequency, makes the solution unique and
a linear function of Y, and costs what they hear an error of lambda / S, below -60 dB.
"""

import contextlib
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from sweep import filters
from sweep.engines.engine import Engine
from sweep.engines.slices import fast_length
from sweep.engines.tables import Tables
from sweep.transforms.transform import check_tensor

_LAMBDA = 1e-3
# Half the width of a window's spectrum that S takes into account, in points of an FFT as long as the window, and how
# finely it is sampled. What lies beyond is far below 1.
_REACH, _POINTS, _FINER = 16, 256, 32


def check_spectrum(spectrum: torch.Tensor, bins: int) -> torch.Tensor:
    """Check a complex spectrum, (..., bins, frames); return it as complex64, or complex128 if it is that.

    Raises:
        TypeError: it is no tensor.
        ValueError: it is not complex, or has another shape.
    """
    check_tensor("spectrum", spectrum)
    if not spectrum.is_complex():
        pairs = "; choose torch.view_as_complex(spectrum)" if spectrum.ndim > 2 and spectrum.shape[-1] == 2 else ""
        raise ValueError(f'spectrum of type {spectrum.dtype}: needs the complex values of output="complex"{pairs}')
    if spectrum.ndim < 2 or spectrum.shape[-2] != bins or not spectrum.shape[-1]:
        raise ValueError(f"spectrum of shape {tuple(spectrum.shape)}: needs (..., {bins}, frames), one at least")
    return spectrum.to(torch.complex128 if spectrum.dtype == torch.complex128 else torch.complex64)


def least_squares(
    engine: Engine,
    spectrum: torch.Tensor,
    samples: int,
    left: int,
    first: int,
    n_iter: int,
    tolerance: float,
    tables: Tables,
) -> torch.Tensor:
    """Compute the waveforms that fit complex spectra best.

    Args:
        engine: engine of the bank, whose kernels are a `sweep.filters.Kernels`.
        spectrum: (batch, bins, frames) complex64 or complex128, one clip and one frame at least.
        samples: length of the waveforms, which have so many frames or more.
        left, first: zeros before a clip, and number of the engine's frame that is the spectrum's first.
        n_iter: most iterations.
        tolerance: share of the first gradient's norm at which a clip's iterations end.
        tables: cache of the filter and the weights.

    Returns:
        (batch, samples), differentiable: the gradient solves the same equations.
    """
    device = spectrum.device
    on_device = torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()  # where kernels launch
    with torch.inference_mode(False), torch.autocast(device.type, enabled=False), on_device:
        normal = _Normal(engine, spectrum, samples, (left, first), n_iter, tolerance)
        key = ("inverse", samples, device, spectrum.dtype)
        normal.weights, normal.filter = tables.get(key, lambda: normal.make_tables(spectrum.real))
        return normal.fit(spectrum)


class _Normal:
    """The equations for clips of one length, (2 H A' W A + lambda) x = 2 H A' W Y, H the hop, and their solution."""

    weights: torch.Tensor  # 1 / g, (bins, 1)
    filter: torch.Tensor  # 1 / (1 + S) at the points of the clips' FFT, (points // 2 + 1,)

    def __init__(
        self,
        engine: Engine,
        like: torch.Tensor,
        samples: int,
        placed: tuple[int, int],
        n_iter: int,
        tolerance: float,
    ):
        self.engine, self.n_iter, self.tolerance = engine, n_iter, tolerance
        self.samples, self.points, self.left = samples, fast_length(samples), placed[0]
        self.frames = slice(placed[1], placed[1] + like.shape[-1])

    def fit(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return the clips of spectra, (batch, bins, frames) -> (batch, samples)."""
        with torch.enable_grad():
            # The map is linear, so that its graph at one point serves for all.
            self.clips = spectrum.real.new_zeros(len(spectrum), self.samples).requires_grad_()
            self.bins = self._apply(self.clips)
        weighted = spectrum * self.weights
        # Scaled to 1, which loses no number of a very quiet or a very loud clip on the way.
        scale = weighted.detach().abs().amax((1, 2), keepdim=True).clamp(min=torch.finfo(weighted.real.dtype).tiny)
        weighted = weighted / scale
        parts = (weighted.real, weighted.imag)
        with torch.set_grad_enabled(weighted.requires_grad and torch.is_grad_enabled()):
            return _Solution.apply(2 * self.engine.hop_length * self._transposed(parts), self) * scale[:, 0]

    def solve(self, b: torch.Tensor) -> torch.Tensor:
        """Solve for each clip of (batch, samples) by preconditioned conjugate gradients (Hestenes and Stiefel 1952)."""
        x, residual = torch.zeros_like(b), b
        passed = self._filtered(residual)
        direction, size = passed, _dot(residual, passed)
        end = self.tolerance**2 * size
        for _ in range(self.n_iter):
            going = size > end
            if not going.any():
                break
            with torch.no_grad():
                image = self._apply(direction)
            image = 2 * self.engine.hop_length * self._transposed(image) + _LAMBDA * direction
            step = torch.where(going, size / _dot(direction, image).clamp(min=torch.finfo(b.dtype).tiny), 0.0)
            x, residual = x + step * direction, residual - step * image
            passed = self._filtered(residual)
            size, before = _dot(residual, passed), size
            direction = passed + torch.where(going, size / before, 0.0) * direction
        return x

    def _apply(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the weighted real and imaginary parts of the clips' bins."""
        x = F.pad(x, (self.left, 0)) if self.left else x
        real, imag = (part[..., self.frames] * self.weights for part in self.engine(x))
        return real, imag

    def _transposed(self, parts: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        recorded = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
        return torch.autograd.grad(self.bins, self.clips, parts, retain_graph=True, create_graph=recorded)[0]

    def _filtered(self, x: torch.Tensor) -> torch.Tensor:
        return torch.fft.irfft(torch.fft.rfft(x, self.points) * self.filter, self.points)[:, : x.shape[-1]]

    def make_tables(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the weights and the filter."""
        bank, points = self.engine.kernels, self.points
        taper = filters.window(bank.window, _POINTS, symmetric=bank.symmetric)
        power = np.abs(np.fft.rfft(taper, _POINTS * _FINER)) ** 2 / taper.sum() ** 2
        lengths = np.minimum(bank.lengths, self.samples)  # of a longer kernel no more meets the clip
        weights = 1 / (bank.scales * taper.mean() * lengths)
        # From -points / 2 on; what lies beyond half the sample rate, or below minus that, is left out.
        covered = np.zeros(points + 1)
        for frequency, length in zip(bank.frequencies, lengths, strict=True):
            centre, half = frequency / bank.sample_rate * points + points // 2, _REACH * points / length
            near = np.arange(max(0, math.ceil(centre - half)), min(points, math.floor(centre + half)) + 1)
            distance = np.abs(near - centre) * (length / points * _FINER)
            covered[near] += np.interp(distance, np.arange(len(power)), power)
        both = (covered + covered[::-1])[points // 2 :]
        return tuple(torch.from_numpy(part).to(like) for part in (weights[:, None], 1 / (1 + both)))


class _Solution(torch.autograd.Function):
    """The solution of the normal equations, whose matrix is symmetric: the gradient is that of another right side."""

    @staticmethod
    def forward(ctx: Any, b: torch.Tensor, normal: _Normal) -> torch.Tensor:
        ctx.normal = normal
        return normal.solve(b)

    @staticmethod
    def backward(ctx: Any, by_x: torch.Tensor) -> tuple[torch.Tensor, None]:
        with torch.autocast(by_x.device.type, enabled=False):
            return _Solution.apply(by_x, ctx.normal), None


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a * b).sum(-1, keepdim=True)
