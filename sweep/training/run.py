"""Carry out one run: load, build or resume, fit, evaluate, write."""

import logging
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from sweep.config import DataSet, RunConfig
from sweep.locks import Lock
from sweep.registry import sources
from sweep.results import evidence
from sweep.results.probabilities import write_probabilities
from sweep.results.progress import PROGRESS, Tracker
from sweep.results.result import ELSEWHERE, Result, write_result
from sweep.results.state import CHECKPOINT
from sweep.training import machine
from sweep.training.building import build_frontend, build_or_resume, check_classes, cost
from sweep.training.checkpoints import find_state
from sweep.training.elsewhere import load_elsewhere
from sweep.training.evaluation import Evaluation, evaluate, prepare_evaluation
from sweep.training.fitting import fit
from sweep.training.loading import Loaded, describe, load, trained_on
from sweep.training.loggers import build_loggers, closing
from sweep.training.transcriber import Transcriber

_log = logging.getLogger(__name__)  # warnings go to the terminal, too


def run(config: RunConfig, console: Console, title: str, lock: Lock) -> Result:
    """Train and score one representation; resume where an earlier call was interrupted.

    Args:
        config: the run's configuration.
        console: console for the progress bar.
        title: label of the progress bar.
        lock: lock of the run's folder, which this process holds.

    Returns:
        The content of result.json, which is written last.
    """
    times = [time.perf_counter()]
    kept, first = (None, 0) if config.overwrite else find_state(config)
    tracker = Tracker(config.folder, config.identity)
    if not config.overwrite:  # otherwise the folder may hold an older attempt with another configuration
        tracker.begin()
    device = machine.choose_device(config.device)
    machine.keep_memory(device)
    machine.reset_peak_memory(device)

    check_classes(config)
    loaded = load(config.data, config.representation.sample_rate, device, console)
    exam = prepare_evaluation(config, loaded.test)
    others = load_elsewhere(config.data, loaded, console).items()
    elsewhere = {name: (test, prepare_evaluation(config, test)) for name, test in others}
    transcriber = build_or_resume(config, loaded.train, device, kept, first)
    multiply_adds = cost(config, transcriber)
    times.append(time.perf_counter())

    loggers = build_loggers(config, first, _log.warning)
    with machine.watch_gpu(device) as busy, closing(loggers) as summary:
        tracker.train(first, config.protocol.steps)
        if first < config.protocol.steps:
            fit(transcriber, config, loaded, first, loggers, lock, tracker, console, title)
        times.append(time.perf_counter())

        evaluation = evaluate(transcriber.to(device).eval(), config, loaded, exam, elsewhere)
        summary.update({name: score for name, score in evaluation.scores.items() if np.isfinite(score)})
        times.append(time.perf_counter())

    return write(config, transcriber, loaded, evaluation, multiply_adds, first, times, busy, lock)


def write(
    config: RunConfig,
    transcriber: Transcriber,
    loaded: Loaded,
    evaluation: Evaluation,
    multiply_adds: dict[str, float],
    first: int,
    times: list[float],
    busy: list[int],
    lock: Lock,
) -> Result:
    """Write evidence.npz and the kept probabilities, then result.json, which marks the run as finished.

    Args:
        config: the run's configuration.
        transcriber: trained model.
        loaded: the run's recordings.
        evaluation: scores of the run.
        multiply_adds: cost of the run, `building.cost`.
        first: step at which training began.
        times: clock readings in seconds at the run's start and after set-up, training and scoring.
        busy: GPU load in percent, twice a second.
        lock: lock of the run's folder; nothing is written once it is lost.
    """
    row, device = config.representation, loaded.train.device
    learned = {}
    if config.frontend.trainable:
        trained, initial = (front.transforms[0] for front in (transcriber.frontend, build_frontend(config)))
        learned = evidence.learned_kernels(trained, initial, row.sample_rate)
    moved = {name.removesuffix("_moved"): change for name, change in learned.items() if name.endswith("_moved")}
    setup, training, scoring = np.diff(times).tolist()
    steps = config.protocol.steps - first
    result = Result(
        representation=row.name,
        family=row.family,
        variant=config.variant,
        model=config.model_row,
        protocol=config.protocol.name,
        data=config.data_row,
        seed=config.seed,
        config=config.record(),
        scores=evaluation.scores,
        recordings=evaluation.recordings,
        elsewhere={
            one.name: dict(zip(ELSEWHERE, (*evaluation.elsewhere[one.name], labels_of(one)), strict=True))
            for one in config.data.test
        },
        threshold=evaluation.thresholds.frames,
        onset_threshold=evaluation.thresholds.onsets,
        bins=row.n_channels * row.bins,
        context=row.context,
        empty_filters=row.empty_filters,
        norm=getattr(row, "norm", None),
        remarks=row.remarks(row.samples(config.protocol.window)),
        window=row.samples(config.protocol.window),
        parameters={part: _count_parameters(getattr(transcriber, part)) for part in ("frontend", "model")},
        multiply_adds=multiply_adds,
        moved={part: float(np.nanmedian(change)) for part, change in moved.items()},
        engine=transcriber.frontend.engine_on(device),
        resumed_from=first,
        seconds={"setup": setup, "training": training, "scoring": scoring},
        windows_per_second=steps * config.protocol.batch_size / training if steps else None,
        precision=config.precision,
        frontend_accuracy=config.frontend.accuracy,
        source=config.data.source,
        labels=labels_of(config.data),
        changed=config.changed_elsewhere,
        audio=describe(loaded.train),
        trained_on=trained_on(loaded.train),
        peak_memory_bytes=machine.peak_memory(device),
        gpu_utilisation=sum(busy) / len(busy) if busy else None,
        **machine.describe(device),
    )
    lock.confirm()
    frequencies = {"frequencies": row.frequencies.astype(np.float32)}
    evidence.write_evidence(config.folder, evaluation.shown | learned | frequencies)
    write_probabilities(config.folder, evaluation.kept)
    write_result(config.folder, result)
    for name in (CHECKPOINT, PROGRESS):
        (config.folder / name).unlink(missing_ok=True)
    return result


def labels_of(data: DataSet) -> str:
    """Return what a data set says of its labels, for a table, and by how much they are moved."""
    said = sources[data.source](Path(data.root), **data.options).remark()
    moved = f"All labels are moved {abs(data.shift) * 1000:g} ms {'later' if data.shift > 0 else 'earlier'}."
    return " ".join(filter(None, [said, moved * bool(data.shift)]))


def _count_parameters(module: torch.nn.Module) -> int:
    """Count the trainable weights of a module."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
