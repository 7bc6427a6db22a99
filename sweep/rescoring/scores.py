"""Score one recording in several ways from the probabilities that a run kept of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from sweep.data.instants import scored_starts
from sweep.data.recording import SAMPLE_RATE
from sweep.results.notes import Stretches, score_notes
from sweep.results.probabilities import PROBABILITIES, REMEDY, STEP, Probabilities, read_probabilities
from sweep.results.scoring import PITCHES

METRICS = ("accuracy", "note_f1", "note_offset_f1")
_VALUES = np.arange(256) / 255


class Way(NamedTuple):
    """A way to score a recording, as a `Scoring` chooses it.

    Attributes:
        labels: place of the notes to score against in `Task.references`.
        threshold, onset_threshold, tolerance, frame_step: attributes of the `Scoring`.
    """

    labels: int
    threshold: float
    onset_threshold: float | None
    tolerance: float
    frame_step: int | None


class Task(NamedTuple):
    """A recording that a run has heard, and the ways to score it.

    Attributes:
        folder: folder of the run.
        recording: id of the recording.
        samples: its length at 44,100 Hz.
        length, windows: length and count of `scored_starts`, from which the run's own instants follow.
        note_step: samples between the frames from which a model of windows formed notes; None: its own frames.
        references: versions of its labels, each as `Recording.notes`.
        ways: the ways.
    """

    folder: Path
    recording: str
    samples: int
    length: int
    windows: int
    note_step: int | None
    references: Sequence[np.ndarray]
    ways: Sequence[Way]


def score_recording(task: Task) -> list[tuple[float, ...]] | str:
    """Score a recording in several ways.

    Returns:
        The scores METRICS for each way, NaN where they are not defined, since the labels have no notes; or one line on
        what is wrong with the kept probabilities, not raised because it costs one run of many.
    """
    try:
        kept = read_probabilities(task.folder, task.recording, task.samples)
    except ValueError as error:
        return str(error)
    if "onsets" not in kept.heads and any(way.onset_threshold is not None for way in task.ways):
        path = task.folder / PROBABILITIES
        return f"{path}: has no onsets of {task.recording}, and the run scored notes with onsets: {REMEDY}"
    notes: dict[tuple, pd.DataFrame] = {}
    scores: list[tuple[float, ...]] = []
    for way in task.ways:
        reference, how = task.references[way.labels], (way.threshold, way.onset_threshold, way.frame_step)
        if how not in notes:
            step = way.frame_step or task.note_step
            hop = step / SAMPLE_RATE if step else max(kept.hop, STEP / SAMPLE_RATE)
            notes[how] = form_notes(kept, way, hop, task.samples / SAMPLE_RATE)
        instants = instants_of(task, way)
        heard = (_VALUES > way.threshold)[kept.at(instants / SAMPLE_RATE)["frames"]]
        found = score_notes(reference, notes[how], SAMPLE_RATE, np.empty(0), way.tolerance)
        scores.append((accuracy(sounding(reference, instants), heard), found["note_f1"], found["note_offset_f1"]))
    return scores


def instants_of(task: Task, way: Way) -> np.ndarray:
    """Return the instants whose frames are scored, in samples at 44,100 Hz: (instants,) int64, rising.

    Those of the run, or with another frame step its multiples in the same stretch of time.
    """
    own = scored_starts(task.samples, length=task.length, count=task.windows) + task.length // 2
    step = way.frame_step
    return own if step is None or not len(own) else step * np.arange(-(-own[0] // step), own[-1] // step + 1)


def form_notes(kept: Probabilities, way: Way, hop: float, seconds: float) -> pd.DataFrame:
    """Form notes from kept probabilities: `Stretches.notes`.

    Args:
        kept: the probabilities.
        way: thresholds.
        hop: time between two frames in seconds.
        seconds: duration of the recording.
    """
    chosen = kept.at(np.arange(1 + int(seconds / hop + 1e-6)) * hop)
    found = Stretches(way.threshold, way.onset_threshold)
    found.add(_VALUES[chosen["frames"]], _VALUES[chosen["onsets"]] if "onsets" in chosen else None)
    return found.notes(hop, seconds)


def sounding(notes: np.ndarray, instants: np.ndarray) -> np.ndarray:
    """Return which of the piano's pitches sound at some instants, start <= instant < end: (instants, 88) bool.

    Args:
        notes: (n, 3 or more) int64: start, end and MIDI note.
        instants: (instants,) int64, rising.
    """
    roll = np.zeros((len(instants), len(PITCHES)), bool)
    on_piano = notes[np.isin(notes[:, 2], PITCHES)]
    places = np.searchsorted(instants, on_piano[:, :2])
    for (first, last), pitch in zip(places.tolist(), (on_piano[:, 2] - PITCHES[0]).tolist(), strict=True):
        roll[first:last, pitch] = True
    return roll


def accuracy(reference: np.ndarray, estimate: np.ndarray) -> float:
    """Compute mir_eval.multipitch's accuracy of piano rolls, without its loop over frames; NaN without reference notes.

    Both rolls are of equal temperament, so a pitch matches itself only: mir_eval's window is half a semitone.

    Args:
        reference, estimate: (frames, 88) bool.

    >>> accuracy(np.array([[True, False], [True, True]]), np.array([[True, True], [False, True]]))
    0.5
    """
    notes, right = int(reference.sum()), int((reference & estimate).sum())
    return right / (notes + int(estimate.sum()) - right) if notes else float("nan")
