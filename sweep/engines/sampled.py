"""A bank of kernels given by their taps, such as trained ones."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampled:
    """A bank like `sweep.filters.Kernels` whose taps are given as arrays instead of by a formula.

    Attributes:
        first_lags: first lag of each kernel in samples, (bins,).
        sampled: complex taps of each kernel, from its first lag on.
        frequencies: centre of each kernel in Hz, (bins,); None: not known.
    """

    first_lags: np.ndarray
    sampled: tuple[np.ndarray, ...]
    frequencies: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.sampled)

    def __getitem__(self, bins: slice) -> "Sampled":
        """Return the bank of some bins only."""
        centres = None if self.frequencies is None else self.frequencies[bins]
        return Sampled(self.first_lags[bins], self.sampled[bins], centres)

    @property
    def lengths(self) -> np.ndarray:
        """The length of each kernel in samples, (bins,)."""
        return np.array([len(taps) for taps in self.sampled])

    @property
    def last_lags(self) -> np.ndarray:
        """The last lag of each kernel in samples, (bins,)."""
        return self.first_lags + self.lengths - 1

    def taps(self, bin: int, lags: np.ndarray) -> np.ndarray:
        """Return the complex128 taps of one kernel at some lags; they are 0 outside the kernel."""
        places = lags - self.first_lags[bin]
        inside = (places >= 0) & (places < len(self.sampled[bin]))
        return np.where(inside, self.sampled[bin][np.where(inside, places, 0)], 0)
