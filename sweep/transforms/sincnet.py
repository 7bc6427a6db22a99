"""The sinc filters of SincNet as a front-end."""

import math
from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F

from sweep import filters
from sweep.engines.derivatives import visible
from sweep.engines.magnitudes import OutOfRange, scales
from sweep.transforms.learned import LearnedFilters, within


class SincNet(LearnedFilters):
    """Learnable band-pass filters and the peak of their output: (..., samples) -> (..., n_filters, frames).

    SincNet (Ravanelli and Bengio 2018), with the numbers of mravanelli/SincNet. Filter k passes the frequencies from
    f to g with a gain that makes its middle tap 1, on the lags n = -H .. H, H = (filter_length - 1) / 2:

        h_k[n] = w[n] (sin(2 pi g n / r) - sin(2 pi f n / r)) / (2 pi n / r (g - f)),  h_k[0] = 1,  r = sample_rate

        f = min_low_hz + |low_k|, at most r / 2 - min_band_hz      g = f + min_band_hz + |band_k|, at most r / 2

    w is Hamming's window as it is published: 0.54 - 0.46 cos(2 pi p / K), K = filter_length, at H points p equally far
    apart from 0 at the outermost lag to K / 2 - 1 beside the middle. `low` and `band` begin next to each other on
    HTK's mel scale (`sweep.filters.sincnet_bands`); trainable=True makes them parameters, in Hz: `learned.low` and
    `learned.band`. The bound of f is ours; a value beyond a bound gets a gradient all the same.

    A frame is the largest |y_k| of the pool_length samples around t hop_length. The published network pools its
    rectified output like that, over 3 samples, and its further layers follow without frames. leaf-audio, the use as a
    spectrogram that is published, pools over 401 samples at a stride of 160, as here, but with a leaky rectifier in
    place of the modulus, and normalises each frame to mean 0 and variance 1. Its SincNet+ has LEAF's pooling and PCEN
    instead. The maximum of the modulus is the one of them that has nothing to learn besides the filters, and it is
    proportional to the clip. There the filters begin at 50 instead of 30 Hz, 40 of 401 taps.

    Args:
        sample_rate: samples per second, in Hz.
        n_filters: number of filters.
        hop_length: samples between frames.
        filter_length: taps of a filter, odd.
        pool_length: samples that a frame is the maximum of, odd.
        f_min: initial `low` of the lowest filter in Hz, to which min_low_hz is added.
        f_max: initial `low` + `band` of the highest filter in Hz; None: as much as half the sample rate allows.
        min_low_hz: least lower cut-off frequency in Hz.
        min_band_hz: least bandwidth in Hz.
        trainable: whether the cut-off frequencies are parameters.

    Attributes:
        frequencies: initial centre of each filter in Hz, (n_filters,) float64.

    Raises:
        ValueError: a number is out of its range.

    >>> SincNet()(torch.randn(2, 16000)).shape
    torch.Size([2, 80, 101])
    """

    PARTS = 1

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        n_filters: int = 80,
        hop_length: int = 160,
        filter_length: int = 251,
        pool_length: int = 401,
        f_min: float = 30.0,
        f_max: float | None = None,
        min_low_hz: float = 50.0,
        min_band_hz: float = 50.0,
        trainable: bool = False,
    ):
        low, band = filters.sincnet_bands(n_filters, sample_rate, f_min, f_max, min_low_hz, min_band_hz)
        self.min_low_hz, self.min_band_hz = min_low_hz, min_band_hz
        super().__init__(
            sample_rate=sample_rate,
            hop_length=hop_length,
            filter_length=filter_length,
            pool_length=pool_length,
            values={"low": low, "band": band},
            trainable=trainable,
        )

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        if not careful and visible(x) and (scales(x) != 1).any():  # an FFT would lose some of its numbers
            raise OutOfRange
        return super().spectrogram(x, offset, careful)

    def centres(self, values: Mapping[str, torch.Tensor]) -> np.ndarray:
        centres = self.min_low_hz + values["low"] + (self.min_band_hz + values["band"]) / 2
        return centres.detach().numpy()

    def bounded(self, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        half = self.sample_rate / 2
        low = within(values["low"].abs(), high=half - self.min_band_hz - self.min_low_hz)
        most = half - self.min_low_hz - self.min_band_hz - low.detach()
        return {"low": low, "band": within(values["band"].abs(), high=most)}

    def taps(self, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        bottom = self.min_low_hz + values["low"][:, None]
        band = self.min_band_hz + values["band"][:, None]
        half, like = self.filter_length // 2, {"dtype": band.dtype, "device": band.device}
        turns = 2 * math.pi / self.sample_rate * torch.arange(1, half + 1, **like)
        points = torch.linspace(0, self.filter_length / 2 - 1, half, **like).flip(0)
        window = 0.54 - 0.46 * torch.cos(2 * math.pi / self.filter_length * points)
        side = window * (torch.sin((bottom + band) * turns) - torch.sin(bottom * turns)) / (turns * band)
        return torch.cat([side.flip(-1), torch.ones_like(band), side], dim=-1)[:, None]

    def pool(self, filtered: torch.Tensor, bins: slice, values: Mapping[str, torch.Tensor], count: int) -> torch.Tensor:
        half, size = self.pool_length // 2, filtered.shape[-1]
        right = (count - 1) * self.hop_length + half + 1 - size
        return F.max_pool1d(F.pad(filtered[:, :, 0].abs(), (half, right)), self.pool_length, self.hop_length)

    def pool_multiply_adds(self, samples: int) -> float:
        return 0.0  # comparisons
