"""Notes from the probabilities of frames, as a table and as MIDI.

The model says of each frame which notes sound in it, and knows nothing of onsets. So a note is a stretch of frames:

1. It sounds in a frame where its probability is above the threshold, the one that the run was scored with. Only the
   piano's 88 pitches count, as in the scores; and none in silence, see `sweep.transcribe.transcribe`.
2. A frame stands for the time from half a hop before its centre to half a hop after it.
3. Gaps of a pitch up to GAP seconds are closed.
4. What is then shorter than SHORTEST seconds is dropped.

A repeated note is thus two notes only where the model saw it fade for more than GAP.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.results.scoring import FREQUENCIES, PITCHES

# What mir_eval.transcription allows an onset to be off by: less than that is no note of its own to its metrics. On
# MusicNet's 2303, cqt-48 of 300 steps, they make of 2,305 stretches 837 notes, where the labels have 718.
GAP = SHORTEST = 0.05
VELOCITY = 80  # of MIDI: the model does not say how loud
_RESOLUTION = 480  # ticks in half a second


@dataclass
class Stretches:
    """Collects the frames in which notes sound, block after block.

    Attributes:
        frames: so far.
    """

    threshold: float
    frames: int = 0

    def __post_init__(self):
        self._found: list[np.ndarray] = []

    def add(self, probability: np.ndarray) -> None:
        """(frames, 88) probabilities of the next frames."""
        sounding = np.pad(probability > self.threshold, ((1, 1), (0, 0))).astype(np.int8)
        edges = np.diff(sounding, axis=0).T  # a pitch after the other
        pitch, start = np.nonzero(edges == 1)
        stop = np.nonzero(edges == -1)[1]
        total = np.concatenate([np.zeros((1, len(PITCHES))), probability.cumsum(axis=0, dtype=float)])
        summed = total[stop, pitch] - total[start, pitch]
        self._found.append(np.stack([pitch, start + self.frames, stop + self.frames, summed], axis=1))
        self.frames += len(probability)

    def notes(self, hop_seconds: float, seconds: float, gap: float = GAP, shortest: float = SHORTEST) -> pd.DataFrame:
        """The notes, by onset and then by pitch.

        Args:
            hop_seconds: between two frames.
            seconds: of the audio, where the last note ends at the latest.
            gap: of one pitch, in seconds, that is closed.
            shortest: in seconds, of a note.

        Returns:
            onset_seconds, offset_seconds, pitch (MIDI), frequency_hz, and probability, the mean over the note's frames,
            closed gaps left out.
        """
        found = np.concatenate([np.empty((0, 4)), *self._found])
        pitch, start, stop, summed = found[np.lexsort((found[:, 1], found[:, 0]))].T
        # Also what two blocks cut: a gap of no frame.
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
    """The notes as comma-separated values, times to the tenth of a millisecond."""
    digits = {"onset_seconds": 4, "offset_seconds": 4, "frequency_hz": 3, "probability": 4}
    return notes.round(digits).to_csv(index=False)


def midi(notes: pd.DataFrame, seconds: float, title: str) -> bytes:
    """The notes as a Standard MIDI File: one piano, 120 beats a minute, so that its beats are no beats of the music.

    Args:
        notes: of `Stretches.notes`.
        seconds: of the audio.
        title: of the track.
    """
    import pretty_midi

    # pretty_midi refuses to read back what has more ticks than this, which are three hours at 480 in half a second.
    most = pretty_midi.pretty_midi.MAX_TICK / (2 * seconds + 2)
    file = pretty_midi.PrettyMIDI(resolution=max(1, min(_RESOLUTION, int(most))), initial_tempo=120.0)
    piano = pretty_midi.Instrument(program=0, name=title)
    for note in notes.itertuples():
        piano.notes.append(pretty_midi.Note(VELOCITY, int(note.pitch), note.onset_seconds, note.offset_seconds))
    file.instruments.append(piano)
    content = io.BytesIO()
    file.write(content)
    return content.getvalue()


def outputs(audio: Path, folder: Path | None, ending: str) -> dict[str, Path]:
    """What is written for an audio file: beside it or in a folder, named after it."""
    folder = audio.parent if folder is None else folder
    return {kind: folder / f"{audio.stem}{ending}.{kind}" for kind in ("csv", "mid", "png")}
