"""Count the frames of an MP3 file, since its header may state a wrong number or none.

Where the number is missing, mpg123, with which libsndfile reads MP3, guesses the length from the first frame's bit
rate. libsndfile then drops what lies beyond. So an MP3 file is given a first frame that states the true number.
"""

import os
import struct
from typing import BinaryIO, NamedTuple

from sweep.data.containers import Layout, Part, after_tags

_RATES = (44100, 48000, 32000)  # Hz, of MPEG 1; halved in MPEG 2, and again in MPEG 2.5
_HIGH = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_KBITS = {  # kbit/s by MPEG 1 or not and layer
    (True, 1): tuple(range(32, 449, 32)),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): _HIGH,
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): _LOW,
    (False, 3): _LOW,
}
_TRIMMED = 2 * 4096 + 2 * 1152  # samples that a LAME tag may have a decoder drop at both ends, and a frame at each


class Frame(NamedTuple):
    """A frame's kind, which all frames of a file share, its length in bytes, its samples, where a Xing tag stands."""

    kind: tuple
    length: int
    samples: int
    tag: int


def _frame(header: bytes) -> Frame | None:
    """Read the four bytes at a frame's beginning; None if they are no frame's."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)
    kbits, rate = header[2] >> 4, header[2] >> 2 & 3
    if version == 1 or layer == 4 or kbits in (0, 15) or rate == 3:
        return None
    first = version == 3
    hertz = _RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    bits, padding = 1000 * _KBITS[first, layer][kbits - 1], header[2] >> 1 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and not first else 1152
    length = 4 * (12 * bits // hertz + padding) if layer == 1 else samples // 8 * bits // hertz + padding
    mono = header[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    return Frame((version, layer, hertz), length, samples, 4 + side + 2 * (not header[1] & 1))


def inspect_mp3(file: BinaryIO) -> Layout:
    """Count the frames of an MP3 file and compare their number with what its Xing or VBRI tag says.

    Args:
        file: file opened for reading, with a buffer.
    """
    end = file.seek(0, os.SEEK_END)
    begin = _sync(file, after_tags(file, end), end, None)
    first = _read(file, begin)
    if first is None:
        return Layout()
    tag, stated, stated_bytes, at = _tag(file, begin, first)
    position, count, whole = begin, 0, True
    if tag:
        position += first.length
    audio = last = position
    while position < end:
        frame = _read(file, position)
        if frame is None or frame.kind != first.kind:
            tags = after_tags(file, end, position)
            position = _sync(file, tags if tags > position else position + 1, end, first.kind)
            continue
        whole = position + frame.length <= end
        position += frame.length
        count += whole
        last = min(position, end)
    least = max(0, count * first.samples - _TRIMMED)
    # A number that is too high is wrong, and the file whole, if the number of bytes beside it is right.
    cut = count + 1 < stated and not 0 < stated_bytes <= last - begin
    if first.kind[1] != 3:  # mpg123 looks for a tag in layer 3 only
        parts = (Part(b"", begin, end),) if begin else ()
    elif at is None:
        parts = (Part(_info(file, begin, count), audio, end),)
    else:
        file.seek(begin)
        head = file.read(at - begin) + struct.pack(">I", stated if cut else count)
        if stated_bytes:
            head += struct.pack(">I", last - begin)
        parts = (Part(head, begin + len(head), end),)
    if cut:
        return Layout(parts, f"{count} of {stated} MP3 frames", least=least)
    return Layout(parts, "" if whole or stated else "its last MP3 frame is incomplete", least=least)


def _read(file: BinaryIO, position: int) -> Frame | None:
    file.seek(position)
    return _frame(file.read(4))


def _tag(file: BinaryIO, begin: int, frame: Frame) -> tuple[bytes, int, int, int | None]:
    """Return the name of the first frame's tag, the frames and bytes it states, and where the former stand."""
    file.seek(begin)
    content = file.read(min(frame.length, 4096))
    if content[36:40] == b"VBRI" and len(content) >= 54:
        size, frames = struct.unpack(">II", content[46:54])
        return b"VBRI", frames, size, None
    for at in (frame.tag, frame.tag - 2):  # some writers do not count the two bytes of a checksum
        name = content[at : at + 4]
        if name in (b"Xing", b"Info") and len(content) >= at + 16:
            flags, frames, size = struct.unpack(">III", content[at + 4 : at + 16])
            if not flags & 1:
                return name, 0, 0, None
            return name, frames, size if flags & 2 else 0, begin + at + 8
    return b"", 0, 0, None


def _info(file: BinaryIO, begin: int, count: int) -> bytes:
    """Return a silent frame like the first one, with a tag that states the number of frames."""
    file.seek(begin)
    header = bytearray(file.read(4))
    header[1] |= 1  # no checksum
    header[2] = 0xE0 | header[2] & 0x0C  # the highest bit rate, so that the tag fits
    frame = _frame(bytes(header))
    content = bytes(header) + bytes(frame.tag - 4) + b"Info" + struct.pack(">II", 1, count)
    return content + bytes(frame.length - len(content))


def _sync(file: BinaryIO, position: int, end: int, kind: tuple | None) -> int:
    """Return where two frames of a kind follow each other, or a last one ends with the file; otherwise the end."""
    while position < end:
        file.seek(position)
        block = file.read(1 << 16)
        found = block.find(b"\xff")
        while found >= 0:
            frame = _read(file, position + found)
            if frame is not None and kind in (None, frame.kind):
                after = position + found + frame.length
                following = _read(file, after)
                if after == end or following is not None and following.kind == frame.kind:
                    return position + found
            found = block.find(b"\xff", found + 1)
        position += max(1, len(block))
    return end
