"""Hold the labels of a split on the model's device: which notes sound or begin at an instant, and which windows fit."""

import functools
from collections.abc import Sequence

import numpy as np
import torch

from sweep.data.recording import N_NOTES, SAMPLE_RATE, DataError, Recording


class Roll:
    """Piano roll of all recordings of a split, one after the other, as segments of time in which no pitch changes.

    With indices on the roll's device, `at` does not wait for the host, so a CUDA graph can capture it.

    Attributes:
        boundaries: rising positions in all recordings at which a pitch may change, (segments,) int64.
        cells: pitches of the segment from one boundary up to the next, (segments, 128) bool.
        share: share of a recording's time that each pitch has, averaged over the recordings, (128,) float64, on the
            CPU. This is the mean target of `Labels.draw`, except for half a window at either end of each recording,
            which few centres reach.
    """

    def __init__(self, parts: Sequence[np.ndarray], lengths: torch.Tensor, device: torch.device):
        """Make the roll of recordings.

        Args:
            parts: spans of each recording, (n, 3 or more) int64: begin and end in samples, and pitch; 0 <= begin < end.
            lengths: length of each recording in samples, (recordings,) int64, on the CPU.
            device: device of the roll.
        """
        offsets = lengths.cumsum(0) - lengths
        segments = [label_segments(part, n) for part, n in zip(parts, lengths.tolist(), strict=True)]
        boundaries = [part + offset for (part, _), offset in zip(segments, offsets.tolist(), strict=True)]
        self._offsets, self._lengths, self._last = offsets.to(device), lengths, (lengths - 1).to(device)
        self.boundaries = torch.from_numpy(np.concatenate(boundaries)).to(device)
        self.cells = torch.from_numpy(np.concatenate([cells for _, cells in segments])).to(device)

    def at(self, recording: torch.Tensor | int, sample: torch.Tensor) -> torch.Tensor:
        """Look up samples of recordings, two tensors of shapes that fit together: (...,) -> (..., 128) float32.

        A sample beyond a recording's end, on which a clip's last frames may be centred, is taken for its last one.
        """
        sample = sample.to(self.boundaries.device, non_blocking=True).minimum(on_device(self._last, recording))
        position = on_device(self._offsets, recording) + sample
        segment = torch.searchsorted(self.boundaries, position, right=True) - 1
        return self.cells[segment].float()

    @functools.cached_property  # each run needs it three times
    def share(self) -> torch.Tensor:
        """See the class."""
        boundaries, offsets = self.boundaries.cpu(), self._offsets.cpu()
        recording = torch.searchsorted(offsets, boundaries, right=True) - 1
        duration = torch.diff(boundaries, append=self._lengths.sum(0, keepdim=True))
        weight = duration.double() / self._lengths[recording] / len(offsets)
        parts = zip(weight.split(2**16), self.cells.cpu().split(2**16), strict=True)  # in parts: float64 is large
        return torch.stack([part @ cells.double() for part, cells in parts]).sum(0)


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
        """Copy the labels of recordings, at least one, to a device; their audio is at 44,100 Hz."""
        if not recordings:
            raise DataError("Recordings: got no recording, need at least one")
        self.device = torch.device(device)
        self.ids = [recording.id for recording in recordings]
        self.paths = [recording.path for recording in recordings]
        self.groups = [recording.group for recording in recordings]
        self.notes = [recording.notes for recording in recordings]
        self.lengths = torch.tensor([len(recording.audio) for recording in recordings])
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
