"""The batches of Lightning's loops: chunks of training steps, and the held-out recordings."""

from collections.abc import Iterator

import torch

from sweep.config import Protocol
from sweep.data.recordings import Recordings
from sweep.data.windows import Windows, draw_windows, scoring_windows, spread
from sweep.training.transcriber import Transcriber


class Chunks:
    """An iterable without a length over the places of the training windows, one chunk of steps at a time.

    Chunks end at multiples of their length, whatever step they begin at, and at the step from which the front-end is
    trained.

    Args:
        recordings: training recordings.
        protocol: the run's protocol.
        seed: seed of the windows.
        first: first step, from 0.
        length: number of steps in a chunk.
    """

    def __init__(self, recordings: Recordings, protocol: Protocol, seed: int, first: int, length: int):
        self.recordings, self.protocol, self.seed = recordings, protocol, seed
        self.first, self.length = first, length

    def __iter__(self) -> Iterator[Windows]:
        protocol = self.protocol
        step = self.first
        while step < protocol.steps:
            end = min((step // self.length + 1) * self.length, protocol.steps)
            if step < protocol.fixed_steps:
                end = min(end, protocol.fixed_steps)
            options = {"batch_size": protocol.batch_size, "length": protocol.window, "seed": self.seed}
            yield draw_windows(self.recordings, range(step, end), **options)
            step = end


class HeldOut:
    """An iterable over clips of the held-out recordings, evenly spaced, and their targets, one recording per batch.

    Args:
        recordings: held-out recordings.
        transcriber: model that is validated.
    """

    def __init__(self, recordings: Recordings, transcriber: Transcriber):
        self.recordings, self.transcriber = recordings, transcriber

    def __iter__(self) -> Iterator[tuple[torch.Tensor, dict[str, torch.Tensor]]]:
        protocol = self.transcriber.protocol
        for index in range(len(self.recordings)):
            if not self.transcriber.segmental:
                options = {"length": protocol.window, "count": protocol.validation_windows}
                starts = scoring_windows(self.recordings, index, **options)
            else:
                starts = spread(self.recordings, index, protocol.window, protocol.validation_windows)
            audio = self.recordings.audio(index, starts, protocol.window)
            yield audio, self.transcriber.targets(self.recordings, index, starts)
