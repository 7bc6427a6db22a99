"""Times each way to evaluate a bank, log spectrogram included: what engine="auto" decides by.

STFTs of every length through the direct, the banded and the spectral engine, constant-Q banks with kernels up to
several lengths evaluated directly.
"""

import argparse
import csv
import sys
from pathlib import Path

import torch

from experiments.rows import rows
from experiments.speed import timing
from sweep.engines import ACCURACIES, Auto
from sweep.representations import Representation
from sweep.training import machine

COLUMNS = ("device", "machine", "clips", "accuracy", "representation", "way", "ms")
STFTS = ("linear-256", "linear-512", "linear-1024", "linear-2048", "linear-4096", "log-1024", "log-4096")
CONSTANT_QS = ("cqt-12", "cqt-48", "cqt-96")
LIMITS = (128, 256, 512, 1024, 2048, 4096)
_SAMPLES, _OFFSET = 16384, 1e-5


def ways(representation: Representation, accuracy: str) -> dict:
    """Front-ends that differ in how the bank is evaluated, by what the table calls it."""
    if representation.family != "cqt":
        engines = ("direct", "banded", "spectral")
        return {engine: representation.transform(engine=engine, accuracy=accuracy) for engine in engines}
    tolerance, tf32 = ACCURACIES[accuracy]
    found, lengths = {}, representation.transform(accuracy=accuracy).engine.kernels.lengths
    for limit, longer in zip(LIMITS, (*LIMITS[1:], None), strict=True):
        if longer and (lengths > limit).sum() == (lengths > longer).sum():
            continue  # the next limit is the same
        transform = found[f"direct up to {limit}"] = representation.transform(accuracy=accuracy)
        bank = transform.engine.kernels, representation.hop_length, representation.pad_mode
        transform.engine = Auto(*bank, tolerance, tf32, direct_up_to=limit)
    return found


def main() -> None:
    """Measure, print and write results-<device>.csv."""
    parser = argparse.ArgumentParser(prog="python -m experiments.engines.measure", description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--rows", help=f"comma-separated; default: {','.join(STFTS + CONSTANT_QS)}")
    parser.add_argument("--accuracy", default="fast,high", help="of exact, high and fast; default: %(default)s")
    parser.add_argument("--clips", type=int, help=f"of {_SAMPLES:,} samples; default 32, on CUDA 1,000")
    parser.add_argument("--rounds", type=int, default=5, help="the median counts")
    parser.add_argument("--out", type=Path, help="default: results-<device>.csv beside this file")
    options = parser.parse_args()
    try:
        device = machine.choose_device(options.device)
    except ValueError as error:
        sys.exit(f"experiments.engines: {error}")
    wanted = options.rows.split(",") if options.rows else STFTS + CONSTANT_QS
    clips = options.clips or (1000 if device.type == "cuda" else 32)
    x = 0.01 * torch.randn(clips, _SAMPLES, generator=torch.Generator().manual_seed(0)).to(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    out = options.out or Path(__file__).with_name(f"results-{device.type}.csv")
    with open(out, "w", newline="") as file, torch.inference_mode():
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for representation in (row for row in rows() if row.name in wanted):
            for accuracy in options.accuracy.split(","):
                transforms = ways(representation, accuracy)
                works = {way: lambda t=transform: t.log(x, _OFFSET) for way, transform in transforms.items()}
                if device.type == "cuda":
                    for work in works.values():
                        work()  # compiles: seconds that are no part of any round
                times = timing.in_turn(works, device, options.rounds, budget=2.0)
                row = {"device": device.type, "machine": name, "clips": clips, "accuracy": accuracy}
                row["representation"] = representation.name
                medians = {way: timing.spread(seconds)[0] for way, seconds in times.items()}
                table.writerows(row | {"way": way, "ms": f"{ms:.4g}"} for way, ms in medians.items())
                file.flush()
                print(representation.name, accuracy, "  ".join(f"{k} {v:.3g}" for k, v in medians.items()), flush=True)


if __name__ == "__main__":
    main()
