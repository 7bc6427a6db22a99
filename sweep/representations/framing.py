"""Framings: where a row's frames lie in a clip, and how many there are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Framing:
    """Places of the frames; frame j is centred on sample first + j hop_length.

    Attributes:
        words: the framing in words.
        first: function of hop_length and the frame's length to the centre of frame 0.
        count: function of the clip's samples, hop_length and the frame's length to the number of frames.
        pads: whether zeros are put about a clip for it.
    """

    words: str
    first: Callable[[int, int], int]
    count: Callable[[int, int, int], int]
    pads: bool = False


def _ceil(samples: int, hop_length: int) -> int:
    return -(-samples // hop_length)


def _at_0(hop_length: int, length: int) -> int:
    return 0


def _half(hop_length: int, length: int) -> int:
    return length // 2


FRAMINGS = {
    "centred": Framing("on all multiples of hop_length up to the end", _at_0, lambda n, hop, _: 1 + n // hop),
    "centred_but_last": Framing("the same without the last frame", _at_0, lambda n, hop, _: max(1, n // hop)),
    "centred_inside": Framing("on the multiples below the end", _at_0, lambda n, hop, _: _ceil(n, hop)),
    "centred_past_end": Framing(
        "up to the first at the end or beyond", _at_0, lambda n, hop, _: _ceil(n, hop) + 1, True
    ),
    "centred_between": Framing(
        "on the multiples above 0 and below the end", lambda hop, _: hop, lambda n, hop, _: max(1, _ceil(n, hop) - 1)
    ),
    "from_start": Framing(
        "frame j begins at j hop_length, up to the end; zeros follow", _half, lambda n, hop, _: _ceil(n, hop), True
    ),
    "whole": Framing(
        "the same, but only frames that lie whole in the clip",
        _half,
        lambda n, hop, long: 1 + max(0, n - long) // hop,
        True,
    ),
}


@dataclass(frozen=True)
class Placed:
    """The frames of a clip of some length, among those of the clip padded with zeros.

    Attributes:
        left, right: zeros to put before and behind the clip, in samples.
        skip: number of centred frames of the padded clip to leave out before the first.
        count: number of frames.
        hop_length, length: samples between frames, and samples of a frame.
    """

    left: int
    right: int
    skip: int
    count: int
    hop_length: int
    length: int

    @property
    def kept(self) -> slice:
        """The frames to keep of the padded clip's centred ones."""
        return slice(self.skip, self.skip + self.count)

    def overlaps(self, samples: int) -> np.ndarray:
        """Count for each of so many samples of the padded clip the frames that hold it: (samples,) float64."""
        changes = np.zeros(samples + 1)
        begins = (self.skip + np.arange(self.count)) * self.hop_length - self.length // 2
        np.add.at(changes, np.maximum(begins, 0), 1)
        np.add.at(changes, np.minimum(begins + self.length, len(changes) - 1), -1)
        return changes.cumsum()[:-1]


def placed(name: str, samples: int, hop_length: int, length: int, framed: bool = False) -> Placed:
    """Place the frames of a clip.

    Args:
        name: one of FRAMINGS.
        samples: length of the clip.
        hop_length: samples between frames.
        length: samples of a frame.
        framed: whether the padding holds all that any frame reaches into, so that it is scaled with the clip.
    """
    framing = FRAMINGS[name]
    first, count = framing.first(hop_length, length), framing.count(samples, hop_length, length)
    left = -first % hop_length
    if framed:
        left += _ceil(max(0, length // 2 - first - left), hop_length) * hop_length
    skip = (first + left) // hop_length
    last = (skip + count - 1) * hop_length + (length - length // 2 if framed else 0)
    return Placed(left, max(0, last - left - samples), skip, count, hop_length, length)


def times(name: str, samples: int, hop_length: int, length: int, sample_rate: float) -> np.ndarray:
    """Return the centres of a clip's frames, in seconds from its first sample: (frames,) float64.

    >>> times("centred", 1000, 500, 2048, 1000)
    array([0. , 0.5, 1. ])
    >>> times("from_start", 1000, 500, 200, 1000)
    array([0.1, 0.6])
    """
    framing = FRAMINGS[name]
    first, count = framing.first(hop_length, length), framing.count(samples, hop_length, length)
    return (first + np.arange(count) * hop_length) / sample_rate
