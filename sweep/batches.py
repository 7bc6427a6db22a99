"""What Lightning's loops go through: chunks of training steps, and the held-out recordings."""

from collections.abc import Iterator

import torch

from sweep import data


class Chunks:
    """Where the training windows lie, so many steps at a time: an iterable without a length.

    Chunks end at multiples of their length, whatever step they begin at, and where the front-end begins to be trained.

    Args:
        recordings: to train on.
        settings: of the run.
        first: step.
        length: steps in a chunk.
    """

    def __init__(self, recordings: data.Recordings, settings: dict, first: int, length: int):
        self.recordings, self.settings, self.first, self.length = recordings, settings, first, length

    def __iter__(self) -> Iterator[data.Windows]:
        protocol, seed = self.settings["protocol"], self.settings["seed"]
        step = self.first
        while step < protocol["steps"]:
            end = min((step // self.length + 1) * self.length, protocol["steps"])
            if step < protocol["fixed_steps"]:
                end = min(end, protocol["fixed_steps"])
            options = {"batch_size": protocol["batch_size"], "length": protocol["window"], "seed": seed}
            yield data.draw_windows(self.recordings, range(step, end), **options)
            step = end


class HeldOut:
    """Evenly spaced windows of each held-out recording with their targets, one recording a batch.

    Args:
        recordings: held out.
        protocol: of the run.
    """

    def __init__(self, recordings: data.Recordings, protocol: dict):
        self.recordings, self.protocol = recordings, protocol

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        length = self.protocol["window"]
        for index in range(len(self.recordings)):
            count = self.protocol["validation_windows"]
            starts = data.scoring_windows(self.recordings, index, length=length, count=count)
            targets = self.recordings.targets(index, starts + length // 2)
            yield self.recordings.audio(index, starts, length), targets
