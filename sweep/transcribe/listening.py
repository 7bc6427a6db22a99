"""Read an audio file of any length, sample rate and number of channels as a stream of windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soxr
import torch

from sweep.data import stream
from sweep.data.recording import DataError
from sweep.data.stream import Stream
from sweep.data.windows import listening_starts
from sweep.representations.clock import SAMPLE_RATE, at_rate


class Sound:
    """Audio file that is read once, from its beginning to its end.

    Attributes:
        path: audio file.
    """

    def __init__(self, path: Path, stream: Stream):
        self.path, self._stream = path, stream

    @property
    def declared(self) -> float | None:
        """Duration that the file's header states, in seconds; None if it states none."""
        return self._stream.declared

    @property
    def seconds(self) -> float:
        """Duration read so far, in seconds."""
        return self._stream.seconds

    @property
    def problem(self) -> str:
        """What was wrong with the file's end once it is read, in words; empty if the file is whole."""
        return self._stream.problem

    @property
    def truncated(self) -> bool:
        """Whether the file, once read, was shorter than it should be."""
        return bool(self.problem)

    def blocks(self, sample_rate: int) -> Iterator[np.ndarray]:
        """Yield blocks of mono float32 at a sample rate, full scale 1: the channels' mean, resampled as in training.

        Raises:
            DataError: a sample is not finite.
        """
        rate = self._stream.rate
        resampler = None if rate == sample_rate else soxr.ResampleStream(rate, sample_rate, 1, "float32", quality="VHQ")
        for block in self._stream.blocks():
            if block.dtype == np.int16:
                block = block / np.float32(32768)
            if resampler is not None:
                block = resampler.resample_chunk(block)
            if len(block):
                yield block
        if resampler is not None and len(block := resampler.resample_chunk(np.empty(0, np.float32), last=True)):
            yield block

    def windows(self, length: int, step: int, sample_rate: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield windows whose centres are `step` apart, some hundreds at a time.

        The first window is centred on sample 0 and the clip is padded with zeros, so there are 1 + samples // step
        windows, as in librosa. They are those of `listening_windows`.

        Args:
            length: samples of the reference clock in a window.
            step: samples of the reference clock between the centres of two windows.
            sample_rate: rate of the result in Hz.

        Returns:
            audio: a piece of the clip at that rate, (samples,) float32.
            starts: first sample in it of each window, (windows,) int64.

        Raises:
            DataError: `blocks` raised it, or the file holds no samples.
        """
        size = at_rate(length, sample_rate)
        first = int(listening_starts(range(1), length, step, sample_rate))
        kept, frames, samples = np.zeros(-first, np.float32), 0, 0  # the audio from its sample `first` on
        for block in self.blocks(sample_rate):
            samples += len(block)
            kept = np.concatenate([kept, block])
            most = min(1 + self._samples // step, frames + 1 + len(kept) * SAMPLE_RATE // (step * sample_rate))
            starts = listening_starts(range(frames, most + 1), length, step, sample_rate) - first
            count = int((starts[:-1] + size <= len(kept)).sum())
            if count:
                yield torch.from_numpy(kept), starts[:count]
            frames += count
            passed = min(int(starts[count]), len(kept))  # less where windows are further apart than they are long
            kept, first = kept[passed:], first + passed
        if not samples:
            why = self.problem or "holds no samples"
            raise DataError(f"{self.path}: {why}, there is nothing to transcribe: download or convert it again")
        starts = listening_starts(range(frames, 1 + self._samples // step), length, step, sample_rate) - first
        if len(starts):
            yield torch.from_numpy(np.pad(kept, (0, max(0, int(starts[-1]) + size - len(kept))))), starts

    @property
    def _samples(self) -> int:
        """Number of samples read so far in the reference clock, as soxr rounds it."""
        return int(self._stream.frames / (self._stream.rate / SAMPLE_RATE) + 0.5)


@contextmanager
def opened(path: Path) -> Iterator[Sound]:
    """Open an audio file while the block runs.

    Args:
        path: audio file that libsndfile reads.

    Raises:
        DataError: there is no such file, or it is no audio.
    """
    with stream.opened(path) as file:
        yield Sound(path, file)
