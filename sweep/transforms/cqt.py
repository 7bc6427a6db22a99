"""The constant-Q transform as a front-end."""

import numpy as np
import torch

from sweep import filters
from sweep.checks import check_choice, check_whole
from sweep.engines import build, build_published
from sweep.engines.finish import Finish, finished
from sweep.engines.framing import n_frames
from sweep.transforms.transform import OUTPUTS, Transform


class CQT(Transform):
    """Constant-Q transform with centred frames: (..., samples) -> (..., n_bins, frames).

    Bin k lies at f_k = f_min 2^(k / bins_per_octave); its kernel is a windowed exponential of
    l_k = ceil(Q sample_rate / f_k) samples, Q = 1 / (2^(1 / bins_per_octave) - 1), divided by its window's sum
    (Brown 1991; `sweep.filters.constant_q_kernels`). The phase of the complex output is that of the frame's centre.

    `bandwidth` chooses between that and the lengths of librosa, a little shorter or longer and with a fraction.

    `algorithm` chooses how the sum is computed. "exact" is the fastest way; four others are published:

        1992v2  the same sum as written, each bin's time-domain kernel on the frames (Brown 1991; nnAudio's CQT1992v2)
        1992    each frame's FFT, as wide as the longest kernel, times the kernels' spectra, their values below the
                share of the peak that `accuracy` allows left out (Brown and Puckette 1992; nnAudio's CQT1992)
        2010v2  time-domain kernels at a rate that is halved for each octave down (Schoerkhuber and Klapuri 2010;
                nnAudio's CQT2010v2)
        2010    the same with each octave's kernels in the frequency domain (nnAudio's CQT2010)

    Those of 2010 halve the rate only as often as hop_length is divisible by 2, so any hop_length is allowed and one
    with many factors of 2 is fast. From 6 bins per octave on, with the Hann or the Blackman window and the top bin
    below 0.35 of the sample rate, they stay within 1 % of the sum (3e-4 from 12 on). Nearer to half the sample rate a
    tone above the second octave also shows in it, mirrored: `engine.aliasing(bin)` returns how strongly, in dB.

    Two give the very values of a library, its approximations of the sum included (`sweep.filters.cascades`):

        librosa  the cqt of librosa 0.11 with its default arguments, and its vqt with gamma=0; choose
                 bandwidth="both_bins"
        nnaudio  nnAudio's CQT2010v2, and basic-pitch's, without early downsampling

    They pad each octave at its own rate, so that clips may be shorter than the longest kernel with reflection too: of
    n samples at the top octave's rate, its longest kernel, for each halving twice as many.

    Args:
        sample_rate: samples per second, in Hz.
        hop_length: samples between frames.
        f_min: lowest bin in Hz; the default is the note C1.
        n_bins: number of bins.
        bins_per_octave: number of bins per octave.
        window: periodic window, "hann", "hamming", "blackman" or "boxcar".
        norm: scale of a kernel: "sqrt_length" multiplies by sqrt(l_k), as librosa and nnAudio do; "none"; "n_fft"
            divides by the power of two above the longest kernel.
        bandwidth: what sets the kernels' lengths: "next_bin", the distance to the next bin; "both_bins", half that
            between both neighbours, as in librosa from 0.10 on.
        pad_mode: padding of a clip, "constant" (zeros) or "reflect".
        output: values to return, "magnitude", "power" or "complex".
        trainable: whether the time-domain kernels are parameters.
        max_samples: longest clip in samples, for trainable=True: taps that no sample of such a clip can meet are not
            stored, so that kernels longer than the clip take less memory. None: clips of any length.
        engine: way to evaluate the kernels, "auto", "direct" or "spectral".
        accuracy: relative L2 error allowed on music: "exact" 1e-5, "high" 1e-4, "fast" 1e-3; direct is always exact.
        algorithm: "exact", "1992", "1992v2", "2010", "2010v2", "librosa" or "nnaudio"; all but "exact" need
            engine="auto", and only "1992v2" of them can be trained.

    Raises:
        ValueError: a number is out of its range; a clip is too short for reflect padding, or longer than max_samples;
            an algorithm cannot be trained, or not by the engine asked for.

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
        bandwidth: str = "next_bin",
        pad_mode: str = "constant",
        output: str = "magnitude",
        trainable: bool = False,
        engine: str = "auto",
        accuracy: str = "high",
        algorithm: str = "exact",
        max_samples: int | None = None,
    ):
        frequencies = filters.constant_q_frequencies(n_bins, bins_per_octave, f_min, sample_rate)
        check_whole("hop_length", hop_length)
        check_choice("pad_mode", pad_mode, filters.PAD_MODES)
        check_choice("output", output, OUTPUTS)
        check_choice("trainable", trainable, (False, True))
        if max_samples is not None:
            check_whole("max_samples", max_samples)
        check_choice("algorithm", str(algorithm), filters.CONSTANT_Q_ALGORITHMS)  # 1992 may come as a number
        kernels = filters.constant_q_kernels(window, frequencies, bins_per_octave, sample_rate, norm, bandwidth)
        super().__init__(hop_length=hop_length, frequencies=frequencies, context=int(kernels.lengths.max()))
        self.output, self.exponent = output, 2 if output == "power" else 1
        self.algorithm = str(algorithm)
        options: dict = {"engine": engine, "accuracy": accuracy, "trainable": trainable, "max_samples": max_samples}
        if self.algorithm == "exact":
            self.engine = build(kernels, hop_length, pad_mode, **options)
        else:

            def unit(some: np.ndarray, rate: float) -> filters.Kernels:
                return filters.constant_q_kernels(window, some, bins_per_octave, rate, "none", bandwidth)

            bank = (kernels, unit, bins_per_octave, hop_length, pad_mode)
            self.engine = build_published(self.algorithm, *bank, **options)

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        if self.output == "complex":
            return torch.complex(*self.engine(x))
        count = n_frames(x.shape[-1], self.hop_length)
        return finished(self.engine, x, Finish(self.output == "power", offset, careful), self.n_bins, count)
