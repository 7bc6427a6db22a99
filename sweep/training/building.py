"""Build the model of a run, untrained or from the state of an interrupted call."""

import logging
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from sweep.checks import called
from sweep.config import RunConfig
from sweep.config.run import chosen_classes
from sweep.data.recording import N_NOTES, SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.data.targets import Labels
from sweep.data.windows import training_windows
from sweep.registry import compressions, families, models
from sweep.representations import Representation
from sweep.representations.contract import check_front_end
from sweep.representations.front_end import FrontEnd
from sweep.results.state import empty
from sweep.training.contract import check_model
from sweep.training.model import Features, Model
from sweep.training.transcriber import Transcriber, wanted

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
    transcriber = build_transcriber(config, prior_logits(config, train) if config.protocol.output_bias else None)
    transcriber.to(device)
    if not first and config.protocol.standardise:
        options = {"batch_size": config.protocol.batch_size, "length": config.protocol.window, "seed": config.seed}
        batches = (training_windows(train, step=step, **options) for step in range(config.protocol.standardise))
        transcriber.standardise(audio for audio, _ in batches)
    if first == config.protocol.steps:  # an earlier call was interrupted after training, before the result
        transcriber.load_state_dict(torch.load(kept, map_location=device, weights_only=True)["state_dict"])
    transcriber.prepare(train, config, first)
    return transcriber


def check_classes(config: RunConfig) -> None:
    """Check the classes of a run that are not the package's own, before its data are loaded.

    Raises:
        ValueError: names the class, what is wrong and the remedy.
    """
    row, name = config.representation, config.model.name
    for key, registry, chosen in chosen_classes(config.record()):
        if registry.code(chosen) != config.code.get(key):
            raise ValueError(
                f"{registry.kind} {chosen}: its code has changed since this run was planned; give the command again"
            )
    if {families.kind, compressions.kind} & config.code.keys():
        check_front_end(row, row.samples(config.protocol.window))
    if models.kind in config.code:
        heads = models[name].HEADS if config.protocol.output_bias else ()
        model = called(f"model {name}", _build_model, config, {head: torch.zeros(N_NOTES) for head in heads} or None)
        check_model(model, name, model_input(config), row.sample_rate)


def build_transcriber(config: RunConfig, bias: dict[str, torch.Tensor] | None) -> Transcriber:
    """Build the untrained model of a run.

    Args:
        config: the run's configuration.
        bias: initial output bias of each head, (128,); None for no bias.

    Raises:
        ValueError: the model has other times than its configuration says.
    """
    frontend, features = build_frontend(config), model_input(config)
    model = _build_model(config, bias)
    if (len(model.times) > 1) != (config.model.sees == "segment"):
        raise ValueError(
            f"model.sees {config.model.sees}: {config.model.name} gives estimates of {len(model.times)} instants; "
            "a window has one, a segment several"
        )
    rate = config.frontend.learning_rate
    return Transcriber(frontend, model, features, config.protocol, config.precision, config.control.width, rate)


def _build_model(config: RunConfig, bias: dict[str, torch.Tensor] | None) -> Model:
    return models[config.model.name](model_input(config), bias, **config.model.options)


def model_input(config: RunConfig) -> Features:
    """Return the shape of the model's input."""
    return features_of(config.representation, config.protocol.window, config.control.width)


def features_of(row: Representation, window: int, width: int | None = None) -> Features:
    """Return the shape of a row's features.

    Args:
        row: the row.
        window: samples of a clip at 44,100 Hz.
        width: features of a frame after a projection; None: the row's channels and bins.
    """
    channels, bins = (1, width) if width else (row.n_channels, row.bins)
    return Features(channels, bins, row.times(row.samples(window)), window // 2 / SAMPLE_RATE)


def build_frontend(config: RunConfig) -> FrontEnd:
    """Build the front-end as it is before the first step."""
    options = {"trainable": config.frontend.trainable, "accuracy": config.frontend.accuracy}
    row = config.representation
    return row.front_end(row.samples(config.protocol.window), **options)


def cost(config: RunConfig, transcriber: Transcriber) -> dict[str, float]:
    """Count the multiply-adds for a second of audio: of all its frames, or at an estimate each ESTIMATE_EVERY samples.

    Args:
        config: the run's configuration.
        transcriber: its model, on any device.

    Returns:
        Multiply-adds of the "frontend", by the formula of the engine that it takes on a CPU, and of the "model", as
        PyTorch counts the products of its forward pass.
    """
    row, width, features = config.representation, config.control.width, model_input(config)
    projected = width * row.n_channels * row.bins * features.frames if width else 0
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        shape = features.channels, features.bins, features.frames
        _build_model(config, None).eval()(torch.empty(1, *shape))
    covering = transcriber.covering(row.sample_rate)
    each = 1 / (covering.size * covering.hop_seconds)
    return {
        "frontend": each * transcriber.frontend.multiply_adds(row.samples(config.protocol.window)),
        "model": each * (counter.get_total_flops() / 2 + projected),
    }


def count_weights(config: RunConfig) -> int:
    """Count the weights that a run trains, of the model and of a trainable front-end, without allocating them."""
    heads = models[config.model.name].HEADS if config.protocol.output_bias else ()
    with torch.device("meta"):
        model = _build_model(config, {head: torch.zeros(N_NOTES) for head in heads} or None)
    parts: list[torch.nn.Module] = [model]
    if config.frontend.trainable:
        parts.append(build_frontend(config))
    return sum(parameter.numel() for part in parts for parameter in part.parameters())


def prior_logits(config: RunConfig, train: Labels) -> dict[str, torch.Tensor]:
    """Compute for each head the logit of each note's share of the time, clamped to 1e-4 .. 0.5: (128,)."""
    heads = models[config.model.name].HEADS
    shares = {head: wanted(train, head, config.protocol).share for head in heads}
    return {head: torch.logit(share.clamp(1e-4, 0.5)).float() for head, share in shares.items()}
