"""Make a large data set: labels, and audio that stands in the cache alone."""

import csv
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from sweep.data.audio import Audio, in_order
from sweep.data.cache import cached
from sweep.data.reading import find_pairs
from sweep.data.recording import SAMPLE_RATE, Pair
from sweep.registry import sources

RATE = 16_000  # Hz
RECORDINGS, HOURS = 1276, 198.7  # of MAESTRO v3, with 7.04 million notes
NOTES = 7_040_000 / HOURS  # an hour
TEST = 6  # recordings to score, so that scoring does not hide the start


def make(root: Path, cache: Path, hours: float, rates: list[int], dtype: str = "int16") -> None:
    """Make a folder of recordings as long as MAESTRO's, in the layout of data=folder, and its cache at some rates.

    The audio files are a few bytes, which nothing reads: the cache holds what is said to be in them, noise that decays
    from stroke to stroke. Labels are CSV, drawn at random.

    Args:
        root: folder to make; what is there is taken as made.
        cache: folder of the cache.
        hours: hours of audio.
        rates: sample rates, in Hz.
        dtype: type of the samples: "int16", as of mono files of 16 bits at their own rate, or "float32", as of others.
    """
    count = max(round(RECORDINGS * hours / HOURS), 2 * TEST)
    samples = round(hours * 3600 * RATE / count)
    for number in range(count):
        split = "test" if number < TEST else "train"
        path = root / split / f"{number:04d}.wav"
        if not path.with_suffix(".csv").exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(np.random.default_rng(number).integers(256, size=100 + number, dtype=np.uint8)))
            _write_labels(path.with_suffix(".csv"), number, samples)
    for rate in rates:
        for split in ("train", "test"):
            pairs, problems = find_pairs(sources["folder"](root), split)
            assert not problems, problems[0]
            how = {"sample_rate": rate, "resample": True}
            paths = [pair.audio for pair in pairs]
            cached(
                cache,
                root,
                split if rate == SAMPLE_RATE else f"{split}-{rate}",
                paths,
                how,
                partial(_audio, pairs, samples, rate, dtype),
            )


def _write_labels(path: Path, number: int, samples: int) -> None:
    """Write as many notes as MAESTRO has in that time; a note lasts half a second on average."""
    rng = np.random.default_rng([1, number])
    count = round(NOTES * samples / RATE / 3600)
    start = np.sort(rng.integers(samples - RATE, size=count))
    end = start + rng.exponential(0.5 * RATE, size=count).astype(int) + RATE // 50
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("start_time", "end_time", "note"))
        table.writerows(zip(start, end, rng.integers(30, 95, size=count), strict=True))


def _audio(pairs: list[Pair], samples: int, rate: int, dtype: str) -> Iterator[Audio]:
    length = Audio(np.empty(0), RATE, samples).length_at(rate)

    def one(pair: Pair) -> Audio:
        rng = np.random.default_rng([2, int(Path(pair.id).name)])
        noise = rng.integers(-20_000, 20_000, size=length, dtype=np.int16)
        stroke = rate // 5
        fall = np.tile(np.geomspace(256, 4, stroke).astype(np.int16), length // stroke + 1)[:length]
        audio = (noise >> 8) * fall
        return Audio(audio if dtype == "int16" else audio * np.float32(0.9 / 32768), RATE, samples)

    return in_order(one, pairs, "making")
