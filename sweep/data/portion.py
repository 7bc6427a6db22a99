"""Take some hours of a data set's recordings."""

import hashlib
import itertools

import soundfile

from sweep.data.audio import in_order
from sweep.data.recording import DataError, Pair, Remark


def some_hours(pairs: list[Pair], hours: float) -> tuple[list[Pair], list[str]]:
    """Draw recordings until they last so many hours.

    The order is that of a hash of their ids, so that it is the same for all runs and on every machine, and fewer hours
    are a part of more. The drawing ends before the recording that would exceed the hours; the first one is taken in any
    case.

    Args:
        pairs: recordings to draw from. Their files' headers say how long they are.
        hours: hours to take, above 0.

    Returns:
        The recordings that were drawn, in their given order, and a remark if all of them are fewer hours.

    Raises:
        DataError: a file is no audio.
    """
    seconds = dict(zip(pairs, in_order(_seconds, pairs, "measuring"), strict=True))
    total = sum(seconds.values())
    if total <= hours * 3600:
        return pairs, [Remark(f"data.hours {hours:g}: takes all recordings, which are {total / 3600:.2f} hours")]
    drawn = sorted(pairs, key=lambda pair: hashlib.sha256(pair.id.encode(errors="surrogateescape")).digest())
    ends = itertools.accumulate(seconds[pair] for pair in drawn)
    taken = {pair for pair, end in zip(drawn, ends, strict=True) if end <= hours * 3600} | {drawn[0]}
    return [pair for pair in pairs if pair in taken], []


def _seconds(pair: Pair) -> float:
    try:
        return soundfile.info(str(pair.audio)).duration
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{pair.audio}: cannot be read as audio ({reason}): download or convert it again") from error
