"""Piano rolls of whole recordings, from which targets are looked up at any instant."""

from collections.abc import Sequence

import numpy as np
import torch

from sweep.data.recording import N_NOTES

_BITS = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(np.float32)  # of each byte, the lowest first


class Roll:
    """Piano roll of all recordings of a split, one after the other, as segments of time in which no pitch changes.

    With indices on the roll's device, `at` does not wait for the host, so a CUDA graph can capture it.

    Attributes:
        boundaries: rising positions in all recordings at which a pitch may change, (segments,) int64.
        cells: pitches of the segment from one boundary up to the next, (segments, 16) uint8, a bit each, as
            `label_segments` packs them.
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
        boundaries, cells, share = [], [], np.zeros(N_NOTES)
        for part, length, offset in zip(map(merged, parts), lengths.tolist(), offsets.tolist(), strict=True):
            edges, packed = label_segments(part, length)
            boundaries.append(edges + offset)
            cells.append(packed)
            share += np.bincount(part[:, 2], part[:, 1] - part[:, 0], N_NOTES) / length / len(parts)
        self._offsets, self._last = offsets.to(device), (lengths - 1).to(device)
        self.boundaries = torch.from_numpy(np.concatenate(boundaries)).to(device)
        self.cells = torch.from_numpy(np.concatenate(cells)).to(device)
        self.share = torch.from_numpy(share)
        self._bits = torch.from_numpy(_BITS).to(device)

    def at(self, recording: torch.Tensor | int, sample: torch.Tensor) -> torch.Tensor:
        """Look up samples of recordings, two tensors of shapes that fit together: (...,) -> (..., 128) float32.

        A sample beyond a recording's end, on which a clip's last frames may be centred, is taken for its last one.
        """
        sample = sample.to(self.boundaries.device, non_blocking=True).minimum(on_device(self._last, recording))
        position = on_device(self._offsets, recording) + sample
        segment = torch.searchsorted(self.boundaries, position, right=True) - 1
        return self._bits[self.cells[segment].int()].flatten(-2)


def on_device(offsets: torch.Tensor, recording: torch.Tensor | int) -> torch.Tensor:
    """Look up the offsets of recordings, given by indices on any device, on the offsets' device."""
    if isinstance(recording, torch.Tensor):
        recording = recording.to(offsets.device, non_blocking=True)
    return offsets[recording]


def merged(notes: np.ndarray) -> np.ndarray:
    """Join the notes of a pitch that overlap or touch.

    Args:
        notes: (n, 3 or more) int64: start, end and note, 0 <= start < end.

    Returns:
        (m, 3) int64: start, end and note of each stretch of time in which a note sounds, by note and by start.

    >>> merged(np.array([[5, 9, 60], [0, 6, 60], [9, 12, 60], [1, 2, 64], [20, 30, 60]])).tolist()
    [[0, 12, 60], [20, 30, 60], [1, 2, 64]]
    """
    start, end, note = notes[np.lexsort((notes[:, 0], notes[:, 2])), :3].T
    apart = note * (end.max(initial=0) + 2)  # puts each note's times behind those of the notes below it
    latest = np.maximum.accumulate(end + apart)
    first = np.flatnonzero(np.append(True, start[1:] + apart[1:] > latest[:-1]))[: len(notes)]
    last = np.append(first[1:], len(notes))[: len(first)] - 1
    return np.stack([start[first], (latest - apart)[last], note[first]], axis=1)


def label_segments(notes: np.ndarray, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut a recording at the times at which a pitch begins or ends to sound.

    Args:
        notes: (n, 3) int64, as `merged` returns them, with ends up to n_samples.
        n_samples: length of the recording in samples.

    Returns:
        boundaries: (segments,) int64, rising from 0; the last segment ends at n_samples.
        sounding: (segments, 16) uint8, the notes that sound from each boundary to the next: note n is bit n % 8 of byte
            n // 8. np.unpackbits(sounding, axis=1, bitorder="little") has a column for each.
    """
    boundaries = np.unique(np.concatenate([[0, n_samples], notes[:, 0], notes[:, 1]]))
    flips = np.zeros((len(boundaries), N_NOTES // 8), dtype=np.uint8)
    byte, bit = notes[:, 2] // 8, (1 << notes[:, 2] % 8).astype(np.uint8)
    for times in notes[:, :2].T:
        np.bitwise_xor.at(flips, (np.searchsorted(boundaries, times), byte), bit)
    return boundaries[:-1], np.bitwise_xor.accumulate(flips, axis=0)[:-1]
