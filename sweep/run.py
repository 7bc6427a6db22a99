"""One run, start to finish: settings in, result.json out."""

import logging
import math
import time
import warnings
from pathlib import Path

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from lightning.fabric.plugins.environments import LightningEnvironment
from rich.console import Console

from sweep import data, evidence, machine, results, scoring
from sweep.batches import Chunks, HeldOut
from sweep.callbacks import Bar, Curve
from sweep.checkpoints import Checkpoint, WholeFiles, find_state
from sweep.data.loading import describe, load
from sweep.data.recording import SAMPLE_RATE
from sweep.locks import Lock
from sweep.loggers import build_loggers, closing
from sweep.models import Linear, build_model
from sweep.representations import Representation, from_settings
from sweep.settings import check_settings
from sweep.steps import chunk_length
from sweep.transcriber import Transcriber
from sweep.transforms.transform import Transform

_log = logging.getLogger(__name__)
_POOLED = 5000  # windows to score from which on processes are worth starting: 1.5 s each


def run(settings: dict, console: Console, title: str, lock: Lock) -> dict:
    """Train and score one representation; resume where an earlier call was interrupted.

    Args:
        settings: the resolved configuration, with names.
        console: for the progress bar.
        title: of the bar.
        lock: of the run's folder, held.

    Returns:
        The content of result.json, which is written last.
    """
    began = time.perf_counter()
    protocol, folder = settings["protocol"], results.run_folder(settings)
    check_settings(settings)
    representation = from_settings(settings["representation"])
    if representation.sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"conf/representation/{representation.name}.yaml: sample_rate {representation.sample_rate}: "
            f"the recordings have {SAMPLE_RATE} Hz; choose that"
        )
    if representation.pad_mode == "reflect" and protocol["window"] <= representation.context // 2:
        raise ValueError(
            f"protocol.window {protocol['window']}: too short for {representation.name}, whose reflect padding takes "
            f"{representation.context // 2} samples; choose a longer window"
        )
    device = machine.choose_device(settings["device"])
    machine.reset_peak_memory(device)
    train, validation, test = load(settings["data"], device, console)
    scored = [
        data.scoring_windows(test, index, length=protocol["window"], count=protocol["scored_windows"])
        for index in range(len(test))
    ]
    workers = machine.count_workers(settings["workers"])
    pool = scoring.start_pool(workers) if workers and sum(map(len, scored)) > _POOLED else None
    if settings["overwrite"]:
        results.empty(folder)
    checkpoint, trained_model = folder / results.CHECKPOINT, folder / results.MODEL
    kept, first = find_state(folder, settings)
    _log.info("%s on %s from step %d of %d", representation.name, device, first, protocol["steps"])
    torch.manual_seed(settings["seed"])
    bias = prior_logits(train) if protocol["output_bias"] else None
    transcriber = build_transcriber(settings, representation, bias).to(device)
    if protocol["standardise"] and not first:
        options = {"batch_size": protocol["batch_size"], "length": protocol["window"], "seed": settings["seed"]}
        batches = (data.training_windows(train, step=step, **options) for step in range(protocol["standardise"]))
        transcriber.standardise(audio for audio, _ in batches)
    transcriber.prepare(train, settings, first)
    ready = time.perf_counter()

    loggers = build_loggers(settings, folder, first)
    curve = Curve(every=max(1, min(100, protocol["steps"] // 20)), ignorant=ignorant_loss(train, protocol))
    keeper = Checkpoint(checkpoint, protocol["checkpoint_every"], curve, lock)
    chunk = chunk_length(transcriber, device)
    trainer = build_trainer(
        device, folder, loggers, [curve, keeper, Bar(console, title, first)], protocol, chunk if validation else None
    )
    held_out = HeldOut(validation, protocol) if validation else None
    with machine.watch_gpu(device) as busy, closing(loggers) as summary:
        if first < protocol["steps"]:
            fit(
                trainer,
                transcriber,
                Chunks(train, settings, first, chunk),
                held_out,
                checkpoint if first else None,
                keeper,
            )
            keeper.save(trainer, trained_model, weights_only=True)
            if keeper.stopped:
                raise KeyboardInterrupt(keeper.stopped)
        else:  # an earlier call was interrupted between training and result
            transcriber.load_state_dict(torch.load(kept, map_location=device, weights_only=True)["state_dict"])
        trained = time.perf_counter()
        transcriber = transcriber.to(device).eval()
        threshold = settings["threshold"]
        if threshold == "tuned":
            threshold = tune_threshold(transcriber, held_out)
        recordings, shown = score_recordings(transcriber, test, scored, protocol["window"], threshold, pool)
        scores = scoring.mean_scores(recordings.values())
        summary.update(scores)
        done = time.perf_counter()
    steps = protocol["steps"] - first
    result = {
        "representation": representation.name,
        "family": representation.family,
        "variant": results.variant(settings),
        "model": settings["model"]["name"],
        "protocol": protocol["name"],
        "data": settings["data"]["name"],
        "seed": settings["seed"],
        "config": settings,
        "scores": scores,
        "recordings": recordings,
        "threshold": threshold,
        "bins": representation.n_bins,
        "context": representation.context,
        "empty_filters": representation.empty_filters,
        "parameters": {part: count_parameters(getattr(transcriber, part)) for part in ("frontend", "model")},
        "resumed_from": first,
        "seconds": {"setup": ready - began, "training": trained - ready, "scoring": done - trained},
        "windows_per_second": steps * protocol["batch_size"] / (trained - ready) if steps else None,
        "audio": describe(train),
        "peak_memory_bytes": machine.peak_memory(device),
        "gpu_utilisation": sum(busy) / len(busy) if busy else None,
        **machine.describe(device),
    }
    learned = what_was_learned(transcriber.frontend, representation, settings)
    moved = {name.removesuffix("_moved"): change for name, change in learned.items() if name.endswith("_moved")}
    result["moved"] = {part: float(np.nanmedian(change)) for part, change in moved.items()}
    shown |= learned
    shown |= learned_weights(transcriber) | {"frequencies": representation.frequencies.astype(np.float32)}
    lock.confirm()
    evidence.write_evidence(folder, shown)
    results.write_result(folder, result)
    checkpoint.unlink(missing_ok=True)
    return result


def build_transcriber(settings: dict, representation: Representation, bias: torch.Tensor | None) -> Transcriber:
    """The untrained model of a run.

    Args:
        settings: of the run.
        representation: that it sees.
        bias: (128,) where the output bias starts; None for no bias.
    """
    protocol, width = settings["protocol"], settings["control"].get("width")
    n_frames = representation.n_frames(protocol["window"])
    frontend = build_frontend(representation, settings)
    model = build_model(settings["model"]["name"], width or representation.n_bins, n_frames, bias)
    rate = settings["frontend"]["learning_rate"]
    return Transcriber(frontend, model, protocol, n_frames, settings["precision"], width, rate)


def prior_logits(train: data.Recordings) -> torch.Tensor:
    """(128,) the logit of each note's share of the time, clamped to 1e-4 .. 0.5."""
    return torch.logit(train.note_share().clamp(1e-4, 0.5)).float()


def ignorant_loss(train: data.Recordings, protocol: dict) -> float:
    """The loss of a model that says nothing but where it starts: each note's share of the time, or one half."""
    share = train.note_share()
    logits = prior_logits(train).double() if protocol["output_bias"] else torch.zeros_like(share)
    return protocol["loss_scale"] * float((F.softplus(logits) - share * logits).mean())


def build_trainer(
    device: torch.device, folder: Path, loggers: list, callbacks: list, protocol: dict, chunk: int | None
) -> L.Trainer:
    """A Trainer that goes once through the chunks of steps, on one device, and keeps quiet.

    Args:
        device: that trains.
        folder: of the run.
        loggers, callbacks: Lightning's.
        protocol: of the run.
        chunk: steps in one, if there are recordings to validate on.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")  # advice on workers and unused hardware
    every = min(protocol["checkpoint_every"], protocol["steps"])
    return L.Trainer(
        accelerator=device.type,
        devices=[device.index] if device.type == "cuda" else 1,
        max_epochs=1,
        logger=loggers,
        callbacks=callbacks,
        default_root_dir=folder,
        plugins=[LightningEnvironment(), WholeFiles()],
        val_check_interval=math.ceil(every / chunk) if chunk else None,
        check_val_every_n_epoch=None if chunk else 1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def fit(trainer: L.Trainer, transcriber: Transcriber, chunks: Chunks, held_out: HeldOut | None, resume, keeper):
    """Train; a signal to stop, which Lightning turns into an exit, becomes KeyboardInterrupt again, with its number."""
    try:
        trainer.fit(transcriber, chunks, held_out, ckpt_path=resume, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt(keeper.stopped) from None
        raise


@torch.inference_mode()
def score_recordings(
    transcriber: Transcriber, test: data.Recordings, scored: list[torch.Tensor], length: int, threshold: float, pool
) -> tuple[dict, dict]:
    """Scores each test recording at the windows of `length` samples that start where `scored` says.

    Returns:
        The scores by the recording's id, and what `sweep.evidence` keeps: counts of each, an excerpt of the first.
    """
    scores, counts, shown = {}, [], {}
    batch = transcriber.protocol["batch_size"]
    for index, (name, starts) in enumerate(zip(test.ids, scored, strict=True)):
        parts = [transcriber.look(test.audio(index, part, length)) for part in starts.split(batch)]
        logits, frames = (torch.cat(part) for part in zip(*parts, strict=True))
        reference = test.targets(index, starts + length // 2).bool().cpu().numpy()
        times = (starts.numpy() + length // 2) / SAMPLE_RATE
        probability = logits.sigmoid().cpu().numpy()
        scores[name] = scoring.score(reference, probability, times=times, threshold=threshold, pool=pool)
        counts.append(evidence.count_notes(reference, probability > threshold))
        if index == 0:
            seen = evidence.stretch(len(starts))
            parts = times[seen], frames[seen].cpu().numpy(), reference[seen], probability[seen] > threshold
            shown = evidence.excerpt(*parts)
    counted = {name: np.stack([count[name] for count in counts]) for name in counts[0]}
    return scores, {"recordings": np.array(test.ids)} | counted | shown


def build_frontend(representation: Representation, settings: dict) -> Transform:
    """The front-end as it is before the first step."""
    options = {key: settings["frontend"][key] for key in ("trainable", "accuracy")}
    return representation.transform(settings["protocol"]["window"], **options)


def what_was_learned(frontend: Transform, representation: Representation, settings: dict) -> dict:
    """How a front-end has changed, for `sweep.evidence`; nothing of a fixed one."""
    if not settings["frontend"]["trainable"]:
        return {}
    return evidence.learned_kernels(frontend, build_frontend(representation, settings))


def learned_weights(transcriber: Transcriber) -> dict:
    """The linear model's weights per pitch, for `sweep.evidence`; nothing of another model."""
    if not isinstance(transcriber.model, Linear):
        return {}
    weight, projection = transcriber.model.output.weight.detach(), transcriber.projection
    projection = None if projection is None else projection.cpu().numpy()
    return evidence.weights_per_pitch(weight.cpu().numpy(), transcriber.n_frames, projection)


@torch.inference_mode()
def tune_threshold(transcriber: Transcriber, held_out: HeldOut) -> float:
    """The threshold at which the held-out recordings score highest, on average."""
    return scoring.best_threshold(
        (target.bool().cpu().numpy(), transcriber.predict(audio).sigmoid().cpu().numpy()) for audio, target in held_out
    )


def count_parameters(module: torch.nn.Module) -> int:
    """Trainable weights."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
