"""Check a bank of filters that are given by their taps."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Taps(NamedTuple):
    """A bank of filters: the sum over lags n of taps[k][n - first_lags[k]] x[t + n] is bin k at sample t.

    Attributes:
        frequencies: centre of each bin in Hz, (bins,) float64.
        first_lags: lag of the first tap of each bin in samples, (bins,) int64.
        taps: complex128 taps of each bin, from its first lag on.
    """

    frequencies: np.ndarray
    first_lags: np.ndarray
    taps: tuple[np.ndarray, ...]


def checked_taps(
    frequencies: Sequence[float] | np.ndarray,
    taps: Sequence[np.ndarray],
    first_lags: Sequence[int] | np.ndarray | None = None,
) -> Taps:
    """Check a bank of filters and return it as arrays.

    Args:
        frequencies: centre of each bin in Hz, (bins,).
        taps: taps of each bin, real or complex, one array a bin, of any lengths.
        first_lags: lag of the first tap of each bin in samples, (bins,); None: the middle tap of each is at lag 0.

    Raises:
        ValueError: names what does not fit.

    >>> checked_taps([100.0], [np.ones(5)]).first_lags
    array([-2])
    """
    centres = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    found = tuple(np.atleast_1d(np.asarray(some, dtype=np.complex128)) for some in taps)
    firsts = np.atleast_1d([-(len(some) // 2) for some in found] if first_lags is None else first_lags)
    lags = firsts.astype(np.int64)
    if not (lags == firsts).all():
        raise ValueError(f"first_lags {firsts}: needs whole numbers, in samples")
    if centres.ndim != 1 or not len(centres) or not len(centres) == len(found) == len(lags):
        sizes = f"{len(centres)} frequencies, {len(found)} taps and {len(lags)} first_lags"
        raise ValueError(f"filter bank of {sizes}: needs equally many, one at least")
    for k, some in enumerate(found):
        if some.ndim != 1 or not len(some) or not np.isfinite(some).all():
            raise ValueError(f"taps of bin {k}, shape {some.shape}: needs (lags,) finite numbers, one at least")
    if not np.isfinite(centres).all():
        raise ValueError(f"frequencies {centres}: needs finite numbers, in Hz")
    return Taps(centres, lags, found)
