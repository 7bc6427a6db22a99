"""Read the notes of all recordings of a split, or load them from a file beside the cached audio.

MIDI is read by Python, which takes minutes for a set of 200 hours, at each start of each process.
"""

import functools
import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sweep import locks
from sweep.data.audio import Audio, in_order
from sweep.data.cache import place_of
from sweep.data.labels import check_labels
from sweep.data.recording import SAMPLE_RATE, Changed, Pair, Remark
from sweep.data.source import Source
from sweep.files import write_whole

OURS = "sweep.data."  # module names of the readers whose code the key of the cache holds

SLOW = 2.0  # seconds of reading from which the notes are kept

Read = tuple[np.ndarray, list[str]]  # what `check_labels` returns


def all_labels(
    source: Source,
    options: Mapping[str, Any],
    part: str,
    pairs: Sequence[Pair],
    audio: Sequence[Audio],
    cache: Path | None,
) -> Iterator[Read]:
    """Read the notes of recordings in samples at 44,100 Hz, as `check_labels` does.

    Args:
        source, options: the data's source, and its keys.
        part: name of the split, or of the part of it that is read.
        pairs, audio: its recordings, and the audio of each.
        cache: folder that keeps the notes; None: they are read each time. They are kept only where that takes some
            seconds, no file has a problem and the source is the package's own, and count as long as no file of the set,
            no key and no line of code changes.
    """
    key = _key(source, options, pairs, audio) if cache else None
    if cache is None or key is None:
        yield from _read_all(source, pairs, audio)
        return
    of_keys = hashlib.sha256(repr(sorted(options.items())).encode()).hexdigest()[:6]
    file = place_of(cache, source.root, f"{part}-{of_keys}", "notes")
    kept = _load(file, key)
    if kept is None:
        start = time.perf_counter()
        kept = list(_read_all(source, pairs, audio))
        problems = [line for _, lines in kept for line in lines if not isinstance(line, Remark)]
        if not problems and time.perf_counter() - start > SLOW:
            _keep(file, key, kept)
    yield from kept


def _read_all(source: Source, pairs: Sequence[Pair], audio: Sequence[Audio]) -> Iterator[Read]:
    def one(item: tuple[Pair, Audio]) -> Read:
        return check_labels(item[0].labels, item[1], SAMPLE_RATE, source.notes)

    return in_order(one, list(zip(pairs, audio, strict=True)), "reading labels")


def _key(source: Source, options: Mapping[str, Any], pairs: Sequence[Pair], audio: Sequence[Audio]) -> str | None:
    """Hash all that the notes depend on; None if that is not known, as of a class from outside of the package."""
    if not all(cls.__module__.startswith(OURS) for cls in type(source).__mro__ if cls is not object):
        return None
    try:
        files = sorted({path for _, path in source.files() or []} | {pair.labels for pair in pairs})
        states = [(os.fsdecode(path), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    except OSError:  # a file has vanished
        return None
    lengths = [(os.fsdecode(pair.labels), it.file_rate, it.file_samples) for pair, it in zip(pairs, audio, strict=True)]
    parts = [_code(), type(source).__qualname__, sorted(options.items()), states, lengths]
    return hashlib.sha256(repr(parts).encode(errors="surrogateescape")).hexdigest()


@functools.cache
def _code() -> str:
    """Hash the code by which labels are read."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _load(file: Path, key: str) -> list[Read] | None:
    """Read kept notes; None unless the file is whole and has this key."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            index = json.loads(str(kept["index"]))
            if index["key"] != key:
                return None
            ends = np.cumsum([rows for rows, _, _ in index["recordings"]])[:-1]
            parts = np.split(kept["notes"], ends)
            found = zip(parts, index["recordings"], strict=True)
            return [(part[:, :columns].copy(), [_line(it) for it in lines]) for part, (_, columns, lines) in found]
    except Exception:  # missing, or damaged in whatever way: the notes are read anew
        return None


def _keep(file: Path, key: str, found: list[Read]) -> None:
    """Write notes; where that is not possible, a line on stderr says so."""
    notes = [np.pad(part, ((0, 0), (0, 4 - part.shape[1]))) for part, _ in found]
    recordings = [[len(part), part.shape[1], [_plain(line) for line in lines]] for part, lines in found]
    content = io.BytesIO()
    index = json.dumps({"key": key, "recordings": recordings})
    np.savez(content, notes=np.concatenate([np.empty((0, 4), np.int64), *notes]), index=np.array(index))
    try:
        with locks.wait(file.with_name(f".{file.name}.lock")):
            write_whole(file, content.getvalue())
    except OSError as error:
        reason = error.strerror or error
        print(f"{file}: the notes are not cached ({reason}), so each start reads all labels", file=sys.stderr)


def _plain(line: str) -> list:
    return [line.what, line.first, line.notes, line.wrong] if isinstance(line, Changed) else [str(line)]


def _line(parts: list) -> Remark:
    return Changed(*parts) if len(parts) > 1 else Remark(parts[0])
