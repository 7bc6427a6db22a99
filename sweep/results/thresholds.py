"""Choose the probability above which a note counts as sounding."""

from collections.abc import Iterable

import numpy as np

from sweep.results.scoring import PITCHES

THRESHOLDS = np.arange(5, 96) / 100


def best_threshold(recordings: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Find the one of THRESHOLDS with the highest accuracy, averaged over recordings; the lowest one on a tie.

    Accuracy is defined as in mir_eval, notes right / (notes in the reference + estimated - right), but computed here:
    reference and estimate are on the same grid of notes, so a note is right where both have it.

    Args:
        recordings: pairs of reference (frames, 128) bool and probability (frames, 128), one for each recording.

    Raises:
        ValueError: there are no recordings, or they have no notes.
    """
    total = np.zeros(len(THRESHOLDS))
    n = notes = 0
    for reference, probability in recordings:
        reference, probability = reference[:, PITCHES], probability[:, PITCHES]
        right, estimated = np.sort(probability[reference]), np.sort(probability, axis=None)
        above = [len(part) - np.searchsorted(part, THRESHOLDS, side="right") for part in (right, estimated)]
        total += above[0] / np.maximum(reference.sum() + above[1] - above[0], 1)
        n += 1
        notes += int(reference.sum())
    if not n:
        raise ValueError("best_threshold: no recordings to choose it on")
    if not notes:
        raise ValueError("threshold tuned: the held-out recordings have no notes to choose it on; give it as a number")
    return float(THRESHOLDS[np.argmax(total)])
