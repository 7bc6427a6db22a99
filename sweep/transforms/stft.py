"""The short-time Fourier transform, on the FFT's grid or at linearly or logarithmically spaced frequencies."""

import torch

from sweep import filters
from sweep.checks import check_choice, check_whole
from sweep.engines import ACCURACIES, build
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import fft_multiply_adds, framed_spectrum, n_frames
from sweep.engines.gpu.fft import FusedFFT
from sweep.engines.grid import Grid
from sweep.engines.specux_grid import SpecuxGrid
from sweep.engines.tables import Tables
from sweep.filters.windows import Window
from sweep.transforms.frame_window import FrameWindow
from sweep.transforms.inverse import check_spectrum
from sweep.transforms.synthesis import Synthesis, magnitudes
from sweep.transforms.transform import OUTPUTS, Transform, shown


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
        output: values to return, "magnitude", "power", "complex" or "phase", the complex values' angle in radians.
        trainable: whether the windowed Fourier kernels are parameters.
        engine: "auto", "direct" or "spectral" for scale "linear" and "log"; with scale="fft", "auto" is torch's FFT and
            "specux", on a CPU, that of the package specux.
        accuracy: relative L2 error allowed on music: "exact" 1e-5, "high" 1e-4, "fast" 1e-3; the FFT is always exact.
            The worst bin's error lies below the loudest bin by, in dB, 90, 70 and 55.
        win_length: length of the window in samples, centred in n_fft; None is n_fft.
        symmetric: whether the window is symmetric (numpy.hanning) instead of periodic.
        normalized: number that the magnitude is divided by, in torchaudio's words: "window", the root of the sum of the
            window's squares; "frame_length", the root of n_fft; False or "none", 1.
        first_bin: lowest bin of the FFT's grid; 1 leaves out 0 Hz. Only with scale="fft".
        center: whether frame t is centred on sample t hop_length, and the clip padded; if not, frame 0 begins with the
            clip, and only frames that lie whole in it count.

    Raises:
        ValueError: a number is out of its range, or a clip is too short for reflect padding.

    >>> STFT(n_fft=1024)(torch.randn(3, 2, 44100)).shape
    torch.Size([3, 2, 513, 87])
    """

    many_launches = kernels_last = True

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
        center: bool = True,
    ):
        frequencies = filters.stft_frequencies(sample_rate, n_fft, scale, n_bins, f_min, f_max, first_bin)
        hop_length = check_whole("hop_length", hop_length)
        n_fft, first_bin = int(n_fft), int(first_bin)  # checked with the frequencies
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("accuracy", accuracy, ACCURACIES)
        check_choice("trainable", trainable, (False, True))
        check_choice("center", center, (False, True))
        whole = None if center else (n_fft // 2, n_fft // 2 - 1)
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=n_fft, whole=whole)
        pad_mode = pad_mode if center else "constant"  # which no frame meets
        self.sample_rate, self.n_fft, self.pad_mode, self.output = sample_rate, n_fft, pad_mode, output
        self.scale, self.exponent, self.first_bin = scale, 2 if output == "power" else 1, first_bin
        self.window = FrameWindow(window, n_fft, win_length, symmetric, normalized)
        by_fft = scale == "fft" and engine in ("auto", "specux") and not trainable
        if engine == "specux" and output in ("complex", "phase"):
            raise ValueError(f'output {output!r}: engine "specux" has "magnitude" and "power"; choose engine="auto"')
        options: dict = {"engine": engine, "accuracy": accuracy, "trainable": trainable}
        kernels = self.window.kernels(frequencies, sample_rate)
        self.engine = None if by_fft else build(kernels, hop_length, pad_mode, **options)
        numbers = (hop_length, pad_mode, self.n_bins, self.exponent)
        self._fused = FusedFFT(self.window.taps(), *numbers, first_bin=first_bin)
        grid = SpecuxGrid if engine == "specux" else Grid
        self._grid = grid(n_fft, hop_length, pad_mode, slice(first_bin, first_bin + self.n_bins), self.exponent)
        self._synthesis = Synthesis(self.window, hop_length, pad_mode, center)
        self._tables, self.frames_first = Tables(), by_fft
        self.many_launches = not by_fft or output in ("complex", "phase")

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        complex_values = self.output in ("complex", "phase")
        if self.engine is None:
            if not complex_values and self._fused.serves(x):
                return self._fused(x, offset)
            window = self._table("_window_on", x)
            if not complex_values:
                return self._grid(x, window, None, offset, careful)
            spectrum = framed_spectrum(x, window, self.hop_length, self.pad_mode)
            if self.n_bins <= self.n_fft // 2:  # ONNX cannot slice complex values without leaving some out
                spectrum = spectrum[..., self.first_bin : self.first_bin + self.n_bins]
            return shown(spectrum.transpose(1, 2), self.output)
        if complex_values:
            # The kernels' phase refers to the frame's centre; torch's and librosa's refers to its first sample.
            return shown(torch.complex(*self.engine(x)) * self._table("_phase", x), self.output)
        finish = Finish(self.output == "power", offset, careful)
        return finished(self.engine, x, finish, self.n_bins, n_frames(x.shape[-1], self.hop_length))

    def inverse(self, spectrum: torch.Tensor, length: int | None = None) -> torch.Tensor:
        """Compute the waveform of a complex spectrum on the FFT's grid: (..., n_fft // 2 + 1, frames) -> (..., length).

        Each frame's inverse FFT is windowed again, overlap-added and divided by the sum of the squared windows. This
        inverts `forward`; for a spectrum that no waveform has, it gives the waveform whose spectrum is nearest (Griffin
        and Lim 1984). Padding is cut off, whatever it was. With center=False windows that begin and end with 0 hardly
        cover the first and the last samples: they are 0 where the squares sum to less than the bound below.

        Args:
            spectrum: complex spectrum, all bins of scale="fft", in the layout of `forward` with output="complex"; this
                front-end's own `output` does not matter.
            length: samples to return; None is hop_length (frames - 1), up to the centre of the last frame, or with
                center=False the end of the last frame, beyond which no length reaches. With the clip's own length the
                clip is returned if frames are centred.

        Raises:
            ValueError: the bins are not the FFT's grid, the kernels are trained, or the spectrum has another shape or
                type; or the windows hardly cover a sample, so that rounding would hide it: their squares sum to less
                than 4e-3 (1e-12 in float64).

        >>> stft, x = STFT(output="complex"), torch.randn(2, 44100)
        >>> torch.allclose(stft.inverse(stft(x), length=44100), x, atol=1e-5)
        True
        """
        self._check_grid()
        return self._synthesis.waveform(check_spectrum(spectrum, self.n_fft // 2 + 1), length)

    def griffin_lim(
        self,
        magnitude: torch.Tensor,
        length: int | None = None,
        *,
        n_iter: int = 32,
        momentum: float = 0.99,
        rand_init: bool = True,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute a waveform of a magnitude spectrum, whose phases it estimates: (..., bins, frames) -> (..., length).

        Griffin and Lim (1984), fast with momentum (Perraudin et al. 2013): the phases of the spectrum of the waveform
        that is nearest to the magnitude with the phases so far, again and again. librosa.griffinlim and torchaudio's
        GriffinLim compute the same from the same first phases. How far the magnitude of the result is off falls with
        n_iter, in general not to 0: a magnitude has many waveforms that nearly fit.

        The result is differentiable by the magnitude, the phases taken as constants: no gradient passes through the
        iterations.

        Args:
            magnitude: what `forward` gives, all bins of scale="fft", at least 0; its square with output="power", and
                the modulus with output="complex".
            length: samples to return, as for `inverse`.
            n_iter: number of iterations.
            momentum: share of the last change by which each iteration goes on, at least 0 and below 1; 0 is the method
                of 1984.
            rand_init: whether the first phases are random, uniform over the circle; if not, all are 0.
            generator: generator of the random phases, on the device of `magnitude`; None is torch's own.

        Raises:
            ValueError: the output is a phase, a number is out of its range, or as for `inverse`; or the clip is too
                short for reflect padding.

        >>> stft, x = STFT(), torch.sin(0.1 * torch.arange(22050.0)) * torch.hann_window(22050)
        >>> back = stft.griffin_lim(stft(x), length=22050, rand_init=False)
        >>> (stft(back) - stft(x)).norm() < 0.1 * stft(x).norm()
        tensor(True)
        """
        self._check_grid()
        if self.output == "phase":
            raise ValueError('output "phase" holds no magnitude; choose output="magnitude" or "power"')
        if self.output == "power" and isinstance(magnitude, torch.Tensor) and not magnitude.is_complex():
            magnitude = magnitudes(magnitude, 2)
        return self._synthesis.griffin_lim(magnitude, length, n_iter, momentum, rand_init, generator)

    def _check_grid(self) -> None:
        """Raise a ValueError if the bins have no way back."""
        grid = self.n_fft // 2 + 1
        if self.scale != "fft" or self.n_bins != grid:
            raise ValueError(
                f'scale {self.scale!r} with n_bins {self.n_bins} has no inverse; choose scale="fft" and all {grid} bins'
            )
        if self.engine is not None and self.engine.trained:
            raise ValueError("trainable True: trained kernels have no inverse; choose trainable=False")

    def _fft_multiply_adds(self, samples: int) -> float:
        return n_frames(samples, self.hop_length) * (self.n_fft + fft_multiply_adds(self.n_fft))

    def _describe_fft(self, device: torch.device) -> str:
        complex_values = f'output="{self.output}" is the FFT itself' if self.output in ("complex", "phase") else None
        return describe_fft("bins on the FFT's grid", complex_values or self._fused.refusal(device), self._grid, device)

    def _window_on(self, like: torch.Tensor) -> torch.Tensor:
        return self.window.on(like)

    def _phase(self, like: torch.Tensor) -> torch.Tensor:
        turns = torch.from_numpy(self.frequencies / self.sample_rate * (self.n_fft // 2) % 1.0)
        phase = torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)
        return phase[:, None].to(like.device, torch.complex128 if like.dtype == torch.float64 else torch.complex64)


def describe_fft(bins: str, refusal: str | None, grid: Grid, device: torch.device) -> str:
    """Describe the FFT for `Transform.engine_on`: the grid's, or the fused GPU kernel if there is no `refusal`."""
    fft = grid.on_cpu if device.type == "cpu" else Grid.on_cpu
    return f"{fft}: {bins}; {refusal}" if refusal else f"fused FFT kernel: {bins}"
