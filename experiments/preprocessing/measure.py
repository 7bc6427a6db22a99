"""On the fly against stored spectrograms, and what storing takes: tables, results-<device>.csv, extraction-...csv."""

import argparse
import csv
import importlib
import sys
import time
import warnings
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from experiments.preprocessing import tables, training
from experiments.preprocessing.extraction import LIBRARIES, extract, pieces
from experiments.rows import protocol as read_protocol
from experiments.rows import recordings, rows
from experiments.speed.measure import describe_machine, limit_memory, warm_up
from experiments.speed.peers import reason
from sweep.data.recording import DataError
from sweep.data.recordings import Recordings
from sweep.representations import Representation
from sweep.representations.clock import SAMPLE_RATE
from sweep.training import machine
from sweep.training.loading import describe, load

HERE = Path(__file__).parent
PARTS = ("linear", "crnn", "extraction")
SECONDS = {"cpu": 20, "cuda": 600}  # of audio that are extracted, at most


def measure(r: Representation, train: Recordings, parts: list[str], size: training.Size) -> dict:
    """A row of the comparison of training steps."""
    protocol = replace(read_protocol("paper"), batch_size=size.windows)
    row = {"representation": r.name, "bins": r.n_bins, "reason": ""}
    if "linear" in parts:
        found, count = training.linear_costs(r, train, protocol, size)
        epoch = training.EPOCH_WINDOWS / size.windows
        row |= tables.costs("linear", found, epoch) | {"store_windows": count}
        row["epoch_mb"] = round(4e-6 * r.n_bins * r.n_frames(protocol.window) * training.EPOCH_WINDOWS)
    if "crnn" in parts:
        found, batch = training.crnn_costs(r, train, protocol, size)
        epoch = training.SEGMENT / size.segment * training.SEGMENTS / batch
        row |= tables.costs("crnn", found, epoch) | {"crnn_batch": batch}
    return row


def absent(library: str) -> str | None:
    """Why a library cannot be measured here, or None."""
    module = {"ours": "sweep.transforms", "nnAudio": "nnAudio.features", "librosa": "librosa"}[library]
    try:
        importlib.import_module(module)
    except Exception as error:  # a library built for another machine raises what it likes
        return f"does not import: {reason(error)}"
    return None


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m experiments.preprocessing.measure", description=__doc__)
    parser.add_argument("root", nargs="?", help="recordings in MusicNet's layout; default: the demo set")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--rows", help="comma-separated; default: all 34")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument("--seconds", type=float, help="of audio to extract; default 20, on CUDA 600")
    parser.add_argument("--scratch", type=Path, help="folder to write spectrograms into, for a moment each")
    parser.add_argument("--cache", default="data/cache", help="folder for the decoded audio")
    parser.add_argument("--keep", action="store_true", help="keep what the files hold of other rows and parts")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the results")
    return parser.parse_args(arguments)


def check(option: str, names: list[str], known: Iterable[str]) -> None:
    """End with one line where an option names something unknown."""
    for name in names:
        if name not in known:
            sys.exit(f"experiments.preprocessing: --{option} {name}: choose among {', '.join(known)}")


def main() -> None:
    """Measure, write the results and print the tables."""
    options = parse()
    warnings.filterwarnings("ignore", category=UserWarning)  # every library's own remark on empty Mel filters
    began = time.perf_counter()
    parts = options.parts.split(",")
    check("parts", parts, PARTS)
    known = {r.name: r for r in rows()}
    names = options.rows.split(",") if options.rows else list(known)
    check("rows", names, known)
    try:
        device = machine.choose_device(options.device)
    except ValueError as error:
        sys.exit(f"experiments.preprocessing: {error}")
    size = training.FULL if device.type == "cuda" else training.REDUCED
    try:
        train, _, _ = load(recordings(options.root, options.cache), SAMPLE_RATE, device, Console(quiet=True))
        if "crnn" in parts:
            train.check_length(size.segment)
    except DataError as error:
        sys.exit(f"experiments.preprocessing: {error}")
    warm_up(device)
    if device.type == "cpu":
        limit_memory()
    head = (
        f"{describe_machine(device)}, torch {torch.__version__}, {torch.get_num_threads()} threads; {describe(train)}"
    )
    print(head, file=sys.stderr, flush=True)
    seconds = options.seconds or SECONDS[device.type]
    clips = pieces(train, seconds) if "extraction" in parts else None
    missing = {library: absent(library) for library in LIBRARIES}
    files = {part: options.out / f"{part}-{device.type}.csv" for part in ("results", "extraction")}
    held = {part: tables.read(path) if options.keep else [] for part, path in files.items()}
    compared = {row["representation"]: row for row in held["results"]}
    extracted = {(row["representation"], row["library"]): row for row in held["extraction"]}
    for r in (known[name] for name in names):
        since = time.perf_counter()
        stamp = {"machine": head} if {"linear", "crnn"} & {*parts} or r.name not in compared else {}
        compared[r.name] = compared.get(r.name, {}) | measure(r, train, parts, size) | stamp
        if clips is not None:
            for row in extract(r, clips, missing, options.scratch):
                extracted[r.name, row["library"]] = row | {"machine": head}
            write(files["extraction"], tables.EXTRACTION, extracted.values(), list(known))
        write(files["results"], tables.COMPARISON, compared.values(), list(known))
        print(f"{r.name}: {time.perf_counter() - since:.1f} s", file=sys.stderr, flush=True)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    print(tables.report(options.out, device.type, size))
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


def write(path: Path, columns: tuple[str, ...], rows: Iterable[dict], order: list[str]) -> None:
    """Write results in the order of the representations; what is done is not lost."""
    with open(path, "w", newline="") as file:
        table = csv.DictWriter(file, (*columns, "machine"), lineterminator="\n", restval="")
        table.writeheader()
        table.writerows(sorted(rows, key=lambda row: order.index(row["representation"])))


if __name__ == "__main__":
    main()
