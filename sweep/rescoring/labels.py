"""Read the labels of test recordings, in the versions that scorings choose."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sweep.config import Data
from sweep.data.audio import Audio
from sweep.data.label_cache import all_labels
from sweep.data.reading import decoded, find_pairs, part_of, shifted
from sweep.data.recording import SAMPLE_RATE, DataError, refuse
from sweep.data.source import Source
from sweep.registry import sources

_NO_SAMPLES = np.empty(0, np.int16)


class Labelled(NamedTuple):
    """The labels of a recording.

    Attributes:
        notes: `Recording.notes`, in samples at 44,100 Hz.
        samples: length of the recording.
    """

    notes: np.ndarray
    samples: int


def version_of(data: Data) -> Data:
    """Return the data with usual values for what its labels do not depend on, to compare label versions."""
    return replace(data, name="-", validation=0.0, hours=None, placement="auto", fingerprint=None, test=())


class Labels:
    """The labels of the test recordings in several versions, as a training reads them.

    Each audio file is read once, since all versions need its length, and each version once, whatever it is shifted by.

    Args:
        sample_rate: rate in Hz at which the audio is likely to be cached; the labels do not depend on it.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE):
        self._sample_rate = sample_rate
        self._versions: dict[Data, dict[str, Labelled] | DataError] = {}
        self._audio: dict[Path, Audio] = {}  # without its samples

    def of(self, data: Data) -> dict[str, Labelled]:
        """Return the labels in the version that some data chooses, by the id of the recording.

        Raises:
            DataError: the folder or a file has a problem; names the first one.
        """
        version = version_of(data)
        if version not in self._versions:
            try:
                self._versions[version] = self._shifted(version) if version.shift else self._read(version)
            except DataError as error:
                self._versions[version] = error
        found = self._versions[version]
        if isinstance(found, DataError):
            raise found
        return found

    def _shifted(self, version: Data) -> dict[str, Labelled]:
        at_first = self.of(replace(version, shift=0.0))
        return {
            id: Labelled(shifted(Path(), notes, version.shift, samples)[0], samples)
            for id, (notes, samples) in at_first.items()
        }

    def _read(self, version: Data) -> dict[str, Labelled]:
        root, cache = Path(version.root), Path(version.cache) if version.cache else None
        if not root.is_dir():
            raise DataError(
                f"data.root {root}: no such folder; name the folder of the recordings, with --root DIR if it has moved"
            )
        source: Source = sources[version.source](root, **version.options)
        pairs = refuse(*find_pairs(source, "test"))
        part = part_of("test", None, type(source), version.options)
        audio = self._lengths(root, part, [pair.audio for pair in pairs], cache, source.RESAMPLES)
        labels = all_labels(source, version.options, part, pairs, audio, cache)
        return {
            pair.id: Labelled(refuse(*found), one.length_at(SAMPLE_RATE))
            for pair, one, found in zip(pairs, audio, labels, strict=True)
        }

    def _lengths(self, root: Path, part: str, paths: list[Path], cache: Path | None, resamples: bool) -> list[Audio]:
        """Read audio files that have not been read yet; return all without their samples."""
        files = [path.resolve() for path in paths]  # another root may link to the same
        if not self._audio.keys() >= set(files):
            found = decoded(root, part, paths, cache, self._sample_rate, resamples)
            self._audio |= {file: one._replace(samples=_NO_SAMPLES) for file, one in zip(files, found, strict=True)}
        return [self._audio[file] for file in files]
