"""Scores of notes: mir_eval's own known answers, mir_eval on all notes at once, and blocks counted by hand."""

import math
import warnings

import mir_eval
import numpy as np
import pandas as pd
import pytest

from sweep.results.notes import score_notes
from sweep.results.scoring import NOTE_SCORES


def table(notes: list[tuple[float, float, int]]) -> pd.DataFrame:
    """Estimated notes from (onset, offset, pitch) in seconds and MIDI."""
    return pd.DataFrame(notes, columns=["onset_seconds", "offset_seconds", "pitch"])


def score(reference: list[tuple[int, int, int]], estimate: list[tuple[float, float, int]], edges=()) -> dict:
    """The scores, of references in milliseconds."""
    rows = np.array(reference, dtype=np.int64).reshape(-1, 3)
    found = score_notes(rows, table(estimate), 1000, np.array(edges, float))
    assert len(found.pop("matched")) == sum(block[2] for block in found["blocks"]["notes"])
    return found


def test_known_answers_of_mir_evals_own_test():
    """REF, EST and SCORES of its tests/test_transcription.py, pitches as the nearest MIDI note."""
    reference = [(100, 300, 57), (300, 400, 59), (500, 600, 61), (550, 650, 62)]
    estimate = [(0.12, 0.29, 57), (0.3, 0.34, 59), (0.5, 0.6, 71), (0.55, 0.6, 62), (0.56, 0.65, 62)]
    found = score(reference, estimate)
    assert found.pop("blocks") == {"notes": [[4, 5, 3, 2]]}
    assert list(found) == list(NOTE_SCORES)
    assert list(found.values()) == pytest.approx([2 / 3, 0.6, 0.75, 4 / 9, 0.4, 0.5], abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_each_pitch_by_itself_matches_as_many_notes_as_all_at_once(seed):
    """Crowded notes on a grid of 10 ms, so that many onsets are exactly 50 ms apart and notes compete for a match."""
    generator = np.random.default_rng(seed)

    def draw(n: int) -> np.ndarray:
        onset = generator.integers(0, 600, n) * 10
        return np.stack([onset, onset + generator.integers(1, 60, n) * 10, generator.integers(58, 63, n)], axis=1)

    reference, estimate = draw(300), draw(400)
    edges = np.arange(1, 6) * 1.0
    found = score(reference, [(a / 1000, b / 1000, pitch) for a, b, pitch in estimate], edges)
    sides = []
    for side in (reference, estimate):
        sides += [side[:, :2] / 1000, mir_eval.util.midi_to_hz(side[:, 2])]
    for name, ratio in (("note", None), ("note_offset", 0.2)):
        expected = mir_eval.transcription.precision_recall_f1_overlap(*sides, offset_ratio=ratio)[:3]
        names = [f"{name}_{kind}" for kind in ("precision", "recall", "f1")]
        assert [found[name] for name in names] == pytest.approx(expected, abs=1e-9)
    assert 0.1 < found["note_offset_f1"] < found["note_f1"] < 0.9
    counts = np.array(found["blocks"]["notes"])
    assert counts.shape == (6, 4)
    for column, side in enumerate((reference, estimate)):
        assert counts[:, column].tolist() == [((side[:, 0] // 1000) == block).sum() for block in range(6)]
    assert found["note_f1"] == pytest.approx(2 * counts[:, 2].sum() / counts[:, :2].sum(), abs=1e-12)


def test_a_match_counts_in_the_block_of_its_reference_note():
    """Blocks begin at 0, 1 and 2 s; what comes before the first scored frame or after the last is in the outer ones."""
    reference = [(0, 500, 60), (990, 1500, 60), (1000, 1200, 64), (9000, 9500, 60)]
    estimate = [(0.02, 0.5, 60), (1.01, 1.5, 60), (1.96, 2.5, 64), (9.0, 9.2, 60)]
    assert score(reference, estimate, [1, 2])["blocks"]["notes"] == [[2, 1, 2, 2], [1, 2, 0, 0], [1, 1, 1, 0]]


def test_a_note_struck_again_is_two_and_other_pitches_than_a_pianos_are_none():
    twice = [(0, 500, 60), (500, 1000, 60)]
    found = score([*twice, (0, 500, 20), (0, 500, 109)], [(0.0, 1.0, 60)])
    assert (found["note_recall"], found["note_precision"], found["note_offset_recall"]) == (0.5, 1.0, 0.0)
    assert found["blocks"]["notes"] == [[2, 1, 1, 0]]


@pytest.mark.parametrize("there", [False, True])
def test_without_reference_notes_scores_are_not_defined_and_without_estimated_ones_they_are_0(there):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = score([(0, 500, 60)] if there else [], [] if there else [(0.0, 1.0, 60)], [1.0])
    assert found.pop("blocks")["notes"] == [[int(there), int(not there), 0, 0], [0, 0, 0, 0]]
    assert all(value == 0 if there else math.isnan(value) for value in found.values()) and len(found) == 6
