"""One run, start to finish: settings in, result.json out."""

import functools
import logging
import math
import pickle
import shutil
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lightning as L
import torch
from lightning.fabric.plugins.environments import LightningEnvironment
from rich.console import Console

from sweep import data, machine, results, scoring
from sweep.callbacks import Bar, Checkpoint, Curve
from sweep.data.demo import make_demo
from sweep.loggers import build_logger, closing
from sweep.models import build_model
from sweep.representations import from_settings
from sweep.settings import check_settings
from sweep.steps import chunk_length
from sweep.transcriber import Transcriber

_SCORING_BYTES = 256 << 20  # of the features of the windows that are scored together, at most
_POOLED = 5000  # windows to score from which on processes are worth starting: 1.5 s each
SAMPLE_RATE = 44100  # Hz, of the recordings


def run(settings: dict, console: Console, title: str) -> dict:
    """Train and score one representation; resume where an earlier call was interrupted.

    Args:
        settings: the resolved configuration, with names.
        console: for the progress bar.
        title: of the bar.

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
    device = machine.choose_device(settings["device"])
    machine.reset_peak_memory(device)
    if settings["data"]["source"] == "demo" and not Path(settings["data"]["root"]).exists():
        console.print(f"making the demo set in {settings['data']['root']}, once")
    train, validation, test = load(
        settings["data"]["source"],
        settings["data"]["root"],
        settings["data"]["validation"],
        device,
        settings["data"]["placement"],
        settings["data"]["cache"],
    )
    scored = [
        data.scoring_windows(test, index, length=protocol["window"], count=protocol["scored_windows"])
        for index in range(len(test))
    ]
    workers = machine.count_workers(settings["workers"])
    pool = scoring.start_pool(workers) if workers and sum(map(len, scored)) > _POOLED else None
    if settings["overwrite"] and folder.exists():
        shutil.rmtree(folder)
    checkpoint, trained_model = folder / results.CHECKPOINT, folder / results.MODEL
    kept = next((path for path in (trained_model, checkpoint) if path.exists()), None)
    first = check_checkpoint(kept, settings) if kept else 0
    n_frames = representation.n_frames(protocol["window"])
    frontend = representation.transform(**settings["frontend"])
    bias = prior_logits(train) if protocol["output_bias"] else None
    torch.manual_seed(settings["seed"])
    model = build_model(settings["model"]["name"], representation.n_bins, n_frames, bias)
    transcriber = Transcriber(frontend, model, protocol, n_frames, settings["precision"]).to(device)
    if protocol["standardise"] and not first:
        batches = (training_windows(train, settings, step)[0] for step in range(protocol["standardise"]))
        transcriber.standardise(batches)
    transcriber.prepare(train, settings, first)
    ready = time.perf_counter()

    folder.mkdir(parents=True, exist_ok=True)
    logger = build_logger(settings, folder, first)
    curve = Curve(every=max(1, min(100, protocol["steps"] // 20)))
    keeper = Checkpoint(checkpoint, protocol["checkpoint_every"], curve)
    chunk = chunk_length(transcriber, device)
    trainer = build_trainer(
        device, folder, logger, [curve, keeper, Bar(console, title, first)], protocol, chunk if validation else None
    )
    held_out = functools.partial(validation_batches, validation, protocol) if validation else None
    with closing(logger) as summary:
        if first < protocol["steps"]:
            fit(trainer, transcriber, _Chunks(train, settings, first, chunk), held_out, checkpoint if first else None)
            keeper.save(trainer, trained_model, weights_only=True)
        else:  # an earlier call was interrupted between training and result
            transcriber.load_state_dict(torch.load(trained_model, map_location=device, weights_only=True)["state_dict"])
        trained = time.perf_counter()
        transcriber = transcriber.to(device).eval()
        recordings = score_recordings(transcriber, test, scored, protocol["window"], settings["threshold"], pool)
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
        "bins": representation.n_bins,
        "context": representation.context,
        "empty_filters": representation.empty_filters,
        "parameters": {part: count_parameters(getattr(transcriber, part)) for part in ("frontend", "model")},
        "resumed_from": first,
        "seconds": {"setup": ready - began, "training": trained - ready, "scoring": done - trained},
        "windows_per_second": steps * protocol["batch_size"] / (trained - ready),
        "peak_memory_bytes": machine.peak_memory(device),
        **machine.describe(device),
    }
    results.write_result(folder, result)
    checkpoint.unlink(missing_ok=True)
    return result


@functools.lru_cache(maxsize=1)
def load(source: str, root: str, share: float, device: torch.device, placement: str = "auto", cache: str | None = None):
    """Recordings to train on, to validate on (None without a share) and to test on; kept for the runs that follow."""
    if source == "demo":
        make_demo(Path(root))
    read, cache = functools.partial(data.read_split, Path(root), source=source), Path(cache) if cache else None
    train, held_out = data.split_validation(read("train", cache=cache), share)
    test = read("test", cache=cache)
    parts = (data.Recordings(part, device, placement) if part else None for part in (train, held_out, test))
    return tuple(parts)


def training_windows(train: data.Recordings, settings: dict, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Audio and targets of one step."""
    protocol = settings["protocol"]
    return data.training_windows(
        train, batch_size=protocol["batch_size"], length=protocol["window"], seed=settings["seed"], step=step
    )


def prior_logits(train: data.Recordings) -> torch.Tensor:
    """(128,) the logit of each note's share of the time, clamped to 1e-4 .. 0.5."""
    return torch.logit(train.note_share().clamp(1e-4, 0.5)).float()


def check_checkpoint(path: Path, settings: dict) -> int:
    """The step that a half-done run goes on from.

    Raises:
        ValueError: the checkpoint is damaged or belongs to another configuration.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        made_with, step = checkpoint["run"]["settings"], checkpoint["run"]["step"]
    except (RuntimeError, KeyError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: damaged ({error}); delete it, and the same command starts the run anew") from None
    changed = results.differences(made_with, results.identity(settings))
    if changed:
        raise results.ConfigurationChanged(path.parent, changed)
    return step


class _Chunks:
    """Where the training windows lie, so many steps at a time: an iterable without a length.

    Chunks end at multiples of their length, whatever step they begin at.
    """

    def __init__(self, recordings: data.Recordings, settings: dict, first: int, length: int):
        self.recordings, self.settings, self.first, self.length = recordings, settings, first, length

    def __iter__(self) -> Iterator[data.Windows]:
        protocol, seed = self.settings["protocol"], self.settings["seed"]
        step = self.first
        while step < protocol["steps"]:
            end = min((step // self.length + 1) * self.length, protocol["steps"])
            options = {"batch_size": protocol["batch_size"], "length": protocol["window"], "seed": seed}
            yield data.draw_windows(self.recordings, range(step, end), **options)
            step = end


def validation_batches(recordings: data.Recordings, protocol: dict) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Evenly spaced windows of each held-out recording with their targets, one recording a batch."""
    length = protocol["window"]
    for index in range(len(recordings)):
        starts = data.scoring_windows(recordings, index, length=length, count=protocol["validation_windows"])
        yield recordings.audio(index, starts, length), recordings.targets(index, starts + length // 2)


def build_trainer(
    device: torch.device, folder: Path, logger, callbacks: list, protocol: dict, chunk: int | None
) -> L.Trainer:
    """A Trainer that goes once through the chunks of steps, on one device, and keeps quiet.

    Args:
        device: that trains.
        folder: of the run.
        logger, callbacks: Lightning's.
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
        logger=logger,
        callbacks=callbacks,
        default_root_dir=folder,
        plugins=[LightningEnvironment()],
        val_check_interval=math.ceil(every / chunk) if chunk else None,
        check_val_every_n_epoch=None if chunk else 1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def fit(trainer: L.Trainer, transcriber: Transcriber, chunks: Iterable, batches: Callable | None, resume: Path | None):
    """Train; Ctrl-C, which Lightning turns into an exit, becomes KeyboardInterrupt again."""
    loader = _Batches(batches) if batches else None
    try:
        trainer.fit(transcriber, chunks, loader, ckpt_path=resume, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise


class _Batches:
    """A generator function as an iterable that can be gone through again."""

    def __init__(self, generate: Callable[[], Iterator]):
        self.generate = generate

    def __iter__(self) -> Iterator:
        return self.generate()


@torch.inference_mode()
def score_recordings(
    transcriber: Transcriber, test: data.Recordings, scored: list[torch.Tensor], length: int, threshold: float, pool
) -> dict:
    """Scores of each test recording, by its id, at the windows of `length` samples that start where `scored` says."""
    scores = {}
    batch = max(1, _SCORING_BYTES // (4 * transcriber.frontend.n_bins * transcriber.n_frames))
    for index, (name, starts) in enumerate(zip(test.ids, scored, strict=True)):
        with transcriber.arithmetic():
            parts = [transcriber(test.audio(index, part, length)).sigmoid() for part in starts.split(batch)]
        reference = test.targets(index, starts + length // 2).bool().cpu().numpy()
        times = (starts.numpy() + length // 2) / SAMPLE_RATE
        probability = torch.cat(parts).cpu().numpy()
        scores[name] = scoring.score(reference, probability, times=times, threshold=threshold, pool=pool)
    return scores


def count_parameters(module: torch.nn.Module) -> int:
    """Trainable weights."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
