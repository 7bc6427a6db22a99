"""Notes from two heads: cases written down by hand, the stated rules in plain loops, blocks, rolls without a fault."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweep.results.notes import GAP, SHORTEST, Stretches

COLUMNS = ["onset_seconds", "offset_seconds", "pitch", "frequency_hz", "probability"]
THRESHOLD, ONSET_THRESHOLD = 0.4, 0.5
A4 = 69


def roll(frames: int, *spans: tuple[int, int, float], pitch: int = A4) -> np.ndarray:
    """Probabilities of frames, 0 but for spans of one pitch: first frame, frame after the last, probability."""
    probability = np.zeros((frames, 88))
    for start, stop, value in spans:
        probability[start:stop, pitch - 21] = value
    return probability


def form(sounding: np.ndarray, onsets: np.ndarray, cuts=(), hop: float = 0.01, seconds: float | None = None, **lengths):
    """The table of notes, of frames that are added in blocks."""
    found = Stretches(THRESHOLD, ONSET_THRESHOLD)
    for parts in zip(np.split(sounding, cuts), np.split(onsets, cuts), strict=True):
        found.add(*parts)
    assert found.frames == len(sounding)
    return found.notes(hop, len(sounding) * hop if seconds is None else seconds, **lengths)


def by_hand(sounding, onsets, hop: float, seconds: float, gap: float = GAP, shortest: float = SHORTEST) -> list[tuple]:
    """The rules of `sweep.results.notes`, frame by frame: onset, offset, pitch, probability."""
    notes = []
    frames = len(sounding)
    for pitch in range(88):
        sounds = [bool(p > THRESHOLD) for p in sounding[:, pitch]]
        begins = [bool(p > ONSET_THRESHOLD) for p in onsets[:, pitch]]
        if not any(begins):
            continue
        closed = list(sounds)
        for frame in range(frames):
            before = max((f for f in range(frame) if sounds[f]), default=None)
            after = min((f for f in range(frame + 1, frames) if sounds[f]), default=None)
            if before is not None and after is not None and (after - before - 1) * hop <= gap:
                closed[frame] = True
        peaks, stretch = [], []
        for frame in range(frames + 1):
            if frame < frames and begins[frame]:
                stretch.append(frame)
            elif stretch:
                highest = max(onsets[f, pitch] for f in stretch)
                peaks.append(next(f for f in stretch if onsets[f, pitch] == highest))
                stretch = []
        peaks = [frame for frame in peaks if frame * hop < seconds]
        kept = []
        for frame in sorted(peaks, key=lambda f: (-onsets[f, pitch], f)):
            if all(abs(frame - other) * hop >= SHORTEST for other in kept):
                kept.append(frame)
        kept.sort()
        for frame in kept:
            following = min((other for other in kept if other > frame), default=None)
            last = frame  # the onset's frame counts as sounding
            first = next((f for f in range(frame, frames) if closed[f]), None)
            if first is not None and (first - frame) * hop <= gap:
                last = first
                while last + 1 < frames and closed[last + 1]:
                    last += 1
            offset = max((last + 0.5) * hop, frame * hop + shortest)
            if following is not None:
                offset = min(offset, following * hop)
            notes.append((frame * hop, min(offset, seconds), pitch + 21, onsets[frame, pitch]))
    return sorted(notes, key=lambda note: (note[0], note[2]))


# At a hop of 10 ms. Frames that sound and those of onsets: first, after the last, probability. Notes: onset, offset,
# probability.
CASES = {
    "the onset opens the stretch": ([(10, 30, 0.9)], [(10, 12, 0.8)], [(0.10, 0.295, 0.8)]),
    "frames before the onset are none of the note": ([(10, 30, 0.9)], [(15, 16, 0.8)], [(0.15, 0.295, 0.8)]),
    "the first of equals": ([(10, 30, 0.9)], [(9, 10, 0.7), (10, 13, 0.8)], [(0.10, 0.295, 0.8)]),
    "no onset, no note": ([(10, 30, 0.9)], [], []),
    "the threshold itself is none": (
        [(10, 30, 0.4), (40, 50, 0.9)],
        [(10, 11, 0.8), (40, 41, 0.5)],
        [(0.1, 0.15, 0.8)],
    ),
    "frames up to GAP after the onset": ([(15, 30, 0.9)], [(10, 11, 0.8)], [(0.10, 0.295, 0.8)]),
    "frames later than GAP after the onset": ([(16, 30, 0.9)], [(10, 11, 0.8)], [(0.10, 0.15, 0.8)]),
    "frames before the onset only": ([(5, 10, 0.9)], [(10, 11, 0.8)], [(0.10, 0.15, 0.8)]),
    "no frames": ([], [(10, 11, 0.8)], [(0.10, 0.15, 0.8)]),
    "short frames": ([(10, 12, 0.9)], [(10, 11, 0.8)], [(0.10, 0.15, 0.8)]),
    "a gap of GAP is closed": ([(10, 20, 0.9), (25, 30, 0.9)], [(10, 11, 0.8)], [(0.10, 0.295, 0.8)]),
    "a longer gap is not": ([(10, 20, 0.9), (26, 30, 0.9)], [(10, 11, 0.8)], [(0.10, 0.195, 0.8)]),
    "an onset in a closed gap": ([(10, 20, 0.9), (25, 30, 0.9)], [(22, 23, 0.8)], [(0.22, 0.295, 0.8)]),
    "struck again without a gap": (
        [(10, 40, 0.9)],
        [(10, 12, 0.8), (20, 22, 0.7), (30, 31, 0.6)],
        [(0.10, 0.20, 0.8), (0.20, 0.30, 0.7), (0.30, 0.395, 0.6)],
    ),
    "struck again after a gap": (
        [(10, 18, 0.9), (30, 40, 0.9)],
        [(10, 12, 0.8), (30, 32, 0.7)],
        [(0.10, 0.175, 0.8), (0.30, 0.395, 0.7)],
    ),
    "onsets 50 ms apart are two": (
        [(10, 30, 0.9)],
        [(10, 11, 0.8), (15, 16, 0.9)],
        [(0.10, 0.15, 0.8), (0.15, 0.295, 0.9)],
    ),
    "onsets 40 ms apart are one, the more probable": (
        [(10, 30, 0.9)],
        [(10, 11, 0.8), (14, 15, 0.9)],
        [(0.14, 0.295, 0.9)],
    ),
    "of equals that are too close the earlier": ([(10, 30, 0.9)], [(10, 11, 0.8), (14, 15, 0.8)], [(0.10, 0.295, 0.8)]),
    "an onset that does not count drops no other": (
        [(10, 30, 0.9)],
        [(10, 11, 0.7), (14, 15, 0.8), (18, 19, 0.9)],
        [(0.10, 0.18, 0.7), (0.18, 0.295, 0.9)],
    ),
    "too close to a neighbour's neighbour": (
        [(10, 30, 0.9)],
        [(10, 11, 0.9), (12, 13, 0.6), (14, 15, 0.8)],
        [(0.10, 0.295, 0.9)],
    ),
    "the audio's end": ([(90, 100, 0.9)], [(97, 98, 0.8)], [(0.97, 0.995, 0.8)]),
    "the first and the last frame": ([], [(0, 1, 0.8), (98, 100, 0.9)], [(0.0, 0.05, 0.8), (0.98, 0.995, 0.9)]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("cuts", [(), range(1, 100), (11, 20)], ids=["whole", "frame by frame", "three blocks"])
def test_cases_written_down_by_hand(case, cuts):
    sounding, onsets, expected = CASES[case]
    notes = form(roll(100, *sounding), roll(100, *onsets), cuts, seconds=0.995)
    assert list(notes) == COLUMNS and list(notes.dtypes) == [float, float, int, float, float]
    assert (notes.pitch == A4).all() and (notes.frequency_hz == 440.0).all()
    actual = notes[["onset_seconds", "offset_seconds", "probability"]].to_numpy()
    np.testing.assert_allclose(actual, np.array(expected).reshape(-1, 3), atol=1e-12, rtol=0)
    hand = by_hand(roll(100, *sounding), roll(100, *onsets), 0.01, 0.995)
    np.testing.assert_allclose([(a, b, p) for a, b, _, p in hand], actual.tolist(), atol=1e-12, rtol=0)


def test_notes_are_sorted_by_onset_and_pitch_and_pitches_do_not_touch_each_other():
    """The last frame of a pitch and the first of the next are neighbours where one counts pitch by pitch."""
    sounding = roll(50, (40, 50, 0.9), pitch=60) + roll(50, (0, 9, 0.9), pitch=61) + roll(50, (40, 45, 0.9), pitch=21)
    onsets = roll(50, (49, 50, 0.8), pitch=60) + roll(50, (0, 1, 0.9), pitch=61) + roll(50, (40, 41, 0.6), pitch=21)
    onsets += roll(50, (40, 41, 0.7), pitch=108)
    notes = form(sounding, onsets, seconds=0.6)
    expected = [(0.0, 0.085, 61, 0.9), (0.4, 0.45, 21, 0.6), (0.4, 0.45, 108, 0.7), (0.49, 0.54, 60, 0.8)]
    np.testing.assert_allclose(notes.drop(columns="frequency_hz").to_numpy(), expected, atol=1e-12)


def test_an_onset_at_the_audios_end_is_none():
    """The last of 1 + samples // hop frames may be centred there."""
    assert form(roll(11), roll(11, (10, 11, 0.9)), seconds=0.1).empty
    assert len(form(roll(11), roll(11, (9, 10, 0.9)), seconds=0.1)) == 1


def test_the_shortest_note_and_the_longest_gap_can_be_set():
    sounding, onsets = roll(100, (20, 30, 0.9), (60, 61, 0.9)), roll(100, (10, 11, 0.8), (60, 61, 0.9), (80, 81, 0.7))
    notes = form(sounding, onsets, gap=0.1, shortest=0.3)  # the second ends at the third, the third with the audio
    np.testing.assert_allclose(notes.offset_seconds, [0.4, 0.8, 1.0])
    notes = form(sounding, onsets, gap=0.0, shortest=0.0)  # half a hop, the rest of the onset's own frame
    np.testing.assert_allclose(notes.offset_seconds, [0.105, 0.605, 0.805])


@pytest.mark.parametrize("hop", [0.0029, 0.01, 512 / 44100, 0.046])
@pytest.mark.parametrize("lengths", [{}, {"gap": 0.0, "shortest": 0.0}, {"gap": 0.03, "shortest": 0.2}], ids=str)
def test_the_rules_hold_on_random_probabilities(hop, lengths):
    """In steps of a tenth, so that probabilities are equal and at the thresholds; the last frames are past the end."""
    generator = np.random.default_rng(0)
    sounding, onsets = generator.integers(0, 11, (2, 200, 88)).astype(np.float32) / 10
    sounding *= generator.uniform(size=sounding.shape) < np.linspace(0.1, 1, 88)
    onsets *= generator.uniform(size=onsets.shape) < np.linspace(1, 0.1, 88)
    seconds = 196.3 * hop
    expected = by_hand(sounding, onsets, hop, seconds, **lengths)
    for cuts in ([], range(30, 200, 30), range(1, 200)):
        notes = form(sounding, onsets, cuts, hop, seconds, **lengths)
        assert len(notes) == len(expected) > 600
        np.testing.assert_allclose(notes.drop(columns="frequency_hz").to_numpy(), np.array(expected), rtol=1e-12)
        assert (notes.offset_seconds > notes.onset_seconds).all()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 60), max_size=12),
    share=st.floats(0, 1),
    hop=st.sampled_from([0.005, 512 / 44100, 0.03]),
)
def test_it_does_not_matter_how_frames_are_cut_into_blocks(seed, frames, cuts, share, hop):
    """To the last bit; some blocks are empty."""
    generator = np.random.default_rng(seed)
    sounding, onsets = generator.integers(0, 11, (2, frames, 88)).astype(np.float32) / 10
    onsets *= generator.uniform(size=onsets.shape) < share
    cuts = np.sort(np.minimum(cuts, frames).astype(int))
    pd.testing.assert_frame_equal(form(sounding, onsets, cuts, hop), form(sounding, onsets, hop=hop), check_exact=True)


def test_memory_grows_with_notes_and_not_with_frames():
    found = Stretches(THRESHOLD, ONSET_THRESHOLD)
    block = np.ones((1000, 88))
    for _ in range(3):
        found.add(block, block)
    held = sum(array.size for kept in vars(found).values() if isinstance(kept, list) for array in kept)
    assert held <= 3 * 88 * 10
    assert len(found.notes(0.01, 30.0)) == 88


def test_onsets_are_not_used_without_their_threshold_and_needed_with_it():
    sounding = np.random.default_rng(0).uniform(size=(100, 88))
    tables = []
    for onsets in (None, np.ones((100, 88))):
        found = Stretches(THRESHOLD)
        found.add(sounding, onsets)
        tables.append(found.notes(0.01, 1.0))
    pd.testing.assert_frame_equal(*tables, check_exact=True)
    for onsets, got in ((None, "none"), (np.ones((99, 88)), r"\(99, 88\)")):
        with pytest.raises(ValueError, match=rf"need onsets of the shape of probability, \(100, 88\), got {got}"):
            Stretches(THRESHOLD, ONSET_THRESHOLD).add(sounding, onsets)


def test_no_frames_and_no_onsets_are_a_table_without_notes():
    assert list(Stretches(THRESHOLD, ONSET_THRESHOLD).notes(0.01, 0.0)) == COLUMNS
    notes = form(np.zeros((5, 88)), np.zeros((5, 88)))
    assert notes.empty and list(notes.dtypes) == [float, float, int, float, float]
