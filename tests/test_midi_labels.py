"""MIDI as label: which key up ends which note, what has no end, what has no time; and all changes are counted."""

import io
import struct
from pathlib import Path

import mido
import pytest
from own_recordings import HEADER, write
from rich.console import Console
from test_audio import sine

from sweep.data.labels import check_csv, check_midi
from sweep.data.recording import Changed
from sweep.data.report import report

TICKS = 480  # a beat, of half a second: 0.1 s is 96


def on(note: int, time: int = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=note, velocity=velocity, time=time, channel=channel)


def off(note: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=note, time=time, channel=channel)


def text(time: int) -> mido.MetaMessage:
    return mido.MetaMessage("text", text="x", time=time)


def save(path: Path, *tracks: list, type: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    mido.MidiFile(type=type, ticks_per_beat=TICKS, tracks=[mido.MidiTrack(track) for track in tracks]).save(path)
    return path


def notes_of(path: Path) -> list[tuple[float, float, int]]:
    """Start and end in s and pitch; a note is checked against a recording of 5 s."""
    notes, lines = check_midi(path, 5 * 44100)
    assert all(isinstance(line, Changed) for line in lines), lines
    return [(round(start / 44100, 3), round(end / 44100, 3), pitch) for start, end, pitch in notes.tolist()]


@pytest.mark.parametrize(
    ("tracks", "expected"),
    [
        # First in, first out: the first key up ends the note that began first.
        ([[on(60), on(60, 240), off(60, 240), off(60, 240)]], [(0, 0.5, 60), (0.25, 0.75, 60)]),
        ([[on(60), on(60, 480), off(60), off(60, 480)]], [(0, 0.5, 60), (0.5, 1.0, 60)]),
        # A key up ends notes of its own pitch, channel and track only.
        ([[on(60), on(60, channel=1), off(60, 240, 1), off(60, 240)]], [(0, 0.25, 60), (0, 0.5, 60)]),
        ([[on(60), off(60, 480)], [on(60), off(60, 240)]], [(0, 0.25, 60), (0, 0.5, 60)]),
        # Without a key up: to the end of the track.
        ([[on(64), text(480)], [text(960)]], [(0, 0.5, 64)]),
        ([[on(60), on(60, 240), off(60, 240), text(480)]], [(0, 0.5, 60), (0.25, 1.0, 60)]),
        # Velocity 0 is a key up; a key up alone is nothing.
        ([[off(60), on(60), on(60, 480, velocity=0), off(60, 480)]], [(0, 0.5, 60)]),
        # All notes off ends those of its channel.
        (
            [[on(60), on(61, channel=1), mido.Message("control_change", control=123, time=240), off(61, 240, 1)]],
            [(0, 0.25, 60), (0, 0.5, 61)],
        ),
        # No duration, and drums.
        ([[on(60), off(60), on(61), off(61, 480)]], [(0, 0.5, 61)]),
        ([[on(60, channel=9), off(60, 480, 9)], [on(61), off(61, 480)]], [(0, 0.5, 61)]),
    ],
)
def test_each_note_has_its_own_end(tmp_path, tracks, expected):
    assert notes_of(save(tmp_path / "x.mid", *tracks)) == expected


def test_running_status(tmp_path):
    """As most files have it: the status byte once, then pairs of data, a key up as velocity 0."""
    events = b"\x00\x90\x3c\x50" + b"\x83\x60\x3c\x00" + b"\x00\x3e\x50" + b"\x83\x60\x3e\x00" + b"\x00\xff\x2f\x00"
    content = b"MThd" + struct.pack(">LHHH", 6, 0, 1, TICKS) + b"MTrk" + struct.pack(">L", len(events)) + events
    (tmp_path / "x.mid").write_bytes(content)
    assert notes_of(tmp_path / "x.mid") == [(0, 0.5, 60), (0.5, 1.0, 62)]


@pytest.mark.parametrize(
    ("high", "low", "seconds"), [(-25, 40, 0.48), (-24, 80, 0.25), (-30, 80, 0.2), (-29, 100, 0.16016)]
)
def test_times_in_smpte_frames(tmp_path, high, low, seconds):
    """480 ticks at so many frames a second of so many ticks; 29 stands for 30 / 1.001; the tempo plays no part."""
    path = save(tmp_path / "x.mid", [mido.MetaMessage("set_tempo", tempo=9), on(60), off(60, 480)])
    content = path.read_bytes()
    path.write_bytes(content[:12] + struct.pack(">bB", high, low) + content[14:])
    assert notes_of(path) == [(0, round(seconds, 3), 60)]


def header(path: Path, type: int, tracks: int, division: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:8] + struct.pack(">HHH", type, tracks, division) + content[14:])


@pytest.mark.parametrize(
    ("type", "tracks", "division", "words"),
    [
        (2, 2, TICKS, "MIDI of type 2, patterns without a time in common: export it again as type 1"),
        (3, 2, TICKS, "cannot be read as MIDI (2 tracks, type 3)"),
        (0, 2, TICKS, "cannot be read as MIDI (2 tracks, type 0)"),
        (1, 1, TICKS, "cannot be read as MIDI (more tracks than its header says)"),
        (1, 0x8000, TICKS, "cannot be read as MIDI (more tracks than its header says)"),
        (1, 3, TICKS, "cannot be read as MIDI (it ends early)"),
        (1, 2, 0, "cannot be read as MIDI (0 ticks a beat)"),
        (1, 2, 0xE600, "cannot be read as MIDI (26 frames a second of 0 ticks)"),
        (1, 2, 0x8080, "frames a second"),
    ],
)
def test_a_header_that_leaves_the_times_open_is_refused(tmp_path, type, tracks, division, words):
    path = save(tmp_path / "x.mid", [on(60), off(60, 480)], [on(64), off(64, 480)])
    header(path, type, tracks, division)
    notes, (line,) = check_midi(path, 44100)
    assert not len(notes) and line.startswith(f"{path}: ") and words in line and "\n" not in line


def test_a_number_without_end_is_refused_at_once(tmp_path):
    path = save(tmp_path / "x.mid", [on(60), off(60, 480)])
    content = path.read_bytes()
    path.write_bytes(content[:22] + b"\xff" * 3_000_000 + content[22:])
    _, (line,) = check_midi(path, 44100)
    assert line == f"{path}: cannot be read as MIDI (a number without end): export it again"


def test_every_change_is_counted_with_the_place_of_the_first(tmp_path):
    """MIDI and CSV alike; nothing of it is an error."""
    write(tmp_path / "train/a.wav", sine(44100, 2.0), labels=None)
    name = mido.MetaMessage("track_name", name="ピアノ".encode().decode("latin1"))
    save(
        tmp_path / "train/a.mid",
        [name, on(62), off(62), on(60), on(60, 96), off(60, 480), on(20), off(60, 480), on(64, 0), text(2400)],
        [on(40, 96, channel=9), off(40, 96, 9), on(41, 0, channel=9), off(41, 96, 9)],
    )
    rows = "0,9,60\n5,12,60\n12,20,60\n0,9,60\n0,9,109\n0,9,108\n100000,100001,9\n88000,99999999,70\n"
    write(tmp_path / "test/b.wav", sine(44100, 3.0), labels=HEADER + rows)
    stream = io.StringIO()
    assert report(tmp_path, "folder", Console(file=stream, width=200)) == []
    said = stream.getvalue().partition("remarks:\n")[2].splitlines()
    midi, table = f"{tmp_path}/train/a.mid: instrument", f"{tmp_path}/test/b.csv"
    assert dict(zip(said[:-1:2], said[1::2], strict=True)) == {
        "notes without duration, left out: 1": f"  the first: {midi} 1 (ピアノ): note 62 at 0.000 s",
        "notes without a key up, ended with their track: 2": f"  the first: {midi} 1 (ピアノ): note 20 at 0.600 s",
        "notes of drums, left out: 2": f"  the first: {midi} 2 (drums): note 40 at 0.100 s",
        "notes cut at the end of the audio: 3": f"  the first: {midi} 1 (ピアノ): note 20 at 0.600 s",
        "notes merged with another of their pitch: 2": f"  the first: {midi} 1 (ピアノ): note 60 at 0.100 s",
        "notes beyond a piano's 21..108, kept: 3": f"  the first: {midi} 1 (ピアノ): note 20 at 0.600 s",
        "notes that repeat another, counted once: 1": f"  the first: {table}:5",
    }
    assert said[-1] == "no problems"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1_0,20,60", "must be whole numbers"),
        ("1,5,2,5,60", "'1,5,2,5,60' has 5 values, the header 3"),
        ("1,2," + "9" * 5000, "must be whole numbers"),
        ("1,2,x" + "y" * 100_000, "must be whole numbers"),
    ],
)
def test_a_row_that_only_looks_like_numbers_is_refused(tmp_path, row, words):
    path = tmp_path / "x.csv"
    path.write_text(f"{HEADER}{row}\n")
    notes, (line,) = check_csv(path, 44100)
    assert not len(notes) and line.startswith(f"{path}:2: ") and words in line and len(line) < 400


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("start_time,end_time,note,note\n1,2,60,61\n")
    _, (line,) = check_csv(path, 44100)
    assert line.startswith(f"{path}:1: column note more than once")
