"""Evaluate a bank of kernels fast: each engine computes the sums that `sweep.filters` defines.

Every engine is a module that maps a batch of clips to the real and imaginary parts of all bins,

    (batch, samples) -> (batch, bins, frames), (batch, bins, frames),   frames = 1 + samples // hop_length.

With `phase=False` only the magnitude has to be right, which may save work. `sweep.engines.engine` defines the
interface. Each engine is tested against the float64 definition, never against another engine.
"""

from sweep.engines.auto import ACCURACIES, BELOW_PEAK, ENGINES, Auto, build, build_published
from sweep.engines.banded import Banded
from sweep.engines.direct import Direct
from sweep.engines.engine import Engine
from sweep.engines.framed import Framed
from sweep.engines.octaves import Octaves
from sweep.engines.spectral import Spectral

__all__ = [
    "ACCURACIES",
    "BELOW_PEAK",
    "ENGINES",
    "Auto",
    "Banded",
    "Direct",
    "Engine",
    "Framed",
    "Octaves",
    "Spectral",
    "build",
    "build_published",
]
