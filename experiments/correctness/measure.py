"""How far every front-end is from the float64 definition on the paper's four signals, into results.csv and tables."""

import argparse
import importlib.metadata
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch

from experiments.correctness import tables
from experiments.correctness.aliasing import measure_aliasing
from experiments.correctness.front_ends import TRANSFORMS, FrontEnd, front_ends, missing
from experiments.correctness.reference import expected
from experiments.correctness.signals import SIGNALS
from experiments.speed.peers import reason
from sweep.representations import Representation
from sweep.transforms import CQT

# A bin counts for the worst one where it holds at least this share of the loudest bin's energy: -60 dB.
AUDIBLE = 1e-6


def compare(actual: np.ndarray, wanted: np.ndarray, r: Representation) -> dict:
    """The errors of one clip, (bins, frames) magnitudes both, over the frames that both have.

    Returns:
        error: relative L2.
        factor: that brings them closest, actual times it.
        error_rescaled: after that.
        worst_bin_hz, worst_bin_error: the bin with the largest error relative to its own norm.
    """
    frames = min(actual.shape[-1], wanted.shape[-1])
    if actual.shape[0] != wanted.shape[0] or max(actual.shape[-1], wanted.shape[-1]) > frames + 1:
        raise ValueError(f"its output is {actual.shape}, the definition's {wanted.shape}")
    actual, wanted = actual[:, :frames].astype(np.float64), wanted[:, :frames]
    norm, factor = np.linalg.norm(wanted), (actual * wanted).sum() / (actual**2).sum()
    energy = (wanted**2).sum(axis=1)
    of_bins = np.sqrt(((actual - wanted) ** 2).sum(axis=1) / np.maximum(energy, AUDIBLE * energy.max()))
    of_bins[energy < AUDIBLE * energy.max()] = 0
    worst = int(of_bins.argmax())
    return {
        "error": np.linalg.norm(actual - wanted) / norm,
        "error_rescaled": np.linalg.norm(factor * actual - wanted) / norm,
        "factor": factor,
        "worst_bin_hz": round(float(r.frequencies[worst]), 1),
        "worst_bin_error": of_bins[worst],
    }


def run(front_end: FrontEnd, r: Representation, clips: dict, wanted: dict, aliasing: bool) -> list[dict]:
    """The rows of one front-end and transform: one a signal, or one with the reason why there is none."""
    convention = front_end.convention(r)
    common = {"transform": r.name, "front_end": front_end.name, "mode": front_end.mode, "convention": convention}
    try:
        absent = missing(front_end)
        if absent:
            return [common | {"reason": absent}]
        function = front_end.build(r)
        rows = []
        for signal, x in clips.items():
            with torch.inference_mode():
                actual = np.abs(np.asarray(function(torch.from_numpy(x)[None])))[0]
            row = common | {"signal": signal} | compare(actual, wanted[signal, convention], r)
            if convention != "ours":
                row["error_by_ours"] = compare(actual, wanted[signal, "ours"], r)["error"]
            rows.append(row)
        if r.family == "cqt" and aliasing:
            loudest = measure_aliasing(function, r)
            found = {"aliasing_db": loudest.decibels, "aliasing_tone_hz": loudest.tone, "aliasing_bin_hz": loudest.bin}
            if isinstance(function, CQT):
                level = max(function.engine.aliasing(k) for k in np.flatnonzero(r.frequencies >= 440).tolist())
                if level > -math.inf:
                    found["engine_aliasing_db"] = level
            rows = [row | {key: round(value, 1) for key, value in found.items()} for row in rows]
        return rows
    except Exception as error:  # a peer's failure is its row
        if front_end.name.startswith("ours"):
            raise
        return [common | {"reason": reason(error)}]


def definitions(r: Representation, clips: dict, conventions: set[str]) -> dict:
    """What is expected: (signal, convention) -> (bins, frames) magnitudes or powers, float64."""
    return {
        (signal, convention): np.abs(expected(r, x[None], convention))[0]
        for signal, x in clips.items()
        for convention in {"ours"} | conventions
    }


def main() -> None:
    """Measure, write the results and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m experiments.correctness.measure", description=__doc__)
    parser.add_argument("--transforms", default=",".join(TRANSFORMS), help="comma-separated; default: all")
    parser.add_argument("--signals", default=",".join(SIGNALS), help="comma-separated; default: all four")
    parser.add_argument("--no-aliasing", dest="aliasing", action="store_false", help="leave its measurement out")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    chosen = {"transforms": TRANSFORMS, "signals": SIGNALS}
    for key, known in chosen.items():
        names = getattr(options, key).split(",")
        for name in names:
            if name not in known:
                sys.exit(f"experiments.correctness: --{key} {name}: choose among {', '.join(known)}")
        chosen[key] = {name: known[name] for name in names}
    began = time.perf_counter()
    clips = {name: make() for name, make in chosen["signals"].items()}
    rows = []
    for r in chosen["transforms"].values():
        since = time.perf_counter()
        some = [it for it in front_ends() if it.family in (None, r.family)]
        wanted = definitions(r, clips, {it.convention(r) for it in some})
        for front_end in some:
            rows += run(front_end, r, clips, wanted, options.aliasing)
        tables.write(options.out, rows)
        print(f"{r.name}: {time.perf_counter() - since:.1f} s", file=sys.stderr, flush=True)
    print(tables.report(tables.read(options.out)))
    versions = [f"{name} {importlib.metadata.version(name)}" for name in tables.PACKAGES if tables.installed(name)]
    print(f"{', '.join(versions)}; {time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
