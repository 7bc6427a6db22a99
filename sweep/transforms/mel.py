"""The Mel spectrogram as a front-end."""

from sweep import filters
from sweep.filters.windows import Window
from sweep.transforms.bands import BandSpectrogram
from sweep.transforms.frame_window import FrameWindow


class MelSpectrogram(BandSpectrogram):
    """STFT magnitude to a power, summed over triangular mel bands: (..., samples) -> (..., n_mels, frames).

    The conventions are librosa.feature.melspectrogram's. At many bands some triangles hold no bin of the FFT: their
    output is 0 (`empty_filters` counts them).

    Args:
        sample_rate: samples per second, in Hz.
        n_fft: length of a frame in samples, even.
        hop_length: samples between frames.
        window: window, "hann", "hamming", "blackman" or "boxcar", or any other that `filters.window` takes.
        n_mels: number of bands, at most the FFT's n_fft // 2 + 1 bins.
        f_min, f_max: lowest and highest corner in Hz; f_max None is half the sample rate.
        mel_scale: formula from Hz to mel, "slaney" or "htk".
        norm: normalisation of the triangles, "slaney" (equal areas) or None (peaks of 1).
        power: exponent of the magnitude, above 0.
        pad_mode: padding of a clip, "reflect" or "constant" (zeros).
        trainable: parameters: "kernels", the windowed Fourier kernels; "bank", the mel bank; True, both.
        nonnegative: whether a trainable bank's weights below 0 count as 0; they still get a gradient.
        engine: "auto", torch's FFT; "specux", on a CPU the package specux; or "direct", kernels on the FFT's grid.
        accuracy: "exact" and "high" are as exact as the FFT; "fast" (relative L2 error up to 1e-3) allows a lower rate
            if all bands lie low enough.
        win_length: length of the window in samples, centred in n_fft; None is n_fft.
        symmetric: whether the window is symmetric (numpy.hanning) instead of periodic.
        normalized: number that the magnitude is divided by, in torchaudio's words: "window", the root of the sum of the
            window's squares; "frame_length", the root of n_fft; False or "none", 1.
        triangles: what the triangles are linear in: "hz" (librosa, torchaudio) or "mel"
            (tf.signal.linear_to_mel_weight_matrix).
        center: whether frame t is centred on sample t hop_length, and the clip padded; if not, frame 0 begins with the
            clip, and only frames that lie whole in it count.

    Raises:
        ValueError: a number is out of its range, or a clip is too short for reflect padding.

    >>> import torch
    >>> MelSpectrogram(n_mels=64)(torch.randn(2, 16384)).shape
    torch.Size([2, 64, 33])
    """

    def __init__(
        self,
        *,
        sample_rate: float = 44100,
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
        corners = filters.mel_frequencies(n_mels, f_min, f_max or sample_rate / 2, mel_scale)
        super().__init__(
            bank=bank,
            frequencies=corners[1:-1],
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
