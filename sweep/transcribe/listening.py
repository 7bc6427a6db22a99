"""Read an audio file of any length, sample rate and number of channels as a stream of windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soxr
import torch

from sweep.data import stream
from sweep.data.recording import SAMPLE_RATE, DataError
from sweep.data.stream import Stream


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

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks of mono float32 at 44,100 Hz, full scale 1: the channels' mean, resampled as in training.

        Raises:
            DataError: a sample is not finite.
        """
        rate = self._stream.rate
        resampler = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32", quality="VHQ")
        for block in self._stream.blocks():
            if block.dtype == np.int16:
                block = block / np.float32(32768)
            if resampler is not None:
                block = resampler.resample_chunk(block)
            if len(block):
                yield block
        if resampler is not None and len(block := resampler.resample_chunk(np.empty(0, np.float32), last=True)):
            yield block

    def windows(self, length: int, hop_length: int) -> Iterator[torch.Tensor]:
        """Yield windows whose centres are hop_length apart, some hundreds at a time: (windows, length) float32.

        The first window is centred on sample 0 and the clip is padded with zeros, so there are
        1 + samples // hop_length windows, as in librosa.

        Args:
            length: samples in a window.
            hop_length: samples between the centres of two windows.

        Raises:
            DataError: `blocks` raised it, or the file holds no samples.
        """
        before, skipped = length // 2, 0
        kept, samples, frames = np.zeros(before, np.float32), 0, 0
        for block in self.blocks():
            samples += len(block)
            kept = np.concatenate([kept, block[skipped:]])
            skipped = max(0, skipped - len(block))
            if len(kept) >= length:
                windows = torch.from_numpy(kept).unfold(0, length, hop_length)
                frames += len(windows)
                yield windows
                passed = len(windows) * hop_length
                skipped = max(0, passed - len(kept))  # where windows are further apart than they are long
                kept = kept[passed:]
        if not samples:
            why = self.problem or "holds no samples"
            raise DataError(f"{self.path}: {why}, there is nothing to transcribe: download or convert it again")
        left = 1 + samples // hop_length - frames
        if left > 0:
            kept = np.pad(kept[skipped:], (0, max(0, (left - 1) * hop_length + length - len(kept))))
            yield torch.from_numpy(kept).unfold(0, length, hop_length)


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
