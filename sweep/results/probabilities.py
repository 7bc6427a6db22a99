"""Keep what a run hears in its test recordings, so that it can be scored anew without training.

probabilities.npz beside result.json has an array for each test recording, "frames/<id>", (88, instants) uint8: that
each of the piano's pitches sounds, at an instant each STEP samples at 44,100 Hz from the recording's first. A model
with an onset head has "onsets/<id>" beside it: that each begins. Of a model of segments, whose frames are those of its
row, an instant has the nearest frame; "hop" holds the seconds between two frames, (1,) float64. Where that is more than
STEP, each frame is kept, several times, and is found again at the instant nearest to it.

A value q means a probability above (q - 1) / 255 and up to q / 255, so q > 255 t says exactly what p > t says for each
threshold t that is a multiple of 1/255, such as 0.4; another threshold counts as the next lower multiple.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sweep.files import write_whole
from sweep.representations.clock import ESTIMATE_EVERY as STEP
from sweep.representations.clock import SAMPLE_RATE
from sweep.results.arrays import ODDLY_PACKED, PACKED, array_of
from sweep.results.json_files import NO_ACCESS, unreadable
from sweep.results.scoring import PITCHES

PROBABILITIES = "probabilities.npz"
REMEDY = "keep_probabilities=true overwrite=true makes the run anew"
HEADS = ("frames", "onsets")
_HOP = "hop"
_LONGEST_HOP = 10.0  # seconds
_HEADER = 128  # bytes of an .npy file before its values
# As models compute, so that q > 255 t agrees with the run's own p > t to the last bit.
_LEVELS = (np.arange(255) / 255).astype(np.float32)


def quantise(probability: np.ndarray) -> np.ndarray:
    """Round probabilities up to multiples of 1/255: (...) float32 in 0..1 -> (...) uint8, ceil(255 p).

    >>> quantise(np.array([0, 1e-9, 0.4, 0.4001, 1], np.float32)).tolist()
    [0, 1, 102, 103, 255]
    """
    return np.searchsorted(_LEVELS, probability.astype(np.float32)).astype(np.uint8)


class Probabilities(NamedTuple):
    """What a run has kept of a recording.

    Attributes:
        heads: (instants, 88) uint8 by head, "frames" and perhaps "onsets".
        hop: time between two frames of the model, in seconds.
    """

    heads: dict[str, np.ndarray]
    hop: float

    def at(self, times: np.ndarray) -> dict[str, np.ndarray]:
        """Return what was heard at some times, in seconds, in the nearest frame of the model: (times, 88) uint8."""
        step = STEP / SAMPLE_RATE
        if self.hop > step:
            times = np.rint(times / self.hop) * self.hop
        places = np.rint(times / step).astype(np.int64)
        return {head: values[places.clip(0, len(values) - 1)] for head, values in self.heads.items()}


class Keeper:
    """Collect a run's probabilities, compressed one recording after the other: 20 hours raw would take gigabytes."""

    def __init__(self):
        self._content = io.BytesIO()
        self._file = zipfile.ZipFile(self._content, "w", zipfile.ZIP_DEFLATED)

    def add(self, recording: str, heads: Mapping[str, np.ndarray], hop: float) -> None:
        """Add a recording.

        Args:
            recording: its id.
            heads: probabilities of the piano's pitches at each instant, (instants, 88) by head.
            hop: time between two frames of the model, in seconds, the same for all recordings.
        """
        if not self._file.namelist():
            self._write(_HOP, np.array([hop]))
        for head in HEADS:
            if head in heads:
                array = np.ascontiguousarray(quantise(heads[head]).T)  # pitch by pitch: a quarter fewer bytes
                self._write(f"{head}/{recording}", array)

    def _write(self, name: str, array: np.ndarray) -> None:
        with self._file.open(f"{name}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, array, allow_pickle=False)

    def content(self) -> bytes:
        """Return the content of probabilities.npz; nothing can be added after it."""
        self._file.close()
        return self._content.getvalue()


def write_probabilities(folder: Path, content: bytes | None) -> None:
    """Write probabilities.npz whole, or remove an older one.

    Args:
        folder: folder of the run.
        content: what `Keeper.content` returns; None if the run keeps none.
    """
    if content is None:
        (folder / PROBABILITIES).unlink(missing_ok=True)
    else:
        write_whole(folder / PROBABILITIES, content)


def kept_recordings(folder: Path) -> list[str] | None:
    """Return the ids of the recordings whose probabilities a run has kept, in order; None if it has kept none.

    Raises:
        ValueError: probabilities.npz is damaged or cannot be read; names the file and the remedy.
    """
    path = folder / PROBABILITIES
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
    except FileNotFoundError:
        return None
    except Exception as error:
        raise _damaged(path, error) from None
    begin, end = f"{HEADS[0]}/", ".npy"
    return [name[len(begin) : -len(end)] for name in names if name.startswith(begin) and name.endswith(end)]


def read_probabilities(folder: Path, recording: str, samples: int) -> Probabilities:
    """Read what a run has kept of a recording.

    Args:
        folder: folder of the run.
        recording: id of the recording.
        samples: length of the recording at 44,100 Hz, from which the kept one differs by an instant at most. No more
            is read, whatever the file says of its own size.

    Raises:
        ValueError: the file is damaged, or is of another recording; names the file and the remedy.
    """
    path, instants = folder / PROBABILITIES, 1 + samples // STEP
    heads = {}
    try:
        with zipfile.ZipFile(path) as file:
            (hop,) = _read(file, _HOP).astype(float).tolist()
            if not 0 < hop < _LONGEST_HOP:
                raise ValueError(f"its hop is {hop} s")
            known = set(file.namelist())
            for head in HEADS:
                if head == HEADS[0] or f"{head}/{recording}.npy" in known:
                    heads[head] = _read_head(file, f"{head}/{recording}", instants)
            if len({len(array) for array in heads.values()}) > 1:
                raise ValueError(f"its heads of {recording} differ in length")
    except _OtherLengthError as error:
        remedy = f"name the folder of its recordings with --root DIR, or {REMEDY}"
        raise ValueError(f"{path}: {error} {instants:,}: {remedy}") from None
    except Exception as error:  # damaged bytes raise what they like, from each of the decoders
        raise _damaged(path, error) from None
    return Probabilities(heads, hop)


class _OtherLengthError(ValueError):
    """What was kept is of other audio."""


def _read_head(file: zipfile.ZipFile, name: str, instants: int) -> np.ndarray:
    """Read the probabilities of a recording, transposed: (instants, 88) uint8."""
    array = _read(file, name, instants)
    if array.dtype != np.uint8 or array.ndim != 2 or len(array) != len(PITCHES):
        raise ValueError(f"its {name} is {array.dtype} of shape {array.shape}")
    return array.T


def _read(file: zipfile.ZipFile, name: str, instants: int = 0) -> np.ndarray:
    """Read an array, of which a recording's must have about so many instants."""
    if f"{name}.npy" not in file.namelist():
        raise ValueError(f"it has no {name}")
    member = file.getinfo(f"{name}.npy")
    if member.compress_type not in PACKED:
        raise ValueError(ODDLY_PACKED)
    claimed = (member.file_size - _HEADER) // len(PITCHES)  # 0 for the hop, of 8 bytes
    if abs(claimed - instants) > 1:
        raise _OtherLengthError(f"{name} has {claimed:,} instants, the recording")
    return array_of(file.read(member))


def _damaged(path: Path, error: Exception) -> ValueError:
    if isinstance(error, NO_ACCESS):
        return ValueError(unreadable(path, error))
    return ValueError(f"{path}: damaged, {' '.join(str(error).split()) or type(error).__name__}: {REMEDY}")
