"""Score the frames of a recording: mir_eval's multipitch metrics and micro average precision."""

import concurrent.futures
import math
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from sweep.results.pool import start_pool

# The pitches scored: the piano's, A0 to C8. mir_eval refuses those under 20 Hz or over 5,000 Hz (MIDI <= 15, >= 112).
PITCHES = np.arange(21, 109)
FREQUENCIES = 440.0 * 2.0 ** ((PITCHES - 69) / 12)

# Accuracy is correlated over seconds, because music has phrases and sections. On nine MusicNet recordings, five rows
# and two seeds (experiments/certainty), the accuracies of neighbouring blocks of 2, 5 and 10 s correlate by 0.44, 0.26
# and 0.11, the differences between two rows by 0.16, 0.10 and 0.13. A recording shorter than a minute is still cut into
# six blocks, because with fewer the intervals are too wide to be of use.
BLOCK_SECONDS = 10.0
FEWEST_BLOCKS = 6

_FRAMES = 1000  # frames that a process counts at a time: 50 ms
_ERRORS = ("e_sub", "e_miss", "e_fa", "e_tot")
# The order in which mir_eval.multipitch.metrics returns its metrics.
_MULTIPITCH = ("precision", "recall", "accuracy", *_ERRORS)
_MULTIPITCH += tuple(f"chroma_{name}" for name in _MULTIPITCH)

FRAME_SCORES = ("accuracy", "precision", "recall", "f_measure", *_ERRORS, *_MULTIPITCH[7:], "average_precision")
"""The names of the scores of frames, in the order in which score() gives them."""
NOTE_SCORES = ("note_f1", "note_precision", "note_recall")
NOTE_SCORES += ("note_offset_f1", "note_offset_precision", "note_offset_recall")
"""The names of the scores of notes, in the order in which `notes.score_notes` gives them."""
SCORES = FRAME_SCORES + NOTE_SCORES
"""The names of a recording's scores."""


def score(
    reference: np.ndarray,
    probability: np.ndarray,
    *,
    times: np.ndarray,
    threshold: float = 0.4,
    pool: concurrent.futures.Executor | None = None,
) -> dict:
    """Score one recording's piano roll against its reference.

    A note is estimated where its probability is greater than the threshold (strictly, as in the authors' script). The
    multipitch metrics are mir_eval's, over the 88 pitches of the piano; mir_eval returns 0 instead of dividing by 0, so
    a recording without reference notes has error 0. Average precision is over all 128 notes; without reference notes it
    is NaN.

    Args:
        reference: (frames, 128) bool, the MIDI notes that sound.
        probability: (frames, 128) float in 0..1, the model's output.
        times: (frames,) frame times in seconds, not decreasing.
        threshold: probability above which a note is estimated.
        pool: process pool that counts parts of the frames in parallel; None counts all in this process.

    Returns:
        One float for each name in FRAME_SCORES, and "blocks", with an entry "frames": the counts of `count_blocks`.

    Raises:
        ValueError: the shapes do not fit together, there are no frames, or a probability is NaN or outside 0..1.
    """
    reference, probability, times = np.asarray(reference, bool), np.asarray(probability), np.asarray(times, float)
    if reference.shape != (len(times), 128) or probability.shape != reference.shape or not len(times):
        raise ValueError(
            f"score: need reference and probability of shape (frames, 128), at least one frame and a time for each, "
            f"got {reference.shape}, {probability.shape} and {times.shape}"
        )
    invalid = ~((probability >= 0) & (probability <= 1))  # NaN compares false, so it is caught too
    if invalid.any():
        frame, note = np.argwhere(invalid)[0]
        raise ValueError(
            f"score: {invalid.sum()} of {invalid.size} probabilities are NaN or outside 0..1, the first is "
            f"{probability[frame, note]} at frame {frame}, note {note}; did the training diverge?"
        )
    rolls = times, reference[:, PITCHES], probability[:, PITCHES] > threshold
    parts = [slice(first, first + _FRAMES) for first in range(0, len(times), _FRAMES)]
    cut = [[roll[part] for part in parts] for roll in rolls]
    try:
        counted = (map if pool is None else pool.map)(count_in_rolls, *cut)  # a pool starts at once
        precision = average_precision(reference.ravel(), probability.ravel())
        counted = list(counted)
    except BrokenProcessPool:  # a process was killed: count here; the next run starts a new pool
        start_pool.cache_clear()
        return score(reference, probability, times=times, threshold=threshold)
    counts = [np.concatenate(parts) for parts in zip(*counted, strict=True)]
    scores = figures(*counts)
    p, r = scores["precision"], scores["recall"]
    scores["f_measure"] = 2 * p * r / (p + r) if p + r else 0.0
    scores["average_precision"] = precision
    return {name: scores[name] for name in FRAME_SCORES} | {"blocks": {"frames": count_blocks(times, *counts[:3])}}


def count_blocks(
    times: np.ndarray, n_reference: np.ndarray, n_estimate: np.ndarray, right: np.ndarray
) -> list[list[int]]:
    """Sum the counts of `count` over the blocks of `first_frames`.

    Args:
        times: (frames,) frame times in seconds.
        n_reference, n_estimate, right: (frames,) notes in the reference, notes in the estimate, notes right.

    Returns:
        Three counts for each block: notes in the reference, notes in the estimate, notes right. The accuracy of a block
        is right / (reference + estimate - right).

    >>> count_blocks(np.arange(6), *np.ones((2, 6), int), np.array([1, 0, 1, 1, 0, 1]))[:2]
    [[1, 1, 1], [1, 1, 0]]
    """
    counts = np.stack([n_reference, n_estimate, right], axis=1)
    return np.add.reduceat(counts, first_frames(times)).astype(int).tolist()


def first_frames(times: np.ndarray) -> np.ndarray:
    """Cut frames into blocks of time, from which a report computes confidence intervals.

    The frames, which are evenly spaced, are cut into equal blocks of BLOCK_SECONDS or a little more; if that gives
    fewer than FEWEST_BLOCKS, into FEWEST_BLOCKS shorter ones.

    Args:
        times: (frames,) frame times in seconds.

    Returns:
        (blocks,) the number of each block's first frame.
    """
    blocks = min(max(FEWEST_BLOCKS, int((times[-1] - times[0]) / BLOCK_SECONDS)), len(times))
    return np.arange(blocks) * len(times) // blocks


def block_edges(times: np.ndarray) -> np.ndarray:
    """Return the times at which the blocks of `first_frames` begin, but for the first: (blocks - 1,) in seconds."""
    return times[first_frames(times)[1:]]


def count_in_rolls(times: np.ndarray, reference: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, ...]:
    """Count as `count` does, in piano rolls.

    Args:
        times: (frames,) frame times in seconds.
        reference, estimate: (frames, 88) bool, the piano's pitches that sound.
    """
    return count(times, *([FREQUENCIES[notes] for notes in roll] for roll in (reference, estimate)))


def count(times: np.ndarray, reference: list[np.ndarray], estimate: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Count notes in each frame with mir_eval.multipitch.

    Args:
        times: (frames,) frame times in seconds.
        reference, estimate: the frequencies that sound in each frame, in Hz.

    Returns:
        Four counts, each (frames,): notes in the reference, notes in the estimate, notes right, and notes right when
        octaves are ignored.
    """
    from mir_eval import multipitch  # takes 0.9 s to import

    multipitch.validate(times, reference, times, estimate)
    pitches = [multipitch.frequencies_to_midi(part) for part in (reference, estimate)]
    chroma = [multipitch.midi_to_chroma(part) for part in pitches]
    return (
        *(multipitch.compute_num_freqs(part) for part in pitches),
        multipitch.compute_num_true_positives(*pitches),
        multipitch.compute_num_true_positives(*chroma, chroma=True),
    )


def figures(n_reference: np.ndarray, n_estimate: np.ndarray, right: np.ndarray, chroma: np.ndarray) -> dict[str, float]:
    """Compute the 14 metrics of mir_eval.multipitch.metrics, by name, from the counts of `count`.

    Args:
        n_reference, n_estimate, right, chroma: (frames,) the four counts of `count`.
    """
    from mir_eval import multipitch

    values = []
    with warnings.catch_warnings():
        # Silence, or a model that finds nothing, is a valid result here.
        warnings.filterwarnings("ignore", message="(Reference|Estimate) frequencies are all empty")
        for true_positives in (right, chroma):
            values += multipitch.compute_accuracy(true_positives, n_reference, n_estimate)
            values += multipitch.compute_err_score(true_positives, n_reference, n_estimate)
    return {name: float(value) for name, value in zip(_MULTIPITCH, values, strict=True)}


def average_precision(relevant: np.ndarray, ranking: np.ndarray) -> float:
    """Compute the area under the precision-recall curve as a sum of steps.

    AP = sum_t (R_t - R_(t-1)) P_t over the distinct values t of the ranking from the highest down, where P_t and R_t
    are precision and recall when every cell >= t is estimated. Cells of equal value enter together, so their order
    does not matter. Equals scikit-learn's average_precision_score(average="micro"), except that scikit-learn returns 0
    where no cell is relevant.

    Args:
        relevant: (cells,) bool, cells that should be found.
        ranking: (cells,) float, higher for cells that are more likely to be relevant.

    Returns:
        AP in 0..1; NaN if no cell is relevant, because recall is then not defined.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))  # 1/2 * 1 + 1/2 * 2/3
    0.8333333333333333
    """
    if not relevant.any():
        return float("nan")
    order = np.argsort(-ranking)
    last_of_value = np.append(np.flatnonzero(np.diff(ranking[order])), len(order) - 1)
    hits = np.cumsum(relevant[order])[last_of_value]
    precision = hits / (last_of_value + 1)
    # No product of vectors: with it the last digit would depend on the number of threads.
    return float((np.diff(hits, prepend=0) * precision).sum() / hits[-1])


def without_notes(scores: dict) -> dict:
    """Make a recording's scores NaN if its reference has no notes, since there is nothing that could be found.

    mir_eval gives 0 in place of 0 / 0: as an accuracy the lowest there is, as an error the best.

    Args:
        scores: what `score` returns.
    """
    if any(reference for reference, *_ in scores["blocks"]["frames"]):
        return scores
    return {name: value if name in ("blocks", "average_precision") else float("nan") for name, value in scores.items()}


def said(value: float | None) -> str:
    """Format a score for a sentence.

    >>> said(0.5), said(None), said(float("nan"))
    ('0.500', 'undefined', 'undefined')
    """
    return "undefined" if value is None or not math.isfinite(value) else f"{value:.3f}"


def mean_scores(recordings: Iterable[Mapping]) -> dict[str, float]:
    """Average each score over recordings without weights, so that a long recording counts no more than a short one.

    A recording whose score is NaN (or None, as in result.json) is left out of that score's mean; the mean is NaN if no
    recording has the score.

    Args:
        recordings: scores of each recording, all with the same names; what is not in SCORES is ignored.

    Raises:
        ValueError: there are no recordings.
    """
    recordings = list(recordings)
    if not recordings:
        raise ValueError("mean_scores: no recordings to take the mean of")
    means = {}
    for name in (name for name in SCORES if name in recordings[0]):
        values = np.array([scores[name] for scores in recordings], dtype=float)
        values = values[~np.isnan(values)]
        means[name] = float(values.mean()) if values.size else float("nan")
    return means
