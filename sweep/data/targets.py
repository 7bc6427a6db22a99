"""Hold the labels of a split on the model's device: which notes sound at an instant, and which windows fit."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from sweep.data.recording import N_NOTES, DataError, Recording


class Labels:
    """The recordings of a split without their audio: lengths, and the sounding notes between every two label times.

    A recording is addressed by its index and a position by its sample in that recording, in the reference clock of
    44,100 Hz, so one object serves the audio of every sample rate. With indices on the labels' device, `targets` does
    not wait for the host, so a CUDA graph can capture it. Hence it checks no index.

    Attributes:
        ids, paths, groups: id, audio file and group of each recording, in the given order.
        lengths: length of each recording in samples, (recordings,) int64; on the CPU, where windows are drawn.
        boundaries: rising positions in all recordings, one after the other, at which the set of sounding notes may
            change, (segments,) int64.
        sounding: notes that sound from one boundary up to the next, (segments, 128) bool.
        notes: notes of each recording, `Recording.notes`, on the CPU.
        device: device of `boundaries` and `sounding`.
    """

    def __init__(self, recordings: Sequence[Recording], device: torch.device | str = "cpu"):
        """Copy the labels of recordings, at least one, to a device; their audio is at 44,100 Hz."""
        if not recordings:
            raise DataError("Recordings: got no recording, need at least one")
        self.device = torch.device(device)
        self.ids = [recording.id for recording in recordings]
        self.paths = [recording.path for recording in recordings]
        self.groups = [recording.group for recording in recordings]
        self.notes = [recording.notes for recording in recordings]
        self.lengths = torch.tensor([len(recording.audio) for recording in recordings])
        offsets = self.lengths.cumsum(0) - self.lengths
        self._offsets = offsets.to(device)
        segments = [label_segments(recording.notes, len(recording.audio)) for recording in recordings]
        boundaries = [part + offset for (part, _), offset in zip(segments, offsets.tolist(), strict=True)]
        self.boundaries = torch.from_numpy(np.concatenate(boundaries)).to(device)
        self.sounding = torch.from_numpy(np.concatenate([sounding for _, sounding in segments])).to(device)

    def __len__(self) -> int:
        return len(self.ids)

    def targets(self, recording: torch.Tensor | int, sample: torch.Tensor) -> torch.Tensor:
        """Look up the notes that sound at given samples, start <= sample < end.

        Args:
            recording: index of each sample's recording, (batch,) int64, or one index for all.
            sample: position in the recording, (batch,) int64.

        Returns:
            (batch, 128) float32, 1 where the MIDI note sounds, else 0.
        """
        position = on_device(self._offsets, recording) + sample.to(self.device, non_blocking=True)
        segment = torch.searchsorted(self.boundaries, position, right=True) - 1
        return self.sounding[segment].float()

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

    @functools.cached_property  # each run needs it three times
    def note_share(self) -> torch.Tensor:
        """The share of a recording's time in which each note sounds, averaged over the recordings.

        This is the mean target of `draw`, except for half a window at either end of each recording, which few centres
        reach.

        Returns:
            (128,) float64, on the CPU.
        """
        boundaries, offsets = self.boundaries.cpu(), self._offsets.cpu()
        recording = torch.searchsorted(offsets, boundaries, right=True) - 1
        duration = torch.diff(boundaries, append=self.lengths.sum(0, keepdim=True))
        weight = duration.double() / self.lengths[recording] / len(self)
        parts = zip(weight.split(2**16), self.sounding.cpu().split(2**16), strict=True)  # in parts: float64 is large
        return torch.stack([part @ sounding.double() for part, sounding in parts]).sum(0)


def on_device(offsets: torch.Tensor, recording: torch.Tensor | int) -> torch.Tensor:
    """Look up the offsets of recordings, given by indices on any device, on the offsets' device."""
    if isinstance(recording, torch.Tensor):
        recording = recording.to(offsets.device, non_blocking=True)
    return offsets[recording]


def label_segments(notes: np.ndarray, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording at its label times.

    Each note adds one to the count of its pitch at its start and subtracts one at its end. A pitch sounds while its
    count is above zero, even if several of its notes overlap.

    Args:
        notes: (n, 3) int64: start, end, note, 0 <= start < end <= n_samples.
        n_samples: length of the recording in samples.

    Returns:
        boundaries: (segments,) int64, rising from 0; the last segment ends at n_samples.
        sounding: (segments, 128) bool, the notes that sound from each boundary to the next.
    """
    boundaries = np.unique(np.concatenate([[0, n_samples], notes[:, 0], notes[:, 1]]))
    start, end = np.searchsorted(boundaries, notes[:, :2].T)
    changes = np.zeros((len(boundaries), N_NOTES), dtype=np.int16)
    np.add.at(changes, (start, notes[:, 2]), 1)
    np.add.at(changes, (end, notes[:, 2]), -1)
    return boundaries[:-1], (changes.cumsum(axis=0, dtype=np.int16) > 0)[:-1]
