"""Count by instrument what of the reference was found, where the labels name instruments."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from sweep.results.scoring import PITCHES

PROGRAMS = 128  # instruments of General MIDI; MusicNet's labels number them from 1


def count_instruments(
    notes: np.ndarray, samples: np.ndarray, estimate: np.ndarray, found: Sequence[int] | None
) -> dict:
    """Count a recording's frames and notes by instrument.

    Args:
        notes: (n, 4) int: start and end in samples, MIDI note, and instrument from 1, 0 if the label names none.
        samples: (frames,) int, rising: the sample at each scored frame's centre.
        estimate: (frames, 128) bool: notes estimated in each frame.
        found: places in `notes` of those that an estimated note matches; None if no notes were scored.

    Returns:
        Counts by the instrument's number, as text: "frames", the notes of the reference in all frames and how many of
        them are estimated; and, if notes were scored, "notes", the number of notes and how many are matched. Only
        pitches of the piano count.

    >>> notes, estimate = np.array([[0, 30, 60, 41], [10, 20, 64, 1]]), np.zeros((3, 128), bool)
    >>> estimate[:2, 60] = True
    >>> count_instruments(notes, np.array([0, 10, 20]), estimate, [0])
    {'1': {'frames': [1, 0], 'notes': [1, 0]}, '41': {'frames': [3, 2], 'notes': [1, 1]}}
    """
    matched = np.zeros(len(notes), bool)
    matched[list(found or ())] = True
    scored = np.isin(notes[:, 2], PITCHES)
    counts = {}
    for instrument in np.unique(notes[scored & (notes[:, 3] > 0), 3]):
        own = scored & (notes[:, 3] == instrument)
        roll = np.zeros(estimate.shape, bool)
        for (first, last), pitch in zip(np.searchsorted(samples, notes[own, :2]), notes[own, 2], strict=True):
            roll[first:last, pitch] = True
        frames = [int(roll.sum()), int((roll & estimate).sum())]
        counts[str(instrument)] = {"frames": frames}
        if found is not None:
            counts[str(instrument)]["notes"] = [int(own.sum()), int(matched[own].sum())]
    return counts


def recalls(recordings: Iterable[Mapping]) -> dict[str, dict[str, float]]:
    """Compute the recall of each instrument over some recordings.

    Args:
        recordings: scores of recordings, which have an entry "instruments" where labels name some.

    Returns:
        Recalls by the instrument's name in General MIDI: that of "frames" and of "notes"; NaN where there are none.
    """
    totals: dict[int, dict[str, np.ndarray]] = {}
    for scores in recordings:
        for number, counts in scores.get("instruments", {}).items():
            total = totals.setdefault(int(number), {kind: np.zeros(2) for kind in ("frames", "notes")})
            for kind in total:
                total[kind] += counts.get(kind, 0)
    if not totals:
        return {}
    from pretty_midi import program_to_instrument_name

    return {
        program_to_instrument_name(number - 1): {
            kind: float(found / reference) if reference else float("nan")
            for kind, (reference, found) in totals[number].items()
        }
        for number in sorted(totals)
        if 1 <= number <= PROGRAMS
    }
