"""Read a folder: find its files, decode the audio or load it from the cache, read the notes, and compare the splits."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from sweep.data.audio import Audio, decode_all, in_order, other_rate
from sweep.data.cache import cached
from sweep.data.label_cache import all_labels
from sweep.data.likeness import alike, leak, print_of
from sweep.data.portion import some_hours
from sweep.data.recording import SAMPLE_RATE, Changed, DataError, Pair, Recording, refuse
from sweep.data.source import SPLITS, VALIDATION, Source
from sweep.registry import options_of, sources

_NO_OPTIONS: Mapping[str, Any] = {}


def read(
    root: Path,
    source: str = "musicnet",
    cache: Path | None = None,
    sample_rate: int = SAMPLE_RATE,
    options: Mapping[str, Any] = _NO_OPTIONS,
    *,
    hours: float | None = None,
    shift: float = 0.0,
    held_out: bool = False,
) -> tuple[dict[str, list[Recording]], list[str]]:
    """Read all recordings of a data set as `read_split` does, and compare them: none may be in two splits.

    Args:
        root, source, cache, sample_rate, options, hours, shift: arguments of `read_split`.
        held_out: whether to read the recordings that the data set itself holds out, too.

    Returns:
        splits: recordings of "train" and "test", and of "validation" if asked for.
        remarks: what does not stop a training but may matter to it, one line each: what could not be entered, notes
            that were left out or changed, and audio that a split holds twice.

    Raises:
        DataError: the folder or a file has a problem, or two splits hold the same audio, in whatever format, at
            whatever rate or level; names the first one.
    """
    remarks: list[str] = []
    names = ("train", VALIDATION, "test") if held_out else SPLITS
    how: dict[str, Any] = {"remarks": remarks, "options": options, "hours": hours, "shift": shift}
    splits = {split: read_split(root, split, source, cache, sample_rate, **how) for split in names}
    recordings = [recording for split in names for recording in splits[split]]
    prints = list(in_order(lambda recording: print_of(recording.audio, sample_rate), recordings, "comparing"))
    of_split = [split for split in names for _ in splits[split]]
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
    *,
    hours: float | None = None,
    shift: float = 0.0,
) -> list[Recording]:
    """Read all recordings of a split, sorted by id, numbers by value.

    Args:
        root: folder of the data.
        split: "train", "validation" or "test".
        source: registered name of the folder's layout.
        cache: folder that keeps decoded audio and notes from one start to the next; None: all audio is decoded into
            memory.
        sample_rate: sample rate of the audio in Hz, to which files of another rate are resampled. A source whose labels
            count samples at 44,100 Hz refuses files of another rate than this.
        remarks: list to which lines are added that are no errors.
        options: values of the source's own keys.
        hours: hours of the recordings of "train" to take, as `some_hours` draws them; None takes all.
        shift: seconds by which all notes are moved, later if positive; what is moved off the recording is left out.

    Raises:
        DataError: the folder, an audio file or a label file has a problem; names the first one.
    """
    root = Path(root)
    found: Source = sources[source](root, **options)
    pairs, lines = find_pairs(found, split)
    refuse(pairs, lines)
    if hours and split == "train":
        pairs, said = some_hours(pairs, hours)
        lines += said
    part = part_of(split, hours, type(found), options)
    heard = decoded(root, part, [pair.audio for pair in pairs], cache, sample_rate, found.RESAMPLES)
    labels = all_labels(found, options, part, pairs, heard, Path(cache) if cache else None)
    recordings = []
    for pair, audio, (notes, said) in zip(pairs, heard, labels, strict=True):
        samples = audio.length_at(SAMPLE_RATE)
        notes, left_out = shifted(pair.labels, refuse(notes, said), shift, samples)
        parts = (audio.samples, sample_rate, notes, pair.audio, pair.group, samples)
        recordings.append(Recording(pair.id, *parts))
        lines += [*said, *left_out]
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
    *,
    hours: float | None = None,
) -> list[np.ndarray]:
    """Read the audio of a split that `read_split` has read, at another sample rate.

    Args:
        root, split, source, cache, options, hours: arguments of `read_split`.
        paths: audio files of all recordings of the split, in its order.
        sample_rate: sample rate of the result in Hz.

    Returns:
        The samples of each file, (samples,) int16 or float32, as `Recording.audio`.

    Raises:
        DataError: a file has vanished or changed and cannot be read any more.
    """
    part = part_of(split, hours, sources[source], options)
    resamples = sources[source](Path(root), **options).RESAMPLES
    return [audio.samples for audio in decoded(Path(root), part, paths, cache, sample_rate, resamples)]


def part_of(split: str, hours: float | None, source: type[Source], options: Mapping[str, Any]) -> str:
    """Name what is read of a split, for its file in the cache: hours of "train", keys that may choose recordings.

    Args:
        split, hours, options: arguments of `read_split`.
        source: class of the data's source.
    """
    defaults = {name: it.default for name, it in options_of(source, sources.given).items()}
    chosen = {key: value for key, value in options.items() if value != defaults[key] and key not in source.LABEL_KEYS}
    keys = [hashlib.sha256(repr(sorted(chosen.items())).encode()).hexdigest()[:6]] if chosen else []
    return "-".join([split, *([f"{hours:g}h"] if hours and split == "train" else []), *keys])


def decoded(
    root: Path, part: str, paths: list[Path], cache: Path | None, sample_rate: int, resamples: bool
) -> list[Audio]:
    """Decode files, or load them from the cache, which has a file for each part and rate.

    Args:
        root, cache, sample_rate: arguments of `read_split`.
        part: name of what is read: the split, or a part of it.
        paths: the audio files.
        resamples: whether files of another rate than 44,100 Hz are resampled, or refused.

    Raises:
        DataError: a file cannot be read, or is refused.
    """
    how: dict = {"sample_rate": sample_rate, "resample": resamples or sample_rate != SAMPLE_RATE}
    decode = partial(decode_all, paths, **how)
    name = part if sample_rate == SAMPLE_RATE else f"{part}-{sample_rate}"
    found = cached(Path(cache), root, name, paths, how, decode) if cache else list(decode())
    for path, audio in zip(paths, found, strict=True):
        if audio.file_rate != SAMPLE_RATE and not resamples:
            raise DataError(other_rate(path, audio.file_rate))
    return found


def shifted(labels: Path, notes: np.ndarray, shift: float, n_samples: int) -> tuple[np.ndarray, list[str]]:
    """Move notes in time, cut them at either end of the recording, and leave out those that it moves off.

    Args:
        labels: label file, for messages.
        notes: notes of `Recording.notes`.
        shift: seconds, later if positive.
        n_samples: length of the recording at 44,100 Hz.

    Returns:
        The notes that are left, and a remark that counts the others.
    """
    if not shift:
        return notes, []
    moved = notes.copy()
    moved[:, :2] += round(shift * SAMPLE_RATE)
    within = (moved[:, 1] > 0) & (moved[:, 0] < n_samples)
    moved[:, :2] = moved[:, :2].clip(0, n_samples)
    lost = len(notes) - int(within.sum())
    what = "notes that data.shift moves off the recording, left out"
    return moved[within], [Changed(what, str(labels), lost, wrong=True)] * bool(lost)


def find_pairs(source: Source, split: str) -> tuple[list[Pair], list[str]]:
    """Find the files of a split, sorted by id, numbers by value, and the problems with them, one line each.

    Whatever the layout, no two recordings of a split may share an id, and no two of two splits their bytes.
    """
    pairs, lines = source.find(split)
    counts = Counter(pair.id for pair in pairs)
    lines += [
        f"{pair.audio}: another recording of {split} is called {pair.id!r} too: rename one of the two"
        for pair in pairs
        if counts[pair.id] > 1
    ]
    found = [pairs if name == split else source.find(name)[0] for name in source.splits]
    for one, other in combinations(found, 2):
        lines += _in_both(one, other)
    return sorted(pairs, key=_by_number), lines


def _in_both(earlier: list[Pair], later: list[Pair]) -> list[str]:
    """Return a problem for each recording whose audio is byte for byte that of one of an earlier split.

    `alike` finds these too, but only when all is decoded, which takes minutes for a large set.
    """
    try:
        known = _by_content([pair.audio for pair in earlier], {pair.audio.stat().st_size for pair in later})
        again = _by_content([pair.audio for pair in later], {pair.audio.stat().st_size for pair in earlier})
        return [leak(path, known[content]) for content, path in again.items() if content in known]
    except OSError:
        return []  # a file has vanished or cannot be read, which its own split says


def _by_content(paths: list[Path], sizes: set[int]) -> dict[tuple[int, bytes], Path]:
    """Return files of some sizes by their content: a hash of all of it, of few files, since sizes mostly differ."""
    found = {}
    for path in paths:
        if (size := path.stat().st_size) in sizes:
            with path.open("rb") as file:
                found.setdefault((size, hashlib.file_digest(file, "sha256").digest()), path)
    return found


def _by_number(pair: Pair) -> tuple:
    return (0, int(pair.id), pair.id) if pair.id.isdecimal() else (1, 0, pair.id)
