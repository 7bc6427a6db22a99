"""Choose the instants of a recording at which frames are scored; it needs no PyTorch, as scoring anew needs none."""

import numpy as np

FIRST_SCORED = 44_100  # samples; the paper's first scored window starts one second into the recording
PAPER_WINDOW = 16_384  # samples of the paper's windows, whose middles are the instants at which segments are scored


def scored_length(sees: str, window: int) -> int:
    """Return the length of the windows whose middles are scored; that of a segment does not count.

    So all models are scored at the same instants.

    Args:
        sees: what the model sees, "window" or "segment".
        window: length of the model's input in samples at 44,100 Hz.
    """
    return PAPER_WINDOW if sees == "segment" else window


def scored_starts(samples: int, *, length: int, count: int) -> np.ndarray:
    """Return the starts of a recording's scored windows, evenly spaced as in the paper.

    The first starts at sample 44,100 and neighbours are floor((samples - 44,100 - 4 length) / (count - 1)) apart;
    the paper's length is 16,384 and its count 7,500. A short recording gives fewer windows, one sample apart.

    Args:
        samples: length of the recording in samples at 44,100 Hz.
        length: length of a window in samples.
        count: largest number of windows, at least 1.

    Returns:
        (at most count,) int64; none if the recording has fewer than 44,100 + 4 length samples.
    """
    span = samples - FIRST_SCORED - 4 * length
    count = min(count, span + 1)
    stride = span // max(count - 1, 1)
    return FIRST_SCORED + stride * np.arange(max(count, 0))
