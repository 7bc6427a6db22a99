"""Training speed of each representation on one GPU, beside the time that moving the bytes alone would take."""

import argparse
import csv
import statistics
import sys
import time
from pathlib import Path

import torch
from rich.console import Console

from experiments.rows import protocol as read_protocol
from experiments.rows import recordings, rows
from sweep.config import Protocol
from sweep.config.groups import implied_accuracy
from sweep.data.recordings import Recordings
from sweep.data.windows import draw_windows
from sweep.registry import models
from sweep.representations import Representation
from sweep.representations.clock import SAMPLE_RATE
from sweep.training import machine
from sweep.training.loading import describe, load
from sweep.training.steps import Steps, chunk_length
from sweep.training.transcriber import Transcriber

COLUMNS = ("representation", "bins", "group", "ms_per_step", "ms_eager", "floor_ms", "windows_per_second", "memory_mb")


def bandwidth(device: torch.device) -> float:
    """Bytes a second that copying 4 GB within the device's memory moves, read and written."""
    source = torch.empty(1 << 29, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), 10)
    return 2 * source.nbytes / seconds


def floor_bytes(representation: Representation, protocol: Protocol) -> int:
    """What a step must move: windows in, spectrogram out and in again, weights and Adam's two moments in and out."""
    features = protocol.batch_size * representation.n_bins * representation.n_frames(protocol.window)
    weights = features // protocol.batch_size * 128
    return 2 * protocol.batch_size * protocol.window + 2 * 4 * features + 6 * 4 * weights


def median_seconds(work, repeats: int) -> float:
    """Median time of some work on the GPU, after one warm-up."""
    work()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure(representation: Representation, train: Recordings, protocol: Protocol, options) -> dict:
    """One row of the table."""
    device = train.device
    seconds = {}
    n_frames = representation.n_frames(representation.samples(protocol.window))
    torch.cuda.reset_peak_memory_stats(device)
    kept = torch.cuda.memory_allocated(device)
    for capture in (True, False) if options.eager else (True,):
        frontend = representation.front_end(accuracy=implied_accuracy(options.precision))
        model = models[options.model](representation.n_bins, n_frames, None)
        module = Transcriber(frontend, model, protocol, n_frames, options.precision).to(device)
        steps = Steps(module, module.configure_optimizers(), train, capture)
        length = chunk_length(module, device) if capture else steps.group
        drawn = {"batch_size": protocol.batch_size, "length": protocol.window, "seed": 0}
        windows = draw_windows(train, range(length), **drawn)
        seconds[capture] = median_seconds(lambda: steps(windows).wait(), options.repeats) / length  # noqa: B023
    peak = torch.cuda.max_memory_allocated(device) - kept
    floor = floor_bytes(representation, protocol) / options.bandwidth
    return {
        "representation": representation.name,
        "bins": representation.n_bins,
        "group": steps.group,
        "ms_per_step": round(1e3 * seconds[True], 4),
        "ms_eager": round(1e3 * seconds[False], 3) if False in seconds else "",
        "floor_ms": round(1e3 * floor, 4),
        "windows_per_second": round(protocol.batch_size / seconds[True]),
        "memory_mb": round(peak / 2**20),
    }


def main() -> None:
    """Measure all rows and write results.csv."""
    parser = argparse.ArgumentParser(prog="python -m experiments.throughput.measure", description=__doc__)
    parser.add_argument("root", nargs="?", help="recordings in MusicNet's layout; default: the demo set")
    parser.add_argument("--cache", default="data/cache", help="folder for the decoded audio")
    parser.add_argument("--rows", help="comma-separated; default: all 34")
    parser.add_argument("--model", default="linear", choices=("linear", "cnn"))
    parser.add_argument("--precision", default="tf32", choices=("float32", "tf32", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=5, help="chunks of steps; the median counts")
    parser.add_argument("--eager", action="store_true", help="also without a captured graph")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("experiments.throughput: needs a CUDA device; this machine has none that torch sees")
    protocol = read_protocol("paper")
    device = machine.choose_device("cuda")
    train, _, _ = load(recordings(options.root, options.cache), SAMPLE_RATE, device, Console(quiet=True))
    options.bandwidth = bandwidth(device)
    print(
        f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, {options.precision}, {options.model}: ",
        end="",
    )
    print(f"{options.bandwidth / 1e12:.2f} TB/s; {describe(train)}")
    wanted = options.rows.split(",") if options.rows else None
    with open(options.out, "w", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        total = 0.0
        for representation in rows():
            if wanted and representation.name not in wanted:
                continue
            row = measure(representation, train, protocol, options)
            table.writerow(row)
            total += row["ms_per_step"]
            print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            torch.cuda.empty_cache()
    print(f"35,000 steps of all rows: {35 * total:.0f} s")


if __name__ == "__main__":
    main()
