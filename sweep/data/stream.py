"""Read an audio file from its beginning to its end, in blocks; the length that its header states is not believed."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from sweep.data.containers import Layout, PartFile, inspect
from sweep.data.mpeg import inspect_mp3
from sweep.data.recording import DataError

RATES = (1_000, 1_000_000)  # Hz; a rate outside is a damaged header's, and memory would grow beyond measure with it
_BLOCK, _MOST = 8, 1 << 20  # seconds in a block; samples in it, over all channels
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}


class _Forward(soundfile.SoundFile):
    """Sound file that is only read on: soundfile otherwise seeks in each call, which fails where no length is known."""

    def seekable(self) -> bool:
        return False


class _Ended(Exception):
    """The decoder cannot go on; the message says why."""


class Stream:
    """Audio file that is read once, from its beginning to its end.

    Attributes:
        path: audio file.
        rate: its sample rate in Hz.
        dtype: type of the samples, "int16" or "float32".
        frames: samples read so far, at the file's rate.
        problem: once all is read, what is wrong with the file's end, in words; empty if it is whole.
    """

    def __init__(self, path: Path, file: BinaryIO):
        self.path, self._file, self.frames, self.problem = path, file, 0, ""
        self._layout = inspect(file)
        try:
            sound = self._open(0)
        except DataError:
            if path.suffix.lower() != ".mp3":  # which may begin with anything
                raise
            sound = None
        if sound is None or sound.format == "MP3":
            if sound is not None:
                sound.close()
            self._layout = inspect_mp3(file)
            sound = self._open(0)
        self._sound, self.rate = sound, sound.samplerate
        if not RATES[0] <= self.rate <= RATES[1]:
            between = f"not one of {RATES[0]:,} to {RATES[1]:,} Hz"
            raise DataError(f"{path}: a sample rate of {self.rate} Hz, {between}: download or convert it again")
        self.dtype = "int16" if sound.subtype == "PCM_16" and sound.channels == 1 else "float32"

    @property
    def seconds(self) -> float:
        """Duration read so far, in seconds."""
        return self.frames / self.rate

    @property
    def declared(self) -> float | None:
        """Duration that the header states, in seconds; None if it states none."""
        if len(self._layout.parts) > 1 or self._sound.frames >= 2**62:
            return None
        return self._sound.frames / self.rate / (self._layout.held or 1)

    def close(self) -> None:
        """Close the file."""
        self._sound.close()

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield blocks of some seconds of mono samples, the channels' mean: int16, full scale 32768, or float32, 1.

        After the last block `problem` says whether the file was whole.

        Raises:
            DataError: a sample is not finite.
        """
        stated = self._sound.frames
        for number in range(max(1, len(self._layout.parts))):
            try:
                if number:
                    self._next_part(number)
                for block in self._read():
                    self._check_finite(block)
                    self.frames += len(block)
                    yield block
            except _Ended as end:
                self.problem = f"cannot be read beyond {self._place()} ({end}), truncated or damaged"
                return
        layout = self._layout
        if layout.lacks:
            self.problem = f"truncated, {layout.lacks} ({self._place()})"
        elif layout.least and self.frames < layout.least:
            self.problem = f"cannot be read beyond {self._place()}, damaged"
        elif not layout.parts and not layout.least and self.frames < stated < 2**62:
            self.problem = f"truncated, {self.frames} of {stated} samples ({self._place()})"

    def _next_part(self, number: int) -> None:
        self._sound.close()
        try:
            self._sound = self._open(number)
        except DataError as error:
            raise _Ended("another stream follows that is no audio") from error
        if self._sound.samplerate != self.rate:
            raise _Ended(f"the sample rate changes from {self.rate} to {self._sound.samplerate} Hz")

    def _read(self) -> Iterator[np.ndarray]:
        """Yield blocks of the open part; raise _Ended after the last sample that the decoder could give."""
        length = max(1, min(_BLOCK * self.rate, _MOST // self._sound.channels))
        position, reason = 0, ""
        while not reason:
            block = np.empty((length, self._sound.channels), self.dtype)
            try:
                count = len(self._sound.read(out=block))
            except Exception as error:  # libsndfile and soundfile have their own of many types
                count, reason = self._decoded() - position, _reason(error)
            if count <= 0:
                break
            position += count
            block = block[:count] if count > length // 2 else block[:count].copy()
            yield block[:, 0] if block.shape[1] == 1 else _mean(block)
        if reason:
            raise _Ended(reason)

    def _decoded(self) -> int:
        """Return where libsndfile stands after a call that failed; what it decoded until then is in the block."""
        with contextlib.suppress(soundfile.SoundFileError):
            return self._sound.tell()
        return 0

    def _place(self) -> str:
        """How much was read, in words, and how much was promised if that is known."""
        promised = f" of {self.declared:.3f}" if self.declared and self.declared > self.seconds else ""
        return f"{self.seconds:.3f}{promised} s"

    def _check_finite(self, piece: np.ndarray) -> None:
        if piece.dtype != np.int16 and not (finite := np.isfinite(piece)).all():
            first = int(np.argmin(finite))
            said = f"sample {self.frames + first} is {piece[first]}"
            raise DataError(f"{self.path}: {said}: samples must be finite, convert the file again")

    def _open(self, number: int) -> soundfile.SoundFile:
        """Open a part of the file, or the file itself by its descriptor: libsndfile is told no name."""
        try:
            if self._layout.parts:
                return _Forward(PartFile(self._file, self._layout.parts[number]))
            os.lseek(self._file.fileno(), 0, os.SEEK_SET)
            return _Forward(self._file.fileno(), closefd=False)
        except Exception as error:
            layout: Layout = self._layout
            lacks = f", truncated: {layout.lacks}" if layout.lacks else ""
            said = f"cannot be read as audio ({_reason(error)}{lacks}): download or convert it again"
            raise DataError(f"{self.path}: {said}") from error


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Stream]:
    """Open an audio file while the block runs.

    Args:
        path: audio file in any format that libsndfile reads; its name may have any bytes.

    Raises:
        DataError: there is no such file, it cannot be read, or it is no audio.
    """
    try:
        mode = path.stat().st_mode  # before it is opened: opening a pipe waits for a writer
        if not stat.S_ISREG(mode):
            kind = _KINDS.get(stat.S_IFMT(mode), "a device")
            raise DataError(f"{path}: cannot be read as audio ({kind}, no file): remove it or name another file")
        file = open(path, "rb")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: correct the name") from None
    except PermissionError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}): correct its permissions") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}): copy it to a sound disk") from error
    with file:
        try:
            stream = Stream(path, file)
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}): copy it to a sound disk") from error
        try:
            yield stream
        finally:
            stream.close()


def _mean(piece: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is said with its place
        return piece.mean(axis=1)


def _reason(error: Exception) -> str:
    """Say in a line what a library's error says."""
    said = error.error_string if isinstance(error, soundfile.LibsndfileError) else str(error)
    said = " ".join(said.removeprefix("Error : ").split()).rstrip(".")
    return said or type(error).__name__
