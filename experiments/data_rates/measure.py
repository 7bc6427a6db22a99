"""What the audio of a data set costs at several sample rates: where it lies, its bytes, and the seconds of a start.

python -m experiments.data_rates.measure [--hours 34] [--files 330] [--folder DIR] [--device cpu]
"""

import argparse
import csv
import multiprocessing
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch
from rich.console import Console

from experiments.rows import recordings
from sweep.data.recording import SAMPLE_RATE
from sweep.training.loading import describe, load

RATES = (44_100, 16_000, 22_050)  # in this order: audio at 44.1 kHz is decoded first whatever the row
BLOCK = 60 * SAMPLE_RATE  # samples
NOTES = 3_300  # labels of a recording, as MusicNet has on average
TEST = 10  # recordings


def make(folder: Path, hours: float, files: int) -> None:
    """Write noise as 16-bit WAV files in MusicNet's layout, with notes of a second."""
    length = round(hours * 3600 * SAMPLE_RATE / files)
    for number in range(files):
        split = "test" if number < min(TEST, files // 2) else "train"
        for kind in ("data", "labels"):
            (folder / f"{split}_{kind}").mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        with soundfile.SoundFile(folder / f"{split}_data/{number}.wav", "w", SAMPLE_RATE, 1, "PCM_16") as file:
            for begin in range(0, length, BLOCK):
                file.write(rng.integers(-3000, 3000, min(BLOCK, length - begin), dtype=np.int16))
        start = np.sort(rng.integers(0, length - SAMPLE_RATE, NOTES))
        rows = zip(start.tolist(), (start + SAMPLE_RATE).tolist(), rng.integers(40, 90, NOTES).tolist(), strict=True)
        lines = [f"{begin},{end},{note}" for begin, end, note in rows]
        (folder / f"{split}_labels/{number}.csv").write_text("\n".join(["start_time,end_time,note", *lines]) + "\n")


def start(folder: Path, cache: Path, rate: int, device: str, found) -> None:
    """Load the set as the first run of a sweep does."""
    config = recordings(str(folder), str(cache))
    began, busy = time.perf_counter(), time.process_time()
    loaded = load(config, rate, torch.device(device), Console(quiet=True))
    seconds, cpu = time.perf_counter() - began, time.process_time() - busy
    held = sum(part.samples.nbytes for part in (loaded.train, loaded.test))
    labels = sum(part.sounding.cells.nbytes + part.sounding.boundaries.nbytes for part in (loaded.train, loaded.test))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found.send(
        {
            "rate": rate,
            "where": describe(loaded.train).rsplit(", ", 2)[1],
            "seconds": round(seconds, 1),
            "cpu_seconds": round(cpu, 1),
            "audio_bytes": held,
            "label_bytes": labels,
            "peak_bytes": peak,
        }
    )


def measure(folder: Path, device: str) -> list[dict]:
    """Start twice at each rate, each time in a process of its own: without the rate's cache, and with it."""
    cache, rows, spawn = folder / "cache", [], multiprocessing.get_context("spawn")
    for rate in RATES:
        for state in ("first", "cached"):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=start, args=(folder / "set", cache, rate, device, theirs))
            process.start()
            row = ours.recv()
            process.join()
            ending = "" if rate == SAMPLE_RATE else f"-{rate}"
            files = [next(cache.glob(f"*-{split}{ending}.audio")) for split in ("train", "test")]
            rows.append({"start": state, **row, "cache_bytes": sum(path.stat().st_size for path in files)})
            print(rows[-1], flush=True)
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=34.0)
    parser.add_argument("--files", type=int, default=330)
    parser.add_argument("--folder", type=Path, help="for set and cache, which are removed (default: a temporary one)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--out", type=Path, default=None)
    arguments = parser.parse_args()
    out = arguments.out or Path(__file__).with_name(f"results-{arguments.device}.csv")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        make(Path(folder) / "set", arguments.hours, arguments.files)
        free = shutil.disk_usage(folder).free
        print(f"{arguments.hours:g} h in {arguments.files} files, {free / 1e9:.0f} GB free", flush=True)
        rows = [{"hours": arguments.hours, **row} for row in measure(Path(folder), arguments.device)]
    with open(out, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
