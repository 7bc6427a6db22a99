"""Score a trained transcriber on the test recordings, and collect the arrays that a report shows."""

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from sweep.config import Protocol, RunConfig
from sweep.data.recording import SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.results import evidence, notes, scoring
from sweep.results.instruments import count_instruments
from sweep.results.pool import count_processes, start_pool
from sweep.results.probabilities import STEP, Keeper
from sweep.training.hearing import Thresholds, choose_thresholds, hear_at, hear_each, instants_of, whole_of
from sweep.training.loading import Loaded
from sweep.training.models.linear import Linear
from sweep.training.transcriber import Transcriber

_POOLED = 5000  # number of instants from which worker processes pay off: each takes 1.5 s to start


@dataclass(frozen=True)
class Exam:
    """The instants that a run is scored at, chosen before it trains.

    Attributes:
        instants: samples at 44,100 Hz, one tensor for each test recording.
        pool: worker processes that count hits; None: this process counts.
    """

    instants: list[torch.Tensor]
    pool: Executor | None


@dataclass(frozen=True)
class Evaluation:
    """The scores of a run.

    Attributes:
        scores: means over the test recordings; NaN where they are not defined.
        recordings: scores and counts of each test recording, by its id; NaN where a score is not defined.
        elsewhere: scores and recordings, as those above, of each other set, by its name.
        thresholds: probabilities above which a note was estimated.
        shown: arrays for `results.evidence`.
        kept: content of probabilities.npz; None if the run keeps none.
    """

    scores: dict[str, float]
    recordings: dict[str, dict[str, Any]]
    elsewhere: dict[str, tuple[dict[str, float], dict[str, dict[str, Any]]]]
    thresholds: Thresholds
    shown: dict[str, np.ndarray]
    kept: bytes | None


def prepare_evaluation(config: RunConfig, test: Recordings) -> Exam:
    """Choose the instants to score, and start the worker processes, which load while the run trains."""
    instants = [instants_of(config, test, index) for index in range(len(test))]
    workers = count_processes(config.workers)
    pool = start_pool(workers) if workers and sum(map(len, instants)) > _POOLED else None
    return Exam(instants, pool)


def evaluate(
    transcriber: Transcriber,
    config: RunConfig,
    loaded: Loaded,
    exam: Exam,
    elsewhere: Mapping[str, tuple[Recordings, Exam]],
) -> Evaluation:
    """Score a trained transcriber.

    Args:
        transcriber: trained model on its device, in evaluation mode.
        config: the run's configuration.
        loaded: the run's recordings.
        exam: instants to score and worker processes.
        elsewhere: test recordings of other sets, and their exam, by the set's name; the thresholds are the same.
    """
    thresholds = choose_thresholds(transcriber, config, loaded.held_out)
    keeper = Keeper() if config.keep_probabilities else None
    recordings, shown = score_recordings(transcriber, loaded.test, exam, config.protocol, thresholds, keeper)
    scores = scoring.mean_scores(recordings.values())
    others = {}
    for name, (test, other) in elsewhere.items():
        found, _ = score_recordings(transcriber, test, other, config.protocol, thresholds)
        others[name] = scoring.mean_scores(found.values()), found
    kept = keeper.content() if keeper else None
    return Evaluation(scores, recordings, others, thresholds, shown | learned_weights(transcriber), kept)


def score_recordings(
    transcriber: Transcriber,
    test: Recordings,
    exam: Exam,
    protocol: Protocol,
    thresholds: Thresholds,
    keeper: Keeper | None = None,
) -> tuple[dict, dict]:
    """Score each test recording: its frames at the instants of an exam, its notes over all of it.

    Args:
        transcriber: trained model on its device, in evaluation mode.
        test: test recordings.
        exam: instants to score and worker processes.
        protocol: protocol of the run.
        thresholds: probabilities above which a note is estimated.
        keeper: takes what is heard of each recording; None: nothing is kept.

    Returns:
        Scores by the recording's id, and the arrays for `results.evidence`: counts of each, an excerpt of the first.
    """
    scores, counts, shown = {}, [], {}
    for index, (name, instants) in enumerate(zip(test.ids, exam.instants, strict=True)):
        whole = whole_of(transcriber, test, index, protocol.note_step)
        probability, frames = hear_at(transcriber, test, index, instants, whole)
        reference = test.targets(index, instants).bool().cpu().numpy()
        times, threshold = instants.numpy() / SAMPLE_RATE, thresholds.frames
        found = scoring.score(reference, probability, times=times, threshold=threshold, pool=exam.pool)
        found = scoring.without_notes(found)
        if whole is not None and protocol.note_step:
            estimated = whole.notes(thresholds)
            heard = notes.score_notes(test.notes[index], estimated, SAMPLE_RATE, scoring.block_edges(times))
            matched = heard.pop("matched")
            found |= heard | {"blocks": found["blocks"] | heard["blocks"]}
        else:
            matched = None
            found |= dict.fromkeys(scoring.NOTE_SCORES, float("nan"))
        if test.notes[index].shape[1] > 3:
            found["instruments"] = count_instruments(
                test.notes[index], instants.numpy(), probability > threshold, matched
            )
        scores[name] = found | ({"group": test.groups[index]} if test.groups[index] else {})
        counts.append(evidence.count_notes(reference, probability > threshold))
        if keeper:
            keeper.add(name, *hear_each(transcriber, test, index, whole, STEP))
        if index == 0:
            seen = evidence.stretch(len(instants))
            parts = times[seen], frames[seen].cpu().numpy(), reference[seen], probability[seen] > threshold
            shown = evidence.excerpt(*parts)
    counted = {name: np.stack([count[name] for count in counts]) for name in counts[0]}
    return scores, {"recordings": np.array(test.ids)} | counted | shown


def learned_weights(transcriber: Transcriber) -> dict[str, np.ndarray]:
    """Return the linear model's weights per pitch for `results.evidence`; an empty dict for other models."""
    if not isinstance(transcriber.model, Linear):
        return {}
    weight, projection = transcriber.model.output.weight.detach(), transcriber.projection
    projection = None if projection is None else projection.cpu().numpy()
    numbers = transcriber.shape.frames, projection, transcriber.frontend.n_channels
    return evidence.weights_per_pitch(weight.cpu().numpy(), *numbers)
