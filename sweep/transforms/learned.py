"""The base of front-ends whose filters follow from a few learned values, and are applied at every sample."""

import math
from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import torch
from torch import nn

from sweep.checks import check_choice, check_odd, check_positive, check_whole
from sweep.engines.correlate import block_points, block_spectra, correlate_multiply_adds, correlated
from sweep.engines.direct import matmul_precision
from sweep.engines.finish import Finish
from sweep.engines.framing import at_a_time, n_frames
from sweep.engines.sampled import Sampled
from sweep.engines.tables import Tables
from sweep.filters import Kernels
from sweep.transforms.transform import Transform

# Bytes of filtered clips in memory at a time: a core's share of cache, or a small part of a GPU's memory.
_CHUNK = {"cpu": 4 << 20, "cuda": 256 << 20}


class LearnedFilters(Transform):
    """A clip through filters of a formula, then pooled into frames: (..., samples) -> (..., n_bins, frames).

    A subclass gives the filters' taps by the values, what is pooled and how. The filters' output is computed at every
    sample of the clip, of which there is nothing beyond its ends, neither before nor after filtering.

    Args:
        sample_rate: samples per second, in Hz.
        hop_length: samples between frames.
        filter_length: taps of a filter, odd.
        pool_length: samples that a frame is pooled from, odd.
        values: initial values by name, one a filter, (filters,) float64 each.
        trainable: whether the values are parameters.

    Attributes:
        frequencies: centre of each filter in Hz, (filters,) float64: the initial ones while they are trained, and
            what was learned in a `frozen` copy.
        learned: parameters by name, (filters,) each; None unless trainable.
        PARTS: filters with real taps for each bin.
    """

    many_launches = True

    PARTS: ClassVar[int]

    def __init__(
        self,
        *,
        sample_rate: float,
        hop_length: int,
        filter_length: int,
        pool_length: int,
        values: Mapping[str, np.ndarray],
        trainable: bool,
    ):
        check_positive("sample_rate", sample_rate)
        hop_length = check_whole("hop_length", hop_length)
        filter_length = check_odd("filter_length", filter_length)
        pool_length = check_odd("pool_length", pool_length)
        check_choice("trainable", trainable, (False, True))
        context, any_values = filter_length + pool_length - 1, next(iter(values.values()))
        super().__init__(hop_length=hop_length, frequencies=np.zeros(len(any_values)), context=context)
        self.sample_rate, self.filter_length, self.pool_length = sample_rate, filter_length, pool_length
        self._values = {name: torch.from_numpy(value) for name, value in values.items()}
        parameters = {name: nn.Parameter(value.float()) for name, value in self._values.items()}
        self.learned = nn.ParameterDict(parameters) if trainable else None
        self._tables = Tables()
        self.frequencies = self.centres(self._current(torch.empty(0)))

    def centres(self, values: Mapping[str, torch.Tensor]) -> np.ndarray:
        """Return the filters' centres by bounded values in Hz, (filters,) float64."""
        raise NotImplementedError

    def bounded(self, values: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return values within their bounds, by name."""
        raise NotImplementedError

    def taps(self, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Compute the filters' taps by bounded values: (filters, PARTS, filter_length)."""
        raise NotImplementedError

    def pool(self, filtered: torch.Tensor, bins: slice, values: Mapping[str, torch.Tensor], count: int) -> torch.Tensor:
        """Pool some filters' output, (batch, filters, PARTS, samples), into frames, (batch, filters, count)."""
        raise NotImplementedError

    def compress(self, frames: torch.Tensor, values: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what becomes of all filters' frames, (batch, filters, count)."""
        return frames

    def pool_multiply_adds(self, samples: int) -> float:
        """Return the multiply-adds of `pool` and of `compress` for all filters of a clip."""
        raise NotImplementedError

    def spectrogram(self, x: torch.Tensor, offset: float | None, careful: bool = False) -> torch.Tensor:
        samples, length = x.shape[-1], self.filter_length
        points = block_points(samples, length)
        if self.learned is None:
            values, spectra = self._tables.get((points, x.device, x.dtype), lambda: self._prepared(x, points))
        else:
            values, spectra = self._prepared(x, points)
        blocks = block_spectra(x, length, points)
        each = self.PARTS * blocks.shape[0] * blocks.shape[1] * points * x.element_size()
        size = at_a_time(self.n_bins, _CHUNK.get(x.device.type, _CHUNK["cpu"]), each)
        parts = []
        with matmul_precision("highest", x.is_cuda):
            for first in range(0, self.n_bins, size):
                bins = slice(first, first + size)
                filtered = correlated(blocks, spectra[bins].flatten(0, 1), length, points, samples)
                filtered = filtered.unflatten(1, (-1, self.PARTS))
                parts.append(self.pool(filtered, bins, values, n_frames(samples, self.hop_length)))
        frames = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        return Finish(offset=offset).log(self.compress(frames, values))

    def frozen(self, accuracy: str = "high") -> Self:
        frozen = super().frozen(accuracy)
        current = self._current(torch.empty(0))
        frozen._values, frozen.learned = {name: value.detach() for name, value in current.items()}, None
        frozen.frequencies = self.centres(frozen._values)
        frozen._tables = Tables()
        return frozen

    def trainable_kernels(self) -> Kernels | Sampled | None:
        return None if self.learned is None else self._bank(self.bounded(self._values))

    def _kernel(self, bin: int) -> tuple[int, np.ndarray]:
        bank = self._bank(self._current(torch.empty(0)))
        return int(bank.first_lags[bin]), bank.sampled[bin]

    def _bank(self, values: Mapping[str, torch.Tensor]) -> Sampled:
        """Return filters as complex taps."""
        taps = self.taps(values).detach().numpy()
        joined = taps[:, 0] + 1j * (taps[:, 1] if self.PARTS == 2 else 0)
        return Sampled(np.full(self.n_bins, -(self.filter_length // 2)), tuple(joined), self.frequencies)

    def _current(self, like: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the values as they are now, within their bounds, in float64 on a tensor's device."""
        source = self._values if self.learned is None else self.learned
        return self.bounded({name: value.to(like.device, torch.float64) for name, value in source.items()})

    def _prepared(self, x: torch.Tensor, points: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Return the values and the FFTs of the filters' taps, (filters, PARTS, points // 2 + 1), for clips like x."""
        values = self._current(x)
        spectra = torch.fft.rfft(self.taps(values).to(x.dtype), points)
        return {name: value.to(x.dtype) for name, value in values.items()}, spectra

    def _fft_multiply_adds(self, samples: int) -> float:
        channels = self.PARTS * self.n_bins
        return correlate_multiply_adds(samples, self.filter_length, channels) + self.pool_multiply_adds(samples)

    def _describe_fft(self, device: torch.device) -> str:
        return f"torch's FFT: {self.n_bins} filters at every sample, by blocks"


def within(values: torch.Tensor, low: float = -math.inf, high: float | torch.Tensor = math.inf) -> torch.Tensor:
    """Clamp values; the gradient also reaches those beyond the bounds, so that training leads them back."""
    bounded = values.detach().clamp(min=low)
    bounded = bounded.minimum(torch.as_tensor(high, dtype=values.dtype, device=values.device))
    return bounded + (values - values.detach())
