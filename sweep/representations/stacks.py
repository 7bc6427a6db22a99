"""Stacks: further channels or bins that are made from the features themselves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweep.checks import check_whole, shown
from sweep.fields import choice, number, values, whole
from sweep.registry import stacks
from sweep.representations.step import Step

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Stack(Step):
    """Map of normalised features, (batch, channels, bins, frames), to more channels or bins."""

    PLACE = "stack."

    def __call__(self, y: "torch.Tensor", parts: Sequence[int]) -> "torch.Tensor":
        """Stack features, whose bins come from parts of so many bins each."""
        raise NotImplementedError

    def shape(self, channels: int, frequencies: list[np.ndarray]) -> tuple[int, np.ndarray]:
        """Return the number of channels, and each bin's frequency in Hz.

        Args:
            channels: number of channels before.
            frequencies: frequencies of each part's bins before.

        Raises:
            ValueError: the keys do not fit the features.
        """
        raise NotImplementedError


@stacks.register("none")
@dataclass(frozen=True, kw_only=True)
class Unstacked(Stack):
    """y."""

    def __call__(self, y: "torch.Tensor", parts: Sequence[int]) -> "torch.Tensor":
        return y

    def shape(self, channels: int, frequencies: list[np.ndarray]) -> tuple[int, np.ndarray]:
        return channels, np.concatenate(frequencies)


@stacks.register("differences")
@dataclass(frozen=True, kw_only=True)
class Differences(Stack):
    """y and d[t] = y[t] - y[t - lag], which is 0 in the first `lag` frames.

    Beside each other, each part's differences follow its own bins.
    """

    lags: list[int] = values(list, "a list of frames, one for each part, such as [1]")
    """Frames between the two values of a difference: a list of one, or one for each part beside another."""
    rectified: bool = choice(False, True, default=False)
    """Whether differences below 0 count as 0."""
    join: str = choice("channels", "bins", default="channels")
    """Whether differences are further channels, or further bins."""

    def check(self) -> None:
        if not self.lags:
            raise ValueError("stack.lags []: needs a list of frames, one for each part, such as [1]")
        for lag in self.lags:
            check_whole("stack.lags", lag)

    def __call__(self, y: "torch.Tensor", parts: Sequence[int]) -> "torch.Tensor":
        import torch

        found = []
        for part, lag in zip(y.split(list(parts), dim=2), self.lags, strict=True):
            change = torch.zeros_like(part)
            change[..., lag:] = part[..., lag:] - part[..., :-lag]
            found += [part, change.clamp(min=0) if self.rectified else change]
        if self.join == "bins":
            return torch.cat(found, dim=2)
        return torch.cat([torch.cat(found[::2], dim=2), torch.cat(found[1::2], dim=2)], dim=1)

    def shape(self, channels: int, frequencies: list[np.ndarray]) -> tuple[int, np.ndarray]:
        if len(self.lags) != len(frequencies):
            raise ValueError(
                f"stack.lags {shown(self.lags)}: needs one for each of {len(frequencies)} parts beside each other"
            )
        if self.join == "channels":
            return 2 * channels, np.concatenate(frequencies)
        return channels, np.concatenate([part for part in frequencies for _ in range(2)])


@stacks.register("shifts")
@dataclass(frozen=True, kw_only=True)
class Shifts(Stack):
    """Bin k of channel c is bin k + shifts[c], 0 where there is none: harmonics as channels (Bittner et al. 2017)."""

    shifts: list[int] = values(list, "a list of bins, one for each channel, such as [0, 12]")
    """Bins between a bin and what its channel shows of it."""
    n_bins: int = whole()
    """Number of bins that are kept."""

    def check(self) -> None:
        if not self.shifts or not all(isinstance(shift, int) and not isinstance(shift, bool) for shift in self.shifts):
            raise ValueError(f"stack.shifts {shown(self.shifts)}: needs a list of whole numbers, such as [0, 12]")

    def __call__(self, y: "torch.Tensor", parts: Sequence[int]) -> "torch.Tensor":
        import torch
        import torch.nn.functional as F

        low, high = max(0, -min(self.shifts)), max(0, max(self.shifts) + self.n_bins - y.shape[2])
        padded = F.pad(y, (0, 0, low, high))
        shifted = [padded[:, :, low + shift : low + shift + self.n_bins] for shift in self.shifts]
        return torch.cat(shifted, dim=1)

    def shape(self, channels: int, frequencies: list[np.ndarray]) -> tuple[int, np.ndarray]:
        bins = sum(map(len, frequencies))
        if channels > 1:
            raise ValueError(f"stack shifts: shifts the bins of one channel, and there are {channels}; choose none")
        for shift in self.shifts:
            if abs(shift) >= bins:
                raise ValueError(f"stack.shifts {shift}: there are {bins} bins; choose a shift by fewer")
        if self.n_bins > bins:
            raise ValueError(f"stack.n_bins {self.n_bins}: there are {bins} bins; choose that or fewer")
        return len(self.shifts), np.concatenate(frequencies)[: self.n_bins]


@stacks.register("dct")
@dataclass(frozen=True, kw_only=True)
class Cepstrum(Stack):
    """Coefficients k < n_bins of the orthonormal cosine transform over each channel's bins: MFCC after mel and dB.

    A coefficient belongs to no frequency: theirs is 0.
    """

    n_bins: int = whole()
    """Number of coefficients that are kept."""
    lifter: float = number(0, default=0.0)
    """L of the factor 1 + L / 2 sin(pi (k + 1) / L) of coefficient k; 0 leaves them as they are."""

    def __call__(self, y: "torch.Tensor", parts: Sequence[int]) -> "torch.Tensor":
        from sweep.engines.dct import dct

        return dct(y, self.n_bins, self.lifter)

    def shape(self, channels: int, frequencies: list[np.ndarray]) -> tuple[int, np.ndarray]:
        if len(frequencies) > 1:
            raise ValueError(
                f"stack dct: is of one part's bins, and {len(frequencies)} lie beside each other; choose none"
            )
        bins = len(frequencies[0])
        if self.n_bins > bins:
            raise ValueError(f"stack.n_bins {self.n_bins}: there are {bins} bins; choose that or fewer")
        return channels, np.zeros(self.n_bins)
