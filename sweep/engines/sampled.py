"""A bank of kernels known by their taps, as training leaves them."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampled:
    """What an engine asks of `sweep.filters.Kernels`, of kernels that no formula gives.

    Attributes:
        first_lags: (bins,) of each kernel, in samples.
        sampled: of each kernel its complex taps, from the first lag on.
    """

    first_lags: np.ndarray
    sampled: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.sampled)

    def __getitem__(self, bins: slice) -> "Sampled":
        """The same bank, some bins only."""
        return Sampled(self.first_lags[bins], self.sampled[bins])

    @property
    def lengths(self) -> np.ndarray:
        """(bins,) samples of each kernel."""
        return np.array([len(taps) for taps in self.sampled])

    @property
    def last_lags(self) -> np.ndarray:
        """(bins,) the last lag of each kernel, in samples."""
        return self.first_lags + self.lengths - 1

    def taps(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """Complex128 taps of one kernel at some lags; 0 outside the kernel."""
        places = lags - self.first_lags[bin]
        inside = (places >= 0) & (places < len(self.sampled[bin]))
        return np.where(inside, self.sampled[bin][np.where(inside, places, 0)], 0)
