"""Read an audio file of any length, sample rate and number of channels as a stream of windows."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch

from sweep.data.audio import TRUNCATED
from sweep.data.recording import SAMPLE_RATE, DataError

_BLOCK = 8  # seconds read at a time


class Sound:
    """Audio file that is read once, from its beginning to its end.

    Attributes:
        path: audio file.
        declared: duration in the file's header, in seconds; an estimate in formats without an index.
        seconds: duration read so far, in seconds.
    """

    def __init__(self, path: Path, file: soundfile.SoundFile):
        self.path, self._file = path, file
        self.declared, self.seconds = file.frames / file.samplerate, 0.0
        self._cut = bool(TRUNCATED.search(file.extra_info))

    @property
    def truncated(self) -> bool:
        """Whether the file, once read, was shorter than its header says."""
        return self._cut or self.seconds < 0.99 * self.declared

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks of mono float32 at 44,100 Hz, full scale 1: the channels' mean, resampled as in training.

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
        """Yield windows whose centres are hop_length apart, some hundreds at a time: (windows, length) float32.

        The first window is centred on sample 0 and the clip is padded with zeros, so there are
        1 + samples // hop_length windows, as in librosa.

        Args:
            length: samples in a window.
            hop_length: samples between the centres of two windows.

        Raises:
            DataError: `blocks` raised it, or the file holds no samples.
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
    """Open an audio file while the block runs.

    Args:
        path: audio file that libsndfile reads.

    Raises:
        DataError: the file does not exist, or libsndfile cannot read it.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file")
    try:
        with soundfile.SoundFile(path) as file:
            yield Sound(path, file)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.rstrip(".")
        raise DataError(f"{path}: cannot be read as audio ({reason}): convert it, to FLAC for one") from error
