"""The short-time Fourier transform, on the FFT's grid or at linearly or logarithmically spaced frequencies."""

import torch

from sweep import filters
from sweep.checks import check_choice, check_whole
from sweep.engines import ACCURACIES, build
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import framed_spectrum, n_frames
from sweep.engines.tables import Tables
from sweep.transforms.transform import OUTPUTS, Transform


class STFT(Transform):
    """Short-time Fourier transform with centred frames: (..., samples) -> (..., n_bins, frames).

    y_k[t] = sum_n w[n] x[t hop_length + n - n_fft / 2] exp(-2 pi i n f_k / sample_rate), n = 0 .. n_fft - 1, so the
    complex output has the phase of torch.stft and librosa.stft.

    Args:
        sample_rate: in Hz.
        n_fft: window length in samples, even.
        hop_length: samples between frames.
        window: "hann", "hamming", "blackman" or "boxcar", periodic.
        scale: where the bins lie: "fft", the grid k sample_rate / n_fft; "linear", f_min + k (f_max - f_min) / n_bins;
            "log", f_min (f_max / f_min)^(k / n_bins) (Cheuk et al. 2020). f_min and f_max do not count for "fft".
        n_bins: bins; None is n_fft // 2 + 1. With scale="fft", the lowest n_bins of the grid.
        f_min, f_max: in Hz, f_max itself excluded.
        pad_mode: "reflect" or "constant" (zeros).
        output: "magnitude", "power" or "complex".
        trainable: the windowed Fourier kernels are parameters.
        engine: "auto", "direct" or "spectral" for scale "linear" and "log"; with scale="fft", "auto" is torch's FFT.
        accuracy: relative L2 error allowed on music: "exact" 1e-5, "high" 1e-4, "fast" 1e-3; the FFT is always exact.

    Raises:
        ValueError: a number out of its range; a clip too short for reflect padding.

    >>> STFT(n_fft=1024)(torch.randn(3, 2, 44100)).shape
    torch.Size([3, 2, 513, 87])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: str = "hann",
        scale: str = "fft",
        n_bins: int | None = None,
        f_min: float = 50.0,
        f_max: float = 6000.0,
        pad_mode: str = "reflect",
        output: str = "magnitude",
        trainable: bool = False,
        engine: str = "auto",
        accuracy: str = "high",
    ):
        frequencies = filters.stft_frequencies(sample_rate, n_fft, scale, n_bins, f_min, f_max)
        check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("accuracy", accuracy, ACCURACIES)
        check_choice("trainable", trainable, (False, True))
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=n_fft)
        self.sample_rate, self.n_fft, self.pad_mode, self.output = sample_rate, n_fft, pad_mode, output
        self.window = window
        kernels = filters.fourier_kernels(window, n_fft, frequencies, sample_rate)
        by_fft = scale == "fft" and engine == "auto" and not trainable
        options = {"engine": engine, "accuracy": accuracy, "trainable": trainable}
        self.engine = None if by_fft else build(kernels, hop_length, pad_mode, **options)
        self._tables = Tables()

    def spectrogram(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        finish = Finish(self.output == "power", offset)
        if self.engine is None:
            window = self._tables.get((x.device, x.dtype), lambda: fft_window(self.window, self.n_fft, x))
            spectrum = framed_spectrum(x, window, self.hop_length, self.pad_mode)[..., : self.n_bins].transpose(1, 2)
            if self.output == "complex":
                return spectrum
            real, imag = spectrum.real, spectrum.imag
            return finish(real, imag)
        if self.output == "complex":
            # The kernels' phase is that of the frame's centre; the field's is that of its first sample.
            phase = self._tables.get(("phase", x.device, x.dtype), lambda: self._phase(x))
            return torch.complex(*self.engine(x)) * phase
        return finished(self.engine, x, finish, self.n_bins, n_frames(x.shape[-1], self.hop_length))

    def _phase(self, like: torch.Tensor) -> torch.Tensor:
        turns = torch.from_numpy(self.frequencies / self.sample_rate * (self.n_fft // 2) % 1.0)
        phase = torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)
        return phase[:, None].to(like.device, torch.complex128 if like.dtype == torch.float64 else torch.complex64)


def fft_window(name: str, n_fft: int, like: torch.Tensor) -> torch.Tensor:
    """The window on a tensor's device, in its type."""
    return torch.from_numpy(filters.window(name, n_fft)).to(like.device, like.dtype)
