"""Parts: several transforms of one row, and what follows from joining and stacking their bins."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sweep.checks import shown
from sweep.fields import keys_of
from sweep.representations import framing
from sweep.representations.stacks import Unstacked

if TYPE_CHECKING:
    from sweep.representations.representation import Representation

# Keys that all parts of a row share.
_SHARED = ("name", "family", "sample_rate", "hop_length", "level", "compression", "normalisation", "stack", "framing")
_SHARED += ("parts", "join")


def members_of(row: "Representation") -> tuple["Representation", ...]:
    """Return a row for each part, without a stack; the row itself if it has no parts.

    Raises:
        ValueError: a part is none, or has a key that is no part's.
    """
    if row.parts is None:
        return (row,)
    if not row.parts:
        raise ValueError("parts []: needs a part at least, or null")
    known = [field.name for field in keys_of(type(row)) if field.name not in _SHARED]
    found = []
    for part in row.parts:
        if not isinstance(part, Mapping):
            raise ValueError(f"parts: {shown(part)} is no part, which is keys with values, such as {{n_fft: 1024}}")
        for key in part:
            if key not in known:
                raise ValueError(f"parts: {shown(key)}: no key of a part; there is {', '.join(known)}")
        try:
            found.append(dataclasses.replace(row, parts=None, stack=Unstacked(name="none"), **part))
        except ValueError as error:
            raise ValueError(f"parts: {str(error).removeprefix(row.place)}") from None
    return tuple(found)


def joined(row: "Representation", members: tuple["Representation", ...]) -> dict[str, Any]:
    """Return the attributes of a row that follow from all its parts and from its stack.

    Raises:
        ValueError: the parts or the stack do not fit.
    """
    sizes = [member.n_bins for member in members]
    beside = row.join == "bins" or len(members) == 1
    if not beside and set(sizes) != {row.n_bins}:
        raise ValueError(
            f"join channels: the row has {row.n_bins} bins and its parts {sizes}; choose join=bins, or equally many"
        )
    channels = row.CHANNELS * (1 if beside else len(members))
    frequencies = [member.frequencies for member in members] if beside else [row.frequencies]
    channels, stacked = row.stack.shape(channels, frequencies)
    return {
        "n_channels": channels,
        "bins": len(stacked),
        "part_bins": tuple(map(len, frequencies)),
        "frequencies": stacked,
        "context": max(member.context for member in members),
        "empty_filters": sum(member.empty_filters for member in members),
    }


def check_padding(row: "Representation") -> None:
    """Raise a ValueError if frames reach beyond the ends of a clip where only zeros make sense."""
    if framing.FRAMINGS[row.framing].pads and row.pad_mode != "constant":
        raise ValueError(f"framing {row.framing}: needs zeros beyond the ends; choose pad_mode=constant")
    if row.level.FRAMED and row.pad_mode != "constant":
        raise ValueError(f"level {row.level.name}: needs zeros beyond the ends; choose pad_mode=constant")
