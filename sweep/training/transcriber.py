"""The transcription model as a LightningModule: waveform -> features -> model -> notes."""

import contextlib
import math
from collections.abc import Iterable, Iterator

import lightning as L
import torch
import torch.nn.functional as F
from torch import nn

from sweep.config import Protocol, RunConfig
from sweep.data.cutting import cut
from sweep.data.recordings import Recordings
from sweep.data.windows import Windows
from sweep.results.notes import SILENCE
from sweep.results.scoring import average_precision
from sweep.training.adam import Adam
from sweep.training.one_pass import cross_entropy_gradient
from sweep.training.steps import Losses, Steps, group_length

_ON_CPU = 32  # windows that a CPU listens to at a time, for which the widest CNN takes 1 GB
_DEVIATION_OFFSET = 0.01  # keeps bins that never change (empty mel filters) finite


class Transcriber(L.LightningModule):
    """Predicts which notes sound at the centre of a window.

    It uses manual optimisation: a batch holds the places of many steps' windows, and `training_step` takes all steps.

    Args:
        frontend: module from (batch, samples) to features, (batch, channels, bins, frames): a row's `FrontEnd`.
        model: module from features to (batch, 128) logits.
        protocol: protocol of the run: how features are standardised and the model is trained.
        n_frames: number of frames of one window.
        precision: precision of the model's arithmetic, `RunConfig.precision`.
        width: features per frame after a fixed projection of the bins; None: the bins themselves.
        frontend_rate: learning rate of a trainable front-end; None: the model's.

    Attributes:
        step: number of optimiser steps taken.
    """

    def __init__(
        self,
        frontend: nn.Module,
        model: nn.Module,
        protocol: Protocol,
        n_frames: int,
        precision: str = "float32",
        width: int | None = None,
        frontend_rate: float | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.frontend, self.model, self.protocol, self.n_frames = frontend, model, protocol, n_frames
        self.precision, self.frontend_rate = precision, frontend_rate
        bins = frontend.n_channels * frontend.n_bins
        self.n_features = (width or bins) * n_frames
        self.register_buffer("projection", projection(bins, width) if width else None)
        if protocol.standardise:
            self.register_buffer("mean", torch.zeros(frontend.n_channels, frontend.n_bins, 1))
            self.register_buffer("deviation", torch.ones(frontend.n_channels, frontend.n_bins, 1))
        self.step = 0
        self._steps: Steps | None = None
        self._validated: list[tuple[torch.Tensor, torch.Tensor]] = []

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
        if self.protocol.standardise:
            z = (z - self.mean) / self.deviation if z.requires_grad else z.sub_(self.mean).div_(self.deviation)
        return z if self.projection is None else (self.projection @ z.flatten(1, 2)).unsqueeze(1)

    def logits(self, features: torch.Tensor) -> torch.Tensor:
        """Compute the model's logits: (batch, channels, bins, frames) -> (batch, 128) float32."""
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            return self.model(features).float()

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """Compute logits from audio: (batch, samples) -> (batch, 128)."""
        return self.logits(self.features(audio))

    def predict(self, audio: torch.Tensor) -> torch.Tensor:
        """Compute logits, (windows, samples) -> (windows, 128), in training-size batches that fit into memory."""
        with self.arithmetic():
            return torch.cat([self(part) for part in audio.split(self.protocol.batch_size)])

    def look(self, audio: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute logits, (windows, 128), and the first channel's features at each window's centre, (windows, bins).

        The front-end takes all windows at once and the model as many as in training, which fit into memory.
        """
        with self.arithmetic():
            z = self.frontend(audio)
            centre = z[:, 0, :, self.frontend.centre(audio.shape[-1])].clone()  # the next line overwrites z
            parts = self.scaled(z).split(self.protocol.batch_size)
            return torch.cat([self.logits(part) for part in parts]), centre

    def listen(
        self, audio: torch.Tensor, starts: torch.Tensor, length: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Compute some windows at a time what `look` does, but probabilities for logits, 0 in a silent window.

        Args:
            audio: audio at the front-end's rate, (samples,) float32, on any device.
            starts: first sample in it of each window, (windows,) int64, on the CPU.
            length: samples in a window.
        """
        audio = audio.to(self.device)
        on_gpu = self.device.type == "cuda"
        size = self.protocol.batch_size * group_length(self, self.device) if on_gpu else _ON_CPU
        for part in starts.split(size):
            with torch.inference_mode():
                windows = cut(audio, part.to(self.device), length)
                logits, centre = self.look(windows)
                loud = windows.square().mean(dim=1, keepdim=True).sqrt() >= SILENCE
                heard = logits.sigmoid() * loud
            yield heard, centre

    def loss(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the mean binary cross-entropy times the protocol's scale: (..., batch, 128) -> (...)."""
        entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return self.protocol.loss_scale * entropy.mean(dim=(-2, -1))

    def loss_gradient(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Compute the loss's gradient by the logits, (sigmoid(logit) - target) scale / cells: (batch, 128).

        It is written out because autograd would launch a dozen more GPU kernels, and a training step is short.
        """
        return cross_entropy_gradient(logits, target, self.protocol.loss_scale / target.numel())

    @contextlib.contextmanager
    def arithmetic(self):
        """Let CUDA's products and convolutions within a block use TF32 unless precision is float32.

        Convolutions are deterministic within it, so that a run can be repeated.
        """
        rounded = self.precision != "float32"
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high" if rounded else "highest")
        try:
            with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=rounded):
                yield
        finally:
            torch.set_float32_matmul_precision(before)

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
            self._steps = Steps(self, optimizer, self.recordings, self.config.capture)
        losses = self._steps(batch)
        self.step += len(batch)
        return {"losses": losses}

    def on_train_end(self) -> None:
        self._steps = None  # free the graph and its memory

    def validation_step(self, batch: tuple[torch.Tensor, torch.Tensor], _) -> None:
        audio, target = batch
        self._validated.append((self.predict(audio), target))

    def on_validation_epoch_end(self) -> None:
        logits, target = (torch.cat(part) for part in zip(*self._validated, strict=True))
        self._validated.clear()
        precision = average_precision(target.bool().cpu().numpy().ravel(), logits.double().cpu().numpy().ravel())
        metrics = {"validation/loss": float(self.loss(logits, target)), "validation/average_precision": precision}
        for logger in self.loggers:
            logger.log_metrics(metrics, step=self.step - 1)

    def rates(self, step: int) -> list[float]:
        """Return a step's learning rates, one for each of the optimiser's groups: the model, a trainable front-end."""
        rate = self.protocol.learning_rate
        if self.protocol.learning_rate_scaling == "features":
            rate /= math.sqrt(self.n_features)
        rates = [rate, rate if self.frontend_rate is None else self.frontend_rate]
        if self.protocol.schedule == "linear":
            rates = [rate * max(0.0, 1 - step / self.protocol.steps) for rate in rates]
        return rates

    def configure_optimizers(self) -> Adam:
        parts = (list(self.model.parameters()), list(self.frontend.parameters()))
        groups = [{"params": part, "lr": rate} for part, rate in zip(parts, self.rates(0), strict=True) if part]
        return Adam(groups, fused=True)


def projection(n_bins: int, width: int) -> torch.Tensor:
    """Build a fixed random projection, (width, n_bins), that keeps the mean square of white features.

    Its rows are orthonormal if there are more bins than features; otherwise its columns are, times a factor. In the
    second case no information is lost, and the model has as many weights as for a larger representation.
    """
    random = torch.empty(width, n_bins, dtype=torch.float64)
    nn.init.orthogonal_(random, generator=torch.Generator().manual_seed(0))
    return (random * max(1.0, width / n_bins) ** 0.5).float()
