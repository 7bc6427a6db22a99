"""Build the model of a run, untrained or from the state of an interrupted call."""

import logging
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from sweep.config import RunConfig
from sweep.data.recording import N_NOTES, SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.data.windows import training_windows
from sweep.registry import models
from sweep.representations.front_end import FrontEnd
from sweep.results.state import empty
from sweep.training.transcriber import Transcriber

ESTIMATE_EVERY = 512  # samples at 44.1 kHz between estimates for which a cost is counted

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
    frontend, model = build_frontend(config), _build_model(config, bias)
    row, rate = config.representation, config.frontend.learning_rate
    n_frames = row.n_frames(row.samples(config.protocol.window))
    return Transcriber(frontend, model, config.protocol, n_frames, config.precision, config.control.width, rate)


def _build_model(config: RunConfig, bias: torch.Tensor | None) -> torch.nn.Module:
    channels, bins, n_frames = model_input(config)
    return models[config.model.name](bins, n_frames, bias, n_channels=channels, **config.model.options)


def model_input(config: RunConfig) -> tuple[int, int, int]:
    """Return the shape of the model's input: channels, bins and frames."""
    row, width = config.representation, config.control.width
    channels, bins = (1, width) if width else (row.n_channels, row.bins)
    return channels, bins, row.n_frames(row.samples(config.protocol.window))


def build_frontend(config: RunConfig) -> FrontEnd:
    """Build the front-end as it is before the first step."""
    options = {"trainable": config.frontend.trainable, "accuracy": config.frontend.accuracy}
    row = config.representation
    return row.front_end(row.samples(config.protocol.window), **options)


def cost(config: RunConfig, frontend: FrontEnd) -> dict[str, float]:
    """Count the multiply-adds for a second of audio at one estimate each ESTIMATE_EVERY samples.

    Args:
        config: the run's configuration.
        frontend: its front-end, on any device.

    Returns:
        Multiply-adds of the "frontend", by the formula of the engine that it takes on a CPU, and of the "model", as
        PyTorch counts the products of its forward pass.
    """
    row, width = config.representation, config.control.width
    window = row.samples(config.protocol.window)
    projected = width * row.n_channels * row.bins * row.n_frames(window) if width else 0
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        _build_model(config, None).eval()(torch.empty(1, *model_input(config)))
    each = SAMPLE_RATE / ESTIMATE_EVERY
    return {
        "frontend": each * frontend.multiply_adds(window),
        "model": each * (counter.get_total_flops() / 2 + projected),
    }


def count_weights(config: RunConfig) -> int:
    """Count the weights that a run trains, of the model and of a trainable front-end, without allocating them."""
    with torch.device("meta"):
        model = _build_model(config, torch.zeros(N_NOTES) if config.protocol.output_bias else None)
    parts: list[torch.nn.Module] = [model]
    if config.frontend.trainable:
        parts.append(build_frontend(config))
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def prior_logits(train: Recordings) -> torch.Tensor:
    """Compute the logit of each note's share of the time, clamped to 1e-4 .. 0.5: (128,)."""
    return torch.logit(train.note_share.clamp(1e-4, 0.5)).float()
