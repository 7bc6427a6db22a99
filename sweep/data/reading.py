"""Read a split: find its files, decode the audio or load it from the cache, and read the notes."""

from functools import partial
from pathlib import Path

from sweep.data.audio import decode_all
from sweep.data.cache import cached
from sweep.data.labels import check_labels, refuse
from sweep.data.recording import SAMPLE_RATE, Pair, Recording
from sweep.data.source import Source
from sweep.registry import sources


def read_split(
    root: Path, split: str, source: str = "musicnet", cache: Path | None = None, sample_rate: int = SAMPLE_RATE
) -> list[Recording]:
    """Read all recordings of a split, sorted by id, numbers by value.

    Args:
        root: folder of the data.
        split: "train" or "test".
        source: registered name of the folder's layout.
        cache: folder that keeps decoded audio from one start to the next; None: all audio is decoded into memory.
        sample_rate: sample rate of the audio in Hz. Some sources resample files of another rate; those whose labels
            count samples at this rate refuse them.

    Raises:
        DataError: the folder, an audio file or a label file has a problem; names the first one.
    """
    root = Path(root)
    found: Source = sources[source](root)
    pairs = refuse(*find_pairs(found, split))
    paths = [pair.audio for pair in pairs]
    how: dict = {"sample_rate": sample_rate, "resample": found.RESAMPLES}
    decode = partial(decode_all, paths, **how)
    decoded = cached(Path(cache), root, split, paths, how, decode) if cache else list(decode())
    notes = [refuse(*check_labels(pair.labels, audio, sample_rate)) for pair, audio in zip(pairs, decoded, strict=True)]
    return [
        Recording(pair.id, audio.samples, sample_rate, notes, pair.audio)
        for pair, audio, notes in zip(pairs, decoded, notes, strict=True)
    ]


def find_pairs(source: Source, split: str) -> tuple[list[Pair], list[str]]:
    """Find the files of a split, sorted by id, numbers by value, and the problems with them, one line each."""
    pairs, problems = source.find(split)
    return sorted(pairs, key=_by_number), problems


def _by_number(pair: Pair) -> tuple:
    return (0, int(pair.id), pair.id) if pair.id.isdecimal() else (1, 0, pair.id)
