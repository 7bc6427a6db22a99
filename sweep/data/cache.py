"""Cache the decoded audio of a split in one memory-mapped file, so that the next start decodes nothing."""

import hashlib
import json
import mmap
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from sweep import locks
from sweep.data.audio import Audio
from sweep.files import whole

VERSION = 3  # increased whenever the format or the decoding changes
PADDING = bytes(64)  # after each recording, for windows that reach a little beyond its end
MAGIC = b"sweep audio\n"
# The mapping is private, because PyTorch needs writable memory; Linux must not check whether all of it fits in memory.
NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000 if sys.platform == "linux" else 0)  # in Python's module from 3.13 on


def cached(
    folder: Path, root: Path, name: str, paths: list[Path], how: dict, decode: Callable[[], Iterator[Audio]]
) -> list[Audio]:
    """Return the audio of a split at one sample rate from the cache; decode and cache it if these files are not cached.

    A file of the cache holds the samples one recording after the other, each with some zeros behind it, then an index
    in JSON, then the index's length and a magic word, so an incomplete file lacks its end. It is written under a
    temporary name and renamed once it is on the disk. A process that has mapped an older file keeps that one. Of two
    processes at once, one writes and the other waits for it.

    Args:
        folder: folder of the cache; it holds one file for each root and name.
        root, name, paths: folder of the data, name of the split, with the rate if it is a row's own, and the split's
            audio files in order.
        how: other settings that decide the samples, as JSON values.
        decode: function that yields the audio of each path; called if the audio is not cached.

    Returns:
        The audio of each path. If the cache cannot be written, a line on stderr says so and all audio is in memory.

    Raises:
        DataError: `decode` raised it; nothing is cached then.
    """
    file = place_of(folder, root, name, "audio")
    try:
        key = _key(root.resolve(), paths, how)
        audio = _read(file, key)
        if audio is None:
            with locks.wait(file.with_name(f".{file.name}.lock")):
                if (audio := _read(file, key)) is None:
                    _write(file, key, decode)
                    audio = _read(file, key)
    except OSError as error:
        print(
            f"{file}: the audio is not cached ({error.strerror or error}), so each start decodes it: "
            "make room, or choose another folder with data.cache=DIR or none with data.cache=null",
            file=sys.stderr,
        )
        audio = None
    return list(decode()) if audio is None else audio


def place_of(folder: Path, root: Path, name: str, ending: str) -> Path:
    """Return the path of a file of the cache: one for each root, name and ending."""
    root = root.resolve()
    place = hashlib.sha256(os.fsencode(root)).hexdigest()[:8]
    return folder / f"{locks.short(root.name)}-{place}-{name}.{ending}"


def _key(root: Path, paths: list[Path], how: dict) -> dict:
    """Return the key of a valid cache: the files' names, sizes and modification times, and `how`.

    The bytes are not compared, since that would mean reading them all. So this misses a file that was replaced by one
    of the same size with its modification time preserved (as by `cp -p` or `rsync -t`) or within the file system's
    clock tick, and another version of libsndfile or soxr, whose lossy decoding may differ in the last bit.
    """
    states = [(path, path.stat()) for path in paths]
    files = [[os.path.relpath(path.resolve(), root), state.st_size, state.st_mtime_ns] for path, state in states]
    return {"version": VERSION, **how, "files": files}


def _read(file: Path, key: dict) -> list[Audio] | None:
    """Read the audio in a cache file; return None unless the file is complete and has this key.

    The file's end and length show whether it is complete, and a checksum whether the index is what was written; the
    samples are not checked.
    """
    if file.exists() and not file.is_file():  # opening a pipe would wait for a writer
        return None
    try:
        with open(file, "rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            tail = 8 + len(MAGIC)
            stream.seek(max(size - tail, 0))
            length = stream.read(8)
            if stream.read() != MAGIC:
                return None
            start = size - tail - int.from_bytes(length, "little")
            if start <= 0:
                return None
            stream.seek(start)
            index = json.loads(stream.read(size - tail - start))
            if index["key"] != key or index["bytes"] != start or index["crc"] != _crc(index["audio"]):
                return None
            mapped = _map(stream.fileno(), size)
            return [
                Audio(np.frombuffer(mapped, dtype, n_samples, offset), file_rate, file_samples)
                for dtype, offset, n_samples, file_rate, file_samples in index["audio"]
            ]
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):  # missing, no JSON, or other JSON
        return None


def in_one_file(audio: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray] | None:
    """View recordings that the same file of the cache holds, in one type, as one array, without reading them.

    Returns:
        The samples from the first recording to the zeros behind the last one, and the place of each in them,
        (recordings,) int64; None where they are not in one file.
    """
    mapped, dtype = getattr(audio[0].base, "obj", None), audio[0].dtype
    if not isinstance(mapped, mmap.mmap):
        return None
    if any(getattr(part.base, "obj", None) is not mapped or part.dtype != dtype for part in audio):
        return None
    places = np.array([part.__array_interface__["data"][0] for part in audio])
    start = places.min()
    ends = places + [part.nbytes for part in audio]
    whole = np.frombuffer(mapped, np.uint8)
    first = int(start - whole.__array_interface__["data"][0])
    flat = whole[first : first + int(ends.max() - start) + len(PADDING)].view(dtype)
    return flat, (places - start) // dtype.itemsize


def _map(stream: int, size: int) -> mmap.mmap:
    if os.name == "nt":
        return mmap.mmap(stream, size, access=mmap.ACCESS_COPY)
    return mmap.mmap(stream, size, flags=mmap.MAP_PRIVATE | NORESERVE, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def _write(file: Path, key: dict, decode: Callable[[], Iterator[Audio]]) -> None:
    with whole(file) as partial, open(partial, "xb") as stream:
        audio = []
        for samples, file_rate, file_samples in decode():
            stream.write(bytes(-stream.tell() % 8))  # aligned
            audio.append([samples.dtype.str, stream.tell(), len(samples), file_rate, file_samples])
            stream.write(samples.data)
            stream.write(PADDING)
        index = json.dumps({"key": key, "bytes": stream.tell(), "audio": audio, "crc": _crc(audio)}).encode()
        stream.write(index + len(index).to_bytes(8, "little") + MAGIC)


def _crc(audio: list) -> int:
    return zlib.crc32(json.dumps(audio).encode())
