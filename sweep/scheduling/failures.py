"""Explain an error that ended a run in one line that says what to change."""

import errno
import re
from pathlib import Path

from sweep.config import RunConfig
from sweep.files import FULL

_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
# Wording of torch's errors on a GPU and on a CPU, and of NumPy's.
_NEEDED = re.compile(r"(?:tried to allocate|unable to allocate) ([\d.]+ (?:[KMGTP]i?B|bytes))", re.IGNORECASE)
_FREE = re.compile(r"total capacity of ([\d.]+ \wi?B) of which ([\d.]+ \wi?B) is free")


def explain(error: BaseException, config: RunConfig) -> str:
    """Explain an error that ended a run in one line; the program's own errors already say what to change.

    Args:
        error: exception that ended the run.
        config: configuration of the run.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    needed = _NEEDED.search(text)
    if needed or isinstance(error, MemoryError):
        return _memory(text, needed[1] if needed else "more", config)
    if isinstance(error, OSError):
        folder = Path(config.runs)
        if error.errno in FULL and "make room" not in text:
            return f"{folder}: the disk is full ({text}): make room and give the command again"
        if error.errno in _READ_ONLY and str(folder) in text:
            return f"{text}: the folder of results cannot be written; choose another one with runs=DIR"
    return text


def _memory(text: str, needed: str, config: RunConfig) -> str:
    row, batch = config.representation.name, config.protocol.batch_size
    number, _, unit = needed.partition(" ")
    if unit == "bytes":
        needed = f"{int(number) / 2**30:.2f} GiB"
    remedy = f"or choose a smaller protocol.batch_size (now {batch}), which makes it another run"
    free = _FREE.search(text)
    if free or "CUDA" in text:
        had = f", {free[2]} of {free[1]} were free" if free else ""
        return (
            f"the GPU has too little memory for {row}: it asked for {needed}{had}; put the audio elsewhere with "
            f"data.placement=host, end other programs on this GPU, {remedy}"
        )
    return f"there is too little memory for {row}: it asked for {needed}; end other programs, {remedy}"
