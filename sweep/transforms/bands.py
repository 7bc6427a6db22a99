"""Spectrograms that sum an STFT's magnitudes over bands of the FFT's bins."""

from fractions import Fraction
from typing import Self

import numpy as np
import torch
from torch import nn

from sweep import filters
from sweep.checks import check_choice, check_positive, check_whole
from sweep.engines import ACCURACIES, build
from sweep.engines.banded import half_width
from sweep.engines.blocks import blocks_of, blocks_on, product
from sweep.engines.direct import matmul_precision
from sweep.engines.finish import Finish
from sweep.engines.framing import (
    fft_multiply_adds,
    frames,
    lower_hop,
    n_frames,
    pad,
    resample,
    resample_multiply_adds,
)
from sweep.engines.gpu.fft import FusedFFT
from sweep.engines.magnitudes import raised
from sweep.engines.tables import Tables
from sweep.transforms.frame_window import FrameWindow
from sweep.transforms.stft import describe_fft
from sweep.transforms.transform import Transform

# Window length in samples from which a lower rate is faster on a CPU (the lower rate of Mel spectrograms in
# experiments/engines/README.md).
_LOWER_FROM = 2048
# Bins of the FFT up to which a bank is one matrix, and bands in a block of a larger one.
_DENSE_UP_TO, _BLOCK = 600, 32


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
        engine: "auto", torch's FFT; or "direct", kernels on the FFT's grid.
        accuracy: one of `ACCURACIES`; "fast" allows a lower rate if all bands lie low enough.
        nonnegative: whether a trainable bank's weights below 0 count as 0; they still get a gradient.

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
    ):
        check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_positive("power", power)
        check_choice("accuracy", accuracy, ACCURACIES)
        check_choice("trainable", trainable, (False, True, "bank", "kernels"))
        check_choice("nonnegative", nonnegative, (False, True))
        n_fft = window.n_fft
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=n_fft)
        self.window, self.n_fft, self.power, self.pad_mode = window, n_fft, power, pad_mode
        self.hop, self.nonnegative, self.exponent = hop_length, nonnegative, power
        self.empty_filters = int((bank.sum(1) == 0).sum())
        # The bins below the lowest band and above the highest have no weight, unless the bank may learn to use them.
        used = np.flatnonzero(bank.any(0))
        low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
        self.used = slice(0, n_fft // 2 + 1) if trainable in (True, "bank") else slice(low, high)
        self._bank, self._tables = bank[:, self.used], Tables()
        self.bank = nn.Parameter(torch.from_numpy(self._bank).float()) if trainable in (True, "bank") else None
        if accuracy == "fast" and n_fft >= _LOWER_FROM and window.any_rate:
            # The highest bin that a band uses passes frequencies up to this far above it.
            highest = (self.used.stop + half_width(window.taps(), ACCURACIES[accuracy][0])) / n_fft
            self.hop = lower_hop(hop_length, highest, *window.lengths)
        # Bands of many bins are multiplied block by block, which a CPU does several times as fast.
        wide = self._bank.shape[1] > _DENSE_UP_TO and self.bank is None
        self._blocks = blocks_of(self._bank, _BLOCK) if wide else None
        self._fused = FusedFFT(window.taps(), hop_length, pad_mode, high, power, bank[:, :high])
        if engine != "auto" or trainable in (True, "kernels"):
            kernels = window.kernels(filters.fft_frequencies(sample_rate, n_fft)[self.used], sample_rate)
            options: dict = {"engine": engine, "accuracy": accuracy, "trainable": trainable in (True, "kernels")}
            self.engine = build(kernels, hop_length, pad_mode, **options)

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        if self.engine is None:
            if self.bank is None and self._fused.serves(x):
                return self._fused(x, offset)
            hop = self.hop_length if x.is_cuda else self.hop  # the lower rate has not been measured on CUDA
            n_fft, key = self.n_fft * hop // self.hop_length, (x.device, x.dtype)
            window = self._tables.get(key, lambda: self.window.on(x, n_fft))
            count = n_frames(x.shape[-1], self.hop_length)
            padded = pad(x, self.n_fft // 2, self.n_fft // 2, self.pad_mode)
            low = resample(padded, self.hop_length, hop)
            parts = torch.fft.rfft(frames(low, 0, n_fft, hop, count) * window)[..., self.used]
        else:
            real, imag = self.engine(x, phase=False)
            parts = real.transpose(1, 2), imag.transpose(1, 2)
        values = raised(parts, self.power, careful, summed=True)
        if self._blocks is not None:
            blocks = self._tables.get(("blocks", x.device, x.dtype), lambda: blocks_on(x, self._blocks))
            return Finish(offset=offset).log(product(values, blocks).transpose(1, 2))
        if self.bank is None:
            key = ("bank", x.device, x.dtype)
            bank = self._tables.get(key, lambda: torch.from_numpy(self._bank).to(x.device, x.dtype))
        else:
            bank = self.trainable_bank().to(x.dtype)
        with matmul_precision("highest", x.is_cuda and self.bank is not None):
            bands = values @ bank.T
        return Finish(offset=offset).log(bands.transpose(1, 2))

    def multiply_adds(self, samples: int) -> float:
        count, used = n_frames(samples, self.hop_length), self.used.stop - self.used.start
        bank = count * (
            2 * used + (used * self.n_bins if self._blocks is None else sum(b[2].size for b in self._blocks))
        )
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
            frozen._blocks = None
            frozen._bank, frozen.bank = self.trainable_bank().detach().double().cpu().numpy(), None
            numbers = (self.hop_length, self.pad_mode, frozen._bank.shape[1], self.power)
            frozen._fused, frozen._tables = FusedFFT(self.window.taps(), *numbers, frozen._bank), Tables()
            frozen.hop = self.hop_length  # a trained band may use high frequencies
        return frozen

    def _describe_fft(self, device: torch.device) -> str:
        trained = None if self.bank is None else "the bank is trained"
        bands = "bands of the FFT's bins"
        if device.type != "cuda" and self.hop != self.hop_length:
            bands += f" at {Fraction(self.hop, self.hop_length)} of the sample rate, for no band reaches far up"
        return describe_fft(bands, trained or self._fused.refusal(device))
