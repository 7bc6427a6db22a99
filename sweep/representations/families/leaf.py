"""Gabor filters, Gaussian pooling and PCEN."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sweep import filters
from sweep.fields import choice, even, positive
from sweep.registry import families
from sweep.representations.learned import Learned


@families.register("leaf")
@dataclass(frozen=True, kw_only=True)
class Leaf(Learned):
    """Learnable Gabor filters, pooled by Gaussians, with PCEN: LEAF."""

    TRANSFORM = "LEAF"
    ORDER, COLOUR, MARKER = 6, "#117733", "h"

    f_max: float = positive()
    """Highest corner in Hz of the mel bands that the filters begin as."""
    n_fft: int = even()
    """Length of the FFT on whose grid those bands are read."""
    pcen: bool = choice(False, True, default=True)
    """Whether PCEN follows, with a smoother and numbers for each filter that are trained too."""

    def measure(self) -> dict[str, Any]:
        centres, _ = filters.leaf_gabors(self.n_filters, self.sample_rate, self.f_min, self.f_max, self.n_fft)
        return self.measured(centres * self.sample_rate / (2 * np.pi))
