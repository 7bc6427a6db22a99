"""Run many optimiser steps without waiting for the host, on CUDA by replaying a captured graph."""

import contextlib
import functools
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from sweep.data.cutting import full_scale_1
from sweep.data.recordings import Recordings
from sweep.data.windows import Windows, step_generator
from sweep.representations.clock import at_rate
from sweep.transforms import recorded

_CHUNK = 250  # steps on CUDA between two checks by the host
_GROUP = 10  # steps whose windows pass a frozen front-end together: fewer and larger launches
_GROUP_BYTES = 256 << 20  # largest size of a group's features in bytes
# Parts of a group's features, if these are matrix products: all but the first are computed beside the steps, in which
# Adam waits for memory. H100, a step of each of ten such rows, ms in all: 1.64, with 2, 3, 5 parts 1.61, 1.55, 1.48; of
# the other 24, whose smaller launches cost more: 3.10, 3.11, 3.18, 3.33.
_PARTS = 5


@dataclass(frozen=True, eq=False)
class Losses:
    """The losses of some successive steps, while they are copied to the host.

    Attributes:
        first: first of the steps.
        values: losses on the host, (steps,) float32; valid once `wait` has returned.
    """

    first: int
    values: torch.Tensor
    copied: torch.cuda.Event | None

    def wait(self) -> torch.Tensor:
        """Wait for the copy to the host and return the values."""
        if self.copied is not None:
            self.copied.synchronize()
        return self.values


class Steps:
    """Trains a transcriber on drawn windows, step by step.

    On CUDA a group of steps is one graph: it gathers the windows of all of them, computes their features at once or in
    a few parts if the front-end is frozen, and then takes one optimiser step after the other. Groups start at multiples
    of their length, so that a resumed run computes the same numbers as an uninterrupted one. Without `capture` the host
    launches the same GPU kernels one by one.

    Random numbers of the model or of the augmentation are a function of the run's seed and of the group's first step.
    A graph draws them anew at each replay, from the generator's state at that moment.

    Args:
        transcriber: model on its device.
        optimizer: fused Adam over the model's parameters.
        recordings: training recordings.
        capture: whether to replay a graph on CUDA.
        seed: the run's seed.
    """

    def __init__(
        self, transcriber, optimizer: torch.optim.Optimizer, recordings: Recordings, capture: bool, seed: int = 0
    ):
        self.seed = seed
        self.transcriber, self.optimizer, self.recordings = transcriber, optimizer, recordings
        self.frozen = transcriber.frozen_frontend
        self.parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        self.batch_size, self.length = transcriber.protocol.batch_size, transcriber.protocol.window
        self.device = recordings.device
        on_cuda = self.device.type == "cuda"
        self.group = group_length(transcriber, self.device)
        self.parts = part_count(transcriber, self.device)
        self.beside = _beside(self.device) if self.parts > 1 else None
        self.capture, self.graph = capture and on_cuda, None
        if on_cuda:
            for group in optimizer.param_groups:
                group["capturable"] = True
        shape = (self.group, self.batch_size)
        self.recording = torch.zeros(shape, dtype=torch.int64, device=self.device)
        self.start = torch.zeros(shape, dtype=torch.int64, device=self.device)
        self.rates = torch.zeros(self.group, 2, device=self.device)
        self.losses = torch.zeros(self.group, device=self.device)
        if recordings.on_host:
            audio = (self.group * self.batch_size, at_rate(self.length, recordings.sample_rate))
            self.audio = torch.zeros(audio, dtype=recordings.samples.dtype, device=self.device)

    def __call__(self, windows: Windows) -> Losses:
        """Take one step for each row of `windows`."""
        n = len(windows)
        rates = torch.tensor([self.transcriber.rates(step) for step in range(windows.first, windows.first + n)])
        on_device = [part.to(self.device, non_blocking=True) for part in (windows.recording, windows.start, rates)]
        losses = torch.empty(n, device=self.device)
        if self.capture and self.graph is None:
            self._capture()
        at = 0
        while at < n:
            size = min(self.group - (windows.first + at) % self.group, n - at)
            part = slice(at, at + size)
            for kept, new in zip((self.recording, self.start, self.rates), on_device, strict=True):
                kept[:size].copy_(new[part])
            if self.recordings.on_host:
                recording, start = windows.recording[part].flatten(), windows.start[part].flatten()
                audio = self.recordings.raw_audio(recording, start, self.length)
                self.audio[: len(audio)].copy_(audio)
            torch.manual_seed(int(step_generator(self.seed, windows.first + at).integers(2**62)))
            if self.graph is not None and size == self.group:
                self.graph.replay()
            else:
                self._take(size)
            losses[part].copy_(self.losses[:size])
            at += size
        return self._to_host(windows.first, losses)

    def _take(self, size: int) -> None:
        """Take the first `size` steps of a group on the windows in the buffers."""
        module, optimizer = self.transcriber, self.optimizer
        recording, start = self.recording[:size].flatten(), self.start[:size].flatten()
        if self.recordings.on_host:
            audio = full_scale_1(self.audio[: len(start)])
        else:
            audio = self.recordings.audio(recording, start, self.length)
        target = module.targets(self.recordings, recording, start)
        seen = []
        with module.arithmetic(), self._inputs(audio) as each:
            for i, inputs in enumerate(each):
                wanted = {head: value[i * self.batch_size :][: self.batch_size] for head, value in target.items()}
                logits = module.logits(inputs)
                seen.append({head: value.detach() for head, value in logits.items()})
                gradient = module.loss_gradient(seen[-1], wanted)
                torch.autograd.backward(list(logits.values()), [gradient[head] for head in logits])
                if module.protocol.clip is not None:
                    torch.nn.utils.clip_grad_norm_(self.parameters, module.protocol.clip)
                for group, rate in zip(optimizer.param_groups, self.rates[i], strict=False):
                    group["lr"] = rate if rate.is_cuda else rate.item()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        said = {head: torch.stack([one[head] for one in seen]) for head in seen[0]}
        wanted = {head: value.view_as(said[head]) for head, value in target.items()}
        self.losses[:size].copy_(module.loss(said, wanted))

    @contextlib.contextmanager
    def _inputs(self, audio: torch.Tensor) -> Iterator[Iterator[torch.Tensor]]:
        """Give the model's input of each step. Later parts are computed meanwhile on the stream `beside`.

        That stream waits for the current one before each group, so it never writes over features that are still read.
        """
        first, *others = audio.split(self.batch_size * -(-len(audio) // (self.batch_size * self.parts)))
        features, done = [self._varied(first)], []
        if not others:
            yield iter(features[0].split(self.batch_size))
            return
        now = torch.cuda.current_stream()
        self.beside.wait_stream(now)
        try:
            with torch.cuda.stream(self.beside):
                for part in others:
                    features.append(self._varied(part))
                    done.append(self.beside.record_event())
            yield self._in_turn(features, done)
        finally:
            now.wait_stream(self.beside)  # after an error, too: a capture can only end with its streams joined

    def _in_turn(self, features: list[torch.Tensor], done: list[torch.cuda.Event]) -> Iterator[torch.Tensor]:
        yield from features[0].split(self.batch_size)
        for part, event in zip(features[1:], done, strict=True):
            torch.cuda.current_stream().wait_event(event)
            yield from part.split(self.batch_size)

    def _varied(self, audio: torch.Tensor) -> torch.Tensor:
        with torch.set_grad_enabled(not self.frozen):  # of one step, if the front-end is trained
            return self.transcriber.varied(audio)

    def _capture(self) -> None:
        """Capture a group of steps as a graph; undo the warm-up steps."""
        kept = [*self.transcriber.parameters(), *self.transcriber.buffers()]  # batch norm's too
        before = [value.detach().clone() for value in kept]
        state = {p: {k: v.clone() for k, v in entry.items()} for p, entry in self.optimizer.state.items()}
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side), warnings.catch_warnings(), recorded.paused():
            warnings.filterwarnings("ignore", message=".*capturable=True.*")
            for _ in range(2):
                self._take(self.group)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._take(self.group)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise RuntimeError(
                f"the training step cannot be captured as a CUDA graph ({error}); set capture=false"
            ) from None
        with torch.no_grad():
            for value, old in zip(kept, before, strict=True):
                value.copy_(old)
            for parameter, entry in self.optimizer.state.items():
                for key, value in entry.items():
                    value.copy_(state[parameter][key]) if parameter in state else value.zero_()
        self.graph = graph

    def _to_host(self, first: int, losses: torch.Tensor) -> Losses:
        if self.device.type != "cuda":
            return Losses(first, losses, None)
        values = torch.empty(len(losses), pin_memory=True).copy_(losses, non_blocking=True)
        copied = torch.cuda.Event()
        copied.record()
        return Losses(first, values, copied)


@functools.cache
def _beside(device: torch.device) -> torch.cuda.Stream:
    """Return the stream of what is computed beside steps.

    It is always the same one: PyTorch hands out 32 in turn, and a new one might be the one that records the graph.
    """
    return torch.cuda.Stream(device)


def group_length(transcriber, device: torch.device) -> int:
    """Return the number of steps, or of batches of scoring, whose windows pass the front-end together."""
    trainable = any(True for _ in transcriber.frontend.parameters())  # its engine copies frames even while it is fixed
    if trainable or device.type != "cuda":
        return 1
    protocol = transcriber.protocol
    bins = transcriber.frontend.n_channels * transcriber.frontend.n_bins
    features = 4 * protocol.batch_size * bins * transcriber.shape.frames  # bytes of a step
    return max(1, min(_GROUP, _GROUP_BYTES // features))


def part_count(transcriber, device: torch.device) -> int:
    """Return the number of parts in which a group's features are computed: above 1, if that is faster (`_PARTS`)."""
    if not transcriber.frontend.is_product_on(device) or device.type != "cuda":
        return 1
    return 1 if transcriber.protocol.augment.on else _PARTS  # which draws random numbers for a whole group


def chunk_length(transcriber, device: torch.device) -> int:
    """Return the steps between two checks by the host: whole groups, if possible within a checkpoint's interval."""
    group = group_length(transcriber, device)
    chunk = min(_CHUNK, transcriber.protocol.checkpoint_every)
    return group * max(1, chunk // group) if device.type == "cuda" else 1
