"""Train a transcriber with Lightning: loggers, checkpoints, curve and progress bar around the steps."""

import logging
import math
import warnings
from pathlib import Path

import lightning as L
import torch
import torch.nn.functional as F
from lightning.fabric.plugins.environments import LightningEnvironment
from rich.console import Console

from sweep.config import Protocol, RunConfig
from sweep.data.recordings import Recordings
from sweep.locks import Lock
from sweep.results.progress import Tracker
from sweep.results.state import CHECKPOINT, MODEL
from sweep.training.batches import Chunks, HeldOut
from sweep.training.building import prior_logits
from sweep.training.callbacks import Bar, Curve
from sweep.training.checkpoints import Checkpoint, WholeFiles
from sweep.training.loading import Loaded
from sweep.training.steps import chunk_length
from sweep.training.transcriber import Transcriber, wanted


def fit(
    transcriber: Transcriber,
    config: RunConfig,
    loaded: Loaded,
    first: int,
    loggers: list,
    lock: Lock,
    tracker: Tracker,
    console: Console,
    title: str,
) -> None:
    """Train from step `first` on, and save the trained weights as model.ckpt.

    Args:
        transcriber: model on its device, after `prepare`.
        config: the run's configuration.
        loaded: the run's recordings.
        first: step to start at; unless it is 0, the run's folder holds its checkpoint.
        loggers: Lightning loggers.
        lock, tracker: lock of the run's folder, and tracker of its progress.
        console, title: console and label of the progress bar.

    Raises:
        KeyboardInterrupt: a signal asked to stop; holds the signal's number, and a checkpoint is written.
    """
    device, protocol, folder = loaded.train.device, config.protocol, config.folder
    chunk = chunk_length(transcriber, device)
    curve = Curve(
        every=max(1, min(100, protocol.steps // 20)), ignorant=ignorant_loss(transcriber, config, loaded.train)
    )
    keeper = Checkpoint(folder / CHECKPOINT, protocol.checkpoint_every, curve, lock, tracker)
    callbacks = [curve, keeper, Bar(console, title, first)]
    held_out = HeldOut(loaded.held_out, transcriber) if loaded.held_out else None
    trainer = build_trainer(device, folder, loggers, callbacks, protocol, chunk if held_out else None)
    chunks = Chunks(loaded.train, protocol, config.seed, first, chunk)
    try:
        resume = folder / CHECKPOINT if first else None
        trainer.fit(transcriber, chunks, held_out, ckpt_path=resume, weights_only=True)
    except SystemExit:  # Lightning turns a KeyboardInterrupt into it
        if trainer.interrupted:
            raise KeyboardInterrupt(keeper.stopped) from None
        raise
    keeper.save(trainer, folder / MODEL, weights_only=True)
    trainer.strategy.checkpoint_io.teardown()  # which waits until it is written
    if keeper.stopped:
        raise KeyboardInterrupt(keeper.stopped)


def ignorant_loss(transcriber: Transcriber, config: RunConfig, train: Recordings) -> float:
    """Return the loss of a constant prediction: each note's share of the time, or one half without an output bias."""
    protocol, total = config.protocol, 0.0
    priors = prior_logits(config, train)
    for head, weight in transcriber.weights.items():
        share = wanted(train, head, protocol).share
        logits = priors[head].double() if protocol.output_bias else torch.zeros_like(share)
        total += weight * float((F.softplus(logits) - share * logits).mean())
    return protocol.loss_scale * total


def build_trainer(
    device: torch.device, folder: Path, loggers: list, callbacks: list, protocol: Protocol, chunk: int | None
) -> L.Trainer:
    """Build a Trainer that goes once through the chunks of steps, on one device, without output.

    Args:
        device: device to train on.
        folder: the run's folder.
        loggers, callbacks: Lightning loggers and callbacks.
        protocol: the run's protocol.
        chunk: number of steps in a chunk if there are held-out recordings; else None.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")  # advice on workers and unused hardware
    every = min(protocol.checkpoint_every, protocol.steps)
    return L.Trainer(
        accelerator=device.type,
        devices=[device.index] if device.type == "cuda" else 1,
        max_epochs=1,
        logger=loggers,
        callbacks=callbacks,
        default_root_dir=folder,
        plugins=[LightningEnvironment(), WholeFiles(device.type == "cuda")],
        val_check_interval=math.ceil(every / chunk) if chunk else None,
        check_val_every_n_epoch=None if chunk else 1,
        num_sanity_val_steps=0,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
