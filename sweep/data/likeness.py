"""Find recordings with the same audio, whatever their format, rate, level and cut: by a fingerprint.

Both steps use EXCERPT seconds from the middle of each recording. First, its landmarks: onsets, by band and time. Pairs
of them with their distance in time make hashes, as in Wang, An Industrial-Strength Audio Search Algorithm (ISMIR 2003).
Two recordings that share several at one offset are then compared as waveforms. Two takes of a piece may share
landmarks, but their waveforms do not correlate; two copies of a take do, by 0.99 after MP3, Ogg Vorbis or Opus.

What has no onsets, such as a steady tone, and what is shorter than 0.4 s, is only compared sample by sample.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import fft

from sweep.data.recording import Remark

EXCERPT = 20  # s
RATE = 5512  # Hz, about, at which landmarks are sought
FRAME, HOP = 512, 128  # samples at that rate: 93 and 23 ms
BANDS, WIDTH, LOWEST = 8, 28, 8  # bands, their width and the lowest band's lower edge in bins of 10.8 Hz
RISE = 1.0  # nepers in two hops, by which an onset stands out
FLOOR = 0.01  # of the loudest; what is below counts as noise
FAN, REACH = 5, 64  # an onset is paired with so many that follow, within so many hops
NEIGHBOURS = 16  # recordings with one hash that are counted together
# Hashes at one offset from which two recordings are compared: a number, and a share of those of the recording with
# fewer. Of about 2,000 each, 43 recordings of music shared 22 at most, and copies of them 137 or more: Opus at
# 24 kbit/s, MP3 at 32 kbit/s and 22 kHz, 8 kHz, noise at -30 dB, 5 s cut off.
SHARED, SHARE = 5, 0.02
MOST = 1_000_000  # hashes that are compared, of about 250 recordings; where there are more, a share of each's
BAND = (50, 2000)  # Hz, where the waveforms are compared: lossy formats keep it
SAME = 0.8  # correlation


class Print(NamedTuple):
    """The fingerprint of a recording.

    Attributes:
        hashes: pairs of onsets, (n,) int64.
        times: time of each pair's first onset in hops, (n,) int64.
        samples: number of samples, and a hash of those of the excerpt, or of all if the excerpt is silent.
    """

    hashes: np.ndarray
    times: np.ndarray
    samples: tuple[int, int]


def print_of(audio: np.ndarray, sample_rate: int) -> Print:
    """Compute the fingerprint of a recording, (samples,) int16 or float32, in some milliseconds."""
    excerpt = _excerpt(audio, sample_rate)
    exact = (len(audio), hash((excerpt if excerpt.any() else audio).tobytes()))  # all may be silent in the middle
    factor = max(round(sample_rate / RATE), 1)
    low = excerpt[: len(excerpt) // factor * factor].reshape(-1, factor).astype(np.float32) @ np.ones(
        factor, np.float32
    )
    if len(low) < 4 * FRAME:
        return Print(np.empty(0, np.int64), np.empty(0, np.int64), exact)
    frames = np.lib.stride_tricks.sliding_window_view(low, FRAME)[::HOP] * np.hanning(FRAME).astype(np.float32)
    bins = slice(LOWEST, LOWEST + BANDS * WIDTH)
    magnitude = np.abs(fft.rfft(frames)[:, bins])
    level = np.log(magnitude + FLOOR * magnitude.max() + np.finfo(np.float32).tiny)
    rise = (level[2:] - level[:-2]).reshape(-1, BANDS, WIDTH)
    place = rise.argmax(2)
    peak = np.take_along_axis(rise, place[..., None], 2)[..., 0]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(peak, ((4, 4), (0, 0))), 9, axis=0).max(2)
    time, band = np.nonzero((peak == around) & (peak > RISE))
    bin = band * WIDTH + place[time, band]
    hashes, times = [], []
    for step in range(1, FAN + 1):
        apart = time[step:] - time[:-step]
        near = apart < REACH
        hashes.append((((bin[:-step] << 8) + bin[step:]) * REACH + apart)[near])
        times.append(time[:-step][near])
    return Print(np.concatenate(hashes), np.concatenate(times), exact)


def _excerpt(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    length = min(len(audio), EXCERPT * sample_rate)
    start = (len(audio) - length) // 2
    return audio[start : start + length]


def alike(
    prints: Sequence[Print],
    splits: Sequence[str],
    paths: Sequence[Path],
    audio: Callable[[int], np.ndarray],
    sample_rate: int,
) -> list[str]:
    """Compare all recordings of all splits.

    Args:
        prints, splits, paths: fingerprint, split and audio file of each recording.
        audio: function that returns the samples of a recording by its index; called for few of them.
        sample_rate: samples per second of all recordings, in Hz.

    Returns:
        An error for each recording that an earlier one of another split is too, and a remark for each recording that
        its own split has twice.
    """
    group = list(range(len(prints)))

    def first_of(index: int) -> int:
        while group[index] != index:
            index = group[index]
        return index

    exact: dict[tuple[int, int], int] = {}
    for index, one in enumerate(prints):
        group[index] = exact.setdefault(one.samples, index)
    for i, j in _candidates(prints):
        a, b = sorted((first_of(i), first_of(j)))
        if a == b:
            continue
        one, other = (_excerpt(audio(index), sample_rate) for index in (i, j))
        if correlation(one, other, sample_rate) > SAME:
            group[b] = a
    lines, seen = [], dict[int, tuple[str, Path]]()
    for index, (split, path) in enumerate(zip(splits, paths, strict=True)):
        of, before = seen.setdefault(first_of(index), (split, path))
        if of != split:
            lines.append(leak(path, before))
        elif before is not path:
            lines.append(Remark(f"{path}: the same audio as {before}, so it counts twice: remove one of the two"))
    return lines


def leak(path: Path, before: Path) -> str:
    """Say that a recording is one of an earlier split too."""
    return f"{path}: the same audio as {before}: a recording belongs into one split, remove one of the two"


def _candidates(prints: Sequence[Print]) -> list[tuple[int, int]]:
    """List the pairs of recordings that share many hashes at one offset, those with most first."""
    owner = np.repeat(np.arange(len(prints)), [len(one.hashes) for one in prints])
    if not len(owner):
        return []
    hashes, times = (np.concatenate([getattr(one, name) for one in prints]) for name in ("hashes", "times"))
    if len(hashes) > MOST:
        # The same hashes of all recordings, drawn by their value: copies share as large a part of them.
        drawn = (hashes.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) % len(hashes) < MOST
        hashes, times, owner = hashes[drawn], times[drawn], owner[drawn]
    sizes = np.bincount(owner, minlength=len(prints))
    order = np.lexsort((owner, hashes))
    hashes, times, owner = hashes[order], times[order], owner[order]
    offsets = 1 << 12  # more than the hops of an excerpt, in both directions

    def keys(step: int) -> np.ndarray:
        """Pair and offset of each hash that one recording shares with the one so many places after it."""
        shared = np.flatnonzero((hashes[step:] == hashes[:-step]) & (owner[step:] != owner[:-step]))
        pair = owner[shared] * len(prints) + owner[shared + step]
        return pair * offsets + (times[shared + step] - times[shared]) // 2 + offsets // 2

    # Most pairs share a hash or two by chance: buckets of keys are counted first, and then the keys in full buckets.
    buckets = np.zeros(1 << min(int(np.log2(len(hashes))) + 4, 26), dtype=np.uint16)
    steps = range(1, NEIGHBOURS + 1)
    for step in steps:
        np.add.at(buckets, keys(step) & (len(buckets) - 1), 1)
    full = buckets >= SHARED
    kept = [it[full[it & (len(full) - 1)]] for it in map(keys, steps)]
    found, counts = np.unique(np.concatenate(kept), return_counts=True)
    i, j = np.divmod(found // offsets, len(prints))
    many = counts >= np.maximum(SHARED, SHARE * np.minimum(sizes[i], sizes[j]))
    ranked = np.argsort(-counts[many], kind="stable")
    return list(dict.fromkeys(zip(i[many][ranked].tolist(), j[many][ranked].tolist(), strict=True)))


def correlation(a: np.ndarray, b: np.ndarray, sample_rate: int) -> float:
    """Compute the correlation of two waveforms in BAND, without sign, at the offset where it is largest.

    Offsets at which less than half of the shorter one overlaps the other do not count.
    """
    size = fft.next_fast_len(len(a) + len(b), real=True)
    products = fft.irfft(_in_band(a, size, sample_rate) * _in_band(b, size, sample_rate).conj(), size)
    least = min(len(a), len(b)) // 2
    products[len(a) - least : size - len(b) + least] = 0
    lag = int(np.abs(products).argmax())
    lag = lag if lag < len(a) else lag - size
    a, b = a[max(lag, 0) :], b[max(-lag, 0) :]
    length = min(len(a), len(b))
    size = fft.next_fast_len(length, real=True)
    a, b = (_in_band(part[:length], size, sample_rate) for part in (a, b))
    energy = np.linalg.norm(a) * np.linalg.norm(b)
    return float(abs(np.vdot(a, b).real) / energy) if energy else 0.0


def _in_band(audio: np.ndarray, size: int, sample_rate: int) -> np.ndarray:
    """Return the spectrum of audio, zero outside of BAND."""
    spectrum = fft.rfft(audio.astype(np.float32), size)
    low, high = (round(edge * size / sample_rate) for edge in BAND)
    spectrum[:low] = spectrum[high:] = 0
    return spectrum
