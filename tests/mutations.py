"""Damage to files, the same for the same seed: bytes are cut off, changed, repeated, or taken from another file."""

from collections.abc import Callable, Sequence

import numpy as np

Damage = Callable[[np.random.Generator, bytes, bytes], bytes]


def truncate(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The beginning."""
    return content[: rng.integers(len(content))]


def flip(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """One to sixteen bits are flipped; half of the times in the first 200 bytes, where a header is."""
    changed = bytearray(content)
    region = min(200, len(content)) if rng.random() < 0.5 else len(content)
    for position in rng.integers(region, size=rng.integers(1, 17)):
        changed[position] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def extreme(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """Two, four or eight bytes of a header become the least or the largest number, or one beside it."""
    size = int(rng.choice([2, 4, 8]))
    position = int(rng.integers(max(1, min(200, len(content)) - size)))
    number = int(rng.choice([0, 1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)), -1, -2]))
    order = "little" if rng.random() < 0.5 else "big"
    return content[:position] + number.to_bytes(size, order, signed=True) + content[position + size :]


def splice(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The beginning, then another file from somewhere on."""
    return content[: rng.integers(len(content))] + other[rng.integers(len(other)) :]


def repeat(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """A stretch stands there twice, or not at all."""
    first, last = sorted(rng.integers(len(content) + 1, size=2))
    return content[:last] + content[first:] if rng.random() < 0.5 else content[:first] + content[last:]


DAMAGES: tuple[Damage, ...] = (truncate, flip, extreme, splice, repeat)


def damaged(content: bytes, other: bytes, seed: int) -> bytes:
    """Return a file that is not empty with one to three damages, of which some take bytes from another."""
    rng = np.random.default_rng(seed)
    for _ in range(rng.integers(1, 4)):
        content = DAMAGES[rng.integers(len(DAMAGES))](rng, content, other) or b"\0"
    return content


def mutated(contents: Sequence[bytes], seed: int) -> bytes:
    """Return one of some files, none of which is empty, with one to three damages."""
    first, second = np.random.default_rng(seed).integers(len(contents), size=2)
    return damaged(contents[first], contents[second], seed)
