"""Form notes from the probabilities of successive frames, and write them as a table and as MIDI.

The model predicts for each frame which notes sound in it; it does not predict onsets. So a note is a stretch of frames:

1. A note sounds in a frame if its probability is above the threshold, by default the one that the run was scored with.
   Only the piano's 88 pitches are used, as in the scores; silent windows have no notes (`sweep.transcribe.transcribe`).
2. A frame covers the time from half a hop before its centre to half a hop after it.
3. Gaps of at most GAP seconds between two stretches of a pitch are closed.
4. Stretches that are then shorter than SHORTEST seconds are dropped.

So a repeated note gives two notes only if its probability falls below the threshold for more than GAP seconds.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.results.scoring import FREQUENCIES, PITCHES

# The onset tolerance of mir_eval.transcription, whose metrics do not resolve shorter notes. On MusicNet's 2303, with
# cqt-48 after 300 steps, they reduce 2,305 stretches to 837 notes; the labels have 718.
GAP = SHORTEST = 0.05
VELOCITY = 80  # MIDI velocity of all notes: the model does not predict loudness
_RESOLUTION = 480  # MIDI ticks in half a second


@dataclass
class Stretches:
    """Collect the frames in which notes sound, block after block.

    Attributes:
        threshold: probability above which a note sounds.
        frames: number of frames added so far.
    """

    threshold: float
    frames: int = 0

    def __post_init__(self):
        self._found: list[np.ndarray] = []

    def add(self, probability: np.ndarray) -> None:
        """Add the probabilities of the next frames.

        Args:
            probability: (frames, 88) float in 0..1.
        """
        sounding = np.pad(probability > self.threshold, ((1, 1), (0, 0))).astype(np.int8)
        edges = np.diff(sounding, axis=0).T  # transposed, so that nonzero goes pitch by pitch
        pitch, start = np.nonzero(edges == 1)
        stop = np.nonzero(edges == -1)[1]
        total = np.concatenate([np.zeros((1, len(PITCHES))), probability.cumsum(axis=0, dtype=float)])
        summed = total[stop, pitch] - total[start, pitch]
        self._found.append(np.stack([pitch, start + self.frames, stop + self.frames, summed], axis=1))
        self.frames += len(probability)

    def notes(self, hop_seconds: float, seconds: float, gap: float = GAP, shortest: float = SHORTEST) -> pd.DataFrame:
        """Form notes from the collected frames, sorted by onset and then by pitch.

        Args:
            hop_seconds: time between two frames, in seconds.
            seconds: duration of the audio, to which offsets are clipped.
            gap: longest gap within a pitch that is closed, in seconds.
            shortest: shortest note that is kept, in seconds.

        Returns:
            One row a note: onset_seconds, offset_seconds, pitch (MIDI), frequency_hz, and probability, the mean over
            the note's frames without closed gaps.
        """
        found = np.concatenate([np.empty((0, 4)), *self._found])
        pitch, start, stop, summed = found[np.lexsort((found[:, 1], found[:, 0]))].T
        # Two blocks may cut a note in two with no gap between its parts; they are joined here too.
        apart = np.ones(len(pitch), bool)
        apart[1:] = (np.diff(pitch) > 0) | ((start[1:] - stop[:-1]) * hop_seconds > gap)
        first = np.flatnonzero(apart)
        last = np.append(first[1:], len(pitch))[: len(first)] - 1
        frames = np.add.reduceat(stop - start, first) if len(first) else stop
        summed = np.add.reduceat(summed, first) if len(first) else summed
        index = pitch[first].astype(int)
        notes = pd.DataFrame(
            {
                "onset_seconds": (start[first] - 0.5).clip(0) * hop_seconds,
                "offset_seconds": ((stop[last] - 0.5) * hop_seconds).clip(max=seconds),
                "pitch": PITCHES[index],
                "frequency_hz": FREQUENCIES[index],
                "probability": summed / frames,
            }
        )
        notes = notes[(stop[last] - start[first]) * hop_seconds >= shortest]
        return notes.sort_values(["onset_seconds", "pitch"], ignore_index=True)


def csv(notes: pd.DataFrame) -> str:
    """Format notes as comma-separated values, with times to 0.1 ms.

    Args:
        notes: table of notes, `Stretches.notes`.
    """
    digits = {"onset_seconds": 4, "offset_seconds": 4, "frequency_hz": 3, "probability": 4}
    return notes.round(digits).to_csv(index=False)


def midi(notes: pd.DataFrame, seconds: float, title: str) -> bytes:
    """Encode notes as a Standard MIDI File: one piano track at a nominal 120 beats a minute, not the music's tempo.

    Args:
        notes: table of notes, `Stretches.notes`.
        seconds: duration of the audio, in seconds.
        title: name of the track. MIDI's text is Latin-1, and what does not fit is written as UTF-8.
    """
    import pretty_midi

    # pretty_midi refuses to read files of more than MAX_TICK ticks, three hours at 480 ticks in half a second.
    most = pretty_midi.pretty_midi.MAX_TICK / (2 * seconds + 2)
    file = pretty_midi.PrettyMIDI(resolution=max(1, min(_RESOLUTION, int(most))), initial_tempo=120.0)
    piano = pretty_midi.Instrument(program=0, name=_latin(title))
    for note in notes.itertuples():
        piano.notes.append(pretty_midi.Note(VELOCITY, int(note.pitch), note.onset_seconds, note.offset_seconds))
    file.instruments.append(piano)
    content = io.BytesIO()
    file.write(content)
    return content.getvalue()


def _latin(text: str) -> str:
    """Return text in Latin-1: the text itself, or its bytes in UTF-8, as which most programs read text in MIDI."""
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="surrogateescape").decode("latin-1")
    return text


def outputs(audio: Path, folder: Path | None, ending: str) -> dict[str, Path]:
    """Name the output files of an audio file.

    Args:
        audio: audio file.
        folder: output folder; None to write beside the audio.
        ending: text between the audio file's stem and the suffix.

    Returns:
        Paths for the kinds "csv", "mid" and "png".
    """
    folder = audio.parent if folder is None else folder
    return {kind: folder / f"{audio.stem}{ending}.{kind}" for kind in ("csv", "mid", "png")}
