"""Read a folder: find its files, decode the audio or load it from the cache, read the notes, and compare the splits."""

import filecmp
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from sweep.data.audio import Audio, decode_all, in_order
from sweep.data.cache import cached
from sweep.data.labels import check_labels
from sweep.data.likeness import alike, leak, print_of
from sweep.data.recording import SAMPLE_RATE, Pair, Recording, refuse
from sweep.data.source import SPLITS, Source
from sweep.registry import sources

_NO_OPTIONS: Mapping[str, Any] = {}


def read(
    root: Path,
    source: str = "musicnet",
    cache: Path | None = None,
    sample_rate: int = SAMPLE_RATE,
    options: Mapping[str, Any] = _NO_OPTIONS,
) -> tuple[dict[str, list[Recording]], list[str]]:
    """Read all recordings of both splits as `read_split` does, and compare them: none may be in both.

    Returns:
        splits: recordings of "train" and "test".
        remarks: what does not stop a training but may matter to it, one line each: what could not be entered, notes
            that were left out or changed, and audio that a split holds twice.

    Raises:
        DataError: the folder or a file has a problem, or both splits hold the same audio, in whatever format, at
            whatever rate or level; names the first one.
    """
    remarks: list[str] = []
    splits = {split: read_split(root, split, source, cache, sample_rate, remarks, options) for split in SPLITS}
    recordings = [recording for split in SPLITS for recording in splits[split]]
    prints = list(in_order(lambda recording: print_of(recording.audio, sample_rate), recordings, "comparing"))
    of_split = [split for split in SPLITS for _ in splits[split]]
    paths = [recording.path for recording in recordings]
    found = alike(prints, of_split, paths, lambda index: recordings[index].audio, sample_rate)
    return refuse(splits, found), list(dict.fromkeys(remarks + found))


def read_split(
    root: Path,
    split: str,
    source: str = "musicnet",
    cache: Path | None = None,
    sample_rate: int = SAMPLE_RATE,
    remarks: list[str] | None = None,
    options: Mapping[str, Any] = _NO_OPTIONS,
) -> list[Recording]:
    """Read all recordings of a split, sorted by id, numbers by value.

    Args:
        root: folder of the data.
        split: "train" or "test".
        source: registered name of the folder's layout.
        cache: folder that keeps decoded audio from one start to the next; None: all audio is decoded into memory.
        sample_rate: sample rate of the audio in Hz. Some sources resample files of another rate; those whose labels
            count samples at this rate refuse them.
        remarks: list to which lines are added that are no errors.
        options: values of the source's own keys.

    Raises:
        DataError: the folder, an audio file or a label file has a problem; names the first one.
    """
    root = Path(root)
    found: Source = sources[source](root, **options)
    pairs, lines = find_pairs(found, split)
    refuse(pairs, lines)
    paths = [pair.audio for pair in pairs]
    decoded = _decoded(root, split, paths, cache, sample_rate, found.RESAMPLES)
    recordings = []
    for pair, audio in zip(pairs, decoded, strict=True):
        notes, said = check_labels(pair.labels, audio, sample_rate, found.notes)
        notes = refuse(notes, said)
        recordings.append(Recording(pair.id, audio.samples, sample_rate, notes, pair.audio, pair.group))
        lines += said
    if remarks is not None:
        remarks += lines
    return recordings


def read_audio_at(
    root: Path,
    split: str,
    paths: list[Path],
    sample_rate: int,
    source: str = "musicnet",
    cache: Path | None = None,
    options: Mapping[str, Any] = _NO_OPTIONS,
) -> list[np.ndarray]:
    """Read the audio of a split that `read_split` has read, at the sample rate of a row.

    Each file is resampled from its own rate. A source that refuses files of another rate than 44,100 Hz has done so
    then; for the row its audio is resampled all the same.

    Args:
        root, split, source, cache, options: arguments of `read_split`.
        paths: audio files of all recordings of the split, in its order.
        sample_rate: sample rate of the result in Hz.

    Returns:
        The samples of each file, (samples,) int16 or float32, as `Recording.audio`.

    Raises:
        DataError: a file has vanished or changed and cannot be read any more.
    """
    resample = sources[source](Path(root), **options).RESAMPLES or sample_rate != SAMPLE_RATE
    return [audio.samples for audio in _decoded(Path(root), split, paths, cache, sample_rate, resample)]


def _decoded(
    root: Path, split: str, paths: list[Path], cache: Path | None, sample_rate: int, resample: bool
) -> list[Audio]:
    """Decode files, or load them from the cache, which has a file for each split and rate."""
    how: dict = {"sample_rate": sample_rate, "resample": resample}
    decode = partial(decode_all, paths, **how)
    name = split if sample_rate == SAMPLE_RATE else f"{split}-{sample_rate}"
    return cached(Path(cache), root, name, paths, how, decode) if cache else list(decode())


def find_pairs(source: Source, split: str) -> tuple[list[Pair], list[str]]:
    """Find the files of a split, sorted by id, numbers by value, and the problems with them, one line each.

    Whatever the layout, no two recordings of a split may share an id, and no two of both splits their bytes.
    """
    pairs, lines = source.find(split)
    counts = Counter(pair.id for pair in pairs)
    lines += [
        f"{pair.audio}: another recording of {split} is called {pair.id!r} too: rename one of the two"
        for pair in pairs
        if counts[pair.id] > 1
    ]
    lines += _in_both(*(pairs if name == split else source.find(name)[0] for name in SPLITS))
    return sorted(pairs, key=_by_number), lines


def _in_both(train: list[Pair], test: list[Pair]) -> list[str]:
    """Return a problem for each test recording whose audio is byte for byte that of a training recording.

    `alike` finds these too, but only when all is decoded, which takes minutes for a large set.
    """
    sizes: dict[int, list[Path]] = {}
    try:
        for pair in train:
            sizes.setdefault(pair.audio.stat().st_size, []).append(pair.audio)
        return [
            leak(pair.audio, path)
            for pair in test
            for path in sizes.get(pair.audio.stat().st_size, ())
            if filecmp.cmp(path, pair.audio, shallow=False)  # different files mostly differ in their first block
        ]
    except OSError:
        return []  # a file has vanished or cannot be read, which its own split says


def _by_number(pair: Pair) -> tuple:
    return (0, int(pair.id), pair.id) if pair.id.isdecimal() else (1, 0, pair.id)
