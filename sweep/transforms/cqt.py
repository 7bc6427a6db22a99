"""The constant-Q transform as a front-end."""

from sweep.filters.windows import Window
from sweep.transforms.vqt import VQT


class CQT(VQT):
    """Constant-Q transform with centred frames: (..., samples) -> (..., n_bins, frames).

    Bin k lies at f_k = f_min 2^(k / bins_per_octave); its kernel is a windowed exponential of
    l_k = ceil(Q sample_rate / f_k) samples, Q = filter_scale / (2^(1 / bins_per_octave) - 1), divided by its window's
    sum (Brown 1991; `sweep.filters.constant_q_kernels`). The phase of the complex output is that of the frame's centre.

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
        f_max: open upper end in Hz, instead of n_bins.
        n_bins: number of bins; the default is 84, or all below f_max.
        bins_per_octave: number of bins per octave.
        window: periodic window, "hann", "hamming", "blackman" or "boxcar", or any other that `filters.window` takes.
        filter_scale: factor of the kernels' lengths; below 1 they are shorter and their bins wider.
        basis_norm: what a kernel's window is divided by: 1, its sum; 2, the root of the sum of its squares; "peak", its
            largest value; "length", its number of samples; or "none".
        norm: factor of a kernel: "sqrt_length" multiplies by sqrt(l_k), as librosa and nnAudio do; "none"; "n_fft"
            divides by the power of two above the longest kernel.
        bandwidth: what sets the kernels' lengths: "next_bin", the distance to the next bin; "both_bins", half that
            between both neighbours, as in librosa from 0.10 on.
        pad_mode: padding of a clip, "constant" (zeros) or "reflect".
        output: values to return, "magnitude", "power", "complex" or "phase", the complex values' angle in radians.
        trainable: whether the time-domain kernels are parameters.
        max_samples: longest clip in samples, for trainable=True: taps that no sample of such a clip can meet are not
            stored, so that kernels longer than the clip take less memory. None: clips of any length.
        engine: way to evaluate the kernels, "auto", "direct" or "spectral".
        accuracy: relative L2 error allowed on music: "exact" 1e-5, "high" 1e-4, "fast" 1e-3; direct is always exact.
            The worst bin's error lies below the loudest bin by, in dB, 90, 70 and 55, with algorithm="exact".
        algorithm: "exact", "1992", "1992v2", "2010", "2010v2", "librosa" or "nnaudio"; all but "exact" need
            engine="auto", and only "1992v2" of them can be trained.
        center: whether frame t is centred on sample t hop_length, and the clip padded; if not, the longest
            kernel of frame 0 begins with the clip, and only frames that lie whole in it count.

    Raises:
        ValueError: a number is out of its range; a clip is too short for reflect padding, or longer than max_samples;
            an algorithm cannot be trained, or not by the engine asked for.

    >>> import torch
    >>> CQT(n_bins=36, output="complex")(torch.randn(16384)).shape
    torch.Size([36, 33])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        hop_length: int = 512,
        f_min: float = 32.703,
        f_max: float | None = None,
        n_bins: int | None = None,
        bins_per_octave: int = 12,
        window: Window = "hann",
        filter_scale: float = 1.0,
        basis_norm: int | str = 1,
        norm: str = "sqrt_length",
        bandwidth: str = "next_bin",
        pad_mode: str = "constant",
        output: str = "magnitude",
        trainable: bool = False,
        engine: str = "auto",
        accuracy: str = "high",
        algorithm: str = "exact",
        max_samples: int | None = None,
        center: bool = True,
    ):
        super().__init__(
            gamma=0.0,
            sample_rate=sample_rate,
            hop_length=hop_length,
            f_min=f_min,
            f_max=f_max,
            n_bins=n_bins,
            bins_per_octave=bins_per_octave,
            window=window,
            filter_scale=filter_scale,
            basis_norm=basis_norm,
            norm=norm,
            bandwidth=bandwidth,
            pad_mode=pad_mode,
            output=output,
            trainable=trainable,
            engine=engine,
            accuracy=accuracy,
            algorithm=algorithm,
            max_samples=max_samples,
            center=center,
        )
