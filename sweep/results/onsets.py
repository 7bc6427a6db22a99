"""Find where notes begin, and until when they sound: rules 5 to 8 of `sweep.results.notes`.

An array of onsets has a row for each: the pitch as a place in PITCHES, the first frame of its stretch and the frame
after the last, the most probable frame, and its probability.
"""

import numpy as np


def find_onsets(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Find one onset in each stretch of frames of a pitch that are above a threshold.

    Args:
        probability: (frames, 88) float in 0..1, that a note begins.
        threshold: probability above which one may begin.

    Returns:
        (onsets, 5) float64, sorted by pitch and then by frame.
    """
    pitch, frame = np.nonzero(probability.T > threshold)
    return join_onsets(np.stack([pitch, frame, frame + 1, frame, probability[frame, pitch]], axis=1))


def join_onsets(pieces: np.ndarray) -> np.ndarray:
    """Join onsets whose stretches touch, such as the parts of a stretch that was cut.

    The most probable onset stays, the first of equals.

    Args:
        pieces: (pieces, 5) float, in any order.

    Returns:
        (onsets, 5) float64, sorted by pitch and then by frame.
    """
    pieces = pieces[np.lexsort((pieces[:, 1], pieces[:, 0]))]
    pitch, start, stop, frame, probability = pieces.T
    first, last = runs(pitch, start, stop)
    highest = np.maximum.reduceat(probability, first)
    equal = np.flatnonzero(probability == np.repeat(highest, last - first + 1))
    best = equal[np.searchsorted(equal, first)]
    return np.stack([pitch[first], start[first], stop[last], frame[best], highest], axis=1)


def runs(
    pitch: np.ndarray, start: np.ndarray, stop: np.ndarray, hop_seconds: float = 1.0, gap: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Find the runs of stretches of a pitch with no more than a gap between one and the next.

    Args:
        pitch, start, stop: (stretches,) pitch, first frame and the frame after the last, sorted by pitch and start.
        hop_seconds: time between two frames, in seconds.
        gap: longest gap within a run, in seconds.

    Returns:
        (runs,) int each: the places of the first and of the last stretch of each run.
    """
    apart = np.ones(len(pitch), bool)
    apart[1:] = (np.diff(pitch) > 0) | ((start[1:] - stop[:-1]) * hop_seconds > gap)
    first = np.flatnonzero(apart)
    return first, np.append(first[1:], len(pitch))[: len(first)] - 1


def thin_out(onsets: np.ndarray, hop_seconds: float, closest: float) -> np.ndarray:
    """Drop onsets too close to a more probable one of their pitch, from the most probable on; the later of equals.

    Args:
        onsets: (onsets, 5) float, sorted by pitch and then by frame.
        hop_seconds: time between two frames, in seconds.
        closest: least time between two onsets of a pitch, in seconds.

    Returns:
        The onsets that are left, in the same order.
    """
    pitch, frame = onsets[:, 0].tolist(), onsets[:, 3].tolist()  # lists, faster than arrays item by item
    left = [True] * len(onsets)
    for place in np.argsort(-onsets[:, 4], kind="stable").tolist():
        if not left[place]:
            continue
        for step in (-1, 1):
            other = place + step
            while 0 <= other < len(left) and pitch[other] == pitch[place]:
                if abs(frame[other] - frame[place]) * hop_seconds >= closest:
                    break
                left[other] = False
                other += step
    return onsets[np.array(left, bool)]


def find_offsets(
    onsets: np.ndarray, stretches: np.ndarray, hop_seconds: float, gap: float, shortest: float
) -> np.ndarray:
    """Find until when the note of each onset sounds.

    Args:
        onsets: (onsets, 5) float, sorted by pitch and then by frame.
        stretches: (stretches, 3) float: pitch, first frame and the frame after the last of the stretches in which
            frames sound, sorted by pitch and then by frame, gaps closed.
        hop_seconds: time between two frames, in seconds.
        gap: longest time from an onset to the first frame that sounds, in seconds.
        shortest: shortest note, in seconds, unless the next onset of its pitch comes sooner.

    Returns:
        (onsets,) float, in seconds.
    """
    pitch, _, _, frame, _ = onsets.T
    # A row after all others, of no pitch, is the stretch of onsets that none follows.
    sounding, start, stop = np.append(stretches, [[np.inf] * 3], axis=0).T
    span = max(onsets[:, 2].max(initial=0), stretches[:, 2].max(initial=0)) + 1
    following = np.searchsorted(sounding[:-1] * span + stop[:-1], pitch * span + frame, side="right")
    held = (sounding[following] == pitch) & ((start[following] - frame) * hop_seconds <= gap)
    offset = (np.where(held, stop[following], frame + 1) - 0.5) * hop_seconds
    offset = np.maximum(offset, frame * hop_seconds + shortest)
    again = np.flatnonzero(np.diff(pitch) == 0)  # onsets that another of their pitch follows
    offset[again] = np.minimum(offset[again], frame[again + 1] * hop_seconds)
    return offset
