"""Hear recordings with a trained model: all frames, or those at some instants, and the notes that follow."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from sweep.config import RunConfig
from sweep.data.covering import Covering, by_windows, covered
from sweep.data.instants import scored_length
from sweep.data.recording import SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.data.windows import scoring_windows
from sweep.representations.clock import ESTIMATE_EVERY
from sweep.results.notes import Stretches
from sweep.results.scoring import PITCHES
from sweep.results.thresholds import best_onset_threshold, best_threshold
from sweep.training.batches import HeldOut
from sweep.training.steps import group_length
from sweep.training.transcriber import Transcriber, joined


class Thresholds(NamedTuple):
    """Probabilities above which a note sounds, and begins.

    Attributes:
        frames: the one above which it sounds.
        onsets: the one above which it begins; None for a model without an onset head.
    """

    frames: float
    onsets: float | None


class Heard(NamedTuple):
    """What a model hears in successive frames of a recording.

    Attributes:
        heads: probabilities, (frames, 128) by head.
        spectra: first channel of the features, (frames, bins); None if it was not asked for.
        hop_seconds: time between two frames; frame n is centred n of it after the recording's first sample.
        seconds: duration of the recording.
    """

    heads: dict[str, np.ndarray]
    spectra: torch.Tensor | None
    hop_seconds: float
    seconds: float

    @property
    def onsets(self) -> np.ndarray | None:
        """Probabilities of the piano's pitches in the onset head, (frames, 88); None without one."""
        return self.heads["onsets"][:, PITCHES] if "onsets" in self.heads else None

    def notes(self, thresholds: Thresholds) -> pd.DataFrame:
        """Form notes as `sweep transcribe` does: `Stretches.notes`."""
        found = Stretches(thresholds.frames, thresholds.onsets)
        found.add(self.heads["frames"][:, PITCHES], self.onsets)
        return found.notes(self.hop_seconds, self.seconds)


def instants_of(config: RunConfig, test: Recordings, index: int) -> torch.Tensor:
    """Return the instants of a recording whose frames are scored, the middles of windows: (instants,) int64 samples."""
    length = scored_length(config.model.sees, config.protocol.window)
    return scoring_windows(test, index, length=length, count=config.protocol.scored_windows) + length // 2


@torch.inference_mode()
def hear(
    transcriber: Transcriber, recordings: Recordings, index: int, covering: Covering, spectra: bool = False
) -> Heard:
    """Hear all of a recording.

    Args:
        transcriber: trained model, in evaluation mode.
        recordings: recordings of the split, at the model's rate.
        index: index of the recording.
        covering: clips and frames.
        spectra: whether to keep the features.
    """
    samples = int(recordings.lengths[index])
    frames = covering.frames(samples)
    heard, seen = [], []
    for heads, features in transcriber.listen(*covered(recordings, index, covering), covering):
        heard.append(heads)
        if spectra:
            seen.append(features)
    found = {head: value[:frames].cpu().numpy() for head, value in joined(heard).items()}
    return Heard(found, torch.cat(seen)[:frames] if spectra else None, covering.hop_seconds, samples / SAMPLE_RATE)


def whole_of(transcriber: Transcriber, recordings: Recordings, index: int, step: int | None) -> Heard | None:
    """Hear all of a recording, by a model of windows at a window each `step` samples; None if that is None."""
    if transcriber.segmental:
        return hear(transcriber, recordings, index, transcriber.covering(recordings.sample_rate), spectra=index == 0)
    if step is None:
        return None
    covering = by_windows(transcriber.protocol.window, step, recordings.sample_rate)
    return hear(transcriber, recordings, index, covering)


def hear_each(
    transcriber: Transcriber, recordings: Recordings, index: int, whole: Heard | None, step: int
) -> tuple[dict[str, np.ndarray], float]:
    """Hear all of a recording at an instant each `step` samples at 44,100 Hz from its first.

    Args:
        transcriber: trained model, in evaluation mode.
        recordings: recordings of the split, at the model's rate.
        index: index of the recording.
        whole: what `whole_of` has heard of it already. It is heard again by a model of windows if its frames have
            another step; of a model of segments, the frame nearest to each instant is taken.
        step: samples between two instants.

    Returns:
        Probabilities of the piano's pitches, (instants, 88) by head, and the seconds between two frames of the model.
    """
    samples = int(recordings.lengths[index])
    if whole is None or not transcriber.segmental and whole.hop_seconds != step / SAMPLE_RATE:
        whole = whole_of(transcriber, recordings, index, step)
    instants = step * np.arange(1 + samples // step)
    frames = len(whole.heads["frames"])
    nearest = np.rint(instants / SAMPLE_RATE / whole.hop_seconds).astype(np.int64).clip(max=frames - 1)
    return {head: value[nearest][:, PITCHES] for head, value in whole.heads.items()}, whole.hop_seconds


@torch.inference_mode()
def hear_at(
    transcriber: Transcriber, recordings: Recordings, index: int, instants: torch.Tensor, whole: Heard | None
) -> tuple[np.ndarray, torch.Tensor]:
    """Hear what sounds at some instants of a recording.

    Args:
        transcriber: trained model, in evaluation mode.
        recordings: recordings of the split, at the model's rate.
        index: index of the recording.
        instants: samples at 44,100 Hz, (instants,) int64, on the CPU.
        whole: what a model of segments hears in all frames, whose nearest are taken.

    Returns:
        Probabilities, (instants, 128), and the first channel of the features, (instants, bins), of which a model of
        segments keeps those of the first recording.
    """
    if transcriber.segmental and whole is not None:
        probability, spectra = whole.heads["frames"], whole.spectra
        nearest = transcriber.covering(recordings.sample_rate).nearest(instants.numpy(), len(probability))
        if spectra is None:
            return probability[nearest], torch.empty(len(nearest), 0)
        return probability[nearest], spectra[torch.from_numpy(nearest).to(spectra.device)]
    length = transcriber.protocol.window
    size = transcriber.protocol.batch_size * group_length(transcriber, recordings.device)
    starts = (instants - length // 2).split(size)
    parts = [transcriber.look(recordings.audio(index, part, length)) for part in starts]
    logits = torch.cat([logits["frames"] for logits, _ in parts])[:, 0]
    return logits.sigmoid().cpu().numpy(), torch.cat([seen for _, seen in parts])[:, 0]


def choose_thresholds(transcriber: Transcriber, config: RunConfig, held_out: Recordings | None) -> Thresholds:
    """Return the thresholds of a run: the configuration's for each head, or if it is tuned those that score highest.

    The frames' threshold is tuned on the accuracy of the held-out recordings, the onsets' on their note F1.
    """
    has_onsets = "onsets" in transcriber.weights
    if not isinstance(config.threshold, str):
        return Thresholds(config.threshold, config.threshold if has_onsets else None)
    with torch.inference_mode():
        frames = best_threshold(
            (target["frames"].bool().flatten(0, 1).cpu().numpy(), _probability(transcriber, audio))
            for audio, target in HeldOut(held_out, transcriber)
        )
    if not has_onsets:
        return Thresholds(frames, None)
    step = config.protocol.note_step or ESTIMATE_EVERY  # without note scores, too
    heard = ((whole_of(transcriber, held_out, index, step), held_out.notes[index]) for index in range(len(held_out)))
    parts = ((one.heads["frames"][:, PITCHES], one.onsets, one.hop_seconds, one.seconds, notes) for one, notes in heard)
    return Thresholds(frames, best_onset_threshold(parts, frames))


def _probability(transcriber: Transcriber, audio: torch.Tensor) -> np.ndarray:
    return transcriber.predict(audio)["frames"].sigmoid().flatten(0, 1).cpu().numpy()
