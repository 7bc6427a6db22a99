"""Compose the pieces of the demo set: a key, a tempo, a sequence of chords, and a line for every voice."""

from dataclasses import dataclass, replace

import numpy as np

from sweep.data.recording import SAMPLE_RATE
from sweep.data.synthesis import Note

# Lengths are counted in sixteenths: 4 make a beat.
NOTE_VALUES = {
    1: "Sixteenth",
    2: "Eighth",
    3: "Dotted Eighth",
    4: "Quarter",
    6: "Dotted Quarter",
    8: "Half",
    12: "Dotted Half",
    16: "Whole",
}
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# Chords that may follow a chord in functional harmony, by degree of the scale (0 is I, 4 is V).
FOLLOWING = {0: (1, 3, 4, 5), 1: (4, 6), 2: (3, 5), 3: (0, 1, 4), 4: (0, 0, 5), 5: (1, 3), 6: (0,)}
PHRASE = 4  # bars
# Modulations at a phrase: semitones up, and whether the mode changes.
NEAR_KEYS = {"major": ((7, False), (5, False), (9, True)), "minor": ((3, True), (7, False), (5, False))}


@dataclass(frozen=True)
class Role:
    """The role of a voice in the texture.

    Attributes:
        lengths: note lengths that it draws from, in sixteenths.
        rests: share of its draws that are silent.
        passing: share of its notes that need not belong to the chord.
        leap: typical distance between successive notes, in semitones.
        touch: range of the share of its length for which a note is held; above 1 it overlaps the next.
    """

    lengths: tuple[int, ...]
    rests: float
    passing: float
    leap: float
    touch: tuple[float, float]


ROLES = {
    "bass": Role((2, 2, 4, 4, 4, 8), 0.10, 0.0, 5.0, (0.8, 1.0)),
    "melody": Role((1, 1, 2, 2, 2, 2, 3, 4, 4, 6), 0.10, 0.6, 2.5, (0.85, 1.1)),
    "figure": Role((2,), 0.15, 0.1, 5.0, (0.7, 1.0)),
    "run": Role((1, 1, 1, 2), 0.10, 0.5, 2.0, (0.6, 1.0)),
    "staccato": Role((2, 2, 4), 0.30, 0.0, 4.0, (0.3, 0.5)),
    "inner": Role((2, 2, 4, 4, 6, 8), 0.20, 0.1, 3.0, (0.9, 1.05)),
}

# The voices of a piece, low to high: timbre, role, and the MIDI pitch in the middle of its two octaves.
# A recording takes number id modulo 8, so each test ensemble, 1 to 4, is heard in two training recordings too.
ENSEMBLES = (
    (("cello", "melody", 52),),
    (("piano", "bass", 48), ("piano", "inner", 60), ("piano", "melody", 74)),
    (("cello", "bass", 48), ("violin", "inner", 67), ("violin", "melody", 74)),
    (("piano", "bass", 48), ("piano", "figure", 62), ("clarinet", "melody", 70)),
    (
        ("cello", "bass", 48),
        ("piano", "staccato", 58),
        ("piano", "inner", 64),
        ("piano", "figure", 72),
        ("violin", "inner", 74),
        ("violin", "melody", 84),
    ),
    (("piano", "figure", 55), ("piano", "run", 76)),
    (("bassoon", "bass", 48), ("bassoon", "inner", 57), ("clarinet", "figure", 66), ("clarinet", "melody", 76)),
    (("piano", "bass", 48), ("piano", "staccato", 60), ("piano", "inner", 67), ("piano", "melody", 78)),
)
REACH = 12  # semitones to either side of the middle
SHORTEST = SAMPLE_RATE // 20  # samples; no note is cut to less than 50 ms
GAP = SAMPLE_RATE // 100  # samples between two strokes of the same key


def compose(ensemble: tuple[tuple[str, str, int], ...], seconds: float, rng: np.random.Generator) -> list[Note]:
    """Compose a piece: a key, a tempo, a sequence of chords, and a line of its own for every voice.

    Args:
        ensemble: timbre, role and middle pitch of each voice, as in `ENSEMBLES`.
        seconds: length of the recording in s; the last notes end a second before that, to ring out.
        rng: random generator of all choices.

    Returns:
        Notes by onset. Within an instrument no two of the same pitch overlap.
    """
    bar = int(rng.choice((12, 16)))  # 3/4 or 4/4
    tempo = rng.uniform(80, 144)  # beats a minute
    bars = max(2, round(seconds * tempo / 60 * 4 / bar))
    harmony = _harmony(bars, rng)
    clock = _clock(bars * bar, bar, seconds, rng)
    swell = rng.uniform(4, 12) * bar  # from one fortissimo to the next
    notes = []
    for timbre, role, middle in ensemble:
        for tick, length, pitch in _line(ROLES[role], middle, bar, harmony, rng):
            late = rng.normal(0, 0.006)  # s; nobody plays exactly on the beat
            held = (clock[tick + length] - clock[tick]) * rng.uniform(*ROLES[role].touch)
            velocity = 0.6 + 0.2 * np.sin(2 * np.pi * tick / swell) + 0.08 * (tick % bar == 0) + rng.normal(0, 0.1)
            notes.append(
                Note(
                    start=round((clock[tick] + late) * SAMPLE_RATE),
                    end=round((clock[tick] + late + max(held, 0.06)) * SAMPLE_RATE),
                    timbre=timbre,
                    pitch=pitch,
                    velocity=float(np.clip(velocity, 0.2, 1.0)),
                    start_beat=tick / 4,
                    beats=length / 4,
                )
            )
    return _playable(notes)


def _harmony(bars: int, rng: np.random.Generator) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Choose each bar's chord tones, root first, and scale, as pitch classes; phrases end V-I, some modulate."""
    home = (int(rng.integers(12)), "minor" if rng.random() < 0.4 else "major")
    chords = []
    for first in range(0, bars, PHRASE):
        last = min(first + PHRASE, bars) - 1
        tonic, mode = home
        if 0 < first < bars - PHRASE and rng.random() < 0.6:
            up, other = NEAR_KEYS[mode][rng.integers(len(NEAR_KEYS[mode]))]
            tonic, mode = tonic + up, {"major": "minor", "minor": "major"}[mode] if other else mode
        degree = 0
        for place in range(first, last + 1):
            degree = {last: 0, last - 1: 4}.get(place, degree)
            scale = list(SCALES[mode])
            if degree in (4, 6):
                scale[6] = 11  # the leading note, in minor too
            triad = [scale[(degree + third) % 7] for third in (0, 2, 4)]
            chords.append((tuple((tonic + p) % 12 for p in triad), tuple((tonic + p) % 12 for p in scale)))
            degree = FOLLOWING[degree][rng.integers(len(FOLLOWING[degree]))]
    return chords


def _clock(ticks: int, bar: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Compute the time of each sixteenth in s, (ticks + 1,): the tempo varies and slows before the end of a phrase."""
    tick = np.arange(ticks)
    pace = 1 + 0.06 * np.sin(2 * np.pi * (tick / (rng.uniform(2, 5) * bar) + rng.random()))
    pace[tick % (PHRASE * bar) >= (PHRASE * bar - 4)] *= 1.2
    elapsed = np.concatenate([[0.0], np.cumsum(pace)])
    return 0.3 + (seconds - 1.3) * elapsed / elapsed[-1]


def _line(role: Role, middle: int, bar: int, harmony: list, rng: np.random.Generator):
    """Yield a voice's notes as (first sixteenth, length, MIDI pitch): a random walk through the harmony."""
    pitches = np.arange(middle - REACH, middle + REACH + 1)
    tick, pitch, end = 0, middle, len(harmony) * bar
    while tick < end:
        final = tick >= end - bar
        longest = end - tick if final else min(rng.choice(role.lengths), end - bar - tick)
        length = max(value for value in NOTE_VALUES if value <= longest)  # the longest that notation has
        if final or rng.random() >= role.rests:
            tones, scale = harmony[tick // bar]
            free = tick % 4 != 0 and rng.random() < role.passing
            distance = np.abs(pitches - pitch)
            weight = np.isin(pitches % 12, scale if free else tones) * np.exp(-distance / role.leap)
            weight *= np.exp(-(((pitches - middle) / REACH) ** 2))  # pitches near the middle are more likely
            weight[distance == 0] *= 0.3  # repeated notes are the exception
            if role is ROLES["bass"]:
                weight[pitches % 12 == tones[0]] *= 4
            pitch = int(rng.choice(pitches, p=weight / weight.sum()))
            yield tick, length, pitch
        tick += length


def _playable(notes: list[Note]) -> list[Note]:
    """Sort notes by onset; release a key before the same instrument strikes it again."""
    kept, sounding = [], {}
    for note in sorted(notes, key=lambda note: (note.start, note.timbre, note.pitch)):
        before = sounding.get((note.timbre, note.pitch))
        if before is not None and kept[before].end > note.start - GAP:
            if note.start - GAP - kept[before].start < SHORTEST:
                continue  # two voices strike the same key
            kept[before] = replace(kept[before], end=note.start - GAP)
        sounding[note.timbre, note.pitch] = len(kept)
        kept.append(note)
    return kept
