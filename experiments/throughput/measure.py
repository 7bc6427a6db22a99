"""Training speed of each representation on one GPU, beside the time that moving the bytes alone would take."""

import argparse
import csv
import statistics
import sys
from pathlib import Path

import torch
from rich.console import Console

from experiments.rows import protocol as read_protocol
from experiments.rows import recordings, rows
from experiments.speed import timing
from sweep.config import Protocol
from sweep.config.groups import implied_accuracy
from sweep.data.recordings import Recordings
from sweep.data.windows import Windows, draw_windows
from sweep.registry import models
from sweep.representations import Representation
from sweep.representations.clock import SAMPLE_RATE
from sweep.training import machine
from sweep.training.building import features_of
from sweep.training.loading import describe, load
from sweep.training.steps import Steps, chunk_length, group_length
from sweep.training.transcriber import Transcriber

COLUMNS = ("representation", "bins", "group", "ms_per_step", "ms_eager", "floor_ms", "windows_per_second", "memory_mb")
COLUMNS += ("features_ms",)
MODELS = {"linear": "paper", "cnn": "paper", "conv": "converged", "crnn": "converged"}  # and the protocol of each


def bandwidth(device: torch.device) -> float:
    """Bytes a second that copying 4 GB within the device's memory moves, read and written."""
    source = torch.empty(1 << 29, device=device)
    target = torch.empty_like(source)
    seconds = median_seconds(lambda: target.copy_(source), 10, device)
    return 2 * source.nbytes / seconds


def floor_bytes(representation: Representation, protocol: Protocol, weights: int) -> int:
    """What a step must move: windows in, spectrogram out and in again, weights and Adam's two moments in and out.

    What a model of several layers keeps between them comes on top.
    """
    features = protocol.batch_size * representation.n_bins * representation.n_frames(protocol.window)
    return 2 * protocol.batch_size * protocol.window + 2 * 4 * features + 6 * 4 * weights


def median_seconds(work, repeats: int, device: torch.device) -> float:
    """Median time of some work on the device, after one warm-up."""
    work()
    return statistics.median(timing.seconds(work, device) for _ in range(repeats))


def build(representation: Representation, protocol: Protocol, model: str, precision: str) -> Transcriber:
    """What a run trains, with an output bias where the protocol has one."""
    features = features_of(representation, protocol.window)
    bias = dict.fromkeys(models[model].HEADS, torch.zeros(128)) if protocol.output_bias else None
    samples = representation.samples(protocol.window)
    frontend = representation.front_end(samples, accuracy=implied_accuracy(precision))
    return Transcriber(frontend, models[model](features, bias), features, protocol, precision)


def step_seconds(module: Transcriber, train: Recordings, capture: bool, repeats: int) -> float:
    """Median time of a training step, from chunks of them."""
    steps = Steps(module, module.configure_optimizers(), train, capture)
    windows = draw(module, train, chunk_length(module, train.device) if capture else steps.group)
    return median_seconds(lambda: steps(windows).wait(), repeats, train.device) / len(windows)


def features_seconds(module: Transcriber, train: Recordings, repeats: int) -> float:
    """Median time of the model's input for one step: front-end and standardising, without cutting and augmentation.

    The clips of a group of steps pass the front-end together, as in training; on CUDA in a graph that is replayed.
    """
    group, device = group_length(module, train.device), train.device
    windows = draw(module, train, group)
    audio = train.audio(windows.recording.flatten(), windows.start.flatten(), module.protocol.window)
    with torch.no_grad(), module.arithmetic():
        if device.type != "cuda":
            return median_seconds(lambda: module.features(audio), repeats, device) / group
        graph, replays = timing.captured(module.features, [audio]), 10
        return median_seconds(lambda: [graph.replay() for _ in range(replays)], repeats, device) / replays / group


def draw(module: Transcriber, train: Recordings, steps: int) -> Windows:
    """The places of the first steps' clips."""
    protocol = module.protocol
    return draw_windows(train, range(steps), batch_size=protocol.batch_size, length=protocol.window, seed=0)


def measure(representation: Representation, train: Recordings, protocol: Protocol, options) -> dict:
    """One row of the table."""
    device = train.device
    seconds = {}
    machine.reset_peak_memory(device)
    kept = timing.held(device)
    for capture in (True, False) if options.eager else (True,):
        module = build(representation, protocol, options.model, options.precision).to(device)
        seconds[capture] = step_seconds(module, train, capture, options.repeats)
    peak = machine.peak_memory(device) - kept
    weights = sum(parameter.numel() for parameter in module.parameters())
    return {
        "representation": representation.name,
        "bins": representation.n_bins,
        "group": group_length(module, device),
        "ms_per_step": round(1e3 * seconds[True], 4),
        "ms_eager": round(1e3 * seconds[False], 3) if False in seconds else "",
        "floor_ms": round(1e3 * floor_bytes(representation, protocol, weights) / options.bandwidth, 4),
        "windows_per_second": round(protocol.batch_size / seconds[True]),
        "memory_mb": round(peak / 2**20),
        "features_ms": round(1e3 * features_seconds(module, train, options.repeats), 4),
    }


def main() -> None:
    """Measure all rows and write the file."""
    parser = argparse.ArgumentParser(prog="python -m experiments.throughput.measure", description=__doc__)
    parser.add_argument("root", nargs="?", help="recordings in MusicNet's layout; default: the demo set")
    parser.add_argument("--cache", default="data/cache", help="folder for the decoded audio")
    parser.add_argument("--rows", help="comma-separated; default: all 34")
    parser.add_argument("--model", default="linear", choices=MODELS, help="conv and crnn: on segments")
    parser.add_argument("--precision", default="tf32", choices=("float32", "tf32", "bfloat16"))
    parser.add_argument("--repeats", type=int, default=5, help="chunks of steps; the median counts")
    parser.add_argument("--eager", action="store_true", help="also without a captured graph")
    parser.add_argument("--out", type=Path, help="file to write; default: results.csv, or results-MODEL.csv")
    options = parser.parse_args()
    name = "results.csv" if options.model == "linear" else f"results-{options.model}.csv"
    out = options.out or Path(__file__).with_name(name)
    if not torch.cuda.is_available():
        sys.exit("experiments.throughput: needs a CUDA device; this machine has none that torch sees")
    protocol = read_protocol(MODELS[options.model], options.model)
    device = machine.choose_device("cuda")
    train, _, _ = load(recordings(options.root, options.cache), SAMPLE_RATE, device, Console(quiet=True))
    options.bandwidth = bandwidth(device)
    print(
        f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, {options.precision}, {options.model}: ",
        end="",
    )
    print(f"{options.bandwidth / 1e12:.2f} TB/s; {describe(train)}")
    wanted = options.rows.split(",") if options.rows else None
    with open(out, "w", newline="") as file:
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
    print(f"{protocol.steps:,} steps of all rows: {protocol.steps / 1000 * total:.0f} s")


if __name__ == "__main__":
    main()
