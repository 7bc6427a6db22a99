"""Stored features that a training step reads where it would otherwise compute them."""

import torch
from torch import nn

from sweep.data.recordings import Recordings
from sweep.data.windows import Windows, training_windows
from sweep.training.transcriber import Transcriber


class Nothing(nn.Module):
    """A front-end that has already been: it only says how many bins there are."""

    n_channels = 1

    def __init__(self, n_bins: int):
        super().__init__()
        self.n_bins = n_bins

    def is_product_on(self, _) -> bool:
        return False


class StoredTranscriber(Transcriber):
    """A transcriber whose input is what the front-end and the logarithm made of a window: (batch, bins * frames)."""

    def features(self, stored: torch.Tensor) -> torch.Tensor:
        return stored.unflatten(1, (1, self.frontend.n_bins, self.shape.frames))

    def targets(self, recordings, recording, start: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"frames": recordings.target.index_select(0, start.to(recordings.device))[:, None]}


class Store:
    """Features and targets of windows, with what `sweep.training.steps.Steps` asks of recordings.

    A window is known by its place in the store, which stands where recordings have its first sample; its length is the
    number of its features.

    Args:
        transcriber: that computes the features, on its device.
        recordings: that the windows are drawn from.
        count: windows, a multiple of the protocol's batch.
        on_host: keep the features in pinned memory of the host.

    Attributes:
        samples: (count, features) float32.
    """

    @torch.no_grad()
    def __init__(self, transcriber: Transcriber, recordings: Recordings, count: int, on_host: bool = False):
        protocol = transcriber.protocol
        batch, length = protocol.batch_size, protocol.window
        self.device, self.on_host, self.sample_rate = recordings.device, on_host, recordings.sample_rate
        shape, where = (count, transcriber.n_features), "cpu" if on_host else self.device
        self.samples = torch.empty(shape, device=where, pin_memory=on_host)
        self.target = torch.empty(count, 128, device=self.device)
        drawn = {"batch_size": batch, "length": length, "seed": 1}
        with transcriber.arithmetic():
            for step in range(count // batch):
                audio, target = training_windows(recordings, step=step, **drawn)
                at = slice(step * batch, (step + 1) * batch)
                self.samples[at].copy_(transcriber.features(audio).flatten(1))
                self.target[at].copy_(target)

    def __len__(self) -> int:
        return len(self.samples)

    def audio(self, _, place: torch.Tensor, length: int) -> torch.Tensor:
        """(batch, features): the stored features of the windows at some places."""
        return self.samples.index_select(0, place)

    def raw_audio(self, _, place: torch.Tensor, length: int) -> torch.Tensor:
        """The same from the host."""
        pinned = torch.empty(len(place), length, pin_memory=True)
        return torch.index_select(self.samples, 0, place, out=pinned).to(self.device, non_blocking=True)

    def draw(self, first: int, steps: int, batch_size: int) -> Windows:
        """Places of the windows of some steps, each window as likely as any."""
        generator = torch.Generator().manual_seed(first)
        place = torch.randint(len(self), (steps, batch_size), generator=generator)
        return Windows(first, torch.zeros_like(place), place)
