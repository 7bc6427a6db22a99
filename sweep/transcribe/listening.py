"""Read an audio file of any length, sample rate and number of channels as a stream of clips."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soxr
import torch

from sweep.data import stream
from sweep.data.covering import Covering
from sweep.data.recording import DataError
from sweep.data.stream import Stream
from sweep.representations.clock import SAMPLE_RATE


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

    def clips(self, covering: Covering) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
        """Yield the clips that cover the file, padded with zeros, some at a time: those of `data.covering.covered`.

        Args:
            covering: rate and length of a clip, and the frames that are taken from it.

        Returns:
            audio: a piece of the file at that rate, (samples,) float32.
            starts: first sample in it of each clip, (clips,) int64.
            frames: number of frames that the clips give; of the file's last clip only those up to its end.

        Raises:
            DataError: `blocks` raised it, or the file holds no samples.
        """
        first = int(covering.starts(range(1)))
        kept, clips = np.zeros(max(0, -first), np.float32), 0  # the audio from its sample `first` on
        step = covering.size * covering.hop_seconds * covering.sample_rate
        for block in self.blocks(covering.sample_rate):
            kept = np.concatenate([kept, block])
            # Those of which all frames count: resampling may add a sample, and with it a frame at the end.
            most = min(covering.frames(self._samples) // covering.size, clips + 1 + int(len(kept) / step))
            starts = covering.starts(range(clips, most + 1)) - first
            count = int((starts[:-1] + covering.length <= len(kept)).sum())
            if count:
                yield torch.from_numpy(kept), starts[:count], count * covering.size
            clips += count
            passed = min(int(starts[count]), len(kept))  # less where clips are further apart than they are long
            kept, first = kept[passed:], first + passed
        if not self._stream.frames:
            why = self.problem or "holds no samples"
            raise DataError(f"{self.path}: {why}, there is nothing to transcribe: download or convert it again")
        frames = covering.frames(self._samples)
        starts = covering.starts(range(clips, covering.clips(frames))) - first
        if len(starts):
            padded = np.pad(kept, (0, max(0, int(starts[-1]) + covering.length - len(kept))))
            yield torch.from_numpy(padded), starts, frames - clips * covering.size

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
