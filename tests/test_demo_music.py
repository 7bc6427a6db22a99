"""The demo set's music without a set of it: the timbres, one note at a time, and the pieces, as notes."""

import numpy as np
import pytest
from test_demo import level

from sweep.data.composition import ENSEMBLES, compose
from sweep.data.recording import SAMPLE_RATE
from sweep.data.synthesis import Note, render


def play(timbre: str, pitch: int, seconds: float = 1.0, velocity: float = 0.9) -> np.ndarray:
    """A recording of 2.5 s: one note that begins after half a second."""
    start = SAMPLE_RATE // 2
    note = Note(start, start + int(seconds * SAMPLE_RATE), timbre, pitch, velocity, 0.0, 1.0)
    return render([note], int(2.5 * SAMPLE_RATE), np.random.default_rng(0))


@pytest.mark.parametrize("timbre", ["piano", "violin", "cello", "bassoon", "clarinet"])
def test_a_note_sounds_from_its_start_to_its_end(timbre):
    audio = play(timbre, 69)
    onset, end, tenth = SAMPLE_RATE // 2, SAMPLE_RATE * 3 // 2, SAMPLE_RATE // 10
    assert level(audio, onset, 69) > level(audio, onset - tenth, 69) + 20
    assert level(audio, end - tenth, 69) > level(audio, onset + 2 * tenth, 69) - 10  # a struck string decays meanwhile
    assert level(audio, end + 3 * tenth, 69) < level(audio, end - tenth, 69) - 12


def partials(audio: np.ndarray, fundamental: float) -> tuple[np.ndarray, np.ndarray]:
    """Frequency, Hz, and amplitude of the strongest peak within 3 % of each of the first ten multiples."""
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio)), 2**19))
    frequencies = np.fft.rfftfreq(2**19, 1 / SAMPLE_RATE)
    near = [np.flatnonzero(np.abs(frequencies / (n * fundamental) - 1) < 0.03) for n in range(1, 11)]
    peaks = np.array([window[spectrum[window].argmax()] for window in near])
    return frequencies[peaks], spectrum[peaks]


def wander(audio: np.ndarray, fundamental: float) -> float:
    """Distance between the 5th and 95th percentile of the first partial's frequency, cents."""
    shifted = audio * np.exp(-2j * np.pi * fundamental / SAMPLE_RATE * np.arange(len(audio)))
    baseband = np.convolve(shifted, np.hanning(2048), "valid")
    steps = np.angle(baseband[1:] / baseband[:-1]) * SAMPLE_RATE / (2 * np.pi)  # Hz off the fundamental
    return float(np.diff(1200 * np.log2(1 + np.percentile(steps, [5, 95]) / fundamental))[0])


def test_timbres_are_struck_bowed_and_blown():
    pitch, fundamental = 57, 220.0
    held = slice(SAMPLE_RATE * 3 // 5, SAMPLE_RATE * 3 // 2)
    piano, violin, clarinet = (play(timbre, pitch)[held] for timbre in ("piano", "violin", "clarinet"))
    stretch = {}
    for name, audio in (("piano", piano), ("clarinet", clarinet)):
        frequencies, _ = partials(audio, fundamental)
        stretch[name] = 1200 * np.log2(frequencies[9] / (10 * frequencies[0]))
    assert 20 < stretch["piano"] < 45  # cents; B = 3.7e-4 gives 31
    assert abs(stretch["clarinet"]) < 2
    early, late = (partials(piano[part], fundamental)[1] for part in (slice(0, 13230), slice(-13230, None)))
    assert late[6:].sum() / early[6:].sum() < 0.7 * late[0] / early[0]
    _, amplitudes = partials(clarinet, fundamental)
    assert amplitudes[1::2].sum() < 0.2 * amplitudes[0::2].sum()
    assert wander(violin, fundamental) > 20 > 10 > max(wander(piano, fundamental), wander(clarinet, fundamental))


@pytest.mark.parametrize("timbre", ["piano", "violin", "clarinet"])
def test_nothing_aliases(timbre):
    audio = play(timbre, 96, velocity=1.0)
    spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
    frequencies = np.fft.rfftfreq(len(audio), 1 / SAMPLE_RATE)
    # Folded partials would fall between the true ones; measured: noise, at least 54 dB below the peak.
    for empty in (frequencies > 18_500, (frequencies > 1000) & (frequencies < 1900)):
        assert 20 * np.log10(spectrum[empty].max() / spectrum.max()) < -50


# Pieces as long as the real ones, without their sound.
PIECES = [compose(ENSEMBLES[i % len(ENSEMBLES)], 40.0, np.random.default_rng(i)) for i in range(2 * len(ENSEMBLES))]


def sounding(notes: list[Note]) -> np.ndarray:
    """How many notes sound in each hundredth of a second of 40 s."""
    t = np.arange(4000) * SAMPLE_RATE // 100
    return sum(((note.start <= t) & (t < note.end)).astype(int) for note in notes)


def test_pieces_are_polyphonic_and_varied():
    count = np.array([sounding(notes) for notes in PIECES])
    mean = count.mean(axis=1)
    assert mean.min() < 1.2 and 2 < mean.mean() < 3.5 and mean.max() > 3.5  # from a solo to six voices
    assert count.max() <= 8
    for row in count:
        pauses = np.diff(np.flatnonzero(np.concatenate([[1], row, [1]])))
        assert pauses.max() < 200  # nowhere two seconds of silence
    pitches = {note.pitch for notes in PIECES for note in notes}
    assert min(pitches) >= 36 and max(pitches) <= 96 and len(pitches) > 50
    timbres = [{note.timbre for note in notes} for notes in PIECES]
    assert {len(used) for used in timbres} == {1, 2, 3} and len(set.union(*timbres)) >= 3
    velocities = [note.velocity for notes in PIECES for note in notes]
    assert min(velocities) < 0.35 and max(velocities) > 0.85 and 0 < min(velocities) and max(velocities) <= 1


def test_no_key_is_struck_while_it_is_down():
    for notes in PIECES:
        free = {}
        for note in notes:
            assert note.start > free.get((note.timbre, note.pitch), -1)
            free[note.timbre, note.pitch] = note.end


def test_voices_have_their_own_rhythm_and_touch():
    alone, staccato, legato = [], 0, 0
    for notes in PIECES:
        onsets = np.array([note.start for note in notes])
        nearest = np.sort(np.abs(onsets[:, None] - onsets), axis=1)[:, 1]
        alone.append((nearest > SAMPLE_RATE // 20).mean())
        held = np.array([(note.end - note.start) / note.beats for note in notes])
        staccato += held.min() < 0.5 * np.median(held)
        legato += sounding(notes).max() > len(ENSEMBLES[PIECES.index(notes) % len(ENSEMBLES)])
    # The densest, six voices, has 14 % of its onsets alone; voices in step would have none.
    assert min(alone) > 0.1 and max(alone) == 1
    assert staccato >= 4 and legato >= 4  # pieces in which some notes are short, or overlap the next of their voice
