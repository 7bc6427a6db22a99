"""Lengthen the notes of a MIDI file by its sustain pedal."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from typing import Any, NamedTuple

PEDAL, DOWN = 64, 64  # controller, and its least value that is down
ALL_SOUND_OFF, RESET = 120, 121  # controllers that silence notes which the pedal holds, and lift it
HELD_NOTES = "notes under a pedal that never goes up, ended with the file"


def in_words(pedal: bool) -> str:
    """Say how the notes of MIDI end, for `Source.remark`."""
    if pedal:
        return f"from key down, sustained while the pedal (controller {PEDAL}) is down, until the key is struck again"
    return "from key down to key up, the pedal is not followed"


class Key(NamedTuple):
    """One key of a MIDI file that goes down and up.

    Attributes:
        start, end: times of key down and key up, or of the note's end once it is sustained, in ticks.
        pitch: MIDI note.
        channel: channel from 0.
        program: program of the channel at key down.
        what: what is odd about the note; "" if nothing is.
    """

    start: int
    end: int
    pitch: int
    channel: int
    program: int
    what: str = ""


class _Pedal:
    """The sustain pedal of a channel: ticks of its events, whether it is down after each, and ticks that end notes."""

    def __init__(self) -> None:
        self.ticks: list[int] = []
        self.downs: list[bool] = []
        self.cuts: list[int] = []

    def add(self, tick: int, control: int, value: int) -> None:
        down = self.is_down(tick) if control == ALL_SOUND_OFF else control == PEDAL and value >= DOWN
        self.ticks.append(tick)
        self.downs.append(down)
        if control != PEDAL or not down:
            self.cuts.append(tick)

    def is_down(self, tick: int) -> bool:
        """Return whether the pedal is down once all its events up to a tick have happened."""
        at = bisect_right(self.ticks, tick)
        return at > 0 and self.downs[at - 1]

    def cut(self, tick: int) -> int | None:
        """Return the first tick, no earlier than this one, at which held notes end; None: they are held for good."""
        at = bisect_left(self.cuts, tick)
        return self.cuts[at] if at < len(self.cuts) else None


def sustain(keys: list[list[Key]], tracks: list[Any]) -> list[list[Key]]:
    """Lengthen notes whose key goes up while the sustain pedal is down.

    Such a note goes on until the pedal goes up or its key is struck again (Hawthorne et al., "Onsets and Frames",
    ISMIR 2018, section 3). The pedal, controller 64, is down from value 64; of events at one tick the pedal's come
    first. So does note_seq's `apply_sustain_control_changes`, with which those authors made their labels, but for four
    things. Here a note is never made shorter: one whose pitch is struck once more while its key is down keeps its key
    up, where note_seq ends it there. Of two notes that begin together both are kept. A pedal that goes up and down
    within a tick is down, where note_seq takes it to be up. And a pedal may stand in a track of its own, whose events
    note_seq does not relate to the notes.

    A track's own pedal counts for its channel; a track without one follows the tracks that have a pedal for this
    channel and no note in it. All sound off ends held notes, and a reset of the controllers lifts the pedal.

    Args:
        keys: keys of each track.
        tracks: the tracks, mido's messages with times in ticks since the one before.

    Returns:
        The keys with their new ends, in the same order. A pedal that never goes up holds notes to the end of the file.
    """
    pedals = [_pedals(track) for track in tracks]
    if not any(pedals):
        return keys
    last = max(sum(message.time for message in track) for track in tracks)
    played = [{key.channel for key in part} for part in keys]
    apart: dict[int, _Pedal] = {}  # of tracks of controllers alone; of several the first
    for own, channels in zip(pedals, played, strict=True):
        apart = {channel: pedal for channel, pedal in own.items() if channel not in channels} | apart
    return [_sustained(part, apart | own, last) for part, own in zip(keys, pedals, strict=True)]


def _pedals(track: Any) -> dict[int, _Pedal]:
    """Return the pedal of each channel of a track that has one."""
    now, pedals = 0, defaultdict[int, _Pedal](_Pedal)
    for message in track:
        now += message.time
        if message.type == "control_change" and message.control in (PEDAL, ALL_SOUND_OFF, RESET):
            pedals[message.channel].add(now, message.control, message.value)
    return {channel: pedal for channel, pedal in pedals.items() if any(pedal.downs)}


def _sustained(keys: list[Key], pedals: dict[int, _Pedal], last: int) -> list[Key]:
    """Lengthen the notes of a track by the pedal of their channel."""
    starts: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for key in keys:
        starts[key.channel, key.pitch].append(key.start)
    for ticks in starts.values():
        ticks.sort()
    return [
        _held(key, pedals[key.channel], starts[key.channel, key.pitch], last) if key.channel in pedals else key
        for key in keys
    ]


def _held(key: Key, pedal: _Pedal, starts: list[int], last: int) -> Key:
    """Return a key with the end of its note; `starts` are all of its pitch, sorted."""
    if key.what or not pedal.is_down(key.end):
        return key
    at = bisect_right(starts, key.start)
    again = starts[at] if at < len(starts) else last
    cut = pedal.cut(key.end)
    end = max(key.end, min(again, last if cut is None else cut))
    forever = cut is None and at == len(starts) and end > key.end
    return key._replace(end=end, what=HELD_NOTES if forever else "")
