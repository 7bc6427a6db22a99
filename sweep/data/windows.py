"""Choose the windows of the recordings that a run trains on and is scored on."""

from dataclasses import dataclass

import numpy as np
import torch

from sweep.data.instants import FIRST_SCORED, scored_starts
from sweep.data.recording import DataError, Recording
from sweep.data.recordings import Recordings


def step_generator(seed: int, step: int) -> np.random.Generator:
    """Return the random generator of one training step: a pure function of seed and step, both >= 0.

    It is no torch.Generator, which on the CPU keeps only the low 32 bits of its seed, so that two of 35,000 steps would
    share their windows in about one run of eight. NumPy hashes the pair into 128 bits, in 15 microseconds.
    """
    # The step comes first: NumPy concatenates 32-bit words, so seed 2**32 + 3, step 0 would equal seed 3, step 1.
    return np.random.default_rng([step, seed])


@dataclass(frozen=True, eq=False)
class Windows:
    """The places of the training windows of some successive steps.

    Attributes:
        first: first of the steps.
        recording, start: recording's index, and first sample in it, (steps, batch_size) int64 each, on the CPU.
    """

    first: int
    recording: torch.Tensor
    start: torch.Tensor

    def __len__(self) -> int:
        return len(self.recording)


def draw_windows(recordings: Recordings, steps: range, *, batch_size: int, length: int, seed: int) -> Windows:
    """Draw the windows of some successive training steps.

    Each step's windows are a pure function of seed and step, so that a resumed run draws the same ones.

    Raises:
        DataError: a recording is shorter than the window.
    """
    recordings.check_length(length)
    drawn = [recordings.draw(batch_size, length, step_generator(seed, step)) for step in steps]
    recording, start = (torch.stack(part) for part in zip(*drawn, strict=True))
    return Windows(steps.start, recording, start)


def training_windows(
    recordings: Recordings, *, batch_size: int, length: int, seed: int, step: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the windows of one training step, and the notes that sound in them.

    Returns:
        audio: (batch_size, length at the recordings' rate) float32, full scale 1.
        target: (batch_size, 128) float32, the notes sounding at each window's centre, sample start + length // 2.

    Raises:
        DataError: a recording is shorter than the window.
    """
    windows = draw_windows(recordings, range(step, step + 1), batch_size=batch_size, length=length, seed=seed)
    recording, start = windows.recording[0], windows.start[0]
    return recordings.audio(recording, start, length), recordings.targets(recording, start + length // 2)


def scoring_windows(recordings: Recordings, index: int, *, length: int, count: int) -> torch.Tensor:
    """Return the starts of a recording's scored windows: `instants.scored_starts`.

    Args:
        recordings: recordings of the split.
        index: index of the recording.
        length: length of a window in samples.
        count: largest number of windows.

    Returns:
        (at most count,) int64, on the CPU.

    Raises:
        DataError: the recording has fewer than 44,100 + 4 length samples.
    """
    if count < 1:
        raise DataError(f"protocol.scored_windows is {count}: score at least 1 window of each recording")
    starts = scored_starts(int(recordings.lengths[index]), length=length, count=count)
    if not len(starts):
        raise DataError(
            f"{recordings.paths[index]}: {recordings.lengths[index]} samples, scoring windows of {length} needs at "
            f"least {FIRST_SCORED + 4 * length}: remove the recording or shorten the window"
        )
    return torch.from_numpy(starts)


def spread(recordings: Recordings, index: int, length: int, count: int) -> torch.Tensor:
    """Return the starts of clips that are evenly spaced over a recording, from its first sample to its last.

    Args:
        recordings: recordings of the split.
        index: index of the recording.
        length: length of a clip in samples.
        count: number of clips.

    Returns:
        (count,) int64, on the CPU.

    Raises:
        DataError: a recording is shorter than a clip.
    """
    recordings.check_length(length)
    return torch.linspace(0, int(recordings.lengths[index]) - length, count, dtype=torch.float64).long()


def split_validation(recordings: list[Recording], share: float) -> tuple[list[Recording], list[Recording]]:
    """Hold out recordings for validation, evenly spaced through the list: the same ones whatever the run's seed.

    Args:
        recordings: recordings of the training split, in the order of `read_split`.
        share: share of the recordings to hold out, 0 <= share < 1. Unless it is 0, at least one recording is held
            out and at least one kept.

    Returns:
        train, validation: both in the given order.

    Raises:
        DataError: the share is not in [0, 1), or there is only one recording to share.

    >>> split_validation(list("abcdefgh"), 0.25)
    (['a', 'b', 'd', 'e', 'f', 'h'], ['c', 'g'])
    """
    if not 0 <= share < 1:
        raise DataError(f"data.validation is {share}: the share of recordings held out must be in [0, 1)")
    if share == 0:
        return list(recordings), []
    n = len(recordings)
    if n < 2:
        raise DataError(f"data.validation is {share}, but there is only {n} recording to share: set data.validation=0")
    n_held_out = min(max(round(share * n), 1), n - 1)
    held_out = {(2 * i + 1) * n // (2 * n_held_out) for i in range(n_held_out)}  # the middles of n_held_out equal parts
    train = [recording for i, recording in enumerate(recordings) if i not in held_out]
    return train, [recordings[i] for i in sorted(held_out)]
