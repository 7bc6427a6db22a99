"""Labels of one's own recordings: times in CSV and MIDI become the samples that are heard."""

import mido
import numpy as np
import pytest
import torch
from own_recordings import HEADER, read, write, write_midi
from test_audio import sine

from sweep.data.recording import DataError
from sweep.data.recordings import Recordings


def test_csv_times_are_samples_of_the_file(tmp_path):
    path = write(tmp_path / "train" / "a.wav", sine(48000), 48000, HEADER + "4800,9601,60\n47999,60000,61\n0,1,62\n")
    write(tmp_path / "test" / "b.wav")
    [recording] = read(tmp_path, "train")
    assert recording.notes.tolist() == [[4410, 8821, 60], [44099, 44100, 61], [0, 1, 62]]
    path.with_suffix(".csv").write_text(HEADER + "48000,60000,61\n")
    with pytest.raises(DataError, match="a.csv:2: start_time 48000 is not within the recording's 48000 samples"):
        read(tmp_path, "train")


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_every_note_keeps_at_least_one_sample_within_the_recording(tmp_path, rate):
    rows = "".join(f"{start},{start + 1},60\n" for start in range(rate - 50, rate))
    write(tmp_path / "train" / "a.wav", sine(rate), rate, HEADER + rows)
    write(tmp_path / "test" / "b.wav")
    [recording] = read(tmp_path, "train")
    start, end = recording.notes[:, :2].T
    assert (start >= 0).all() and (start < end).all() and end.max() == len(recording.audio) == 44100


def test_midi_times_are_seconds_and_drums_are_left_out(tmp_path):
    path = write(tmp_path / "train" / "a.wav", sine(48000, 2.0), 48000, labels=None)
    piano, violin = [(0.5, 1.0, 60), (0.1, 0.2, 64)], [(0.3, 5.0, 67)]
    write_midi(path.with_suffix(".mid"), (0, False, piano), (0, True, [(0.1, 0.2, 38)]), (40, False, violin))
    write(tmp_path / "test" / "b.wav")
    [recording] = read(tmp_path, "train")
    assert recording.notes.tolist() == [[4410, 8820, 64], [13230, 88200, 67], [22050, 44100, 60]]
    write_midi(path.with_suffix(".mid"), (0, True, [(0.1, 0.2, 38)]), (40, False, [*violin, (2.0, 2.5, 99)]))
    with pytest.raises(DataError) as caught:
        read(tmp_path, "train")
    assert f"{path.with_suffix('.mid')}: instrument 2 (Violin): note 99 at 2.000 s is not within" in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_the_tempo_map_is_followed_and_must_be_in_the_first_track(tmp_path):
    """480 ticks a beat; 120 beats a minute, from beat 2 on 60: a note from beat 3 to 4 is one from 2 to 3 s."""
    tempi = [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=1_000_000, time=960)]
    key = mido.MetaMessage("key_signature", key="G")  # many programs write it into every track
    note = [mido.Message("note_on", note=60, time=1440), mido.Message("note_off", note=60, time=480)]
    path = write(tmp_path / "train" / "a.wav", sine(44100, 4.0), labels=None)
    write(tmp_path / "test" / "b.wav")
    tracks = [mido.MidiTrack(tempi), mido.MidiTrack([key, *note])]
    mido.MidiFile(ticks_per_beat=480, tracks=tracks).save(path.with_suffix(".MIDI"))
    assert read(tmp_path, "train")[0].notes.tolist() == [[2 * 44100, 3 * 44100, 60]]
    mido.MidiFile(ticks_per_beat=480, tracks=tracks[::-1]).save(path.with_suffix(".MIDI"))
    with pytest.raises(DataError, match="a.MIDI: changes its tempo in a track that is not the first"):
        read(tmp_path, "train")


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_csv_and_midi_of_the_same_notes_give_the_same_targets(tmp_path, rate):
    """Times are multiples of 0.02 s: whole samples at all these rates, 882 at 44.1 kHz."""
    rng = np.random.default_rng(0)
    start, length = rng.permutation(125)[:40], rng.integers(1, 49, 40)  # the last ones end after the recording
    notes = [(s / 50, (s + n) / 50, 40 + i) for i, (s, n) in enumerate(zip(start, length, strict=True))]
    rows = "".join(f"{round(start * rate)},{round(end * rate)},{note}\n" for start, end, note in notes)
    write(tmp_path / "train" / "csv.wav", sine(rate, 3.0), rate, HEADER + rows)
    midi = write(tmp_path / "train" / "midi.wav", sine(rate, 3.0), rate, labels=None)
    write_midi(midi.with_suffix(".mid"), (0, False, notes[:20]), (40, False, notes[20:]))
    write(tmp_path / "test" / "b.wav")
    recordings = Recordings(read(tmp_path, "train"))
    expected = torch.zeros(3 * 44100, 128)
    for i, (s, n) in enumerate(zip(start, length, strict=True)):
        expected[882 * s : 882 * (s + n), 40 + i] = 1
    for index in (0, 1):
        torch.testing.assert_close(recordings.targets(index, torch.arange(3 * 44100)), expected, rtol=0, atol=0)
