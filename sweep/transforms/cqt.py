"""The constant-Q transform."""

import torch

from sweep import filters
from sweep.checks import check_choice, check_whole
from sweep.engines import build
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import n_frames
from sweep.transforms.transform import OUTPUTS, Transform


class CQT(Transform):
    """Constant-Q transform with centred frames: (..., samples) -> (..., n_bins, frames).

    Bin k lies at f_k = f_min 2^(k / bins_per_octave); its kernel is a windowed exponential of
    l_k = ceil(Q sample_rate / f_k) samples, Q = 1 / (2^(1 / bins_per_octave) - 1), divided by its window's sum
    (Brown 1991; `sweep.filters.constant_q_kernels`). The phase of the complex output is that of the frame's centre.

    Args:
        sample_rate: in Hz.
        hop_length: samples between frames.
        f_min: lowest bin in Hz; the default is the note C1.
        n_bins: bins.
        bins_per_octave: bins per octave.
        window: "hann", "hamming", "blackman" or "boxcar", periodic.
        norm: "sqrt_length" multiplies by sqrt(l_k), as librosa and nnAudio do; "none"; "n_fft" divides by the power of
            two above the longest kernel.
        pad_mode: "constant" (zeros) or "reflect".
        output: "magnitude", "power" or "complex".
        trainable: the time-domain kernels are parameters.
        engine: "auto", "direct" or "spectral".
        accuracy: relative L2 error allowed on music: "exact" 1e-5, "high" 1e-4, "fast" 1e-3; direct is always exact.

    Raises:
        ValueError: a number out of its range; a clip too short for reflect padding.

    >>> CQT(n_bins=36, output="complex")(torch.randn(16384)).shape
    torch.Size([36, 33])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        hop_length: int = 512,
        f_min: float = 32.703,
        n_bins: int = 84,
        bins_per_octave: int = 12,
        window: str = "hann",
        norm: str = "sqrt_length",
        pad_mode: str = "constant",
        output: str = "magnitude",
        trainable: bool = False,
        engine: str = "auto",
        accuracy: str = "high",
    ):
        frequencies = filters.constant_q_frequencies(n_bins, bins_per_octave, f_min, sample_rate)
        check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("trainable", trainable, (False, True))
        kernels = filters.constant_q_kernels(window, frequencies, bins_per_octave, sample_rate, norm)
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=int(kernels.lengths.max()))
        self.output = output
        self.engine = build(kernels, hop_length, pad_mode, engine=engine, accuracy=accuracy, trainable=trainable)

    def spectrogram(self, x: torch.Tensor, offset: float | None) -> torch.Tensor:
        if self.output == "complex":
            return torch.complex(*self.engine(x))
        count = n_frames(x.shape[-1], self.hop_length)
        return finished(self.engine, x, Finish(self.output == "power", offset), self.n_bins, count)
