"""The gammatone spectrogram as a front-end."""

from sweep import filters
from sweep.filters.windows import Window
from sweep.transforms.bands import BandSpectrogram
from sweep.transforms.frame_window import FrameWindow


class Gammatone(BandSpectrogram):
    """STFT magnitude to a power, weighted by the ear's gammatone filters: (..., samples) -> (..., n_bands, frames).

    Centres are equally many equivalent rectangular bandwidths (ERB) apart. A weight is the magnitude response of
    Slaney's filter (1993) at a bin of the FFT (Ellis 2009): faster than the filters themselves, at the frames'
    resolution in time. The conventions are those of nnAudio's Gammatonegram, but for f_min, which is 0 there.

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of a frame in samples, even.
        hop_length: samples between frames.
        window: window, "hann", "hamming", "blackman" or "boxcar", or any other that `filters.window` takes.
        n_bands: number of bands.
        f_min, f_max: lowest centre and open upper end of the centres, in Hz; f_max None is half the sample rate.
        norm: normalisation of the weights, "n_fft" (divided by n_fft) or None (1 at the centre).
        power: exponent of the magnitude, above 0.
        pad_mode: padding of a clip, "reflect" or "constant" (zeros).
        trainable: parameters: "kernels", the windowed Fourier kernels; "bank", the weights; True, both.
        nonnegative: whether a trainable bank's weights below 0 count as 0; they still get a gradient.
        engine: "auto", torch's FFT; "specux", on a CPU the package specux; or "direct", kernels on the FFT's grid.
        accuracy: "exact", "high" or "fast", which are all as exact as the FFT, for every bin has a weight.
        win_length: length of the window in samples, centred in n_fft; None is n_fft.
        symmetric: whether the window is symmetric (numpy.hanning) instead of periodic.
        normalized: number that the magnitude is divided by, in torchaudio's words: "window", the root of the sum of the
            window's squares; "frame_length", the root of n_fft; False or "none", 1.
        center: whether frame t is centred on sample t hop_length, and the clip padded; if not, frame 0 begins with the
            clip, and only frames that lie whole in it count.

    Raises:
        ValueError: a number is out of its range, or a clip is too short for reflect padding.

    >>> import torch
    >>> Gammatone(n_bands=40)(torch.randn(2, 16384)).shape
    torch.Size([2, 40, 33])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: Window = "hann",
        n_bands: int = 64,
        f_min: float = 50.0,
        f_max: float | None = None,
        norm: str | None = "n_fft",
        power: float = 2.0,
        pad_mode: str = "reflect",
        trainable: bool | str = False,
        engine: str = "auto",
        accuracy: str = "high",
        nonnegative: bool = False,
        win_length: int | None = None,
        symmetric: bool = False,
        normalized: bool | str = False,
        center: bool = True,
    ):
        super().__init__(
            bank=filters.gammatone_bank(sample_rate, n_fft, n_bands, f_min, f_max, norm),
            frequencies=filters.erb_frequencies(n_bands, f_min, f_max or sample_rate / 2),
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
