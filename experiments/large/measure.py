"""Start and training speed on a set of MAESTRO's size, with its audio on the GPU and on the host."""

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from experiments.large.made import make

COLUMNS = (
    "device",
    "hours",
    "dtype",
    "row",
    "model",
    "placement",
    "start",
    "command_seconds",
    "setup_seconds",
    "steps_per_second",
)
COLUMNS += ("gpu_mib", "host_mib", "audio")
STARTS = ("first", "second")  # the first one reads the labels, the second loads what the first one kept of them


def measure(root: Path, cache: Path, options: argparse.Namespace, placement: str, start: str) -> list[dict]:
    """Train all rows in one process.

    Returns:
        A line of the table for each row. setup_seconds are those from the run's start to its first step,
        command_seconds those of the command but for training and scoring, of all rows; gpu_mib is what PyTorch held at
        most, host_mib what the process held at most, with what it mapped.
    """
    runs = Path(options.work, "runs", f"{options.hours:g}-{options.dtype}-{options.model}-{placement}-{start}")
    words = [f"data.root={root}", f"data.cache={cache}", f"data.placement={placement}", "data=folder"]
    words += [f"representation={options.rows}", f"model={options.model}", "protocol=converged", f"runs={runs}"]
    words += [f"protocol.steps={options.steps}", "protocol.note_step=null", f"device={options.device}", "logger=none"]
    words += ["protocol.scored_windows=100", "data.validation=0", "overwrite=true"]
    begun = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sweep", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        sys.exit(f"experiments.large: {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    results = [json.loads(path.read_text()) for path in runs.rglob("result.json")]
    working = sum(result["seconds"][part] for result in results for part in ("training", "scoring"))
    return [
        {
            "device": result["device"],
            "hours": options.hours,
            "dtype": options.dtype,
            "row": result["representation"],
            "model": options.model,
            "placement": placement,
            "start": start,
            "command_seconds": round(seconds - working, 1),
            "setup_seconds": round(result["seconds"]["setup"], 1),
            "steps_per_second": round(options.steps / result["seconds"]["training"], 1),
            "gpu_mib": round(result["peak_memory_bytes"] / 2**20) if options.device == "cuda" else "",
            "host_mib": round(used.ru_maxrss / 2**10),
            "audio": result["audio"],
        }
        for result in sorted(results, key=lambda result: -result["seconds"]["setup"])
    ]


def main() -> None:
    """Make the set, measure and write the table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.large.measure", description=__doc__)
    parser.add_argument(
        "work", type=Path, help="folder for the set and its cache: 115 MB of disk for an hour of int16 at 16 kHz"
    )
    parser.add_argument("--hours", type=float, default=200)
    parser.add_argument("--rows", default="onsets-frames", help="rows, comma-separated")
    parser.add_argument("--rates", default="16000", help="sample rates of the rows in Hz, comma-separated")
    parser.add_argument("--dtype", default="int16", choices=("int16", "float32"), help="type of the cached samples")
    parser.add_argument("--model", default="linear")
    parser.add_argument("--placements", default="auto,host")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    root, cache = options.work / f"made-{options.hours:g}-{options.dtype}", options.work / "cache"
    begun = time.perf_counter()
    make(root, cache, options.hours, [int(rate) for rate in options.rates.split(",")], options.dtype)
    print(f"made in {time.perf_counter() - begun:.0f} s", flush=True)
    new = not options.out.exists()
    with open(options.out, "a", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            table.writeheader()
        for placement in options.placements.split(","):
            for start in STARTS:
                for found in measure(root, cache, options, placement, start):
                    table.writerow(found)
                    print(found, flush=True)
                file.flush()


if __name__ == "__main__":
    main()
