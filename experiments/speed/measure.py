"""Times every front-end on every case, beside the time that moving the bytes alone takes, into results-<device>.csv."""

import argparse
import csv
import gc
import importlib.metadata
import math
import os
import sys
import time
import warnings
from pathlib import Path

import torch

from experiments.speed import tables, timing
from experiments.speed.entries import Entry, prepare, rounding, set_up
from experiments.speed.peers import Peer, missing, peers
from experiments.speed.tensorflow_rows import tensorflow_rows
from experiments.speed.workloads import Case, cases, music
from sweep.results.pool import count_processes
from sweep.training import machine

HERE = Path(__file__).parent
ROUNDS = {"cpu": 3, "cuda": 25}
KINDS = ("forward", "both", "graph")


def describe_machine(device: torch.device) -> str:
    """The GPU's name, or the CPU's and its cores."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = "a CPU"
    return f"{name}, {count_processes('auto') or 1} cores"


def versions(package: str | None) -> str:
    """Of torch, and of the peer's package where it has one and is installed."""
    try:
        return f"torch {torch.__version__}" + (f", {package} {importlib.metadata.version(package)}" if package else "")
    except importlib.metadata.PackageNotFoundError:
        return f"torch {torch.__version__}"


def start_row(case: Case, peer: Peer, common: dict, bandwidth: float) -> dict:
    """What a row says before anything is measured."""
    return common | {
        "versions": versions(peer.package),
        **{key: getattr(case, key) for key in ("workload", "size", "samples", "frames")},
        "row": case.name,
        "family": case.representation.family,
        "bins": case.representation.n_bins,
        "front_end": peer.name,
        "mode": peer.mode,
        "note": peer.note,
        "reason": "",
        "floor_ms": round(1e3 * case.bytes_moved / bandwidth, 5),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else "",
    }


def measure(case: Case, clips: torch.Tensor, absent: dict[str, str | None], options, common: dict) -> list[dict]:
    """The rows of one case."""
    device, entries, references, cotangents = clips.device, {}, {}, {}
    for peer in peers(device.type, case.workload):
        entry = entries[peer.label] = Entry(peer, start_row(case, peer, common, options.bandwidth))
        if absent[peer.label]:
            entry.row["reason"] = absent[peer.label]
        else:
            set_up(entry, case, clips[: case.batch], entries, references)
    references.clear()
    for entry in entries.values():
        if entry.function is not None:
            prepare(entry, case, clips, cotangents, options.patience)

    def in_its_precision(entry: Entry, work):
        def call():
            with rounding(entry.peer.tf32):
                work()

        return call

    works = {
        (label, column): in_its_precision(entry, work)
        for label, entry in entries.items()
        for column, work in entry.works.items()
    }
    times = timing.in_turn(works, device, options.rounds, options.budget)
    for (label, column), measured in times.items():
        row = entries[label].row
        middle, lower, upper = timing.spread(measured, 1 / entries[label].passes)
        row |= {f"{column}_ms": middle, f"{column}_q1": lower, f"{column}_q3": upper}
        row |= {"repeats": len(measured), "batch": entries[label].batch}
        entries[label].row = row
    return [entry.row for entry in entries.values()]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed.measure", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=Path("data/demo"), help="recordings (default: demo set)")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--workload", default="paper,families,sweep", help="one or more of them")
    parser.add_argument("--rows", help="representations, comma-separated; default: all")
    parser.add_argument("--reduced", dest="reduced", action="store_true", default=None, help="default on a CPU")
    parser.add_argument("--full", dest="reduced", action="store_false", help="default on CUDA")
    parser.add_argument("--paper-clips", type=int, help="instead of 32 (reduced) or 1,770")
    parser.add_argument("--families-clips", type=int, help="instead of 8 (reduced) or 1,770")
    parser.add_argument("--sweep-clips", type=int, help="instead of 16 (reduced) or 100")
    parser.add_argument("--rounds", type=int, help="of timings; the median counts; default 3, on CUDA 25")
    parser.add_argument("--budget", type=float, default=0.5, help="seconds after which three timings are enough")
    parser.add_argument("--patience", type=float, help="seconds a pass may take; default 1.5 if reduced, else no limit")
    parser.add_argument("--memory", type=float, default=0.5, help="share of the free memory to use on a CPU")
    parser.add_argument("--tensorflow", type=Path, help="Python of an environment with Kapre and TensorFlow")
    parser.add_argument("--keep", action="store_true", help="keep what the file holds of other cases")
    parser.add_argument("--out", type=Path, help="default: results-<device>.csv beside this file")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, write the results and print the tables."""
    options = parse()
    warnings.filterwarnings("ignore", category=UserWarning)  # every library's own remark on empty Mel filters
    began = time.perf_counter()
    try:
        device = machine.choose_device(options.device)
        reduced = device.type == "cpu" if options.reduced is None else options.reduced
        counts = {name: getattr(options, f"{name}_clips") for name in ("paper", "families", "sweep")}
        names = options.rows.split(",") if options.rows else None
        chosen = cases(options.workload.split(","), device.type, reduced, names, counts)
    except ValueError as error:
        sys.exit(f"experiments.speed: {error}")
    options.rounds = options.rounds or ROUNDS[device.type]
    options.patience = options.patience or (1.5 if reduced else math.inf)
    clips = music(options.root, chosen)
    options.bandwidth = timing.bandwidth(device)
    music_name = "demo music" if options.root == Path("data/demo") else options.root.name
    common = {
        "machine": describe_machine(device),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "music": music_name,
        "revision": machine.describe(device)["git_revision"],
        "bandwidth_gb_s": round(options.bandwidth / 1e9, 1),
    }
    print(f"{common['machine']}, {common['threads']} threads, {common['bandwidth_gb_s']} GB/s", file=sys.stderr)
    workloads = dict.fromkeys(case.workload for case in chosen)
    absent = {peer.label: missing(peer, device.type) for workload in workloads for peer in peers(device.type, workload)}
    for label, why in absent.items():
        if why:
            print(f"{label}: {why}", file=sys.stderr)
    warm_up(device)
    if device.type == "cpu":
        limit_memory(options.memory)
    out = options.out or HERE / f"results-{device.type}.csv"
    rows, kept = [], []
    if options.keep and out.exists():
        measured = {(case.workload, case.name) for case in chosen}
        with open(out, newline="") as file:
            kept = [row for row in csv.DictReader(file) if (row["workload"], row["row"]) not in measured]
    for case in chosen:
        since = time.perf_counter()
        rows += measure(case, clips[case.workload].to(device), absent, options, common)
        write(out, kept + rows)  # what is done is not lost
        gc.collect()
        if device.type == "cuda":
            torch.cuda.empty_cache()
        print(f"{case.workload} {case.name}: {time.perf_counter() - since:.1f} s", file=sys.stderr, flush=True)
    rows += tensorflow_rows(
        [case for case in chosen if case.workload != "families"], clips, device.type, options, common
    )
    write(out, kept + rows)
    print(tables.report(tables.read(out)))
    print(f"{time.perf_counter() - began:.0f} s; all of it: {out.name}", file=sys.stderr)


def write(out: Path, rows: list[dict]) -> None:
    """Write the results, with what is worked out from them."""
    with open(out, "w", newline="") as file:
        table = csv.DictWriter(file, tables.COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(tables.finish(rows))


def limit_memory(share: float = 0.5) -> None:
    """Let allocations beyond a share of the free memory fail (Linux): a greedy peer is a row then, not a crash."""
    try:
        import resource

        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
        own = 4096 * int(Path("/proc/self/statm").read_text().split()[5])  # data and stack
        resource.setrlimit(resource.RLIMIT_DATA, (own + int(share * free), resource.RLIM_INFINITY))
    except (ImportError, OSError, ValueError, StopIteration):
        pass


def warm_up(device: torch.device) -> None:
    """Start what every library shares, thread pools, FFTs and products, so that no peer's set-up pays for it."""
    x = torch.randn(4, 8192, device=device, requires_grad=True)
    taps = torch.randn(8, 1, 64, device=device)
    spectrum = torch.stft(x, 1024, window=torch.hann_window(1024, device=device), return_complex=True).abs()
    product = x.unfold(-1, 64, 32) @ taps[:, 0].T
    (torch.conv1d(x[:, None], taps).square().sum() + spectrum.sum() + product.sum()).backward()
    timing.synchronise(device)


if __name__ == "__main__":
    main()
