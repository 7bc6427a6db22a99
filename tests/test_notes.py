"""From probabilities to notes: the stated rules, counted out by hand; the MIDI as pretty_midi reads it back."""

import io
import os

import numpy as np
import pandas as pd
import pretty_midi
import pytest

from sweep.results.notes import Stretches
from sweep.transcribe.notes import csv, midi


def by_hand(probability: np.ndarray, threshold: float, hop: float, gap: float, shortest: float) -> list[tuple]:
    """The rules of `sweep.results.notes` frame by frame: onset, offset, pitch, mean probability."""
    notes = []
    for pitch in range(88):
        stretches = []
        for frame, p in enumerate(probability[:, pitch]):
            if p > threshold:
                if stretches and frame - stretches[-1][-1] - 1 <= gap / hop:
                    stretches[-1].append(frame)
                else:
                    stretches.append([frame])
        for frames in stretches:
            if (frames[-1] - frames[0] + 1) * hop >= shortest:
                mean = probability[frames, pitch].mean()
                notes.append(((max(frames[0] - 0.5, 0)) * hop, (frames[-1] + 0.5) * hop, pitch + 21, mean))
    return sorted(notes, key=lambda note: (note[0], note[2]))


@pytest.mark.parametrize("blocks", [1, 7, 100])
@pytest.mark.parametrize(("gap", "shortest"), [(0.0, 0.0), (0.05, 0.05), (0.02, 0.04), (0.2, 0.0)])
def test_the_rules_hold_wherever_the_blocks_end(blocks, gap, shortest):
    probability = np.random.default_rng(0).uniform(size=(300, 88)).astype(np.float32) ** 4
    found = Stretches(0.4)
    for part in np.array_split(probability, blocks):
        found.add(part)
    notes = found.notes(0.0116, 1e9, gap, shortest)
    expected = by_hand(probability, 0.4, 0.0116, gap, shortest)
    assert len(notes) == len(expected) > 90
    actual = notes[["onset_seconds", "offset_seconds", "pitch", "probability"]].to_numpy()
    np.testing.assert_allclose(actual, np.array(expected), rtol=1e-5)
    np.testing.assert_allclose(notes.frequency_hz, pretty_midi.note_number_to_hz(notes.pitch.to_numpy()))


def test_the_threshold_itself_is_silent_and_the_last_note_ends_with_the_audio():
    found = Stretches(0.5)
    found.add(np.full((10, 88), 0.5))
    assert len(found.notes(0.01, 0.1)) == 0
    found.add(np.full((10, 88), 0.6))
    notes = found.notes(0.01, 0.19)
    assert set(notes.onset_seconds) == {0.095} and set(notes.offset_seconds) == {0.19}


def test_the_table_is_read_back():
    found = Stretches(0.4)
    found.add(np.random.default_rng(1).uniform(size=(200, 88)))
    notes = found.notes(0.0116, 10)
    read = pd.read_csv(io.StringIO(csv(notes)))
    assert list(read) == ["onset_seconds", "offset_seconds", "pitch", "frequency_hz", "probability"]
    pd.testing.assert_frame_equal(read, notes, atol=6e-4, rtol=0)


@pytest.mark.parametrize("hours", [0, 1, 12])
def test_midi_of_any_length_is_read_back(hours):
    """pretty_midi refuses 10 million ticks: three hours at 480 in half a second."""
    start = hours * 3600
    notes = pd.DataFrame({"onset_seconds": [start + 0.5, start + 1.0], "offset_seconds": [start + 1.25, start + 1.5]})
    notes["pitch"] = [60, 61]
    read = pretty_midi.PrettyMIDI(io.BytesIO(midi(notes, start + 2.0, "cqt-48")))
    (piano,) = read.instruments
    assert piano.program == 0 and not piano.is_drum and piano.name == "cqt-48"
    found = [(note.start, note.end, note.pitch) for note in piano.notes]
    # A tick is 1 ms up to three hours; at twelve it is 4.3 ms, half a frame.
    tolerance = 0.0006 if hours < 3 else 0.003
    np.testing.assert_allclose(found, [(start + 0.5, start + 1.25, 60), (start + 1.0, start + 1.5, 61)], atol=tolerance)


def test_no_notes_are_a_table_and_a_midi_without_notes():
    found = Stretches(0.4)
    found.add(np.zeros((5, 88)))
    notes = found.notes(0.01, 0.05)
    assert csv(notes) == "onset_seconds,offset_seconds,pitch,frequency_hz,probability\n"
    assert not [i for i in pretty_midi.PrettyMIDI(io.BytesIO(midi(notes, 0.05, "x"))).instruments if i.notes]
    assert len(Stretches(0.4).notes(0.01, 0.0)) == 0  # no frame at all


@pytest.mark.parametrize("title", ["cqt-48", "mél-128", "音 Ωδή", os.fsdecode(b"\xff caf\xe9")])
def test_the_tracks_name_is_latin_1_or_utf_8(title):
    """As bytes in the file: mido, which pretty_midi writes with, refuses all other text."""
    found = Stretches(0.4)
    found.add(np.ones((20, 88)))
    content = midi(found.notes(0.01, 1), 1, title)
    try:
        expected = title.encode("latin-1")
    except UnicodeEncodeError:
        expected = os.fsencode(title)
    assert b"\xff\x03" + bytes([len(expected)]) + expected in content
    assert len(pretty_midi.PrettyMIDI(io.BytesIO(content)).instruments[0].notes) == 88
