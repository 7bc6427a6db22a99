"""Scores a transcription of one recording: mir_eval's multipitch figures and micro average precision."""

import concurrent.futures
import functools
import multiprocessing
import multiprocessing.util
import os
import signal
import threading
import warnings
from collections.abc import Iterable, Mapping
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

import numpy as np

# The pitches scored: the piano's, A0 to C8. mir_eval refuses those under 20 Hz or over 5,000 Hz (MIDI <= 15, >= 112).
PITCHES = np.arange(21, 109)
FREQUENCIES = 440.0 * 2.0 ** ((PITCHES - 69) / 12)

# Accuracy is dependent over seconds, for music comes in phrases and sections. On nine MusicNet recordings, five rows
# and two seeds (experiments/certainty), neighbouring blocks of 2 s correlate by 0.44, of 5 s by 0.26, of 10 s by 0.11;
# in the difference of two rows by 0.16, 0.10 and 0.13. A recording under a minute is cut into six blocks all the same,
# for with fewer an interval says little.
BLOCK_SECONDS = 10.0
FEWEST_BLOCKS = 6

_FRAMES = 1000  # that a process counts at a time: 50 ms
_ERRORS = ("e_sub", "e_miss", "e_fa", "e_tot")
# The order in which mir_eval.multipitch.metrics returns its figures.
_MULTIPITCH = ("precision", "recall", "accuracy", *_ERRORS)
_MULTIPITCH += tuple(f"chroma_{name}" for name in _MULTIPITCH)

SCORES = ("accuracy", "precision", "recall", "f_measure", *_ERRORS, *_MULTIPITCH[7:], "average_precision")
"""The names of a recording's scores, in the order in which score() gives them."""


def score(
    reference: np.ndarray,
    probability: np.ndarray,
    *,
    times: np.ndarray,
    threshold: float = 0.4,
    pool: concurrent.futures.Executor | None = None,
) -> dict:
    """Scores one recording's piano roll against its reference.

    A note is estimated where its probability is greater than the threshold (strictly, as in the authors' script). The
    multipitch figures are mir_eval's own, over the 88 pitches of the piano; it gives 0 where a figure would divide by
    no notes, so a recording without reference notes has error 0. Average precision is over all 128 notes and is NaN
    there.

    Args:
        reference: (frames, 128) bool, the MIDI notes that sound.
        probability: (frames, 128) float in 0..1, the model's output.
        times: (frames,) seconds, not decreasing.
        threshold: probability above which a note is estimated.
        pool: of processes, each of which counts in a part of the frames; None: all here.

    Returns:
        One float for each name in SCORES, and "blocks", the counts of `count_blocks`.

    Raises:
        ValueError: shapes that do not fit together, no frames, or a probability that is NaN or outside 0..1.
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
        counted = (map if pool is None else pool.map)(count_in_rolls, *cut)  # starts at once
        precision = average_precision(reference.ravel(), probability.ravel())
        counted = list(counted)
    except BrokenProcessPool:  # somebody killed one; the next run starts new ones
        start_pool.cache_clear()
        return score(reference, probability, times=times, threshold=threshold)
    counts = [np.concatenate(parts) for parts in zip(*counted, strict=True)]
    scores = figures(*counts)
    p, r = scores["precision"], scores["recall"]
    scores["f_measure"] = 2 * p * r / (p + r) if p + r else 0.0
    scores["average_precision"] = precision
    return {name: scores[name] for name in SCORES} | {"blocks": count_blocks(times, *counts[:3])}


def count_blocks(
    times: np.ndarray, n_reference: np.ndarray, n_estimate: np.ndarray, right: np.ndarray
) -> list[list[int]]:
    """Sums what `count` found over blocks of time, so that a report can say how sure an accuracy is.

    The frames, which are evenly spaced, are cut into equal blocks of BLOCK_SECONDS or a little more; into FEWEST_BLOCKS
    shorter ones where there would be fewer.

    Returns:
        Of each block: notes in the reference, notes in the estimate, notes right. The accuracy of a block is
        right / (reference + estimate - right).

    >>> count_blocks(np.arange(6), *np.ones((2, 6), int), np.array([1, 0, 1, 1, 0, 1]))[:2]
    [[1, 1, 1], [1, 1, 0]]
    """
    blocks = min(max(FEWEST_BLOCKS, int((times[-1] - times[0]) / BLOCK_SECONDS)), len(times))
    first = np.arange(blocks) * len(times) // blocks
    return np.add.reduceat(np.stack([n_reference, n_estimate, right], axis=1), first).astype(int).tolist()


def count_in_rolls(times: np.ndarray, reference: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, ...]:
    """`count` for piano rolls, each (frames, 88) bool."""
    return count(times, *([FREQUENCIES[notes] for notes in roll] for roll in (reference, estimate)))


def count(times: np.ndarray, reference: list[np.ndarray], estimate: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """What mir_eval.multipitch counts in each frame.

    Args:
        times: (frames,) seconds.
        reference, estimate: of each frame, the frequencies in Hz.

    Returns:
        notes in the reference, notes in the estimate, notes right, notes right but for the octave: each (frames,).
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
    """Names the 14 figures of mir_eval.multipitch.metrics, from what `count` found in all frames."""
    from mir_eval import multipitch

    values = []
    with warnings.catch_warnings():
        # Silence, or a model that finds nothing, is a result here and not an accident.
        warnings.filterwarnings("ignore", message="(Reference|Estimate) frequencies are all empty")
        for true_positives in (right, chroma):
            values += multipitch.compute_accuracy(true_positives, n_reference, n_estimate)
            values += multipitch.compute_err_score(true_positives, n_reference, n_estimate)
    return {name: float(value) for name, value in zip(_MULTIPITCH, values, strict=True)}


THRESHOLDS = np.arange(5, 96) / 100


def best_threshold(recordings: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """The one of THRESHOLDS with the highest accuracy, the unweighted mean over recordings; the lowest of equal ones.

    Accuracy is mir_eval's, notes right / (notes in the reference + estimated - right), counted without it: reference
    and estimate are on the same grid of notes, so a note is right where both have it.

    Args:
        recordings: of each, the reference (frames, 128) bool and the probability (frames, 128).
    """
    total = np.zeros(len(THRESHOLDS))
    n = 0
    for reference, probability in recordings:
        reference, probability = reference[:, PITCHES], probability[:, PITCHES]
        right, estimated = np.sort(probability[reference]), np.sort(probability, axis=None)
        above = [len(part) - np.searchsorted(part, THRESHOLDS, side="right") for part in (right, estimated)]
        total += above[0] / np.maximum(reference.sum() + above[1] - above[0], 1)
        n += 1
    if not n:
        raise ValueError("best_threshold: no recordings to choose it on")
    return float(THRESHOLDS[np.argmax(total)])


def average_precision(relevant: np.ndarray, ranking: np.ndarray) -> float:
    """Area under the precision-recall curve, taken as steps.

    AP = sum_t (R_t - R_(t-1)) P_t over the distinct values t of the ranking from the highest down, where P_t and R_t
    are precision and recall when every cell >= t is estimated. Cells of one value come in together, so their order
    does not matter. As scikit-learn's average_precision_score(average="micro"), which however says 0 where nothing is
    relevant.

    Args:
        relevant: (cells,) bool.
        ranking: (cells,) float, higher for what is more likely to be relevant.

    Returns:
        AP in 0..1; NaN where nothing is relevant, for then recall is not defined.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))  # 1/2 * 1 + 1/2 * 2/3
    0.8333333333333333
    """
    if not relevant.any():
        return float("nan")
    order = np.argsort(-ranking)
    last_of_value = np.append(np.flatnonzero(np.diff(ranking[order])), len(order) - 1)
    hits = np.cumsum(relevant[order])[last_of_value]
    precision = hits / (last_of_value + 1)
    return float(np.diff(hits, prepend=0) @ precision / hits[-1])


def mean_scores(recordings: Iterable[Mapping]) -> dict[str, float]:
    """The unweighted mean over recordings, so that a long recording counts no more than a short one.

    A recording whose figure is NaN (or None, as result.json writes it) is left out of that figure's mean; the mean is
    NaN where none has it.

    Args:
        recordings: the scores of each recording, all with the same names; their "blocks" are left out.

    Raises:
        ValueError: there are no recordings.
    """
    recordings = list(recordings)
    if not recordings:
        raise ValueError("mean_scores: no recordings to take the mean of")
    means = {}
    for name in (name for name in recordings[0] if name != "blocks"):
        values = np.array([scores[name] for scores in recordings], dtype=float)
        values = values[~np.isnan(values)]
        means[name] = float(values.mean()) if values.size else float("nan")
    return means


@functools.cache
def start_pool(processes: int) -> concurrent.futures.Executor:
    """Processes that count, kept for all runs; they start at once and load mir_eval while the first run trains."""
    context = multiprocessing.get_context("spawn")  # a fork of a process that uses CUDA or threads may hang
    pool = concurrent.futures.ProcessPoolExecutor(processes, mp_context=context, initializer=follow_parent)
    # A process of multiprocessing's own, as cluster=gpus starts, waits for its children without ending them. Sooner (a
    # higher priority) than the queues close that tell them to end, which is at 10.
    multiprocessing.util.Finalize(pool, pool.shutdown, exitpriority=20)
    nothing = np.zeros((1, len(PITCHES)), dtype=bool)
    for _ in range(processes):
        pool.submit(count_in_rolls, np.zeros(1), nothing, nothing)
    return pool


def follow_parent() -> None:
    """Leave Ctrl-C to the parent process, and end when it has ended, however that came."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sentinel = multiprocessing.parent_process().sentinel
    threading.Thread(target=lambda: (wait([sentinel]), os._exit(1)), daemon=True).start()
