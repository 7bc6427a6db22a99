"""The transcription model as a LightningModule: waveform -> features -> model -> notes."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from sweep.config import Protocol, RunConfig
from sweep.data.covering import Covering, by_segments, by_windows
from sweep.data.cutting import cut
from sweep.data.recordings import Recordings
from sweep.data.roll import Roll
from sweep.data.targets import Labels
from sweep.data.windows import Windows
from sweep.representations.clock import ESTIMATE_EVERY, SAMPLE_RATE, at_rate
from sweep.results.notes import SILENCE
from sweep.results.scoring import average_precision
from sweep.training.adam import Adam
from sweep.training.augmentation import augment_audio, mask
from sweep.training.machine import arithmetic
from sweep.training.model import Features, Model, projection
from sweep.training.one_pass import cross_entropy_gradient
from sweep.training.schedule import learning_rates
from sweep.training.steps import Losses, Steps, group_length

_ON_CPU = 32  # windows that a CPU listens to at a time, for which the widest CNN takes 1 GB
_DEVIATION_OFFSET = 0.01  # keeps bins that never change (empty mel filters) finite


class Transcriber(L.LightningModule):
    """Predicts which notes sound, and perhaps which begin, at some instants of a clip.

    It uses manual optimisation: a batch holds the places of many steps' clips, and `training_step` takes all steps.

    Args:
        frontend: module from (batch, samples) to features, (batch, channels, bins, frames): a row's `FrontEnd`.
        model: model from features to logits.
        features: shape of the model's input, as `building` gave it to the model.
        protocol: protocol of the run: how features are standardised and the model is trained.
        precision: precision of the model's arithmetic, `RunConfig.precision`.
        width: features per frame after a fixed projection of the bins; None: the bins themselves.
        frontend_rate: learning rate of a trainable front-end; None: the model's.

    Attributes:
        step: number of optimiser steps taken.
        instants: samples at 44,100 Hz from a clip's first to the model's estimates, (times,) int64.
        seen: number of the frame that is nearest to each estimate, (times,) int64.
        weights: factor of each head's loss, by its name.
    """

    def __init__(
        self,
        frontend: nn.Module,
        model: Model,
        features: Features,
        protocol: Protocol,
        precision: str = "float32",
        width: int | None = None,
        frontend_rate: float | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.frontend, self.model, self.shape, self.protocol = frontend, model, features, protocol
        self.precision, self.frontend_rate = precision, frontend_rate
        bins = frontend.n_channels * frontend.n_bins
        self.n_features = features.channels * features.bins * features.frames
        self.weights = {head: protocol.onset_weight if head == "onsets" else 1.0 for head in model.HEADS}
        self.register_buffer("instants", torch.from_numpy(np.rint(model.times * SAMPLE_RATE)).long(), persistent=False)
        nearest = abs(features.times - model.times[:, None]).argmin(axis=1)
        self.register_buffer("seen", torch.from_numpy(nearest), persistent=False)
        self.register_buffer("projection", projection(bins, width) if width else None)
        if protocol.standardise:
            self.register_buffer("mean", torch.zeros(frontend.n_channels, frontend.n_bins, 1))
            self.register_buffer("deviation", torch.ones(frontend.n_channels, frontend.n_bins, 1))
        self.step = 0
        self._steps: Steps | None = None
        self._validated: list[tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]] = []

    @property
    def segmental(self) -> bool:
        """Whether the model says several frames of a clip, not only its middle."""
        return len(self.instants) > 1

    @property
    def frozen_frontend(self) -> bool:
        """Whether the next steps do not train the front-end."""
        fixed = self.step < self.protocol.fixed_steps
        return fixed or not any(parameter.requires_grad for parameter in self.frontend.parameters())

    def features(self, audio: torch.Tensor) -> torch.Tensor:
        """Compute the model's input: (batch, samples) -> (batch, channels, bins, frames), or (batch, 1, width, frames).

        All bins of all channels go through the projection, if there is one.
        """
        return self.scaled(self.frontend(audio))

    def scaled(self, z: torch.Tensor) -> torch.Tensor:
        """Standardise and project features, (batch, channels, bins, frames); in place if no gradient is wanted."""
        return self._projected(self._standardised(z))

    def _standardised(self, z: torch.Tensor) -> torch.Tensor:
        if not self.protocol.standardise:
            return z
        return (z - self.mean) / self.deviation if z.requires_grad else z.sub_(self.mean).div_(self.deviation)

    def _projected(self, z: torch.Tensor) -> torch.Tensor:
        return z if self.projection is None else (self.projection @ z.flatten(1, 2)).unsqueeze(1)

    def logits(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute each head's logits: (batch, channels, bins, frames) -> (batch, times, 128) float32."""
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return {head: logits.float() for head, logits in self.model(features).items()}

    def forward(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute each head's logits from audio: (batch, samples) -> (batch, times, 128)."""
        return self.logits(self.features(audio))

    def predict(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute logits, (clips, samples) -> (clips, times, 128), in training-size batches that fit into memory."""
        with self.arithmetic():
            return joined([self(part) for part in audio.split(self.protocol.batch_size)])

    def look(self, audio: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Compute logits, and the first channel's features at their instants, (clips, times, bins).

        The front-end takes all clips at once and the model as many as in training, which fit into memory.
        """
        with self.arithmetic():
            z = self.frontend(audio)
            seen = z[:, 0].index_select(2, self.seen).transpose(1, 2)  # a copy: the next line overwrites z
            parts = self.scaled(z).split(self.protocol.batch_size)
            return joined([self.logits(part) for part in parts]), seen

    def covering(self, sample_rate: int) -> Covering:
        """Return how clips cover a recording at the row's rate, so that a model with several times sees all of it.

        For a model of one time, frames are ESTIMATE_EVERY apart; `by_windows` gives others.
        """
        if not self.segmental:
            return by_windows(self.protocol.window, ESTIMATE_EVERY, sample_rate)
        length = at_rate(self.protocol.window, sample_rate)
        return by_segments(self.model.times, length, sample_rate, self.protocol.edge)

    def listen(
        self, audio: torch.Tensor, starts: torch.Tensor, covering: Covering
    ) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        """Compute some clips at a time each head's probabilities in successive frames, 0 in a silent clip.

        Args:
            audio: audio at the front-end's rate, (samples,) float32, on any device.
            starts: first sample in it of each clip, (clips,) int64, on the CPU.
            covering: length of a clip, and the frames that are taken from it.

        Yields:
            Probabilities, (frames, 128) by head, and the first channel's features, (frames, bins).
        """
        audio = audio.to(self.device)
        on_gpu = self.device.type == "cuda"
        size = self.protocol.batch_size * group_length(self, self.device) if on_gpu else _ON_CPU
        for part in starts.split(size):
            with torch.inference_mode():
                clips = cut(audio, part.to(self.device), covering.length)
                logits, seen = self.look(clips)
                loud = clips.square().mean(dim=1).sqrt()[:, None, None] >= SILENCE
                heard = {
                    head: (value[:, covering.kept].sigmoid() * loud).flatten(0, 1) for head, value in logits.items()
                }
            yield heard, seen[:, covering.kept].flatten(0, 1)

    def targets(
        self, recordings: Recordings, recording: torch.Tensor | int, start: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Look up what each head should say of clips.

        Args:
            recordings: the clips' recordings.
            recording: index of each clip's recording, (batch,) int64, or one index for all.
            start: first sample of each clip at 44,100 Hz, (batch,) int64.

        Returns:
            (batch, times, 128) float32, 0 or 1, by head.
        """
        if isinstance(recording, torch.Tensor):
            recording = recording[:, None]
        at = start.to(self.instants.device, non_blocking=True)[:, None] + self.instants
        return {head: wanted(recordings, head, self.protocol).at(recording, at) for head in self.weights}

    def loss(self, logits: dict[str, torch.Tensor], target: dict[str, torch.Tensor]) -> torch.Tensor:
        """Compute the heads' weighted sum of the mean binary cross-entropy, times the protocol's scale.

        Each (..., batch, times, 128) -> (...).
        """
        total: torch.Tensor | float = 0.0
        for head, weight in self.weights.items():
            entropy = F.binary_cross_entropy_with_logits(logits[head], target[head], reduction="none")
            total = total + weight * entropy.mean(dim=(-3, -2, -1))
        return self.protocol.loss_scale * total

    def loss_gradient(
        self, logits: dict[str, torch.Tensor], target: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Compute the loss's gradient by the logits, (sigmoid(logit) - target) scale / cells.

        It is written out because autograd would launch a dozen more GPU kernels, and a training step is short.
        """
        scale = self.protocol.loss_scale
        return {
            head: cross_entropy_gradient(logits[head], target[head], scale * weight / target[head].numel())
            for head, weight in self.weights.items()
        }

    def arithmetic(self) -> contextlib.AbstractContextManager[None]:
        """Set the precision of CUDA's products within a block to that of the run: `machine.arithmetic`."""
        return arithmetic(self.precision)

    def varied(self, audio: torch.Tensor) -> torch.Tensor:
        """Compute the model's input in training: `features`, with the protocol's augmentation."""
        augment = self.protocol.augment
        if not augment.on:
            return self.features(audio)
        audio = augment_audio(audio, augment, self.frontend.row.sample_rate)
        return self._projected(mask(self._standardised(self.frontend(audio)), augment))

    @torch.no_grad()
    def standardise(self, batches: Iterable[torch.Tensor]) -> None:
        """Measure each bin's mean and deviation over all frames of some batches of windows, each (batch, samples)."""
        count, total, squares = 0, torch.zeros(()), torch.zeros(())
        for audio in batches:
            z = self.frontend(audio).double()
            count += z.shape[0] * z.shape[3]
            total, squares = total + z.sum(dim=(0, 3)), squares + z.square().sum(dim=(0, 3))
        mean = total / count
        deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
        self.mean.copy_(mean[..., None])
        self.deviation.copy_(deviation[..., None] + _DEVIATION_OFFSET)

    def prepare(self, recordings: Recordings, config: RunConfig, step: int) -> None:
        """Set the training recordings, the run and the number of steps already taken; call before `Trainer.fit`."""
        self.recordings, self.config, self.step = recordings, config, step

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        # The configuration that decides the result, so that no other run resumes from this checkpoint.
        checkpoint["run"] = {"identity": self.config.identity, "step": self.step}

    def transfer_batch_to_device(self, batch: Windows, device: torch.device, _: int) -> Windows:
        return batch  # `Steps` moves the batch itself

    def training_step(self, batch: Windows, _) -> dict[str, Losses]:
        if self._steps is None or self._steps.frozen != self.frozen_frontend:
            self._steps = None  # free the previous steps' graph and its memory
            optimizer = self.optimizers(use_pl_optimizer=False)
            self._steps = Steps(self, optimizer, self.recordings, self.config.capture, self.config.seed)
        losses = self._steps(batch)
        self.step += len(batch)
        return {"losses": losses}

    def on_train_end(self) -> None:
        self._steps = None  # free the graph and its memory

    def validation_step(self, batch: tuple[torch.Tensor, dict[str, torch.Tensor]], _) -> None:
        audio, target = batch
        self._validated.append((self.predict(audio), target))

    def on_validation_epoch_end(self) -> None:
        logits, target = (joined(part) for part in zip(*self._validated, strict=True))
        self._validated.clear()
        ranked = target["frames"].bool().cpu().numpy().ravel(), logits["frames"].double().cpu().numpy().ravel()
        metrics = {
            "validation/loss": float(self.loss(logits, target)),
            "validation/average_precision": average_precision(*ranked),
        }
        for logger in self.loggers:
            logger.log_metrics(metrics, step=self.step - 1)

    def rates(self, step: int) -> list[float]:
        """Return a step's learning rates, one for each of the optimiser's groups: the model, a trainable front-end."""
        return learning_rates(self.protocol, step, self.n_features, self.frontend_rate)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parts = (list(self.model.parameters()), list(self.frontend.parameters()))
        groups = [{"params": part, "lr": rate} for part, rate in zip(parts, self.rates(0), strict=True) if part]
        if self.protocol.weight_decay:
            return torch.optim.AdamW(groups, weight_decay=self.protocol.weight_decay, fused=True)
        return Adam(groups, fused=True)


def joined(parts: Sequence[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Put batches one after the other, head by head."""
    return {head: torch.cat([part[head] for part in parts]) for head in parts[0]}


def wanted(labels: Labels, head: str, protocol: Protocol) -> Roll:
    """Return the roll of what a head should say."""
    return labels.beginning(protocol.onset_width) if head == "onsets" else labels.sounding
