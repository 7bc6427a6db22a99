"""Choose the probabilities above which a note counts as sounding, and as beginning."""

from collections.abc import Iterable

import numpy as np

from sweep.data.recording import SAMPLE_RATE
from sweep.results.notes import Stretches, score_notes
from sweep.results.scoring import PITCHES

THRESHOLDS = np.arange(5, 96) / 100
ONSET_THRESHOLDS = np.arange(2, 19) / 20


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


def best_onset_threshold(
    recordings: Iterable[tuple[np.ndarray, np.ndarray, float, float, np.ndarray]], threshold: float
) -> float:
    """Find the one of ONSET_THRESHOLDS with the highest note F1, averaged over recordings; the lowest one on a tie.

    Note F1 is mir_eval's, by onset and pitch: `score_notes`. A recording without notes has none and is left out.

    Args:
        recordings: five values for each recording: probability that a note sounds (frames, 88), probability that one
            begins (frames, 88), time between two frames in seconds, duration of the audio in seconds, and its
            `Recording.notes`, in samples at 44,100 Hz.
        threshold: probability above which a note sounds.

    Raises:
        ValueError: there are no recordings, or they have no notes.
    """
    total = np.zeros(len(ONSET_THRESHOLDS))
    n = noted = 0
    for probability, onsets, hop_seconds, seconds, reference in recordings:
        n += 1
        if not np.isin(reference[:, 2], PITCHES).any():
            continue
        noted += 1
        for place, onset_threshold in enumerate(ONSET_THRESHOLDS.tolist()):
            found = Stretches(threshold, onset_threshold)
            found.add(probability, onsets)
            notes = found.notes(hop_seconds, seconds)
            total[place] += score_notes(reference, notes, SAMPLE_RATE, np.empty(0))["note_f1"]
    if not n:
        raise ValueError("best_onset_threshold: no recordings to choose it on")
    if not noted:
        raise ValueError(
            "onset threshold tuned: the held-out recordings have no notes to choose it on; give it as a number"
        )
    return float(ONSET_THRESHOLDS[np.argmax(total)])
