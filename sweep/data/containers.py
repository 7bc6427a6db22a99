"""What an audio file's header promises, what the file holds, and the header that would be true.

libsndfile believes headers. It reads nothing of a streamed WAV file whose writer left a 0 for the length, takes a cut
Ogg file for whole, and ends with the first of several Ogg streams in a file. So the headers are looked at here first.
"""

import io
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_SLACK = 1 << 16  # writers that cannot seek back leave the largest length there is, or half of it, and somewhat less
_PAGE = struct.Struct("<4sBBqIIIB")  # Ogg: magic, version, flags, position, stream, number, checksum, segments
_FIRST, _LAST = 2, 4  # flags of an Ogg page


class Part(NamedTuple):
    """A piece of a file that libsndfile is to read as if it were a file.

    Attributes:
        head: bytes that stand in place of those before `start`.
        start, stop: the piece of the file that follows them.
    """

    head: bytes
    start: int
    stop: int


class Layout(NamedTuple):
    """What there is to read in a file.

    Attributes:
        parts: what libsndfile is to read, one after the other; empty if it is to read the file itself.
        lacks: what a cut file lacks, in words; empty if it lacks nothing.
        held: share of the promised length that the file holds, 0..1; None if the promise is not known.
        least: samples that there must be at least; reading ended early if there are fewer.
    """

    parts: tuple[Part, ...] = ()
    lacks: str = ""
    held: float | None = None
    least: int = 0


class PartFile(io.RawIOBase):
    """One part of an open file, as a file."""

    def __init__(self, file: BinaryIO, part: Part):
        self._file, self._part, self._at = file, part, 0
        self._size = len(part.head) + part.stop - part.start

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer) -> int:
        wanted, head = max(0, min(len(buffer), self._size - self._at)), self._part.head
        taken = head[self._at : self._at + wanted]
        if len(taken) < wanted:
            self._file.seek(self._part.start + max(0, self._at - len(head)))
            taken += self._file.read(wanted - len(taken))
        buffer[: len(taken)] = taken
        self._at += len(taken)
        return len(taken)


def inspect(file: BinaryIO) -> Layout:
    """Look at the header of an open file; a file of a format that is not known here is to be read as it is.

    Args:
        file: file opened for reading, with a buffer.
    """
    end = file.seek(0, os.SEEK_END)
    begin = after_tags(file, end)
    magic = _bytes(file, begin, 12)
    if magic[:4] == b"OggS":
        return _ogg(file, begin, end)
    if magic[:4] in (b".snd", b"dns.") and len(magic) == 12:
        order = ">" if magic[:4] == b".snd" else "<"
        offset, declared = struct.unpack(f"{order}II", magic[4:])
        return _sized(file, begin, end, begin + offset, declared, f"{order}I", begin + 8)
    if magic[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM"):
        return _chunked(file, begin, end, ">I" if magic[:4] in (b"RIFX", b"FORM") else "<I", 4, 12)
    if magic[:4] == b"riff":  # Sony Wave64: a chunk's name has 16 bytes, its size counts its header
        return _chunked(file, begin, end, "<Q", 16, 40)
    if magic[:4] == b"caff":
        return _chunked(file, begin, end, ">Q", 4, 8)
    return Layout()


def after_tags(file: BinaryIO, end: int, begin: int = 0) -> int:
    """Return where a file begins after the ID3v2 and APE tags in front of it."""
    while True:
        tag = _bytes(file, begin, 32)
        if tag[:3] == b"ID3" and len(tag) >= 10 and not any(byte & 0x80 for byte in tag[6:10]):
            footer = 10 * bool(tag[5] & 0x10)
            skipped = 10 + footer + sum(byte << 7 * i for i, byte in enumerate(reversed(tag[6:10])))
        elif tag[:8] == b"APETAGEX" and len(tag) == 32:
            skipped = 32 + int.from_bytes(tag[12:16], "little")
        else:
            return begin
        if begin + skipped >= end:
            return begin
        begin += skipped


def _bytes(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _chunks(file: BinaryIO, position: int, end: int, form: str, name: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, declared size and position of the content of each chunk; the last may go beyond the end.

    Args:
        position, end: where the first chunk begins, and where the file ends.
        form: how a size is written.
        name: bytes in a name.
    """
    width = struct.calcsize(form)
    while position + name + width <= end:
        header = _bytes(file, position, name + width)
        (size,) = struct.unpack(form, header[name:])
        position += name + width
        if name == 16:
            size -= name + width
        if size < 0 or not _is_name(header[:4]):
            return
        yield header[:4], size, position
        position += size
        if name == 16:
            position += -size % 8
        elif width == 4 and size % 2 and not _is_name(_bytes(file, position, 4)):
            position += 1  # chunks have an even length; some writers forget it


def _is_name(text: bytes) -> bool:
    return len(text) == 4 and all(32 <= byte < 127 for byte in text)


def _chunked(file: BinaryIO, begin: int, end: int, form: str, name: int, first: int) -> Layout:
    """Compare the declared size of the audio's chunk with what the file holds."""
    wide = 0  # where RF64 keeps the size in 64 bits
    width = struct.calcsize(form)
    for chunk, declared, position in _chunks(file, begin + first, end, form, name):
        if chunk == b"ds64" and position + 24 <= end:
            wide = position + 8
        if chunk in (b"data", b"SSND", b"BODY"):
            at = position - width
            if wide and declared == 0xFFFFFFFF:
                (declared,), form, at = struct.unpack("<Q", _bytes(file, wide, 8)), "<Q", wide
            if declared == 0 and _is_empty(file, position, end, form, name):
                return Layout()
            return _sized(file, begin, end, position, declared, form, at, (name + width) * (name == 16))
    return Layout()


def _is_empty(file: BinaryIO, position: int, end: int, form: str, name: int) -> bool:
    """Whether what follows an audio chunk of length 0 is other chunks, so that there is no audio."""
    after = position
    for _, size, content in _chunks(file, position, end, form, name):
        if content + size > end:
            return False
        after = content + size
    return end - after <= 1


def _sized(
    file: BinaryIO, begin: int, end: int, position: int, declared: int, form: str, at: int, extra: int = 0
) -> Layout:
    """Return the layout of a file whose audio, declared in bytes, begins at a position and lasts to the end at most.

    Args:
        begin, end: where the file begins and ends.
        form: how the declared size is written.
        at: where it stands.
        extra: bytes that the written size counts beside the audio's.
    """
    held, most = max(0, end - position), 256 ** struct.calcsize(form)
    streamed = declared == 0 or declared >= most - _SLACK or most // 2 - _SLACK <= declared <= most // 2
    if declared <= held and not streamed:
        return Layout()
    head = bytearray(_bytes(file, begin, min(position, end) - begin))
    if head[:4] == b"RIFF" and held > 0xFFFFFFFF:  # beyond what a plain WAV file can say
        ds64 = b"ds64" + struct.pack("<IQQQI", 28, end - begin + 28, held, 0, 0)
        head = bytearray(b"RF64" + b"\xff" * 4 + b"WAVE" + ds64 + head[12:-4] + b"\xff" * 4)
    elif len(head) >= at - begin + struct.calcsize(form):
        struct.pack_into(form, head, at - begin, min(held + extra, most - 1))
    part = Part(bytes(head), min(position, end), end)
    if streamed:
        return Layout((part,))
    return Layout((part,), f"{held} of {declared} bytes of audio", held / declared)


def _ogg(file: BinaryIO, begin: int, end: int) -> Layout:
    """Find the streams that follow each other in an Ogg file, and whether the last one has its last page."""
    starts, opened, position, before = [], set(), begin, 0
    whole = True
    while position < end:
        header = _bytes(file, position, _PAGE.size)
        if header[:4] != b"OggS":
            position = _find(file, b"OggS", position + 1, end)
            continue
        if len(header) < _PAGE.size:
            whole = False
            break
        _, _, flags, _, stream, _, _, segments = _PAGE.unpack(header)
        table = file.read(segments)
        length = _PAGE.size + segments + sum(table)
        whole = len(table) == segments and position + length <= end
        if flags & _FIRST and not before & _FIRST:
            starts.append(position)
            opened.clear()
        if flags & _FIRST:
            opened.add(stream)
        if flags & _LAST and whole:
            opened.discard(stream)
        position, before = position + length, flags
    lacks = "" if whole and not opened else "its last page is missing"
    if len(starts) < 2:
        return Layout(lacks=lacks)
    stops = [*starts[1:], end]
    return Layout(tuple(Part(b"", start, stop) for start, stop in zip(starts, stops, strict=True)), lacks)


def _find(file: BinaryIO, text: bytes, position: int, end: int) -> int:
    """Return where a text stands next, or the end."""
    while position < end:
        block = _bytes(file, position, 1 << 16)
        if (found := block.find(text)) >= 0:
            return position + found
        if len(block) < 1 << 16:
            return end
        position += len(block) - len(text) + 1
    return end
