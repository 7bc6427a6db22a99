"""The learnable audio front-end LEAF."""

import math
from collections.abc import Mapping

import numpy as np
import torch

from sweep import filters
from sweep.checks import check_choice
from sweep.engines.correlate import pooled
from sweep.engines.framing import n_frames
from sweep.engines.smoothing import smoothed
from sweep.transforms.learned import LearnedFilters, within

_FLOOR, _PCEN_FLOOR = 1e-5, 1e-12  # least pooled energy, and what PCEN adds to the smoothed one, as published
_POOLING = 0.4  # initial width: about a Hann window
_PCEN = {"alpha": 0.96, "delta": 2.0, "root": 2.0, "smooth": 0.04}
_LEAST_DELTA = 1e-3  # ours: the published code lets delta fall below 0, where a root of it is no number


class LEAF(LearnedFilters):
    """Learnable front-end of Gabor filters, Gaussian pooling and PCEN: (..., samples) -> (..., n_filters, frames).

    LEAF (Zeghidour et al. 2021), with the numbers of google-research/leaf-audio. Filter k is a Gabor function whose
    Gaussian sums to 1, on the lags n = -(K // 2) .. K // 2, K = filter_length:

        h_k[n] = exp(-i mu_k n) exp(-n^2 / (2 sigma_k^2)) / (sqrt(2 pi) sigma_k)

    The squared modulus of its output y_k, at every sample of the clip, is summed under a Gaussian with a peak of 1, on
    as many lags P = pool_length, whose standard deviation is the share w_k of (P - 1) / 2:

        E_k[t] = max(sum_n exp(-(n / (w_k (P - 1) / 2))^2 / 2) |y_k[t hop_length + n]|^2, 1e-5)

    PCEN follows, with a smoother and numbers for each filter:

        m_k[t] = s_k E_k[t] + (1 - s_k) m_k[t - 1],  m_k[0] = E_k[0]
        LEAF_k[t] = (E_k[t] / (1e-12 + m_k[t])^alpha_k + delta_k)^(1 / root_k) - delta_k^(1 / root_k)

    The filters begin with the centres and widths of mel bands (`sweep.filters.leaf_gabors`), the pooling with w = 0.4,
    and PCEN with alpha = 0.96, delta = 2, root = 2, s = 0.04. trainable=True makes all seven a parameter for each
    filter: `learned.centres` (mu, radians per sample), `.widths` (sigma, samples), `.pooling` (w), `.alpha`, `.delta`,
    `.root` and `.smooth` (s). They are kept within

        0 <= mu <= pi,  4 c <= sigma <= K c,  2 / P <= w <= 0.5,  0 <= alpha <= 1,  root >= 1,  0 <= s <= 1,
        delta >= 0.001,  c = sqrt(2 ln 2) / pi

    when they are used; a value beyond gets the gradient of its bound. The lower bounds of alpha and delta are ours:
    below them the published formula may give no number. There training projects mu and sigma back after each step, and
    gives the others no gradient beyond their bounds.

    Frames are centred on t hop_length. The published ones ("SAME" padding) lie elsewhere, half a hop later where
    hop_length divides the clip, and there is one less then. Pre-emphasis, instance normalisation and SpecAugment, off
    by default there, are left out.

    Args:
        sample_rate: samples per second, in Hz.
        n_filters: number of filters.
        hop_length: samples between frames.
        filter_length: taps of a filter, odd: 25 ms and one sample more.
        pool_length: samples that a frame is pooled from, odd.
        f_min, f_max: lowest and highest corner in Hz of the mel bands that the filters begin as.
        n_fft: length of the FFT on whose grid those bands are read.
        pcen: whether PCEN follows; False gives the energies E.
        trainable: whether the seven values are parameters.

    Attributes:
        frequencies: centre of each filter in Hz, (n_filters,) float64: the initial ones while they are trained, and
            what was learned in a `frozen` copy.

    Raises:
        ValueError: a number is out of its range, or a mel band holds no point of the grid.

    >>> LEAF()(torch.randn(2, 16000)).shape
    torch.Size([2, 40, 101])
    """

    PARTS = 2

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        n_filters: int = 40,
        hop_length: int = 160,
        filter_length: int = 401,
        pool_length: int = 401,
        f_min: float = 60.0,
        f_max: float = 7800.0,
        n_fft: int = 512,
        pcen: bool = True,
        trainable: bool = False,
    ):
        check_choice("pcen", pcen, (False, True))
        centres, widths = filters.leaf_gabors(n_filters, sample_rate, f_min, f_max, n_fft)
        numbers = {"pooling": _POOLING, **(_PCEN if pcen else {})}
        values = {"centres": centres, "widths": widths}
        values |= {name: np.full(n_filters, number) for name, number in numbers.items()}
        self.pcen = pcen
        super().__init__(
            sample_rate=sample_rate,
            hop_length=hop_length,
            filter_length=filter_length,
            pool_length=pool_length,
            values=values,
            trainable=trainable,
        )

    def centres(self, values: Mapping[str, torch.Tensor]) -> np.ndarray:
        return values["centres"].detach().numpy() * self.sample_rate / (2 * np.pi)

    def bounded(self, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        unit = math.sqrt(2 * math.log(2)) / math.pi  # a spectrum of n half-widths per turn has sigma = n times this
        bounds = {
            "centres": (0.0, math.pi),
            "widths": (4 * unit, self.filter_length * unit),
            "pooling": (2 / self.pool_length, 0.5),
            "alpha": (0.0, 1.0),
            "delta": (_LEAST_DELTA, math.inf),
            "root": (1.0, math.inf),
            "smooth": (0.0, 1.0),
        }
        return {name: within(value, *bounds[name]) for name, value in values.items()}

    def taps(self, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        centres, widths = values["centres"][:, None], values["widths"][:, None]
        lags = torch.arange(self.filter_length, dtype=centres.dtype, device=centres.device) - self.filter_length // 2
        envelope = torch.exp(-((lags / widths) ** 2) / 2) / (math.sqrt(2 * math.pi) * widths)
        waves = centres * lags
        return torch.stack([envelope * waves.cos(), -envelope * waves.sin()], dim=1)

    def pool(self, filtered: torch.Tensor, bins: slice, values: Mapping[str, torch.Tensor], count: int) -> torch.Tensor:
        width, half = values["pooling"][bins, None], self.pool_length // 2
        lags = torch.arange(-half, half + 1, dtype=width.dtype, device=width.device)
        windows = torch.exp(-((lags / (width * half)) ** 2) / 2)
        return pooled(filtered.square().sum(dim=2), windows, self.hop_length, count)

    def compress(self, frames: torch.Tensor, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        energy = frames.clamp(min=_FLOOR)
        if not self.pcen:
            return energy
        alpha, delta, root, smooth = (values[name][:, None] for name in _PCEN)
        level = (_PCEN_FLOOR + smoothed(energy, smooth, energy[..., :1])) ** alpha
        return (energy / level + delta) ** (1 / root) - delta ** (1 / root)

    def pool_multiply_adds(self, samples: int) -> float:
        count, row = n_frames(samples, self.hop_length), self.hop_length
        parts = math.ceil(self.pool_length / row)
        smoothing = 2 * math.ceil(math.log2(count)) if self.pcen and count > 1 else 0
        return self.n_bins * (2 * samples + (count + parts - 1) * row * parts + count * smoothing)
