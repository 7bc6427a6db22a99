"""Hold the labels of a split on the model's device: which notes sound or begin at an instant, and which windows fit."""

from collections.abc import Sequence

import numpy as np
import torch

from sweep.data.recording import SAMPLE_RATE, DataError, Recording
from sweep.data.roll import Roll


class Labels:
    """The recordings of a split without their audio: lengths, and the notes that sound or begin at any instant.

    A recording is addressed by its index and a position by its sample in that recording, in the reference clock of
    44,100 Hz, so one object serves the audio of every sample rate. Indices and positions are not checked.

    Attributes:
        ids, paths, groups: id, audio file and group of each recording, in the given order.
        lengths: length of each recording in samples, (recordings,) int64; on the CPU, where windows are drawn.
        sounding: roll of the notes that sound.
        notes: notes of each recording, `Recording.notes`, on the CPU.
        device: device of the rolls.
    """

    def __init__(self, recordings: Sequence[Recording], device: torch.device | str = "cpu"):
        """Copy the labels of recordings, at least one, to a device."""
        if not recordings:
            raise DataError("Recordings: got no recording, need at least one")
        self.device = torch.device(device)
        self.ids = [recording.id for recording in recordings]
        self.paths = [recording.path for recording in recordings]
        self.groups = [recording.group for recording in recordings]
        self.notes = [recording.notes for recording in recordings]
        self.lengths = torch.tensor([recording.length for recording in recordings])
        self.sounding = Roll(self.notes, self.lengths, self.device)
        self._beginning: dict[int, Roll] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def targets(self, recording: torch.Tensor | int, sample: torch.Tensor) -> torch.Tensor:
        """Look up the notes that sound at given samples, start <= sample < end.

        Args:
            recording: index of each sample's recording, (...,) int64, or one index for all.
            sample: position in the recording, (...,) int64.

        Returns:
            (..., 128) float32, 1 where the MIDI note sounds, else 0.
        """
        return self.sounding.at(recording, sample)

    def beginning(self, width: float) -> Roll:
        """Return the roll of the notes that begin: each for so many seconds about its start.

        It is made when a width is first asked for, which no CUDA graph can capture.
        """
        half = max(1, round(width * SAMPLE_RATE / 2))
        if half not in self._beginning:
            parts = []
            for notes, length in zip(self.notes, self.lengths.tolist(), strict=True):
                start = notes[:, 0]
                spans = np.stack([(start - half).clip(0), (start + half).clip(max=length), notes[:, 2]], axis=1)
                parts.append(spans)
            self._beginning[half] = Roll(parts, self.lengths, self.device)
        return self._beginning[half]

    def draw(self, batch_size: int, length: int, generator: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Draw windows: a recording uniformly, then a start uniformly among those whose window fits whole.

        The host draws them, so that a generator's state gives the same windows on every device.

        Returns:
            recording, start: each (batch_size,) int64, on the CPU.
        """
        recording = generator.integers(len(self), size=batch_size)
        start = generator.integers(self.lengths.numpy()[recording] - length + 1)
        return torch.from_numpy(recording), torch.from_numpy(start)

    def check_length(self, length: int) -> None:
        """Raise a DataError if a recording is shorter than a window of so many samples."""
        shortest = int(self.lengths.argmin())
        if self.lengths[shortest] < length:
            raise DataError(
                f"{self.paths[shortest]}: {self.lengths[shortest]} samples, shorter than a window of {length}: "
                "remove the recording or shorten the window"
            )
