"""Spectrograms that sum an STFT's magnitudes over bands of the FFT's bins."""

from fractions import Fraction
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sweep import filters
from sweep.checks import check_choice, check_positive, check_whole
from sweep.engines import ACCURACIES, build
from sweep.engines.banded import half_width
from sweep.engines.blocks import Block, blocks_of, blocks_on, product
from sweep.engines.derivatives import traced
from sweep.engines.direct import matmul_precision
from sweep.engines.finish import Finish
from sweep.engines.framing import fft_multiply_adds, lower_hop, n_frames, resample_multiply_adds
from sweep.engines.gpu.fft import FusedFFT
from sweep.engines.grid import Grid
from sweep.engines.magnitudes import raised
from sweep.engines.specux_grid import SpecuxGrid
from sweep.engines.tables import Tables
from sweep.transforms.frame_window import FrameWindow
from sweep.transforms.stft import describe_fft
from sweep.transforms.synthesis import Synthesis, check_magnitudes, magnitudes, spread
from sweep.transforms.transform import Transform, check_tensor

# Window length in samples from which a lower rate is faster on a CPU (the lower rate of Mel spectrograms in
# experiments/engines/README.md).
_LOWER_FROM = 2048
# Bands in a block at least, and blocks at most: a product of few bands takes as long to start as to compute.
_BANDS, _BLOCKS = 32, 16
# Weights of a band, on average, from which one product follows the fused FFT kernel instead of being a part of it.
_PRODUCT_FROM = 512
# Share of a bank's largest singular value below which one counts as 0 on the way back: sums that neighbouring bands
# hardly tell apart would only magnify rounding. Of 128 gammatones at n_fft 2048 the least are 1e-17 of the largest.
_TOLD_APART = 1e-4


class BandSpectrogram(Transform):
    """STFT magnitude to a power, summed over bands: (..., samples) -> (..., bands, frames). A subclass gives the bands.

    Args:
        bank: weights of the bands, (bands, n_fft // 2 + 1) float64.
        frequencies: centre of each band in Hz, (bands,) float64.
        sample_rate: samples per second, in Hz.
        window: window of the frames.
        hop_length: samples between frames.
        power: exponent of the magnitude, above 0.
        pad_mode: padding of a clip, "reflect" or "constant" (zeros).
        trainable: parameters: "kernels", the windowed Fourier kernels; "bank"; True, both.
        engine: "auto", torch's FFT; "specux", on a CPU the package specux; or "direct", kernels on the FFT's grid.
        accuracy: one of `ACCURACIES`; "fast" allows a lower rate if all bands lie low enough.
        nonnegative: whether a trainable bank's weights below 0 count as 0; they still get a gradient.
        center: whether frame t is centred on sample t hop_length, and the clip padded.

    Attributes:
        empty_filters: number of bands that hold no bin of the FFT, so that their output is 0.
    """

    def __init__(
        self,
        *,
        bank: np.ndarray,
        frequencies: np.ndarray,
        sample_rate: float,
        window: FrameWindow,
        hop_length: int,
        power: float,
        pad_mode: str,
        trainable: bool | str,
        engine: str,
        accuracy: str,
        nonnegative: bool,
        center: bool,
    ):
        hop_length = check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_positive("power", power)
        check_choice("accuracy", accuracy, ACCURACIES)
        check_choice("trainable", trainable, (False, True, "bank", "kernels"))
        check_choice("nonnegative", nonnegative, (False, True))
        check_choice("center", center, (False, True))
        n_fft = window.n_fft
        whole = None if center else (n_fft // 2, n_fft // 2 - 1)
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=n_fft, whole=whole)
        pad_mode = pad_mode if center else "constant"  # which no frame meets
        self.window, self.n_fft, self.power, self.pad_mode = window, n_fft, power, pad_mode
        self.hop, self.nonnegative, self.exponent = hop_length, nonnegative, power
        self.empty_filters = int((bank.sum(1) == 0).sum())
        # The bins below the lowest band and above the highest have no weight, unless the bank may learn to use them.
        used = np.flatnonzero(bank.any(0))
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        self.used = slice(0, n_fft // 2 + 1) if trainable in (True, "bank") else slice(low, high)
        self._bank, self._tables = bank[:, self.used], Tables()
        self._synthesis = Synthesis(window, hop_length, pad_mode, center)
        self.bank = nn.Parameter(torch.from_numpy(self._bank).float()) if trainable in (True, "bank") else None
        # specux keeps the rate: PyTorch's threads, which would lower it, would wait for specux's.
        if accuracy == "fast" and n_fft >= _LOWER_FROM and window.any_rate and engine != "specux":
            # The highest bin that a band uses passes frequencies up to this far above it.
            highest = (self.used.stop + half_width(window.taps(), ACCURACIES[accuracy][0])) / n_fft
            self.hop = lower_hop(hop_length, highest, *window.lengths)
        self._fused = self._fuse()
        grid = SpecuxGrid if engine == "specux" else Grid
        self._grid = grid(n_fft, hop_length, pad_mode, self.used, power)
        # Narrow bands are multiplied block by block, which a CPU does up to fifteen times as fast.
        narrow = self._fused.bank is not None
        self._blocks = blocks_of(self._bank, max(_BANDS, len(bank) // _BLOCKS) if narrow else len(bank))
        if engine == "specux" and trainable:
            raise ValueError(f'trainable {trainable!r}: engine "specux" trains nothing; choose engine="auto"')
        if engine not in ("auto", "specux") or trainable in (True, "kernels"):
            kernels = window.kernels(filters.fft_frequencies(sample_rate, n_fft)[self.used], sample_rate)
            options: dict = {"engine": engine, "accuracy": accuracy, "trainable": trainable in (True, "kernels")}
            self.engine = build(kernels, hop_length, pad_mode, **options)
        self.frames_first, self.many_launches = True, self.engine is not None
        self.kernels_last = self._fused.bank is not None

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        if self.engine is None and self.bank is None and self._fused.serves(x):
            if self._fused.bank is not None:
                return self._fused(x, offset)
            finish = Finish(offset=offset)
            with matmul_precision("highest", x.is_cuda):
                return finish.log(product(self._fused(x, None).transpose(1, 2), self._weights(x)).transpose(1, 2))
        if self.engine is None:
            return self._grid(x, self._table("_window_on", x), self._weights(x), offset, careful)
        finish = Finish(offset=offset)
        real, imag = self.engine(x, phase=False)
        values = raised((real.transpose(1, 2), imag.transpose(1, 2)), self.power, careful, summed=True)
        with matmul_precision("highest", x.is_cuda):
            return finish.log(product(values, self._weights(x)).transpose(1, 2))

    def _weights(self, like: torch.Tensor) -> list[Block]:
        """Return the bank on a tensor's device, in its type: in blocks, or as one."""
        if self.bank is None and traced():
            return [(0, self._bank.shape[1], self._table("_bank_on", like))]
        if self.bank is None:
            key = ("bank", like.device, like.dtype)
            return self._tables.get(key, lambda: blocks_on(like, self._blocks))
        return [(0, self.bank.shape[1], self.trainable_bank().to(like.dtype).T)]

    def _hop_on(self, like: torch.Tensor) -> int:
        return self.hop_length if like.is_cuda else self.hop  # the lower rate has not been measured on CUDA

    def _window_on(self, like: torch.Tensor) -> torch.Tensor:
        return self.window.on(like, self.n_fft * self._hop_on(like) // self.hop_length)

    def _bank_on(self, like: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self._bank.T.copy()).to(like.device, like.dtype)

    def _fuse(self) -> FusedFFT:
        """Return the fused FFT kernel: of bands, or of the bins where bands are so wide that a product is faster."""
        taps, low, high = self.window.taps(), self.used.start, self.used.stop
        if np.count_nonzero(self._bank) > _PRODUCT_FROM * len(self._bank):
            return FusedFFT(taps, self.hop_length, self.pad_mode, high - low, self.power, first_bin=low)
        bank = np.pad(self._bank, ((0, 0), (low, 0)))
        return FusedFFT(taps, self.hop_length, self.pad_mode, high, self.power, bank)

    @torch.no_grad()
    def stft_magnitude(self, spectrogram: torch.Tensor, *, n_iter: int = 32) -> torch.Tensor:
        """Compute a magnitude spectrum that has these bands: (..., bands, frames) -> (..., n_fft // 2 + 1, frames).

        Bands are fewer than bins, so that many spectra have them. This one is near the least by its squares, raised to
        `power`, of those that are nowhere below 0 (Douglas and Rachford's iteration); 0 in the bins that no band
        holds. It has no gradient.

        Args:
            spectrogram: what `forward` gives.
            n_iter: number of iterations.

        Raises:
            ValueError: the spectrogram has another shape or type.
        """
        check_whole("n_iter", n_iter)
        check_tensor("spectrogram", spectrogram)
        if spectrogram.is_complex() or spectrogram.ndim < 2 or spectrogram.shape[-2] != self.n_bins:
            shape = f"{tuple(spectrogram.shape)}, {spectrogram.dtype}"
            raise ValueError(f"spectrogram of shape {shape}: needs real (..., {self.n_bins}, frames)")
        m = spectrogram if spectrogram.dtype == torch.float64 else spectrogram.float()
        if self.bank is None:
            tables = self._tables.get(("back", m.device, m.dtype), lambda: self._tables_back(self._bank, m))
        else:
            tables = self._tables_back(self.trainable_bank().detach().double().cpu().numpy(), m)
        scale, bank, unsummed = tables
        with torch.autocast(m.device.type, enabled=False), matmul_precision("highest", m.is_cuda):
            values = magnitudes(spread(self._bands(m) * scale, bank, unsummed, n_iter), self.power)
        return F.pad(values, (0, 0, self.used.start, self.n_fft // 2 + 1 - self.used.stop))

    def griffin_lim(
        self,
        spectrogram: torch.Tensor,
        length: int | None = None,
        *,
        n_iter: int = 32,
        momentum: float = 0.99,
        rand_init: bool = True,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute a waveform of a spectrogram: `stft_magnitude`, whose phases `STFT.griffin_lim` estimates.

        Args:
            spectrogram: what `forward` gives, (..., bands, frames).
            length, n_iter, momentum, rand_init, generator: arguments of `STFT.griffin_lim`.

        Returns:
            (..., length). It has no gradient.

        Raises:
            ValueError: the Fourier kernels are trained, or as for `stft_magnitude` and `STFT.griffin_lim`.
        """
        if self.engine is not None and self.engine.trained:
            raise ValueError('trainable: trained Fourier kernels have no inverse; choose False or "bank"')
        magnitude = self.stft_magnitude(spectrogram)
        return self._synthesis.griffin_lim(magnitude, length, n_iter, momentum, rand_init, generator)

    def _bands(self, values: torch.Tensor) -> torch.Tensor:
        """Return the bands of what `forward` gives."""
        check_magnitudes("spectrogram", values)
        return values

    def _tables_back(self, bank: np.ndarray, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return a factor for each band, (bands, 1), the bank whose rows it brings to norm 1, and its pseudoinverse."""
        norms = np.linalg.norm(bank, axis=1, keepdims=True)
        scale = np.where(norms > 0, 1 / np.where(norms > 0, norms, 1.0), 0.0)
        parts = scale, scale * bank, np.linalg.pinv(scale * bank, rcond=_TOLD_APART)
        return tuple(torch.from_numpy(part).to(like.device, like.dtype) for part in parts)

    def multiply_adds(self, samples: int) -> float:
        count, used = n_frames(samples, self.hop_length), self.used.stop - self.used.start
        bank = count * (2 * used + (sum(b[2].size for b in self._blocks) if self.bank is None else self.bank.numel()))
        if self.engine is not None:
            return bank + self.engine.multiply_adds(samples)
        n_fft = self.n_fft * self.hop // self.hop_length
        low = resample_multiply_adds(samples + self.n_fft, self.hop_length, self.hop)
        return bank + low + count * (n_fft + fft_multiply_adds(n_fft))

    def trainable_bank(self) -> torch.Tensor | None:
        if self.bank is None or not self.nonnegative:
            return self.bank
        return self.bank + (self.bank.clamp(min=0) - self.bank).detach()  # the gradient also reaches weights below 0

    def frozen(self, accuracy: str = "high") -> Self:
        frozen = super().frozen(accuracy)
        if self.bank is not None:
            frozen._bank, frozen.bank = self.trainable_bank().detach().double().cpu().numpy(), None
            frozen._blocks = blocks_of(frozen._bank, len(frozen._bank))
            frozen._fused, frozen._tables = frozen._fuse(), Tables()
            frozen.hop = self.hop_length  # a trained band may use high frequencies
        return frozen

    def _describe_fft(self, device: torch.device) -> str:
        trained = None if self.bank is None else "the bank is trained"
        bands = "bands of the FFT's bins"
        if device.type == "cuda" and self._fused.bank is None:
            bands = "the FFT's bins, whose bands are one product"
        if device.type != "cuda" and self.hop != self.hop_length:
            bands += f" at {Fraction(self.hop, self.hop_length)} of the sample rate, for no band reaches far up"
        return describe_fft(bands, trained or self._fused.refusal(device), self._grid, device)
