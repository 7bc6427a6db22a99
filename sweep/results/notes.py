"""Form notes from the probabilities of successive frames, and score them against the labels' notes with mir_eval.

A model that predicts for each frame which notes sound in it, and no onsets, gives a note for a stretch of frames:

1. A note sounds in a frame if its probability is above the threshold, by default the one that the run was scored with.
   Only the piano's 88 pitches are used, as in the scores; windows below SILENCE have no notes.
2. A frame covers the time from half a hop before its centre to half a hop after it.
3. Gaps of at most GAP seconds between two stretches of a pitch are closed.
4. Stretches that are then shorter than SHORTEST seconds are dropped.

So a repeated note gives two notes only if its probability falls below the threshold for more than GAP seconds.

A model may predict onsets too: for each frame the probability that a note begins within some tens of ms of it, as in
Onsets and Frames (Hawthorne et al. 2018). Then rules 1 to 3 give stretches, and a note needs an onset:

5. Each stretch of frames of a pitch whose onset probability is above the onset threshold is one onset, at the centre of
   the frame where the probability is highest, the first of equals. An onset at or after the audio's end is none.
6. Of two onsets of a pitch less than SHORTEST seconds apart only the more probable counts, or the earlier of equals.
   The most probable ones are decided first, and one that does not count drops no other.
7. A note begins at its onset and sounds until the end of the stretch that contains the onset, or else of the first one
   that begins at most GAP seconds after it. Stretches without an onset give no note.
8. A note lasts at least SHORTEST seconds (and half a hop), also where no frame sounds; but it ends no later than at the
   next onset of its pitch and at the end of the audio. Its probability is that of the onset.

An estimated note is right if a note of the reference has its pitch and an onset at most 50 ms away, and for the scores
with offset if also their offsets are at most 50 ms or 20 % of the reference's duration apart, whichever is more. Each
note is matched once: `mir_eval.transcription`, as in MIREX.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweep.results.onsets import find_offsets, find_onsets, join_onsets, runs, thin_out
from sweep.results.scoring import FREQUENCIES, NOTE_SCORES, PITCHES

# The onset tolerance of mir_eval.transcription, whose metrics do not resolve shorter notes. On MusicNet's 2303, with
# cqt-48 after 300 steps, they reduce 2,305 stretches to 837 notes; the labels have 718.
GAP = SHORTEST = 0.05
# Root mean square below which a window counts as silence, -75 dB of full scale. Scaled to unit norm, such a window is
# noise unlike the training data: the quietest windows of nine MusicNet recordings have -71 dB.
SILENCE = 10 ** (-75 / 20)
ONSET_TOLERANCE = 0.05  # mir_eval's, in seconds
_OFFSET_RATIOS = (None, 0.2)  # shares of a note's duration that its offset may be off by; None: any offset is right


@dataclass
class Stretches:
    """Collect the frames in which notes sound and those in which they begin, block after block.

    Attributes:
        threshold: probability above which a note sounds.
        onset_threshold: probability above which a note may begin; None to form notes without onsets.
        frames: number of frames added so far.
    """

    threshold: float
    onset_threshold: float | None = None
    frames: int = 0

    def __post_init__(self):
        self._found: list[np.ndarray] = []
        self._onsets: list[np.ndarray] = []

    def add(self, probability: np.ndarray, onsets: np.ndarray | None = None) -> None:
        """Add the probabilities of the next frames.

        Args:
            probability: (frames, 88) float in 0..1, that a note sounds.
            onsets: (frames, 88) float in 0..1, that a note begins; not used without an onset threshold.

        Raises:
            ValueError: there is an onset threshold, and the onsets are missing or have another shape.
        """
        if self.onset_threshold is not None:
            if np.shape(onsets) != probability.shape:
                got = "none" if onsets is None else str(onsets.shape)
                raise ValueError(
                    f"Stretches.add: with an onset threshold need onsets of the shape of probability, "
                    f"{probability.shape}, got {got}"
                )
            self._onsets.append(find_onsets(onsets, self.onset_threshold) + [0, *[self.frames] * 3, 0])
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
            gap: longest gap within a pitch that is closed, and longest time from an onset to the frames that sound, in
                seconds.
            shortest: shortest note, in seconds: without onsets shorter ones are dropped, with onsets they are extended.

        Returns:
            One row a note: onset_seconds, offset_seconds, pitch (MIDI), frequency_hz, and probability: that of the
            onset, or without onsets the mean over the note's frames without closed gaps.
        """
        found = np.concatenate([np.empty((0, 4)), *self._found])
        pitch, start, stop, summed = found[np.lexsort((found[:, 1], found[:, 0]))].T
        # Two blocks may cut a note in two with no gap between its parts; they are joined here too.
        first, last = runs(pitch, start, stop, hop_seconds, gap)
        if self.onset_threshold is None:
            long = (stop[last] - start[first]) * hop_seconds >= shortest
            frames = np.add.reduceat(stop - start, first) if len(first) else stop
            summed = np.add.reduceat(summed, first) if len(first) else summed
            first, last, probability = first[long], last[long], (summed / frames)[long]
            pitch, onset = pitch[first], (start[first] - 0.5).clip(0) * hop_seconds
            offset = (stop[last] - 0.5) * hop_seconds
        else:
            onsets = join_onsets(np.concatenate([np.empty((0, 5)), *self._onsets]))
            onsets = onsets[onsets[:, 3] * hop_seconds < seconds]
            onsets = thin_out(onsets, hop_seconds, SHORTEST)
            stretches = np.stack([pitch[first], start[first], stop[last]], axis=1)
            offset = find_offsets(onsets, stretches, hop_seconds, gap, shortest)
            pitch, onset, probability = onsets[:, 0], onsets[:, 3] * hop_seconds, onsets[:, 4]
        index = pitch.astype(int)
        notes = pd.DataFrame(
            {
                "onset_seconds": onset,
                "offset_seconds": offset.clip(max=seconds),
                "pitch": PITCHES[index],
                "frequency_hz": FREQUENCIES[index],
                "probability": probability,
            }
        )
        return notes.sort_values(["onset_seconds", "pitch"], ignore_index=True)


def score_notes(
    reference: np.ndarray,
    estimate: pd.DataFrame,
    sample_rate: float,
    edges: np.ndarray,
    onset_tolerance: float = ONSET_TOLERANCE,
) -> dict:
    """Score the notes of one recording with mir_eval.transcription.

    Notes match at equal pitch only, so each pitch is matched by itself, which gives as many matches as all at once and
    does not take memory for every pair of notes.

    Args:
        reference: (n, 3 or more) int: start and end in samples, and MIDI note, `Recording.notes`. Other pitches than a
            piano's are left out.
        estimate: notes of `Stretches.notes`.
        sample_rate: samples per second of the reference, in Hz.
        edges: (blocks - 1,) rising times at which the blocks from the second on begin, in seconds; `block_edges`.
        onset_tolerance: greatest distance of a right note's onset from the reference's, in seconds.

    Returns:
        One float for each name in NOTE_SCORES: mir_eval's values, and NaN without reference notes, where recall is not
        defined. "matched": the places in the reference of the notes matched. "blocks", with an entry "notes": for each
        block of time the number of notes in the reference, in the estimate, matched, and matched with their offsets. A
        note belongs to the block of its onset, a match to that of its reference note.
    """
    from mir_eval import transcription, util  # takes 0.9 s to import

    scored = np.flatnonzero(np.isin(reference[:, 2], PITCHES))
    reference = reference[scored]
    spans = reference[:, :2] / sample_rate, estimate[["onset_seconds", "offset_seconds"]].to_numpy(float)
    pitches = reference[:, 2], estimate["pitch"].to_numpy(int)
    matched: list[list[int]] = [[] for _ in _OFFSET_RATIOS]  # places in the reference
    for pitch in np.intersect1d(*pitches):
        places = [np.flatnonzero(side == pitch) for side in pitches]
        notes = []
        for side, at in zip(spans, places, strict=True):
            notes += [side[at], np.full(len(at), FREQUENCIES[pitch - PITCHES[0]])]
        for found, ratio in zip(matched, _OFFSET_RATIOS, strict=True):
            pairs = transcription.match_notes(*notes, onset_tolerance=onset_tolerance, offset_ratio=ratio)
            found += [places[0][one] for one, _ in pairs]
    onsets = [side[:, 0] for side in spans] + [spans[0][found, 0] for found in matched]
    blocks = [np.bincount(np.searchsorted(edges, times, side="right"), minlength=len(edges) + 1) for times in onsets]
    scores = []
    for found in matched:
        precision, recall = (len(found) / max(len(side), 1) for side in reversed(pitches))
        scores += [util.f_measure(precision, recall), precision, recall]
    if not len(reference):
        scores = [float("nan")] * len(NOTE_SCORES)
    return dict(zip(NOTE_SCORES, scores, strict=True)) | {
        "blocks": {"notes": np.stack(blocks, axis=1).tolist()},
        "matched": scored[matched[0]].tolist(),
    }
