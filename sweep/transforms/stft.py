"""The short-time Fourier transform, on the FFT's grid or at linearly or logarithmically spaced frequencies."""

from dataclasses import replace

import numpy as np
import torch

from sweep import filters
from sweep.checks import check_choice, check_whole
from sweep.engines import ACCURACIES, build
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import fft_multiply_adds, framed_spectrum, n_frames, overlap_add, overlapped
from sweep.engines.gpu.fft import FusedFFT
from sweep.engines.tables import Tables
from sweep.filters.windows import Window
from sweep.transforms.frame_window import FrameWindow
from sweep.transforms.transform import OUTPUTS, Transform, check_tensor

# The inverse magnifies rounding in a sample by one over the root of the squared windows' sum there, whose peak is 1 for
# a single window. At this bound it is 16 times float32's rounding, 1e-6 of a clip.
_LEAST_COVERED = {torch.float32: 4e-3, torch.float64: 1e-12}


class STFT(Transform):
    """Short-time Fourier transform with centred frames: (..., samples) -> (..., n_bins, frames).

    y_k[t] = sum_n w[n] x[t hop_length + n - n_fft / 2] exp(-2 pi i n f_k / sample_rate), n = 0 .. n_fft - 1, so the
    complex output has the phase of torch.stft and librosa.stft. `inverse` computes the waveform from it.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of a frame in samples, even.
        hop_length: samples between frames.
        window: window, "hann", "hamming", "blackman" or "boxcar", or any other that `filters.window` takes.
        scale: spacing of the bins: "fft", the grid k sample_rate / n_fft; "linear", f_min + k (f_max - f_min) / n_bins;
            "log", f_min (f_max / f_min)^(k / n_bins) (Cheuk et al. 2020). "fft" ignores f_min and f_max.
        n_bins: number of bins; None is n_fft // 2 + 1. With scale="fft", n_bins of the grid from first_bin on.
        f_min, f_max: lowest bin and open upper end, in Hz.
        pad_mode: padding of a clip, "reflect" or "constant" (zeros).
        output: values to return, "magnitude", "power" or "complex".
        trainable: whether the windowed Fourier kernels are parameters.
        engine: "auto", "direct" or "spectral" for scale "linear" and "log"; with scale="fft", "auto" is torch's FFT.
        accuracy: relative L2 error allowed on music: "exact" 1e-5, "high" 1e-4, "fast" 1e-3; the FFT is always exact.
        win_length: length of the window in samples, centred in n_fft; None is n_fft.
        symmetric: whether the window is symmetric (numpy.hanning) instead of periodic.
        normalized: number that the magnitude is divided by, in torchaudio's words: "window", the root of the sum of the
            window's squares; "frame_length", the root of n_fft; False or "none", 1.
        first_bin: lowest bin of the FFT's grid; 1 leaves out 0 Hz. Only with scale="fft".

    Raises:
        ValueError: a number is out of its range, or a clip is too short for reflect padding.

    >>> STFT(n_fft=1024)(torch.randn(3, 2, 44100)).shape
    torch.Size([3, 2, 513, 87])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: Window = "hann",
        scale: str = "fft",
        n_bins: int | None = None,
        f_min: float = 50.0,
        f_max: float = 6000.0,
        pad_mode: str = "reflect",
        output: str = "magnitude",
        trainable: bool = False,
        engine: str = "auto",
        accuracy: str = "high",
        win_length: int | None = None,
        symmetric: bool = False,
        normalized: bool | str = False,
        first_bin: int = 0,
    ):
        frequencies = filters.stft_frequencies(sample_rate, n_fft, scale, n_bins, f_min, f_max, first_bin)
        check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("accuracy", accuracy, ACCURACIES)
        check_choice("trainable", trainable, (False, True))
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=n_fft)
        self.sample_rate, self.n_fft, self.pad_mode, self.output = sample_rate, n_fft, pad_mode, output
        self.scale, self.exponent, self.first_bin = scale, 2 if output == "power" else 1, first_bin
        self.window = FrameWindow(window, n_fft, win_length, symmetric, normalized)
        by_fft = scale == "fft" and engine == "auto" and not trainable
        options: dict = {"engine": engine, "accuracy": accuracy, "trainable": trainable}
        kernels = self.window.kernels(frequencies, sample_rate)
        self.engine = None if by_fft else build(kernels, hop_length, pad_mode, **options)
        numbers = (hop_length, pad_mode, self.n_bins, self.exponent)
        self._fused = FusedFFT(self.window.taps(), *numbers, first_bin=first_bin)
        self._tables = Tables()

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        finish = Finish(self.output == "power", offset, careful)
        if self.engine is None:
            if self.output != "complex" and self._fused.serves(x):
                return self._fused(x, offset)
            window = self._tables.get((x.device, x.dtype), lambda: self.window.on(x))
            spectrum = framed_spectrum(x, window, self.hop_length, self.pad_mode)
            if self.n_bins <= self.n_fft // 2:  # ONNX cannot slice complex values without leaving some out
                spectrum = spectrum[..., self.first_bin : self.first_bin + self.n_bins]
            spectrum = spectrum.transpose(1, 2)
            return spectrum if self.output == "complex" else finish(spectrum)
        if self.output == "complex":
            # The kernels' phase refers to the frame's centre; torch's and librosa's refers to its first sample.
            phase = self._tables.get(("phase", x.device, x.dtype), lambda: self._phase(x))
            return torch.complex(*self.engine(x)) * phase
        return finished(self.engine, x, finish, self.n_bins, n_frames(x.shape[-1], self.hop_length))

    def inverse(self, spectrum: torch.Tensor, length: int | None = None) -> torch.Tensor:
        """Compute the waveform of a complex spectrum on the FFT's grid: (..., n_fft // 2 + 1, frames) -> (..., length).

        Each frame's inverse FFT is windowed again, overlap-added and divided by the sum of the squared windows. This
        inverts `forward`; for a spectrum that no waveform has, it gives the waveform whose spectrum is nearest (Griffin
        and Lim 1984). Padding is cut off, whatever it was.

        Args:
            spectrum: complex spectrum, all bins of scale="fft", in the layout of `forward` with output="complex".
            length: samples to return; None is hop_length (frames - 1), up to the centre of the last frame. With the
                clip's own length the clip is returned.

        Raises:
            ValueError: the bins are not the FFT's grid, the kernels are trained, or the spectrum has another shape or
                type; or the windows hardly cover a sample, so that rounding would hide it: their squares sum to less
                than 4e-3 (1e-12 in float64).

        >>> stft, x = STFT(output="complex"), torch.randn(2, 44100)
        >>> torch.allclose(stft.inverse(stft(x), length=44100), x, atol=1e-5)
        True
        """
        grid = self.n_fft // 2 + 1
        if self.scale != "fft" or self.n_bins != grid:
            raise ValueError(
                f'scale {self.scale!r} with n_bins {self.n_bins} has no inverse; choose scale="fft" and all {grid} bins'
            )
        if self.engine is not None and self.engine.trained:
            raise ValueError("trainable True: trained kernels have no inverse; choose trainable=False")
        check_tensor("spectrum", spectrum)
        if not spectrum.is_complex():
            raise ValueError(f'spectrum of type {spectrum.dtype}: needs the complex values of output="complex"')
        if spectrum.ndim < 2 or spectrum.shape[-2] != grid or not spectrum.shape[-1]:
            raise ValueError(f"spectrum of shape {tuple(spectrum.shape)}: needs (..., {grid}, frames), one at least")
        frames = spectrum.shape[-1]
        if length is None:
            length = self.hop_length * (frames - 1)
        check_whole("length", length, least=0)
        double = spectrum.dtype == torch.complex128
        y = spectrum.to(torch.complex128 if double else torch.complex64)
        if length == 0:
            return y.real[..., 0, :0]
        if spectrum.numel() == 0:  # none of one waveform
            one = y.new_zeros(1, *spectrum.shape[-2:])
            y = torch.cat([y.reshape(0, *spectrum.shape[-2:]), one])
            return self.inverse(y, length)[:0].reshape(*spectrum.shape[:-2], length)
        y = y.reshape(-1, *spectrum.shape[-2:])
        like = y.real
        plain = replace(self.window, normalized=False)
        window = self._tables.get(("plain", y.device, like.dtype), lambda: plain.on(like) / self.window.scale)
        key = ("covered", frames, length, y.device, like.dtype)
        covered = self._tables.get(key, lambda: self._covered(frames, length, like))
        x = overlap_add(torch.fft.irfft(y.transpose(1, 2), self.n_fft) * window, self.hop_length)
        x = x[:, self.n_fft // 2 : self.n_fft // 2 + length] / covered
        return x.reshape(*spectrum.shape[:-2], length)

    def _fft_multiply_adds(self, samples: int) -> float:
        return n_frames(samples, self.hop_length) * (self.n_fft + fft_multiply_adds(self.n_fft))

    def _describe_fft(self, device: torch.device) -> str:
        complex_values = 'output="complex" is the FFT itself' if self.output == "complex" else None
        return describe_fft("bins on the FFT's grid", complex_values or self._fused.refusal(device))

    def _covered(self, frames: int, length: int, like: torch.Tensor) -> torch.Tensor:
        """Return the sum of the squared windows at each sample of the waveform, (length,)."""
        squared = replace(self.window, normalized=False).taps() ** 2
        covered = overlapped(squared, self.hop_length, frames)[self.n_fft // 2 :][:length]
        covered = np.pad(covered, (0, length - len(covered)))
        lost = np.flatnonzero(covered < _LEAST_COVERED[like.dtype])
        if len(lost):
            left = max(0.0, covered[lost[0]])
            remedies = ["a shorter hop_length"] + [f"a length of at most {lost[0]}"] * bool(lost[0])
            remedies += ["float64"] * bool(covered.min() >= _LEAST_COVERED[torch.float64])
            raise ValueError(
                f"window {self.window.name!r}, n_fft {self.n_fft}, hop_length {self.hop_length}: at sample {lost[0]} "
                f"the squared windows of {frames} frames sum to {left:.1e}, too little to tell it; choose "
                f"{' or '.join(remedies)}"
            )
        return torch.from_numpy(covered).to(like.device, like.dtype)

    def _phase(self, like: torch.Tensor) -> torch.Tensor:
        turns = torch.from_numpy(self.frequencies / self.sample_rate * (self.n_fft // 2) % 1.0)
        phase = torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)
        return phase[:, None].to(like.device, torch.complex128 if like.dtype == torch.float64 else torch.complex64)


def describe_fft(bins: str, refusal: str | None) -> str:
    """Describe the FFT for `Transform.engine_on`: torch's, or the fused GPU kernel if there is no `refusal`."""
    return f"torch's FFT: {bins}; {refusal}" if refusal else f"fused FFT kernel: {bins}"
