"""The spectrogram of logarithmically spaced bands as a front-end."""

from sweep import filters
from sweep.filters.windows import Window
from sweep.transforms.bands import BandSpectrogram
from sweep.transforms.frame_window import FrameWindow


class LogBandSpectrogram(BandSpectrogram):
    """STFT magnitude to a power, summed over logarithmically spaced triangles: (..., samples) -> (..., bands, frames).

    With corners="fft_bins", norm="area", power 1 and a symmetric window it is the filtered spectrogram of madmom; with
    exact corners many of the lowest triangles may hold no bin of the FFT: their output is 0 (`empty_filters` counts
    them).

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of a frame in samples, even.
        hop_length: samples between frames.
        window: window, "hann", "hamming", "blackman" or "boxcar", or any other that `filters.window` takes.
        f_min: lowest corner in Hz.
        f_max: highest corner in Hz, at most half the sample rate; None is that half, or n_bands tells.
        n_bands: number of bands where the corners are exact; None: as many as reach up to f_max.
        bins_per_octave: number of bands per octave.
        corners: where the triangles have their corners: "exact", f_min 2^(k / bins_per_octave), k = 0 .. n_bands + 1,
            also above half the sample rate; "fft_bins", each bin of the FFT, below half the sample rate, that is
            nearest to one of 440 Hz 2^(i / bins_per_octave) from f_min to f_max.
        norm: normalisation of the triangles, "slaney" (equal areas in Hz), "area" (weights that sum to 1) or None
            (peaks of 1).
        power: exponent of the magnitude, above 0.
        pad_mode: padding of a clip, "reflect" or "constant" (zeros).
        trainable: parameters: "kernels", the windowed Fourier kernels; "bank", the triangles; True, both.
        nonnegative: whether a trainable bank's weights below 0 count as 0; they still get a gradient.
        engine: "auto", torch's FFT; "specux", on a CPU the package specux; or "direct", kernels on the FFT's grid.
        accuracy: "exact" and "high" are as exact as the FFT; "fast" (relative L2 error up to 1e-3) allows a lower rate
            if all bands lie low enough.
        win_length: length of the window in samples, centred in n_fft; None is n_fft.
        symmetric: whether the window is symmetric (numpy.hanning) instead of periodic.
        normalized: number that the magnitude is divided by, in torchaudio's words: "window", the root of the sum of the
            window's squares; "frame_length", the root of n_fft; False or "none", 1.
        center: whether frame t is centred on sample t hop_length, and the clip padded; if not, frame 0 begins with the
            clip, and only frames that lie whole in it count.

    Raises:
        ValueError: a number is out of its range, or a clip is too short for reflect padding.

    >>> import torch
    >>> LogBandSpectrogram(f_min=55.0, n_bands=84)(torch.randn(2, 16384)).shape
    torch.Size([2, 84, 33])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
        n_fft: int = 2048,
        hop_length: int = 512,
        window: Window = "hann",
        f_min: float = 27.5,
        f_max: float | None = None,
        n_bands: int | None = None,
        bins_per_octave: int = 12,
        corners: str = "exact",
        norm: str | None = None,
        power: float = 1.0,
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
        numbers = (sample_rate, n_fft, f_min, f_max, n_bands, bins_per_octave, corners)
        super().__init__(
            bank=filters.log_band_bank(*numbers, norm=norm),
            frequencies=filters.log_band_corners(*numbers)[1:-1],
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
