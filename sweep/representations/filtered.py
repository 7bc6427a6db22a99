"""Rows of a bank of filters that a family gives by their taps, from which all else follows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep.fields import choice
from sweep.filters.taps import checked_taps
from sweep.representations.representation import Representation


@dataclass(frozen=True, kw_only=True)
class Filtered(Representation):
    """Magnitude of a bank of filters; a family derived from this one gives their taps."""

    TRANSFORM = "FilterBank"

    power: int = choice(1, 2, default=1)
    """Exponent of the magnitude."""

    def bank(self) -> tuple[np.ndarray, Sequence[np.ndarray], np.ndarray | None]:
        """Return the filters at the row's sample rate: arguments of `sweep.transforms.FilterBank`.

        Returns:
            frequencies: centre of each bin in Hz, (bins,).
            taps: taps of each bin, real or complex, one array a bin.
            first_lags: lag of the first tap of each bin, (bins,); None: the middle taps are at lag 0.

        Raises:
            ValueError: keys of the row contradict each other; names the key, the value and the remedy.
        """
        raise NotImplementedError

    def measure(self) -> dict[str, Any]:
        frequencies, _, taps = checked_taps(*self.bank())
        return {"frequencies": frequencies, "context": max(map(len, taps))}

    @property
    def reach(self) -> int:
        _, firsts, taps = checked_taps(*self.bank())
        lasts = firsts + [len(some) - 1 for some in taps]
        return int(max(-firsts.min(), lasts.max(), 0))

    @property
    def part_cost(self) -> float:
        return self.n_bins * self.context / 500  # as a product with all taps

    def arguments(self) -> dict[str, Any]:
        frequencies, taps, first_lags = self.bank()
        how = {"hop_length": self.hop_length, "pad_mode": self.pad_mode}
        output = "power" if self.power == 2 else "magnitude"
        return {"frequencies": frequencies, "taps": taps, "first_lags": first_lags, "output": output, **how}

    def training_options(self, samples: int | None) -> dict[str, Any]:
        return {"max_samples": samples}

    def definition(self, audio: np.ndarray) -> np.ndarray:
        """Compute the spectrogram as the sums that it is, in float64: (clips, samples) -> (clips, bins, frames)."""
        _, firsts, bank = checked_taps(*self.bank())
        samples = audio.shape[-1]
        at = np.rint(self.times(samples) * self.sample_rate).astype(np.int64)
        found = []
        for first, taps in zip(firsts, bank, strict=True):
            index = at[:, None] + first + np.arange(len(taps))
            inside = (index >= 0) & (index < samples)
            if self.reflects(samples):
                index, inside = np.abs(index), np.full_like(inside, True)
                index = np.where(index < samples, index, 2 * (samples - 1) - index)
            framed = np.where(inside, audio[:, np.where(inside, index, 0)].astype(np.float64), 0.0)
            found.append(np.abs(framed @ taps) ** self.power)
        return np.stack(found, axis=1)
