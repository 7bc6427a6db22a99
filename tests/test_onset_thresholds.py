"""Notes from two heads against a reference: rolls without a fault, and the onset threshold that scores highest."""

import numpy as np
import pytest
from test_onset_notes import THRESHOLD, form

from sweep.results.notes import Stretches, score_notes
from sweep.results.thresholds import ONSET_THRESHOLDS, best_onset_threshold

HOP = 512  # samples at 44,100 Hz


def draw_notes(seed: int, n: int = 300, frames: int = 2000) -> np.ndarray:
    """Random notes on the grid of frames, of which those of a pitch follow each other, half of them without a gap.

    Returns:
        (n, 3) int: start and end in samples, MIDI note.
    """
    generator = np.random.default_rng(seed)
    notes = []
    for pitch in range(21, 109):
        start = int(generator.integers(0, 100))
        while start < frames - 60:
            stop = start + int(generator.integers(6, 60))
            notes.append((start * HOP, stop * HOP, pitch))
            start = stop + int(generator.integers(0, 2)) * int(generator.integers(8, 100))
    return generator.permutation(notes)[:n]


def rolls(notes: np.ndarray, frames: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """What a model without a fault says of notes: 0.9 in the frames in which they sound, 0.8 where they begin."""
    sounding, onsets = np.zeros((2, frames, 88))
    for start, stop, pitch in notes:
        sounding[start // HOP : stop // HOP, pitch - 21] = 0.9
        onsets[start // HOP, pitch - 21] = 0.8
    return sounding, onsets


@pytest.mark.parametrize("seed", range(3))
def test_rolls_without_a_fault_give_a_reference_back(seed):
    reference = draw_notes(seed)
    notes = form(*rolls(reference), hop=HOP / 44100)
    scores = score_notes(reference, notes, 44100, np.empty(0))
    assert scores["note_f1"] == scores["note_offset_f1"] == 1.0 and len(notes) == len(reference)
    found = Stretches(THRESHOLD)  # from the frames alone, notes that touch are one
    found.add(rolls(reference)[0])
    alone = found.notes(HOP / 44100, 2000 * HOP / 44100)
    assert score_notes(reference, alone, 44100, np.empty(0))["note_f1"] < 0.99


def heard(reference: np.ndarray, false: np.ndarray, right: float, wrong: float) -> tuple:
    """A recording as `best_onset_threshold` takes it: onsets of its notes have one probability, false ones another."""
    (sounding, onsets), (_, others) = rolls(reference), rolls(false)
    onsets = np.maximum(right * (onsets > 0), wrong * (others > 0)).astype(np.float32)
    return sounding, onsets, HOP / 44100, 2000 * HOP / 44100, reference


def test_the_onset_threshold_is_the_lowest_with_the_highest_note_f1():
    assert ONSET_THRESHOLDS.tolist() == pytest.approx([0.1 + 0.05 * step for step in range(17)])
    one = heard(draw_notes(0), draw_notes(100), 0.62, 0.33)  # without a fault from 0.35 to 0.6
    other = heard(draw_notes(1), draw_notes(101), 0.52, 0.43)  # from 0.45 to 0.5
    chosen = best_onset_threshold(iter([one]), THRESHOLD)
    assert chosen == 0.35 and type(chosen) is float
    assert best_onset_threshold([one, other], THRESHOLD) == 0.45
    # In float32 as `Stretches` compares: what is at the threshold is none.
    assert best_onset_threshold([heard(draw_notes(0), draw_notes(100), 0.9, 0.2)], THRESHOLD) == 0.2


def test_notes_that_are_missed_count_as_false_ones_do():
    """Over 0.5 the ten notes found are right, F1 0.06; under it 300 are, and a hundred others are not, F1 0.86."""
    recording = heard(draw_notes(0), draw_notes(100, 100), 0.5, 0.5)
    recording[1][rolls(draw_notes(0)[:10])[1] > 0] = 0.9
    assert best_onset_threshold([recording], THRESHOLD) == 0.1


def test_each_recording_counts_once_and_one_without_notes_does_not():
    """Of two recordings of 30 notes 300 false onsets are under 0.27, in one of 300 notes all right ones.

    Up to 0.25 F1 is about 0.2, 0.2 and 1, over it 1, 1 and 0. Counted by notes the first would be better.
    """
    few = heard(draw_notes(0, 30), draw_notes(100), 0.9, 0.27)
    many = heard(draw_notes(2), draw_notes(102, 30), 0.27, 0.05)
    silent = (*few[:4], np.array([[0, 9999, 120]]))
    assert best_onset_threshold([few, silent, few, many], THRESHOLD) == 0.3
    assert best_onset_threshold([few, many], THRESHOLD) == 0.1


def test_no_onset_threshold_is_chosen_without_notes():
    with pytest.raises(ValueError, match="best_onset_threshold: no recordings"):
        best_onset_threshold([], THRESHOLD)
    silent = (np.ones((4, 88)), np.ones((4, 88)), 0.01, 0.04, np.empty((0, 3), int))
    with pytest.raises(ValueError, match="onset threshold tuned: the held-out recordings have no notes"):
        best_onset_threshold([silent], THRESHOLD)
