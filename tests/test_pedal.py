"""The sustain pedal lengthens notes: by hand-written cases, and as a simulation tick by tick says for random music."""

import random
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
from own_recordings import write
from test_audio import sine
from test_midi_labels import off, on, save, text

from sweep.data.midi import read_midi
from sweep.data.pedal import HELD_NOTES
from sweep.data.reading import read_split
from sweep.data.recording import Changed


def pedal(value: int, time: int = 0, channel: int = 0, control: int = 64) -> mido.Message:
    return mido.Message("control_change", control=control, value=value, time=time, channel=channel)


def notes_of(path: Path, pedal: bool = True) -> list[tuple[float, float, int]]:
    return [(round(note.start, 4), round(note.end, 4), note.pitch) for note in read_midi(path, pedal).notes]


# 480 ticks are half a second.
CASES = {
    "until the pedal goes up": ([[pedal(127), on(60), off(60, 480), pedal(0, 480)]], [(0, 1.0, 60)]),
    "until the key is struck again": (
        [[pedal(127), on(60), off(60, 240), on(60, 240), off(60, 240), pedal(0, 480)]],
        [(0, 0.5, 60), (0.5, 1.25, 60)],
    ),
    "another key does not end it": (
        [[pedal(127), on(60), off(60, 240), on(61, 240), off(61, 240), pedal(0, 240)]],
        [(0, 1.0, 60), (0.5, 1.0, 61)],
    ),
    "pressed while the key is down": ([[on(60), pedal(127, 240), off(60, 240), pedal(0, 480)]], [(0, 1.0, 60)]),
    "pressed after the key is up": ([[on(60), off(60, 240), pedal(127, 1), pedal(0, 480)]], [(0, 0.25, 60)]),
    "pressed with the key up": ([[on(60), off(60, 240), pedal(127), pedal(0, 240)]], [(0, 0.5, 60)]),
    "up before the key": ([[pedal(127), on(60), pedal(0, 240), off(60, 240)]], [(0, 0.5, 60)]),
    "up with the key, after it": (
        [[pedal(127), on(60), off(60, 240), pedal(0), pedal(127, 1), pedal(0, 479)]],
        [(0, 0.25, 60)],
    ),
    "up with the key, before it": (
        [[pedal(127), on(60), pedal(0, 240), off(60), pedal(127, 1), pedal(0, 479)]],
        [(0, 0.25, 60)],
    ),
    "63 is up": ([[pedal(63), on(60), off(60, 240), pedal(0, 240)]], [(0, 0.25, 60)]),
    "64 is down, 63 up": ([[pedal(64), on(60), off(60, 240), pedal(63, 240), pedal(0, 240)]], [(0, 0.5, 60)]),
    "half pedals between are one": (
        [[pedal(64), on(60), pedal(100, 120), off(60, 120), pedal(70, 120), pedal(0, 120)]],
        [(0, 0.5, 60)],
    ),
    "never released: to the end of the file": ([[pedal(127), on(60), off(60, 480)], [text(1920)]], [(0, 2.0, 60)]),
    "changed within a tick": (
        [[pedal(127), on(60), off(60, 240), pedal(0, 240), pedal(127), on(62), off(62, 240), pedal(0, 240)]],
        [(0, 0.5, 60), (0.5, 1.0, 62)],
    ),
    "all notes off lets keys go, not the pedal": (
        [[pedal(127), on(60), pedal(0, 240, control=123), pedal(0, 240)]],
        [(0, 0.5, 60)],
    ),
    "all sound off ends what is held": (
        [[pedal(127), on(60), off(60, 240), pedal(0, 240, control=120), on(62), off(62, 240), pedal(0, 240)]],
        [(0, 0.5, 60), (0.5, 1.0, 62)],
    ),
    "a reset of the controllers lifts it": (
        [[pedal(127), on(60), off(60, 240), pedal(0, 240, control=121), on(62), off(62, 240), pedal(0, 240)]],
        [(0, 0.5, 60), (0.5, 0.75, 62)],
    ),
    "of its own channel": (
        [[pedal(127, channel=1), on(60), on(61, channel=1), off(60, 240), off(61, channel=1), pedal(0, 240, 1)]],
        [(0, 0.25, 60), (0, 0.5, 61)],
    ),
    "of its own track, where that has one": (
        [
            [pedal(127), on(60), off(60, 240), pedal(0, 240)],
            [pedal(127), on(64), off(64, 240), pedal(0, 480)],
        ],
        [(0, 0.5, 60), (0, 0.75, 64)],
    ),
    "of another player's track": (
        [[pedal(127), on(60), off(60, 240), pedal(0, 240)], [on(64), off(64, 240)]],
        [(0, 0.25, 64), (0, 0.5, 60)],
    ),
    "in a track of its own": ([[pedal(127), pedal(0, 480)], [on(60), off(60, 240)]], [(0, 0.5, 60)]),
    "in a track of its own, of another channel": (
        [[pedal(127, channel=3), pedal(0, 480, 3)], [on(60), off(60, 240)]],
        [(0, 0.25, 60)],
    ),
    "across a change of program": (
        [[pedal(127), on(60), mido.Message("program_change", program=4), off(60, 240), pedal(0, 240)]],
        [(0, 0.5, 60)],
    ),
    "another controller": ([[pedal(127, control=66), on(60), off(60, 240), pedal(0, 240)]], [(0, 0.25, 60)]),
    # Two notes of a pitch that overlap: neither is made shorter than its key was down.
    "struck again while the key is down": (
        [[pedal(127), on(60), on(60, 240), off(60, 240), off(60, 240), pedal(0, 240)]],
        [(0, 0.5, 60), (0.25, 1.0, 60)],
    ),
    "two notes that begin together": (
        [[pedal(127), on(60), on(60), off(60, 240), off(60, 240), pedal(0, 240)]],
        [(0, 0.75, 60), (0, 0.75, 60)],
    ),
    "a key of no duration sounds": ([[pedal(127), on(60), off(60), pedal(0, 480)]], [(0, 0.5, 60)]),
}


@pytest.mark.parametrize("name", CASES)
def test_a_note_sounds_as_long_as_key_or_pedal_hold_it(tmp_path, name):
    tracks, expected = CASES[name]
    assert notes_of(save(tmp_path / "x.mid", *tracks)) == expected


def test_a_pedal_that_never_goes_up_is_counted(tmp_path):
    path = save(
        tmp_path / "x.mid", [pedal(127), on(60), off(60, 480), on(60), off(60, 96), on(61), off(61, 96), text(96)]
    )
    [(what, first, count)] = read_midi(path, pedal=True).changed
    assert (what, first.pitch, first.start, count) == (HELD_NOTES, 60, 0.5, 2)


def test_the_tempo_is_followed_while_the_pedal_holds(tmp_path):
    tempo = [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=1_000_000, time=480)]
    path = save(tmp_path / "x.mid", tempo, [pedal(127), on(60), off(60, 240), pedal(0, 720)])
    assert notes_of(path) == [(0, 0.5 + 1.0, 60)]


# Random music, against a simulation that knows nothing but the state at each tick.


def random_music(seed: int) -> tuple[list[tuple[int, int, int, int]], list[tuple[int, int, int]], int]:
    """Start, end, pitch and channel of keys, and tick, channel and value of pedal events; the last tick."""
    rng, last, keys = random.Random(seed), 60, []
    for channel in range(2):
        for pitch in range(60, 63):
            starts = sorted(rng.randrange(last - 5) for _ in range(rng.randrange(1, 7)))
            ends = sorted(min(start + rng.randrange(1, 12), last) for start in starts)
            keys += [(start, end, pitch, channel) for start, end in zip(starts, ends, strict=True)]
    events = sorted((rng.randrange(last), rng.randrange(2), rng.choice((0, 63, 64, 127))) for _ in range(12))
    return keys, events, last


def simulated(keys: list, events: list, last: int) -> list[tuple[int, int, int, int]]:
    """The notes with their ends: at each tick first the pedal, then the keys that go down, then those that go up."""
    down, ends, held = {0: False, 1: False}, dict.fromkeys(range(len(keys))), set[int]()
    for tick in range(last + 1):
        lifted = set()
        for at, channel, value in events:
            if at == tick:
                down[channel] = value >= 64
                lifted |= set() if value >= 64 else {channel}
        for number in sorted(held):
            _, _, pitch, channel = keys[number]
            struck = any(key[0] == tick and key[2:] == (pitch, channel) for key in keys)
            if channel in lifted or struck:
                ends[number] = tick
                held.remove(number)
        for number, (start, end, pitch, channel) in enumerate(keys):
            if end == tick:
                struck = any(start < key[0] <= tick and key[2:] == (pitch, channel) for key in keys)
                if down[channel] and channel not in lifted and not struck:
                    held.add(number)
                else:
                    ends[number] = tick
    return sorted((key[0], last if ends[n] is None else ends[n], *key[2:]) for n, key in enumerate(keys))


@pytest.mark.parametrize("apart", [False, True], ids=["one track", "a track of the pedal"])
def test_random_music_agrees_with_a_simulation(tmp_path, apart):
    lengthened = 0
    for seed in range(60):
        keys, events, last = random_music(seed)
        # At a tick: pedals, keys that go up, keys that go down.
        timed = [(tick, 0, pedal(value, channel=channel)) for tick, channel, value in events]
        timed += [(end, 1, off(pitch, channel=channel)) for _, end, pitch, channel in keys]
        timed += [(start, 2, on(pitch, channel=channel)) for start, _, pitch, channel in keys]
        tracks: list[list] = []
        for part in ((0,), (1, 2)) if apart else ((0, 1, 2),):
            now, track = 0, []
            for tick, _, message in sorted((one for one in timed if one[1] in part), key=lambda one: one[:2]):
                track.append(message.copy(time=tick - now))
                now = tick
            tracks.append([*track, text(last - now)])
        path = save(tmp_path / "x.mid", *tracks)
        found = [(round(n.start * 960), round(n.end * 960), n.pitch) for n in read_midi(path, pedal=True).notes]
        expected = simulated(keys, events, last)
        assert sorted(found) == sorted(note[:3] for note in expected), seed
        lengthened += sum(a != b for a, b in zip(sorted(keys), expected, strict=True))
    assert lengthened > 300


def test_without_the_pedal_notes_are_those_of_pretty_midi(tmp_path):
    keys, events, _ = random_music(7)
    music = pretty_midi.PrettyMIDI()
    for channel in range(2):
        player = pretty_midi.Instrument(program=channel)
        alone = [key for key in keys if key[3] == channel and sum(key[2:] == other[2:] for other in keys) == 1]
        player.notes = [pretty_midi.Note(80, pitch, start / 10, end / 10) for start, end, pitch, _ in alone]
        player.control_changes = [pretty_midi.ControlChange(64, v, at / 10) for at, c, v in events if c == channel]
        music.instruments.append(player)
    music.write(str(tmp_path / "x.mid"))
    again = pretty_midi.PrettyMIDI(str(tmp_path / "x.mid"))
    expected = sorted((note.start, note.end, note.pitch) for player in again.instruments for note in player.notes)
    found = sorted(note[:3] for note in read_midi(tmp_path / "x.mid").notes)
    assert len(expected) and np.allclose(found, expected, atol=1e-9)
    assert any(a.end > b[1] for a, b in zip(read_midi(tmp_path / "x.mid", True).notes, expected, strict=True))


# The key of a folder.


def test_a_folder_follows_the_pedal_where_its_key_says_so(tmp_path):
    for split, seconds in (("train", 2.0), ("test", 3.0)):
        write(tmp_path / split / f"{split}.wav", sine(44100, seconds), labels=None)
        save(tmp_path / split / f"{split}.mid", [pedal(127), on(60), off(60, 480), on(40, channel=9), pedal(0, 480)])
    for options, end in (({}, 22050), ({"pedal": False}, 22050), ({"pedal": True}, 44100)):
        remarks: list[str] = []
        [recording] = read_split(tmp_path, "test", "folder", options=options, remarks=remarks)
        assert recording.notes.tolist() == [[0, end, 60]]
        [line] = remarks
        assert isinstance(line, Changed) and line.what == "notes of drums, left out"
