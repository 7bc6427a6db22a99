"""Fixed against trainable kernels on the paper's sine waves, as published and fairly: results.csv and the tables."""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn

from experiments.speed.measure import describe_machine
from experiments.trainable_kernels import sines, tables
from experiments.trainable_kernels.cells import (
    CELLS,
    FRONT_ENDS,
    PARTS,
    Cell,
    FrontEnd,
    bin_taps,
    build_head,
    published_rate,
)
from experiments.trainable_kernels.records import Records
from experiments.trainable_kernels.spectra import SHOWN
from experiments.trainable_kernels.training import Run, curve, search, train
from sweep.training import machine

HERE = Path(__file__).parent
SEEDS = (0, 1, 2)  # of the fair runs; the first is the search's too
RATES = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
KERNEL_RATES = (1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)  # where the kernels have a rate of their own


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        name: "full" or "reduced".
        every: one frequency in so many.
        batch: waves a step.
        epochs: of a run.
        rungs: of the search: epochs, and how many rates go on after them.
    """

    name: str
    every: int
    batch: int
    epochs: int
    rungs: tuple[tuple[int, int], ...]

    def __str__(self) -> str:
        frequencies = len(sines.waves(self.every)[0]) // sines.PHASES
        return f"{self.name}: {frequencies:,} frequencies, batches of {self.batch}, {self.epochs} epochs"


SIZES = {
    "full": Size("full", every=1, batch=512, epochs=60, rungs=((4, 3), (8, 1))),
    "reduced": Size("reduced", every=64, batch=32, epochs=4, rungs=((1, 3), (1, 1))),
}


class Bench:
    """Builds runs on a device, and keeps what they share.

    Args:
        size: how much.
        device: where.
        capture: replay graphs where there is CUDA.
    """

    def __init__(self, size: Size, device: torch.device, capture: bool):
        self.size, self.device, self.capture = size, device, capture
        self.sines = sines.Sines(device)
        k, p = sines.waves(size.every)
        splits = {"published": sines.split_waves(k), "fair": sines.split_frequencies(k)}
        self.splits = {
            protocol: {
                name: sines.make_batches(k[split[name]], p[split[name]], size.batch, device)
                for name in ("train", "validation", "test")
                if name in split
            }
            for protocol, split in splits.items()
        }
        self.splits["separate"] = self.splits["fair"]
        self._features: tuple[tuple, dict] = ((), {})

    def run(
        self,
        protocol: str,
        cell: Cell,
        seed: int,
        rate: float,
        kernel_rate: float | None = None,
        scored: str = "test",
    ) -> Run:
        """A fresh run; `scored`: the part that is scored after each epoch."""
        torch.manual_seed(seed)
        front_end = FrontEnd(cell).to(self.device)
        head = build_head(cell, front_end.transform.n_bins).to(self.device)
        parts = self.splits[protocol] if cell.trainable else self._through(protocol, cell, front_end)
        parts = {name: parts[name] for name in ("train", scored)}
        model = nn.Sequential(front_end, head) if cell.trainable else head
        return Run(model, rate, parts, self.sines, self.capture, kernel_rate)

    def _through(self, protocol: str, cell: Cell, front_end: FrontEnd) -> dict[str, sines.Batches]:
        """The features of a frozen front-end, which are computed once; the last ones are kept."""
        key = (protocol, cell.front_end, cell.wide)
        if self._features[0] != key:
            self._features = ((), {})
            parts = self.splits[protocol].items()
            self._features = (key, {name: part.through(front_end, self.sines) for name, part in parts})
        return self._features[1]


def describe(cell: Cell) -> dict:
    """A cell's columns."""
    return {"front_end": cell.front_end, "head": cell.head, "trainable": int(cell.trainable)}


def write(records: Records, runs: list[tuple[str, Cell, int, Run]], seconds: float, common: dict) -> None:
    """Put finished runs down; time is shared equally among those that ran side by side."""
    results, curves, taps = [], [], {}
    for protocol, cell, seed, run in runs:
        key = {"protocol": protocol} | describe(cell) | {"seed": seed}
        found = [{f"{part}_mse": mse for part, mse in epoch.items()} for epoch in curve(run)]
        epochs = len(found)
        of_it = {"wide": int(cell.wide), "rate": run.rate, "kernel_rate": run.kernel_rate or ""}
        of_it |= {"epochs": epochs, "steps": epochs * len(run.parts["train"])}
        shares = {"weights": run.n_weights, "seconds": round(seconds / len(runs), 2)}
        if cell.trainable:
            shares |= distances(FrontEnd(cell).to(run.at.device), run.model[0])
            if seed == SEEDS[0]:
                taps |= taps_of(f"{protocol}/{cell.front_end}/{cell.head}", cell, run.model[0])
        results.append(key | of_it | shares | found[-1] | common)
        curves += [key | {"epoch": epoch} | means for epoch, means in enumerate(found, 1)]
    records.add(results, curves, taps)
    for row in results:
        print(tables.line(row), file=sys.stderr, flush=True)


def taps_of(name: str, cell: Cell, front_end: FrontEnd) -> dict:
    """Taps of the bins that the pictures show, and the bank of Mel."""
    found = {f"{name}/{bin}": bin_taps(front_end, bin) for bin in SHOWN[cell.front_end]}
    if cell.front_end == "Mel":
        found[f"{name}/bank"] = front_end.transform.bank.detach().cpu().numpy()
    return found


@torch.no_grad()
def distances(initial: FrontEnd, trained: FrontEnd) -> dict[str, float]:
    """How far the kernels and the bank have moved, against their norms when training began."""
    moved, norms = {}, {}
    for (name, before), after in zip(initial.named_parameters(), trained.parameters(), strict=True):
        what = "bank_moved" if name.endswith("bank") else "kernels_moved"
        moved[what] = moved.get(what, 0) + (after - before).square().sum()
        norms[what] = norms.get(what, 0) + before.square().sum()
    return {what: (moved[what] / norms[what]).sqrt().item() for what in moved}


def measure_published(bench: Bench, records: Records, common: dict) -> None:
    """The paper's settings: both heads of a front-end side by side, fixed, then trainable."""
    for front_end in FRONT_ENDS:
        for trainable in (False, True):
            cells = [cell for cell in CELLS if cell.front_end == front_end and cell.trainable == trainable]
            wide = [replace(cell, wide=(front_end, cell.head, trainable) == ("Mel", "CNN", False)) for cell in cells]
            todo = [cell for cell in wide if not records.has(protocol="published", **describe(cell))]
            if not todo:
                continue
            began = time.perf_counter()
            runs = [("published", cell, 0, bench.run("published", cell, 0, published_rate(cell))) for cell in todo]
            train([run for *_, run in runs], bench.size.epochs)
            write(records, runs, time.perf_counter() - began, common)


def measure_fair(protocol: str, bench: Bench, records: Records, common: dict) -> None:
    """Each cell: its learning rate by the validation part, then its seeds side by side.

    In "separate" the head of a trainable cell has the rate that was chosen for the fixed one, and the search is for the
    rate of the kernels.
    """
    for cell in CELLS:
        key = {"protocol": protocol} | describe(cell)
        seeds = [seed for seed in SEEDS if not records.has(seed=seed, **key)]
        if not seeds or (protocol == "separate" and not cell.trainable):
            continue
        if records.chosen(**key) is None:
            began = time.perf_counter()
            pairs = [(rate, None) for rate in RATES]
            if protocol == "separate":
                fixed = records.chosen(**describe(replace(cell, trainable=False)), protocol="fair")
                if fixed is None:
                    sys.exit(
                        "experiments.trainable_kernels: --part separate needs the rates of --part fair: run it first"
                    )
                pairs = [(float(fixed["rate"]), rate) for rate in KERNEL_RATES]
            make = partial(bench.run, protocol, cell, SEEDS[0], scored="validation")
            rows = search([partial(make, *pair) for pair in pairs], bench.size.rungs)
            shared = key | {"seconds": round(time.perf_counter() - began, 2)} | common
            named = [{"rate": rate, "kernel_rate": kernel_rate or ""} for rate, kernel_rate in pairs]
            records.add_rates([shared | names | row for names, row in zip(named, rows, strict=True)])
        chosen = records.chosen(**key)
        rates = float(chosen["rate"]), float(chosen["kernel_rate"]) if chosen["kernel_rate"] else None
        began = time.perf_counter()
        runs = [(protocol, cell, seed, bench.run(protocol, cell, seed, *rates)) for seed in seeds]
        train([run for *_, run in runs], bench.size.epochs)
        write(records, runs, time.perf_counter() - began, common)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(prog="python -m experiments.trainable_kernels.measure", description=__doc__)
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    parser.add_argument("--size", choices=tuple(SIZES), help="default: full on CUDA, else reduced")
    parser.add_argument("--part", choices=PARTS, help="one of them; default: all, one after the other")
    parser.add_argument("--eager", action="store_true", help="on CUDA: launch every kernel from the host, no graphs")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the results")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure what is missing, write the results and print the tables."""
    options = parse()
    began = time.perf_counter()
    try:
        device = machine.choose_device(options.device)
    except ValueError as error:
        sys.exit(f"experiments.trainable_kernels: {error}")
    size = SIZES[options.size or ("full" if device.type == "cuda" else "reduced")]
    records = Records(options.out, "" if size.name == "full" else "-reduced")
    other = {row["size"] for row in records.results + records.rates} - {str(size)}
    if other:
        sys.exit(
            f"experiments.trainable_kernels: {options.out} holds results of another size ({other.pop()}): "
            "choose another folder with --out, or remove them"
        )
    name = f"{describe_machine(device)}, torch {torch.__version__}"
    common = {"size": str(size), "machine": name}
    print(f"{name}; {size}", file=sys.stderr, flush=True)
    if device.type == "cpu":
        torch.set_num_threads(1)  # a second one gains little here, and much is lost in waiting where cores are busy
    bench = Bench(size, device, capture=not options.eager)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        for part in [options.part] if options.part else PARTS:
            if part == "published":
                measure_published(bench, records, common)
            else:
                measure_fair(part, bench, records, common)
    print(tables.report(records))
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
