"""A training step on the fly and from stored features: the same model, optimiser and capture, and what each costs."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from experiments.preprocessing.crnn import CRNN
from experiments.preprocessing.stores import Nothing, Store, StoredTranscriber
from experiments.speed import timing
from experiments.speed.entries import rounding
from sweep.config import Protocol
from sweep.config.groups import implied_accuracy
from sweep.data.recordings import Recordings
from sweep.data.windows import draw_windows
from sweep.representations import Representation
from sweep.training import machine
from sweep.training.building import features_of
from sweep.training.model import Model
from sweep.training.models.linear import Linear
from sweep.training.steps import Steps, group_length
from sweep.training.transcriber import Transcriber

PRECISION = "tf32"  # the sweep's default
EPOCH_WINDOWS = 100_000  # the paper's epoch of the linear model
SEGMENT, SEGMENTS = 327_680, 320  # samples and, an epoch, one of each training recording of MusicNet


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        windows: in a batch of the linear model.
        chunk: steps that one timing covers.
        repeats: timings; the median counts.
        store: windows stored, at most.
        segments: in a batch of the CNN + biLSTM.
        segment: samples of each.
        crnn_steps: that are timed, one by one.
    """

    windows: int
    chunk: int
    repeats: int
    store: int
    segments: int
    segment: int
    crnn_steps: int


FULL = Size(100, 250, 3, 20_000, 16, SEGMENT, 3)
REDUCED = Size(16, 4, 7, 64, 1, 32_768, 1)
HOST_BYTES = 1 << 30  # of a store in pinned memory
HOST_CHUNK = 30  # steps: the host gathers slowly


@dataclass(frozen=True)
class Cost:
    """What a way of training costs: seconds to the first step, milliseconds a step, most bytes beyond the audio."""

    first: float
    step: float
    peak: int


@dataclass
class Side:
    """A way of training, set up.

    Attributes:
        take: more steps.
        steps: that `take` takes.
        first: seconds from nothing to the end of the first step, or of the first group of steps that one graph holds.
        peak: most bytes that it took.
    """

    take: Callable
    steps: int
    first: float
    peak: int


def set_up(make: Callable, steps: int, device: torch.device) -> Side:
    """Time and weigh a way of training; `make` sets everything up, takes the first step and returns what takes more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    before = timing.held(device)
    machine.reset_peak_memory(device)
    began = time.perf_counter()
    take = make()
    timing.synchronise(device)
    first = time.perf_counter() - began
    take()
    timing.synchronise(device)
    return Side(take, steps, first, max(0, (machine.peak_memory(device) or 0) - before))


def costs(sides: dict[str, Side], rounds: int, device: torch.device) -> dict[str, Cost]:
    """Time the steps of several ways in turn, so that a busy moment hits them all alike; medians."""
    times = timing.in_turn({name: side.take for name, side in sides.items()}, device, rounds, budget=60.0)
    medians = {name: 1e3 * statistics.median(times[name]) / side.steps for name, side in sides.items()}
    return {name: Cost(side.first, medians[name], side.peak) for name, side in sides.items()}


def linear_costs(r: Representation, train: Recordings, protocol: Protocol, size: Size) -> tuple[dict[str, Cost], int]:
    """The linear model on the fly, from a store on the device, and on CUDA from one on the host.

    Filling a store counts for nothing here: `extraction` says what that takes.

    Returns:
        "fly", "stored" and "host"; and the windows that the store on the device holds.
    """
    device, batch = train.device, protocol.batch_size
    features = features_of(r, protocol.window)
    chunk = whole_groups(size.chunk, r, protocol, device)
    drawn = {"batch_size": batch, "length": protocol.window, "seed": 0}

    def fly() -> Callable:
        transcriber = build(r, protocol).to(device)
        steps = Steps(transcriber, transcriber.configure_optimizers(), train, capture=True)
        steps(draw_windows(train, range(steps.group), **drawn)).wait()
        windows = draw_windows(train, range(chunk), **drawn)
        return lambda: steps(windows).wait()

    def stored(store: Store, chunk: int) -> Callable:
        numbers = replace(protocol, window=store.samples.shape[1])
        transcriber = StoredTranscriber(Nothing(r.n_bins), Linear(features), features, numbers, PRECISION).to(device)
        steps = Steps(transcriber, transcriber.configure_optimizers(), store, capture=True)
        steps(store.draw(0, steps.group, batch)).wait()
        windows = store.draw(0, chunk, batch)
        return lambda: steps(windows).wait()

    sides = {"fly": set_up(fly, chunk, device)}
    transcriber = build(r, protocol).to(device)
    bytes_each = 4 * transcriber.n_features
    room = torch.cuda.mem_get_info(device)[0] // 2 if device.type == "cuda" else 1 << 30
    count = max(1, min(size.store, room // bytes_each) // batch) * batch
    store = Store(transcriber, train, count)
    side = sides["stored"] = set_up(lambda: stored(store, chunk), chunk, device)
    side.peak += store.samples.nbytes
    if device.type == "cuda":
        on_host = Store(transcriber, train, max(1, min(count, HOST_BYTES // bytes_each) // batch) * batch, on_host=True)
        few = whole_groups(HOST_CHUNK, r, protocol, device)
        sides["host"] = set_up(lambda: stored(on_host, few), few, device)
    return costs(sides, size.repeats, device), count


def build(r: Representation, protocol: Protocol) -> Transcriber:
    """The sweep's transcriber with the linear model and its default precision."""
    features = features_of(r, protocol.window)
    frontend = r.front_end(accuracy=implied_accuracy(PRECISION))
    return Transcriber(frontend, Linear(features), features, protocol, PRECISION)


def whole_groups(chunk: int, r: Representation, protocol: Protocol, device: torch.device) -> int:
    """So many steps, rounded to whole groups of those that one graph holds."""
    group = group_length(shape(r, protocol), device)
    return max(1, chunk // group) * group


def shape(r: Representation, protocol: Protocol) -> Transcriber:
    """A transcriber of the same shape without a front-end's tables."""
    features = features_of(r, protocol.window)
    return StoredTranscriber(Nothing(r.n_bins), Model(features), features, protocol, PRECISION)


def crnn_costs(r: Representation, train: Recordings, protocol: Protocol, size: Size) -> tuple[dict[str, Cost], int]:
    """The CNN + biLSTM on the fly and from a store on the device, and its batch, halved until a step fits."""
    batch = size.segments
    while True:
        try:
            return _crnn_costs(r, train, replace(protocol, window=size.segment, batch_size=batch), size), batch
        except torch.cuda.OutOfMemoryError:
            if batch == 1:
                raise
        batch //= 2
        torch.cuda.empty_cache()


def _crnn_costs(r: Representation, train: Recordings, protocol: Protocol, size: Size) -> dict[str, Cost]:
    device, batch, frames = train.device, protocol.batch_size, r.n_frames(size.segment)
    drawn = {"batch_size": batch, "length": size.segment, "seed": 0}

    def segments(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, samples) and the notes of each frame, (batch, frames, 128)."""
        windows = draw_windows(train, range(step, step + 1), **drawn)
        recording, start = windows.recording[0], windows.start[0]
        centres = start[:, None] + r.hop_length * torch.arange(frames)
        centres = centres.minimum(train.lengths[recording, None] - 1)
        return train.audio(recording, start, size.segment), train.targets(recording[:, None], centres)

    def computed() -> Callable:
        """From a step to features and targets, by way of the front-end."""
        frontend = r.front_end(accuracy=implied_accuracy(PRECISION))
        shape = features_of(r, size.segment)
        transcriber = Transcriber(frontend, Model(shape), shape, protocol, PRECISION).to(device)

        @torch.no_grad()
        def features(step: int) -> tuple[torch.Tensor, torch.Tensor]:
            audio, target = segments(step)
            return transcriber.features(audio).squeeze(1), target

        return features

    def trainer(features: Callable) -> Callable:
        """Take the first step; what takes some more."""
        model = CRNN(r.n_bins).to(device)
        optimizer = torch.optim.Adam(model.parameters(), lr=6e-4, fused=True)

        def take(step: int) -> None:
            with rounding(tf32=True):
                inputs, target = features(step)
                F.binary_cross_entropy_with_logits(model(inputs), target).backward()
                optimizer.step()
                optimizer.zero_grad()

        take(0)
        return lambda: [take(1 + i) for i in range(size.crnn_steps)]

    kept = []

    def fly() -> Callable:
        kept.append(computed())
        return trainer(kept[0])

    sides = {"fly": set_up(fly, size.crnn_steps, device)}
    with rounding(tf32=True):
        inputs, targets = (torch.cat(part) for part in zip(*map(kept[0], range(4)), strict=True))

    def gathered(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        place = torch.randint(len(inputs), (batch,), generator=torch.Generator().manual_seed(step)).to(device)
        return inputs.index_select(0, place), targets.index_select(0, place)

    side = sides["stored"] = set_up(lambda: trainer(gathered), size.crnn_steps, device)
    side.peak += inputs.nbytes
    return costs(sides, size.repeats, device)
