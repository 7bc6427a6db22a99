"""Check that a data source finds recordings that can be read, each in one split."""

from itertools import combinations
from pathlib import Path

from sweep.checks import called, naming, shown
from sweep.data.audio import decode, in_order
from sweep.data.labels import check_labels
from sweep.data.reading import find_pairs
from sweep.data.recording import Pair, refuse
from sweep.data.source import Source


def check_source(source: Source, read: bool = True) -> None:
    """Check what a source finds in its folder.

    Args:
        source: the source, of a folder with recordings in both splits.
        read: whether each recording is decoded and its labels are read, which takes as long as loading the set.

    Raises:
        ValueError: names the source's class, what is wrong and the remedy, in one line.
    """
    with naming(f"source {type(source).__name__}"):
        pairs = {split: _found(source, split) for split in source.splits}
        for one, other in combinations(pairs, 2):
            both = {pair.id for pair in pairs[one]} & {pair.id for pair in pairs[other]}
            if both:
                raise ValueError(
                    f"id {min(both)!r}: is in {one} and in {other}; put a recording into one, or give it two ids"
                )
        said = called("remark()", source.remark)
        if not isinstance(said, str):
            raise ValueError(f"remark() returns {shown(repr(said))}: needs a sentence")
        _check_files(source)
        if read:
            recordings = [pair for part in pairs.values() for pair in part]
            for _ in in_order(lambda pair: _read(pair, source), recordings, "checking"):
                pass


def _found(source: Source, split: str) -> list[Pair]:
    """Return the recordings of a split, once they are what reading needs."""
    what = f'find("{split}")'
    found = called(what, source.find, split)
    fits = isinstance(found, tuple) and len(found) == 2 and all(isinstance(part, list) for part in found)
    if not fits or not all(isinstance(pair, Pair) for pair in found[0]):
        raise ValueError(f"{what} returns {shown(found)}: needs a list of sweep.data.recording.Pair and one of lines")
    for line in found[1]:
        if not isinstance(line, str):
            raise ValueError(f"{what} returns {shown(repr(line))} among its lines: needs text")
    for pair in found[0]:
        if not isinstance(pair.id, str) or not pair.id:
            raise ValueError(f"id {shown(repr(pair.id))} of {pair.audio}: needs text, unique in its split")
        for path in (pair.audio, pair.labels):
            if not isinstance(path, Path):
                raise ValueError(f"{shown(repr(path))} of recording {pair.id}: needs a pathlib.Path")
            if not path.is_file():
                raise ValueError(f"{path} of recording {pair.id}: no such file; let find return files that are there")
    pairs = refuse(*find_pairs(source, split))
    if not pairs:
        raise ValueError(f"{what} finds no recording in {source.root}; correct find, or the folder")
    if set(pairs) != set(found[0]):
        raise ValueError(f"{what} finds other recordings at a second call; let it depend on the folder alone")
    return pairs


def _check_files(source: Source) -> None:
    files = called("files()", source.files)
    if files is not None:
        if not isinstance(files, list) or not all(isinstance(file, tuple) and len(file) == 2 for file in files):
            raise ValueError(f"files() returns {shown(files)}: needs a list of (split, path), or None")
        for split, path in files:
            if split not in source.splits or not Path(path).is_file():
                among = " or ".join(source.splits)
                raise ValueError(f"files() names {path} of {shown(split)}: needs files that are there, of {among}")
    first, second = (called("fingerprint()", source.fingerprint) for _ in range(2))
    if first is not None and not isinstance(first, str):
        raise ValueError(
            f"fingerprint() returns {shown(repr(first))}: needs text, or None for a set that never changes"
        )
    if first != second:
        raise ValueError(f"fingerprint() is {first} and then {second}; let it depend on the files alone")


def _read(pair: Pair, source: Source) -> None:
    """Raise a ValueError unless audio and labels of a recording can be read."""
    refuse(*check_labels(pair.labels, decode(pair.audio, resample=source.RESAMPLES), own=source.notes))
