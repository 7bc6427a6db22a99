"""Synthesise the demo set's notes of struck, bowed and blown instruments in a room, by additive synthesis."""

from dataclasses import dataclass, replace

import numpy as np

from sweep.data.recording import SAMPLE_RATE

HIGHEST_PARTIAL = 18_000.0  # Hz; below half the sample rate with room for vibrato, so nothing aliases
N_PARTIALS = 60  # largest number; they reach 4 kHz on the lowest note
RING = 0.35  # s for which a note may sound after its key is released
TABLE_SIZE = 8192  # points per period; linear interpolation is then 70 dB below even the 60th partial
LOWEST_SOUND = 25.0  # Hz; rumble and DC below it are removed


@dataclass(frozen=True)
class Timbre:
    """An instrument's sound; the numbers are chosen within the ranges of acoustics textbooks.

    Attributes:
        instrument: General MIDI program + 1, as in MusicNet's labels.
        attack: time until the note has its full level, in s.
        damping: time in which the released note falls by a factor e, in s.
        slope: partial n starts at n^-slope, at full velocity.
        formants: centres of the body's resonances in Hz, each two thirds of an octave wide.
        noise: level of breath, bow or hammer noise relative to the tone.
        even: strength of the even partials; a pipe closed at one end has hardly any.
        vibrato: depth to either side, in cents.
        struck: whether the string is hit once and decays; its stiffness then stretches the partials.
    """

    instrument: int
    attack: float
    damping: float
    slope: float
    formants: tuple[float, ...]
    noise: float
    even: float = 1.0
    vibrato: float = 0.0
    struck: bool = False


TIMBRES = {
    "piano": Timbre(1, 0.003, 0.06, 0.9, (180.0, 1100.0), 0.08, struck=True),
    "violin": Timbre(41, 0.05, 0.07, 0.8, (280.0, 460.0, 2600.0), 0.015, vibrato=18.0),
    "cello": Timbre(43, 0.07, 0.09, 0.8, (110.0, 220.0, 1500.0), 0.015, vibrato=14.0),
    "bassoon": Timbre(71, 0.04, 0.05, 0.7, (500.0, 1150.0), 0.02, even=0.4, vibrato=4.0),
    "clarinet": Timbre(72, 0.03, 0.05, 0.6, (1500.0, 3000.0), 0.03, even=0.08, vibrato=3.0),
}


@dataclass(frozen=True)
class Note:
    """One note: key down and up in samples, timbre by name, MIDI pitch, velocity in 0..1, place and length in beats."""

    start: int
    end: int
    timbre: str
    pitch: int
    velocity: float
    start_beat: float
    beats: float


def render(notes: list[Note], n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Play the notes in a room that `rng` chooses, with its tuning, reverberation, noise and level.

    Args:
        notes: notes to play, in any order; sound after the last sample is cut off.
        n_samples: length of the recording in samples.
        rng: random generator of tuning, room, noise, level and details of the notes.

    Returns:
        (n_samples,) float64, peak between 0.4 and 0.8.
    """
    concert_pitch = 440.0 * 2 ** (rng.uniform(-8, 8) / 1200)  # Hz; up to 8 cents off
    players = {name: _specimen(TIMBRES[name], rng) for name in sorted({note.timbre for note in notes})}
    tones, noise_level = np.zeros(n_samples), np.zeros(n_samples)
    for note in notes:
        timbre = players[note.timbre]
        n = min(note.end + int(RING * SAMPLE_RATE), n_samples) - note.start
        fundamental = concert_pitch * 2 ** ((note.pitch - 69) / 12)
        envelope = _envelope(timbre, n, note.end - note.start) * note.velocity**1.5
        play = _struck if timbre.struck else _sustained
        tone, noise = play(timbre, fundamental, note.velocity, n, rng)
        tones[note.start : note.start + n] += envelope * tone
        noise_level[note.start : note.start + n] += envelope * noise
    noise_level += tones.std() * 10 ** (rng.uniform(-62, -50) / 20)  # the room and the microphone
    recording = _in_room(tones + noise_level * _pink_noise(n_samples, rng), rng)
    return recording * (rng.uniform(0.4, 0.8) / np.abs(recording).max())


def _specimen(timbre: Timbre, rng: np.random.Generator) -> Timbre:
    """Vary a timbre at random, since no two instruments of a kind sound the same."""
    formants = tuple(formant * 2 ** rng.uniform(-0.5, 0.5) for formant in timbre.formants)
    return replace(timbre, slope=timbre.slope + rng.uniform(-0.3, 0.5), formants=formants)


def _envelope(timbre: Timbre, n: int, released: int) -> np.ndarray:
    """Compute a note's envelope: a rise after the key goes down, an exponential fall from its release on."""
    t = np.arange(n) / SAMPLE_RATE
    rise = np.minimum(t / timbre.attack, 1.0)
    fall = np.exp(-np.maximum(t - released / SAMPLE_RATE, 0.0) / timbre.damping)
    fade = np.minimum((n - np.arange(n)) / (0.02 * SAMPLE_RATE), 1.0)  # avoids a click where the sound is cut off
    return np.sin(np.pi / 2 * rise) ** 2 * fall * fade


def _spectrum(timbre: Timbre, frequencies: np.ndarray, velocity: float) -> np.ndarray:
    """Compute the partials' amplitudes: softer notes are duller; the body amplifies what is near its resonances."""
    order = np.arange(1, len(frequencies) + 1)
    octaves = np.log2(frequencies[:, None] / np.array(timbre.formants))
    body = 0.3 + np.exp(-((octaves / 0.67) ** 2)).sum(axis=1)
    amplitudes = order ** -(timbre.slope + 1.2 * (1 - velocity)) * body
    amplitudes[1::2] *= timbre.even
    return amplitudes / np.sqrt((amplitudes**2).sum())


def _struck(timbre: Timbre, fundamental: float, velocity: float, n: int, rng: np.random.Generator):
    """Synthesise a stiff string hit by a hammer: f_n = n f_0 sqrt(1 + B n^2), higher partials decaying faster.

    All partials are computed at once: partial k at sample aM + b is the real part of z_k^(aM) z_k^b with
    z_k = exp(i w_k - d_k), so the sum over k is one product of a (n/M, 2K) and a (2K, M) matrix, far cheaper than K n
    sines. It uses einsum instead of the BLAS behind @, whose order of summation may depend on the number of threads.
    """
    stiffness = 2e-4 * (fundamental / 130.8) ** 1.2  # B of a grand piano: about 1e-4 at C2, 1e-3 at C5
    order = np.arange(1, N_PARTIALS + 1)
    frequencies = order * fundamental * np.sqrt(1 + stiffness * order**2)
    frequencies = frequencies[frequencies < HIGHEST_PARTIAL]
    order = order[: len(frequencies)]
    amplitudes = _spectrum(timbre, frequencies, velocity) * np.abs(np.sin(np.pi * order / 7.3))  # hit near 1/7 of it
    decay = 0.6 * (fundamental / 130.8) ** 0.6 * (1 + 0.12 * order)  # 1/s; a key held rings for seconds
    log_z = (2j * np.pi * frequencies - decay) / SAMPLE_RATE
    log_start = np.log(amplitudes) + 2j * np.pi * rng.random(len(order))
    block = 256
    coarse = np.exp(log_start + np.arange(0, n, block)[:, None] * log_z)
    fine = np.exp(np.arange(block)[:, None] * log_z)
    tone = np.einsum("ak,bk->ab", np.hstack([coarse.real, -coarse.imag]), np.hstack([fine.real, fine.imag]))
    thud = timbre.noise * np.exp(-np.arange(n) / (0.02 * SAMPLE_RATE))
    return 1.6 * tone.ravel()[:n], thud


def _sustained(timbre: Timbre, fundamental: float, velocity: float, n: int, rng: np.random.Generator):
    """Synthesise a bowed string or a blown pipe: one period, read at a speed that the vibrato varies."""
    frequencies = np.arange(1, N_PARTIALS + 1) * fundamental
    frequencies = frequencies[frequencies < HIGHEST_PARTIAL]
    harmonics = np.zeros(TABLE_SIZE // 2 + 1, dtype=complex)
    phases = np.exp(2j * np.pi * rng.random(len(frequencies)))
    harmonics[1 : len(frequencies) + 1] = _spectrum(timbre, frequencies, velocity) * phases
    period = np.fft.irfft(harmonics, norm="forward") / 2
    t = np.arange(n) / SAMPLE_RATE
    depth = timbre.vibrato * np.minimum(t / 0.3, 1.0)  # cents; a player begins a note without it
    wobble = depth * np.sin(2 * np.pi * (rng.uniform(4.8, 6.2) * t + rng.random()))
    cycles = np.cumsum(fundamental / SAMPLE_RATE * 2 ** (wobble / 1200))
    tone = np.interp(cycles % 1.0 * TABLE_SIZE, np.arange(TABLE_SIZE + 1), np.append(period, period[0]))
    swell = 1 - 0.25 * np.exp(-t / 0.15)
    return tone * swell, np.full(n, timbre.noise)


def _pink_noise(n: int, rng: np.random.Generator) -> np.ndarray:
    """Generate noise of deviation 1 and equal power per octave above 100 Hz: (n,)."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    spectrum /= np.sqrt(np.maximum(np.fft.rfftfreq(n, 1 / SAMPLE_RATE), 100.0))
    noise = np.fft.irfft(spectrum, n)
    return noise / noise.std()


def _in_room(dry: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a tail of decaying noise to the direct sound by one FFT, and remove DC."""
    n_tail = int(1.3 * SAMPLE_RATE)
    t = np.arange(n_tail) / SAMPLE_RATE
    tail = rng.standard_normal(n_tail) * 10 ** (-3 * t / rng.uniform(0.5, 1.3))  # -60 dB after 0.5 to 1.3 s
    tail[: int(0.008 * SAMPLE_RATE)] = 0  # the first wall is more than a metre away
    n_fft = 1 << (len(dry) + n_tail).bit_length()
    frequencies = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE)
    wet = rng.uniform(0.3, 0.6) / np.sqrt((tail**2).sum()) / np.sqrt(1 + (frequencies / 4000) ** 2)  # walls dull it
    response = (1 + wet * np.fft.rfft(tail, n_fft)) * (frequencies > LOWEST_SOUND)
    return np.fft.irfft(np.fft.rfft(dry, n_fft) * response, n_fft)[: len(dry)]
