"""Listens to an audio file of any length, rate and number of channels: block after block, window after window."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from sweep.data.audio import TRUNCATED
from sweep.data.recording import SAMPLE_RATE, DataError

_BLOCK = 8  # seconds that are read at a time


class Sound:
    """An audio file being read, once from its beginning to its end.

    Attributes:
        path: of the file.
        declared: seconds that it says to hold; formats without an index may guess.
        seconds: read so far.
    """

    def __init__(self, path: Path, file: soundfile.SoundFile):
        self.path, self._file = path, file
        self.declared, self.seconds = file.frames / file.samplerate, 0.0
        self._cut = bool(TRUNCATED.search(file.extra_info))

    @property
    def truncated(self) -> bool:
        """Whether the file, once read, has held less than it says."""
        return self._cut or self.seconds < 0.99 * self.declared

    def blocks(self) -> Iterator[np.ndarray]:
        """Mono float32 at 44,100 Hz, full scale 1: the channels' mean, resampled as the training reader does.

        Raises:
            DataError: a sample is not finite, or the file is damaged.
        """
        rate, read = self._file.samplerate, 0
        stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32", quality="VHQ")
        while True:
            try:
                block = self._file.read(_BLOCK * rate, dtype="float32", always_2d=True).mean(axis=1)
            except soundfile.LibsndfileError as error:
                reason = error.error_string.rstrip(".")
                damaged = f"damaged after {self.seconds:.1f} s ({reason}): convert it again"
                raise DataError(f"{self.path}: {damaged}") from error
            if not (finite := np.isfinite(block)).all():
                first = int(np.argmin(finite))
                said = f"sample {read + first} is {block[first]}: samples must be finite, convert the file again"
                raise DataError(f"{self.path}: {said}")
            last = not len(block)
            read += len(block)
            self.seconds = read / rate
            if stream is not None:
                block = stream.resample_chunk(block, last=last)
            if len(block):
                yield block
            if last:
                return

    def windows(self, length: int, hop_length: int) -> Iterator[torch.Tensor]:
        """Windows whose centres are hop_length apart, some hundreds at a time: (windows, length) float32.

        The first one's centre is sample 0, so silence surrounds the clip; there are 1 + samples // hop_length of them,
        as librosa has it.

        Raises:
            DataError: of `blocks`; or there is no sample at all.
        """
        before = length // 2
        kept, samples, frames = np.zeros(before, np.float32), 0, 0
        for block in self.blocks():
            samples += len(block)
            kept = np.concatenate([kept, block])
            if len(kept) >= length:
                windows = torch.from_numpy(kept).unfold(0, length, hop_length)
                frames += len(windows)
                yield windows
                kept = kept[len(windows) * hop_length :]
        if not samples:
            raise DataError(f"{self.path}: holds no samples, there is nothing to transcribe")
        left = 1 + samples // hop_length - frames
        if left > 0:
            kept = np.pad(kept, (0, (left - 1) * hop_length + length - len(kept)))
            yield torch.from_numpy(kept).unfold(0, length, hop_length)


@contextmanager
def opened(path: Path) -> Iterator[Sound]:
    """An audio file, open while the block lasts.

    Raises:
        DataError: there is none, or libsndfile does not read it.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        with soundfile.SoundFile(path) as file:
            yield Sound(path, file)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise DataError(f"{path}: cannot be read as audio ({reason}): convert it, to FLAC for one") from error
