"""Mel-frequency cepstral coefficients as a front-end."""

import math

import numpy as np
import torch

from sweep import filters
from sweep.checks import check_number, check_positive
from sweep.engines.dct import dct
from sweep.engines.magnitudes import OutOfRange, scales
from sweep.filters.windows import Window
from sweep.transforms.bands import BandSpectrogram
from sweep.transforms.frame_window import FrameWindow

_LEAST = 1e-35  # least amin; float32 holds its reciprocal too


class MFCC(BandSpectrogram):
    """Mel-frequency cepstral coefficients (Davis and Mermelstein 1980): (..., samples) -> (..., n_mfcc, frames).

    The Mel spectrogram in decibels, 10 log10(max(x, amin) / ref) and no less than its maximum in the clip minus top_db,
    through an orthonormal discrete cosine transform of type II. Conventions and defaults are librosa.feature.mfcc's,
    but for the padding, and for the maximum, which librosa takes over all clips of a batch.

    Args:
        sample_rate: samples per second, in Hz.
        n_mfcc: number of coefficients, at most n_mels.
        lifter: L of the liftering that multiplies coefficient k by 1 + L / 2 sin(pi (k + 1) / L); 0: none.
        amin: least power whose logarithm is taken, at least 1e-35.
        ref: power of 0 dB.
        top_db: decibels below the clip's maximum at which values are cut off; None cuts off none.
        n_fft: length of a frame in samples, even.
        hop_length: samples between frames.
        window: window, "hann", "hamming", "blackman" or "boxcar", or any other that `filters.window` takes.
        n_mels: number of mel bands, at most the FFT's n_fft // 2 + 1 bins.
        f_min, f_max: lowest and highest corner in Hz; f_max None is half the sample rate.
        mel_scale: formula from Hz to mel, "slaney" or "htk".
        norm: normalisation of the triangles, "slaney" (equal areas) or None (peaks of 1).
        power: exponent of the magnitude, above 0.
        pad_mode: padding of a clip, "reflect" or "constant" (zeros).
        trainable, nonnegative, engine, accuracy: how the Mel spectrogram is computed, as in `MelSpectrogram`.
        win_length, symmetric, normalized: the window, as in `MelSpectrogram`.
        triangles: what the triangles are linear in, "hz" or "mel".
        center: whether frame t is centred on sample t hop_length, and the clip padded; if not, frame 0 begins with the
            clip, and only frames that lie whole in it count.

    Attributes:
        frequencies: 0 for each coefficient, which belongs to no frequency.
        empty_filters: number of mel bands that hold no bin of the FFT.

    Raises:
        ValueError: a number is out of its range, or a clip is too short for reflect padding.

    >>> MFCC(n_mfcc=13)(torch.randn(2, 16384)).shape
    torch.Size([2, 13, 33])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        n_mfcc: int = 20,
        lifter: float = 0.0,
        amin: float = 1e-10,
        ref: float = 1.0,
        top_db: float | None = 80.0,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: Window = "hann",
        n_mels: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        mel_scale: str = "slaney",
        norm: str | None = "slaney",
        power: float = 2.0,
        pad_mode: str = "reflect",
        trainable: bool | str = False,
        engine: str = "auto",
        accuracy: str = "high",
        nonnegative: bool = False,
        win_length: int | None = None,
        symmetric: bool = False,
        normalized: bool | str = False,
        triangles: str = "hz",
        center: bool = True,
    ):
        bank = filters.mel_bank(sample_rate, n_fft, n_mels, f_min, f_max, mel_scale, norm, triangles)
        filters.dct_matrix(n_mfcc, n_mels, lifter)  # checks them
        check_number("amin", amin, _LEAST)
        check_positive("ref", ref)
        if top_db is not None:
            check_number("top_db", top_db, 0)
        super().__init__(
            bank=bank,
            frequencies=np.zeros(n_mfcc),
            sample_rate=sample_rate,
            window=FrameWindow(window, n_fft, win_length, symmetric, normalized),
            hop_length=hop_length,
            power=power,
            pad_mode=pad_mode,
            trainable=trainable,
            engine=engine,
            accuracy=accuracy,
            nonnegative=nonnegative,
            center=center,
        )
        self.many_launches, self.kernels_last = True, False
        self.n_mels, self.lifter, self.amin, self.ref, self.top_db = len(bank), lifter, amin, ref, top_db

    def log(self, waveform: torch.Tensor, offset: float) -> torch.Tensor:
        """Refuse: coefficients may be negative.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "MFCC.log: cepstral coefficients may be negative; call the front-end itself, which takes a logarithm"
        )

    def _framed(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        y = super()._framed(x, None)
        if self.top_db is not None:
            y = y.maximum(y.amax(dim=(1, 2), keepdim=True) - self.top_db)
        return dct(y - 10 * math.log10(self.ref), self.n_bins, self.lifter)

    def _in_range(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        """Compute 10 log10(max(mel spectrogram, amin)), (batch, n_mels, frames)."""
        shift = 0.0  # decibels that the clips' scale adds
        try:
            mel = self.spectrogram(x, None)
        except OutOfRange:
            scale = scales(x)
            mel = self.spectrogram(x * scale, None, careful=True)
            shift = 10 * self.exponent * scale.log10()[..., None]
        return (10 * mel.clamp(min=_LEAST).log10() - shift).clamp(min=10 * math.log10(self.amin))

    def _bands(self, values: torch.Tensor) -> torch.Tensor:
        """Return the bands of coefficients; those that were left out count as 0, which smooths the bands."""
        key = ("coefficients", values.device, values.dtype)
        back = self._tables.get(key, lambda: self._unsummed(values))
        return self.ref * 10 ** (back @ values / 10)

    def _unsummed(self, like: torch.Tensor) -> torch.Tensor:
        """Return the pseudoinverse of the cosines, (n_mels, n_mfcc)."""
        matrix = filters.dct_matrix(self.n_bins, self.n_mels, self.lifter)
        return torch.from_numpy(np.linalg.pinv(matrix)).to(like.device, like.dtype)

    def multiply_adds(self, samples: int) -> float:
        return super().multiply_adds(samples) + self.n_frames(samples) * self.n_mels * (self.n_bins + 1)
