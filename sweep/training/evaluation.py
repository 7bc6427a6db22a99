"""Score a trained transcriber on the test recordings, and collect the arrays that a report shows."""

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from sweep.config import Protocol, RunConfig
from sweep.data.recording import SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.data.windows import listening_windows, scoring_windows
from sweep.representations.clock import at_rate
from sweep.results import evidence, notes, scoring
from sweep.results.instruments import count_instruments
from sweep.results.thresholds import best_threshold
from sweep.training import machine
from sweep.training.batches import HeldOut
from sweep.training.loading import Loaded
from sweep.training.models.linear import Linear
from sweep.training.transcriber import Transcriber

_POOLED = 5000  # number of windows from which worker processes pay off: each takes 1.5 s to start


@dataclass(frozen=True)
class Exam:
    """The windows that a run is scored on, chosen before it trains.

    Attributes:
        starts: first samples of the scored windows, one tensor for each test recording.
        pool: worker processes that count hits; None: this process counts.
    """

    starts: list[torch.Tensor]
    pool: Executor | None


@dataclass(frozen=True)
class Evaluation:
    """The scores of a run.

    Attributes:
        scores: means over the test recordings; NaN where they are not defined.
        recordings: scores and counts of each test recording, by its id; NaN where a score is not defined.
        threshold: probability above which a note was estimated.
        shown: arrays for `results.evidence`.
    """

    scores: dict[str, float]
    recordings: dict[str, dict[str, Any]]
    threshold: float
    shown: dict[str, np.ndarray]


def prepare_evaluation(config: RunConfig, test: Recordings) -> Exam:
    """Choose the windows to score, and start the worker processes, which load while the run trains."""
    numbers = {"length": config.protocol.window, "count": config.protocol.scored_windows}
    starts = [scoring_windows(test, index, **numbers) for index in range(len(test))]
    workers = machine.count_workers(config.workers)
    pool = scoring.start_pool(workers) if workers and sum(map(len, starts)) > _POOLED else None
    return Exam(starts, pool)


def evaluate(transcriber: Transcriber, config: RunConfig, loaded: Loaded, exam: Exam) -> Evaluation:
    """Score a trained transcriber.

    Args:
        transcriber: trained model on its device, in evaluation mode.
        config: the run's configuration.
        loaded: the run's recordings.
        exam: windows to score and worker processes.
    """
    threshold = config.threshold
    if isinstance(threshold, str):  # tuned
        threshold = tune_threshold(transcriber, HeldOut(loaded.held_out, config.protocol))
    recordings, shown = score_recordings(transcriber, loaded.test, exam, config.protocol, threshold)
    scores = scoring.mean_scores(recordings.values())
    return Evaluation(scores, recordings, threshold, shown | learned_weights(transcriber))


@torch.inference_mode()
def score_recordings(
    transcriber: Transcriber, test: Recordings, exam: Exam, protocol: Protocol, threshold: float
) -> tuple[dict, dict]:
    """Score each test recording: its frames at the windows of an exam, its notes over all of it.

    Returns:
        Scores by the recording's id, and the arrays for `results.evidence`: counts of each, an excerpt of the first.
    """
    scores, counts, shown = {}, [], {}
    length = protocol.window
    for index, (name, starts) in enumerate(zip(test.ids, exam.starts, strict=True)):
        parts = [transcriber.look(test.audio(index, part, length)) for part in starts.split(protocol.batch_size)]
        logits, frames = (torch.cat(part) for part in zip(*parts, strict=True))
        reference = test.targets(index, starts + length // 2).bool().cpu().numpy()
        times = (starts.numpy() + length // 2) / SAMPLE_RATE
        probability = logits.sigmoid().cpu().numpy()
        found = scoring.score(reference, probability, times=times, threshold=threshold, pool=exam.pool)
        found = scoring.without_notes(found)
        if protocol.note_step:
            estimated = hear_notes(transcriber, test, index, protocol.note_step, threshold)
            heard = notes.score_notes(test.notes[index], estimated, SAMPLE_RATE, scoring.block_edges(times))
            matched = heard.pop("matched")
            found |= heard | {"blocks": found["blocks"] | heard["blocks"]}
        else:
            matched = None
            found |= dict.fromkeys(scoring.NOTE_SCORES, float("nan"))
        if test.notes[index].shape[1] > 3:
            centres = starts.numpy() + length // 2
            found["instruments"] = count_instruments(test.notes[index], centres, probability > threshold, matched)
        scores[name] = found | ({"group": test.groups[index]} if test.groups[index] else {})
        counts.append(evidence.count_notes(reference, probability > threshold))
        if index == 0:
            seen = evidence.stretch(len(starts))
            parts = times[seen], frames[seen].cpu().numpy(), reference[seen], probability[seen] > threshold
            shown = evidence.excerpt(*parts)
    counted = {name: np.stack([count[name] for count in counts]) for name in counts[0]}
    return scores, {"recordings": np.array(test.ids)} | counted | shown


def hear_notes(transcriber: Transcriber, test: Recordings, index: int, step: int, threshold: float) -> pd.DataFrame:
    """Form the notes of a recording as `sweep transcribe` does with a hop of `step`: `Stretches.notes`."""
    window = transcriber.protocol.window
    audio, starts = listening_windows(test, index, length=window, step=step)
    listened = transcriber.listen(audio, starts, at_rate(window, test.sample_rate))
    heard = torch.cat([probability for probability, _ in listened])
    found = notes.Stretches(threshold)
    found.add(heard[:, scoring.PITCHES].cpu().numpy())
    return found.notes(step / SAMPLE_RATE, int(test.lengths[index]) / SAMPLE_RATE)


def learned_weights(transcriber: Transcriber) -> dict[str, np.ndarray]:
    """Return the linear model's weights per pitch for `results.evidence`; an empty dict for other models."""
    if not isinstance(transcriber.model, Linear):
        return {}
    weight, projection = transcriber.model.output.weight.detach(), transcriber.projection
    projection = None if projection is None else projection.cpu().numpy()
    numbers = transcriber.n_frames, projection, transcriber.frontend.n_channels
    return evidence.weights_per_pitch(weight.cpu().numpy(), *numbers)


@torch.inference_mode()
def tune_threshold(transcriber: Transcriber, held_out: HeldOut) -> float:
    """Find the threshold at which the held-out recordings score highest on average."""
    return best_threshold(
        (target.bool().cpu().numpy(), transcriber.predict(audio).sigmoid().cpu().numpy()) for audio, target in held_out
    )
