"""Read the notes of a MIDI file, in seconds."""

import io
import re
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sweep.data.pedal import HELD_NOTES, Key, sustain
from sweep.data.recording import DataError

DRUMS = 9  # channel 10, counted from 0
DRUM_NOTES = "notes of drums, left out"
OPEN_NOTES = "notes without a key up, ended with their track"
EMPTY_NOTES = "notes without duration, left out"
END_ALL = (120, *range(123, 128))  # controllers: all sound off, all notes off, and the modes that imply it
ENDLESS = re.compile(rb"[\x80-\xff]{10000}")  # a number of so many digits takes mido minutes


class Note(NamedTuple):
    """One note of a MIDI file.

    Attributes:
        start, end: times of key down and key up, in s.
        pitch: MIDI note.
        instrument: number of its instrument, from 1: a program on a channel of a track.
    """

    start: float
    end: float
    pitch: int
    instrument: int


class Midi(NamedTuple):
    """The notes of a MIDI file.

    Attributes:
        notes: notes by start.
        names: names of the instruments, in order: that of the track, if it has one, or of the program.
        changed: notes that were left out or changed: what was done, the note, and how many there are.
    """

    notes: list[Note]
    names: list[str]
    changed: list[tuple[str, Note, int]]


def read_midi(path: Path, pedal: bool = False) -> Midi:
    """Read the notes of all tracks of a Standard MIDI File of type 0 or 1 except the drums, from key down to key up.

    A key up ends the note of its track, channel and pitch that began first; so two overlapping notes of a pitch each
    have their own end. A note on of velocity 0 is a key up. All notes off ends all notes of its track and channel. A
    note that is still open at the end of its track ends there; one without duration is left out. The tempo map is
    followed, and so are times in SMPTE frames; a sustain pedal is not, unless that is asked for.

    Args:
        path: file to read.
        pedal: whether notes go on while the sustain pedal is down, as `sustain` has it.

    Raises:
        DataError: the file is no MIDI, is damaged, or leaves its times open: type 2, whose tracks have no time in
            common, or a tempo that changes in a track that is not the first, which programs follow or not.
    """
    import mido

    try:
        content = path.read_bytes()  # where the parser asks for more than there is, a file would reserve it
        if ENDLESS.search(content):
            raise ValueError("a number without end")
        stream = io.BytesIO(content)
        midi = mido.MidiFile(file=stream)
        rest = stream.read()
        if b"MTrk" in rest:
            raise ValueError("more tracks than its header says")
        if midi.type == 2:
            raise DataError(f"{path}: MIDI of type 2, patterns without a time in common: export it again as type 1")
        if midi.type not in (0, 1) or midi.type == 0 and len(midi.tracks) != 1:
            raise ValueError(f"{len(midi.tracks)} tracks, type {midi.type}")
        if any(message.type == "set_tempo" for track in midi.tracks[1:] for message in track):
            raise DataError(
                f"{path}: changes its tempo in a track that is not the first, its times are unsure: export it again"
            )
        return _notes(midi, pedal)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read as MIDI ({error.strerror or error}): export it again") from error
    except Exception as error:  # the parser raises errors of many kinds on damaged bytes
        reason = " ".join(str(error).split()) or ("it ends early" if isinstance(error, EOFError) else "damaged")
        raise DataError(f"{path}: cannot be read as MIDI ({reason}): export it again") from error


def played(notes: list[Note], names: list[str]) -> Midi:
    """Return notes that no MIDI file holds in its form: by start, those without duration left out and counted.

    Args:
        notes: notes in any order.
        names: names of the instruments, in order.
    """
    empty = sorted(note for note in notes if note.start == note.end)
    changed = [(EMPTY_NOTES, empty[0], len(empty))] if empty else []
    return Midi(sorted(note for note in notes if note.start != note.end), names, changed)


def _notes(midi: Any, pedal: bool) -> Midi:
    seconds = _clock(midi)
    notes: list[Note] = []
    names: dict[tuple[int, int, int], str] = {}
    firsts: dict[str, Note] = {}
    counts: Counter[str] = Counter()
    keys = [list(_keys(track)) for track in midi.tracks]
    for track_number, part in enumerate(sustain(keys, midi.tracks) if pedal else keys):
        track = midi.tracks[track_number]
        title = next((_text(message.name) for message in track if message.type == "track_name"), "")
        for key in part:
            instrument, what = (track_number, key.channel, key.program), key.what
            names.setdefault(instrument, title or _name(key.channel, key.program))
            note = Note(seconds(key.start), seconds(key.end), key.pitch, list(names).index(instrument) + 1)
            if key.channel == DRUMS:
                what = DRUM_NOTES
            elif note.start == note.end:
                what = EMPTY_NOTES
            if what:
                counts[what] += 1
                firsts[what] = min(firsts.get(what, note), note)
            if what in ("", OPEN_NOTES, HELD_NOTES):
                notes.append(note)
    return Midi(sorted(notes), list(names.values()), [(what, firsts[what], n) for what, n in counts.items()])


def _keys(track: Any) -> Iterator[Key]:
    """Yield the keys of a track."""
    now = 0
    programs: dict[int, int] = {}
    sounding: defaultdict[tuple[int, int], deque[tuple[int, int]]] = defaultdict(deque)
    for message in track:
        now += message.time
        if message.type in ("note_on", "note_off"):
            starts = sounding[message.channel, message.note]
            if message.type == "note_on" and message.velocity > 0:
                starts.append((now, programs.get(message.channel, 0)))
            elif starts:
                start, program = starts.popleft()
                yield Key(start, now, message.note, message.channel, program)
        elif message.type == "program_change":
            programs[message.channel] = message.program
        elif message.type == "control_change" and message.control in END_ALL:
            for (channel, pitch), starts in sounding.items():
                while channel == message.channel and starts:
                    start, program = starts.popleft()
                    yield Key(start, now, pitch, channel, program)
    for (channel, pitch), starts in sounding.items():
        for start, program in starts:
            yield Key(start, now, pitch, channel, program, OPEN_NOTES)


def _name(channel: int, program: int) -> str:
    """Return General MIDI's name of a program."""
    import pretty_midi

    return "drums" if channel == DRUMS else pretty_midi.program_to_instrument_name(program)


def _clock(midi: Any) -> Callable[[int], float]:
    """Return the function from ticks to seconds, by the tempo map or by SMPTE frames."""
    division = midi.ticks_per_beat
    if division < 0:
        frames, ticks = -(division >> 8), division & 0xFF
        if frames not in (24, 25, 29, 30) or not ticks:
            raise ValueError(f"{frames} frames a second of {ticks} ticks")
        rate = ticks * (30_000 / 1001 if frames == 29 else frames)
        return lambda tick: tick / rate
    if not division:
        raise ValueError("0 ticks a beat")
    ticks, times, tempi, now = [0], [0.0], [500_000], 0
    for message in midi.tracks[0] if midi.tracks else ():
        now += message.time
        if message.type == "set_tempo":
            times.append(times[-1] + (now - ticks[-1]) * tempi[-1] / 1e6 / division)
            ticks.append(now)
            tempi.append(message.tempo)

    def seconds(tick: int) -> float:
        at = bisect_right(ticks, tick) - 1
        return times[at] + (tick - ticks[at]) * tempi[at] / 1e6 / division

    return seconds


def _text(name: str) -> str:
    """Return a text as its writer meant it: MIDI has Latin-1, and most programs write UTF-8."""
    try:
        return name.encode("latin1").decode()
    except UnicodeError:
        return name
