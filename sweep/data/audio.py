"""Decode audio files as mono at one sample rate, several files at a time."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track

from sweep.data.recording import SAMPLE_RATE, DataError
from sweep.data.stream import opened

THREADS = 4


class Audio(NamedTuple):
    """The content of an audio file.

    Attributes:
        samples: mono audio, (samples,), int16, full scale 32768, or float32, full scale 1; at least one sample.
        file_rate, file_samples: the file's own sample rate in Hz, and its length in samples at that rate.
    """

    samples: np.ndarray
    file_rate: int
    file_samples: int

    def length_at(self, sample_rate: int) -> int:
        """Return the number of samples at any sample rate, in Hz: soxr gives the file's time, rounded half up."""
        return (2 * self.file_samples * sample_rate + self.file_rate) // (2 * self.file_rate)


def read_audio(path: Path, sample_rate: int = SAMPLE_RATE) -> np.ndarray:
    """Read the samples of a file that already has this sample rate."""
    return decode(path, sample_rate, resample=False).samples


def decode(path: Path, sample_rate: int = SAMPLE_RATE, resample: bool = True) -> Audio:
    """Read one audio file as mono.

    MusicNet's own WAV files are 32-bit float, and compress as 16-bit samples stored that way would. So the values
    decide, not the format: samples that are all whole multiples of 1/32768 in [-1, 1) stay int16, half the memory.

    Args:
        path: audio file in any format that libsndfile reads; channels are averaged.
        sample_rate: sample rate of the result in Hz.
        resample: whether a file of another rate is resampled, with soxr at its very high quality; its phase is linear
            and its delay removed, so sample n stays at n / rate seconds. Otherwise such a file is an error.

    Raises:
        DataError: the file is unreadable, truncated, empty or silent, has a sample that is not finite, or has another
            rate and is not resampled.
    """
    with opened(path) as stream:
        rate, is_int16 = stream.rate, stream.dtype == "int16"
        if rate != sample_rate and not resample:
            raise DataError(other_rate(path, rate, sample_rate))
        blocks = list(stream.blocks())
        if stream.problem:
            raise DataError(f"{path}: {stream.problem}: download or convert it again")
    if not blocks:
        raise DataError(f"{path}: holds no samples: download or convert it again")
    audio = np.concatenate(blocks)
    del blocks
    if not audio.any():
        raise DataError(f"{path}: every sample is 0: export it again, or remove the recording")
    if rate != sample_rate:
        samples = _resample(path, audio, rate, sample_rate)
    else:
        samples = audio if is_int16 else _int16_if_lossless(audio)
    return Audio(samples, rate, len(audio))


def other_rate(path: Path, rate: int, sample_rate: int = SAMPLE_RATE) -> str:
    """Say that a file has another sample rate than its labels count in."""
    return (
        f"{path}: {rate} Hz, not {sample_rate} Hz: resample it to {sample_rate} Hz, "
        "or choose data=folder, which does that"
    )


def _resample(path: Path, audio: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Resample mono audio to another rate: (samples,) float32."""
    import soxr

    if audio.dtype == np.int16:
        audio = audio.astype(np.float32) / 32768
    try:
        resampled = soxr.resample(audio, rate, sample_rate, quality="VHQ")
    except (ValueError, RuntimeError, MemoryError) as error:
        raise DataError(
            f"{path}: cannot be resampled from {rate} Hz ({error}): convert it to {sample_rate} Hz"
        ) from error
    if len(resampled) == 0:
        raise DataError(f"{path}: {len(audio)} samples at {rate} Hz, none at {sample_rate} Hz: remove the recording")
    return resampled


def _int16_if_lossless(audio: np.ndarray) -> np.ndarray:
    """Return the same values as int16, full scale 32768, if every one fits; otherwise return the audio unchanged."""
    with np.errstate(over="ignore", invalid="ignore"):  # values that do not fit compare unequal
        scaled = audio * np.float32(32768)
        rounded = scaled.astype(np.int16)
    return rounded if np.array_equal(rounded, scaled) else audio


def decode_all(paths: Sequence[Path], sample_rate: int = SAMPLE_RATE, resample: bool = True) -> Iterator[Audio]:
    """Decode each file with `decode`, in order."""
    return in_order(lambda path: decode(path, sample_rate, resample), paths, "decoding")


def in_order(function: Callable, items: Sequence, doing: str) -> Iterator:
    """Yield function(item) for each item, in order, computed in threads and with a progress bar on a terminal.

    At most THREADS results wait to be taken, so that memory is bounded for any number of items.
    """
    # The kernel of a notebook asks for colours, which rich takes for a terminal.
    shown = track(items, doing, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty())
    pool = ThreadPoolExecutor(THREADS)  # libsndfile, soxr and NumPy release the GIL
    ahead: deque[Future] = deque()
    try:
        for item in shown:
            ahead.append(pool.submit(function, item))
            if len(ahead) > THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        # Not waited for: where an error ends the iteration, this runs when the garbage is collected, which may be while
        # a thread starts, and to join another one then would wait for ever.
        pool.shutdown(wait=False, cancel_futures=True)
