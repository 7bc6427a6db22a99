"""Build the model of a run, untrained or from the state of an interrupted call."""

import logging
from pathlib import Path

import torch

from sweep.config import RunConfig
from sweep.data.recording import N_NOTES
from sweep.data.recordings import Recordings
from sweep.data.windows import training_windows
from sweep.registry import models
from sweep.results.state import empty
from sweep.training.transcriber import Transcriber
from sweep.transforms.transform import Transform

_log = logging.getLogger(__name__)


def build_or_resume(
    config: RunConfig, train: Recordings, device: torch.device, kept: Path | None, first: int
) -> Transcriber:
    """Build the transcriber of a run, ready to train.

    The weights are loaded if training is complete. If training was interrupted, Lightning loads them later together
    with the optimiser's state.

    Args:
        config: the run's configuration.
        train: training recordings.
        device: device to train on.
        kept, first: file with the run's state, and its step, as `find_state` returns them.
    """
    if config.overwrite:
        empty(config.folder)
    _log.info("%s on %s from step %d of %d", config.row, device, first, config.protocol.steps)
    torch.manual_seed(config.seed)
    transcriber = build_transcriber(config, prior_logits(train) if config.protocol.output_bias else None).to(device)
    if not first and config.protocol.standardise:
        options = {"batch_size": config.protocol.batch_size, "length": config.protocol.window, "seed": config.seed}
        batches = (training_windows(train, step=step, **options) for step in range(config.protocol.standardise))
        transcriber.standardise(audio for audio, _ in batches)
    if first == config.protocol.steps:  # an earlier call was interrupted after training, before the result
        transcriber.load_state_dict(torch.load(kept, map_location=device, weights_only=True)["state_dict"])
    transcriber.prepare(train, config, first)
    return transcriber


def build_transcriber(config: RunConfig, bias: torch.Tensor | None) -> Transcriber:
    """Build the untrained model of a run.

    Args:
        config: the run's configuration.
        bias: initial output bias, (128,); None for no bias.
    """
    width, row = config.control.width, config.representation
    n_frames = row.n_frames(config.protocol.window)
    frontend = build_frontend(config)
    model = models[config.model.name](width or row.n_bins, n_frames, bias, **config.model.options)
    rate = config.frontend.learning_rate
    return Transcriber(frontend, model, config.protocol, n_frames, config.precision, width, rate)


def build_frontend(config: RunConfig) -> Transform:
    """Build the front-end as it is before the first step."""
    options = {"trainable": config.frontend.trainable, "accuracy": config.frontend.accuracy}
    return config.representation.transform(config.protocol.window, **options)


def count_weights(config: RunConfig) -> int:
    """Count the weights that a run trains, of the model and of a trainable front-end, without allocating them."""
    width, row = config.control.width, config.representation
    with torch.device("meta"):
        n_frames, bias = row.n_frames(config.protocol.window), torch.zeros(N_NOTES)
        given = (width or row.n_bins, n_frames, bias if config.protocol.output_bias else None)
        model = models[config.model.name](*given, **config.model.options)
    parts: list[torch.nn.Module] = [model]
    if config.frontend.trainable:
        parts.append(build_frontend(config))
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def prior_logits(train: Recordings) -> torch.Tensor:
    """Compute the logit of each note's share of the time, clamped to 1e-4 .. 0.5: (128,)."""
    return torch.logit(train.note_share.clamp(1e-4, 0.5)).float()
