"""Kills a CPU sweep again and again, gives the same command each time, and compares what comes of it with a whole one.

python -m experiments.resilience.kill [--kills 50] [--seed 0] [--folder DIR]
"""

import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import torch

REPOSITORY = Path(__file__).resolve().parents[2]
ROWS = ["linear-256", "linear-512", "log-256", "mel-512-128", "mel-1024-128", "cqt-12"]
SHORT = ["protocol.steps=400", "protocol.checkpoint_every=20", "protocol.batch_size=16", "device=cpu", "workers=0"]
RUN = "runs/*/*/*/*/seed-*/"
# What says how long something took, or in how many parts: all that may differ.
HOW_LONG = re.compile("seconds.*|windows_per_second|peak_memory_bytes|gpu_utilisation|resumed_from|git_revision")

Found = frozenset[tuple[Path, int]]


def found(folder: Path, *patterns: str) -> Found:
    """Files, and when they changed."""
    paths = [path for pattern in patterns for path in folder.glob(pattern)]
    states = []
    for path in paths:
        try:
            states.append((path, path.stat().st_mtime_ns))
        except FileNotFoundError:
            pass
    return frozenset(states)


def making_data(folder: Path) -> Found:
    """The demo set in the making."""
    return found(folder, "data/.demo.*.partial")


def training(folder: Path) -> Found:
    """Checkpoints, so that some training follows."""
    return found(folder, RUN + "checkpoint.ckpt")


def checkpointing(folder: Path) -> Found:
    """Half-written checkpoints."""
    return found(folder, RUN + ".*.ckpt.*.partial")


def scoring(folder: Path) -> Found:
    """Trained models without a result."""
    return frozenset(
        state for state in found(folder, RUN + "model.ckpt") if not (state[0].parent / "result.json").exists()
    )


def reporting(folder: Path) -> Found:
    """The last result, which the table follows."""
    results, plans = found(folder, RUN + "result.json"), list(folder.glob("runs/*/*/sweep.json"))
    return results if plans and len(results) == len(json.loads(plans[0].read_text())["runs"]) else frozenset()


# Seconds, at most, from what is seen to the kill.
STAGES: dict[Callable[[Path], Found], float] = {
    making_data: 9.0, training: 0.6, checkpointing: 0.003, scoring: 0.3, reporting: 0.8
}  # fmt: skip


def kill_once(stage: Callable, command: list[str], folder: Path, chance: random.Random, limit: float = 120) -> bool:
    """Start a sweep and kill it and its processes some time into a stage; False where it ended before."""
    before = stage(folder) if stage in (training, checkpointing) else frozenset()
    delay = chance.random() * STAGES[stage]
    process = subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + limit
    while process.poll() is None and not stage(folder) - before:
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            raise TimeoutError(f"{stage.__name__} was not reached within {limit:.0f} s")
        time.sleep(0.0005)
    time.sleep(delay)
    killed = process.poll() is None
    if killed:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return killed


def schedule(kills: int, rows: int, chance: random.Random) -> Iterator[Callable]:
    """The stages of the kills: data, then row by row training and checkpoints before scoring, then the table."""
    ends = max(1, kills // 12)
    yield from [making_data] * ends
    for row in range(rows):
        share = (kills - 2 * ends) * (row + 1) // rows - (kills - 2 * ends) * row // rows
        late = [scoring] * max(1, share // 4)  # the last one, so that the next kills are in the next row
        early = [chance.choice((training, training, checkpointing)) for _ in range(share - len(late))]
        yield from early + late
    yield from [reporting] * ends


def environment(folder: Path) -> dict[str, str]:
    """One thread, so that both sweeps compute alike; temporary files where they are found."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary)}


def unaccounted(folder: Path) -> list[str]:
    """Files that no finished sweep should leave."""
    expected = re.compile(
        r"data/demo/(demo\.json|(train|test)_(data|labels)/\d+\.(wav|csv))|data/cache/[^.][^/]*\.audio|"
        r"runs/[^/]+/[^/]+/(sweep\.json|verdict\.json|(table|metrics)\.(csv|md|tex)|summary\.csv)|"
        r"runs/([^/]+/){4}seed-\d+/(result\.json|evidence\.npz|model\.ckpt|log\.txt)|"
        r"runs/([^/]+/){4}seed-\d+/curves/from-step-\d+/(metrics\.csv|hparams\.yaml)"
    )
    files = (str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in files if not expected.fullmatch(name))


def differences(whole: Path, other: Path) -> list[str]:
    """What differs between two sweeps, but how long they took."""
    found = []
    for name in ("table.csv", "summary.csv"):
        tables = [pd.read_csv(next(folder.glob(f"runs/*/*/{name}"))) for folder in (whole, other)]
        one, two = (table.loc[:, [not HOW_LONG.fullmatch(column) for column in table]] for table in tables)
        if not one.equals(two):
            found.append(name)
    for path in sorted(whole.glob(RUN + "result.json")):
        run = path.parent.relative_to(whole)
        one, two = (json.loads((folder / run / "result.json").read_text()) for folder in (whole, other))
        if one["recordings"] != two["recordings"]:
            found.append(f"{run}: scores")
        one, two = (
            torch.load(folder / run / "model.ckpt", weights_only=True)["state_dict"] for folder in (whole, other)
        )
        if any(not torch.equal(one[key], two[key]) for key in one | two):
            found.append(f"{run}: weights")
    for path in whole.glob("data/demo/*/*"):
        if path.read_bytes() != (other / path.relative_to(whole)).read_bytes():
            found.append(str(path))
    return found


def compare(stages: list[Callable], chance: random.Random, folder: Path, command: list[str]) -> dict:
    """One sweep undisturbed, one killed in each of these stages; what came of it."""
    whole, killed = folder / "whole", folder / "killed"
    for place in (whole, killed):
        place.mkdir(parents=True)
    quiet = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    undisturbed = subprocess.run(command, cwd=whole, env=environment(whole), **quiet)
    assert undisturbed.returncode == 0, undisturbed.stdout
    happened, began = collections.Counter(), time.monotonic()
    for stage in stages:
        if stage is reporting:  # so that there is something to write
            for path in killed.glob("runs/*/*/table.*"):
                path.unlink()
        happened[stage.__name__ if kill_once(stage, command, killed, chance) else "ended before"] += 1
        print(f"\r{happened.total()} of {len(stages)}, {time.monotonic() - began:.0f} s", end="", flush=True)
    ended = subprocess.run(command, cwd=killed, env=environment(killed), **quiet)
    assert ended.returncode == 0, ended.stdout
    logs = [path.read_text() for path in killed.glob(RUN + "log.txt")]
    logs = [re.findall(r"from step (\d+) of", log) for log in logs]
    steps = [int(step) for begun in logs for step in begun]
    return {
        "kills": dict(happened),
        "runs that resumed above 0": sum(any(map(int, begun)) for begun in logs),
        "attempts": len(steps),
        "attempts that resumed above 0": sum(step > 0 for step in steps),
        "differences": differences(whole, killed),
        "files not accounted for": unaccounted(killed),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--folder", type=Path, help="for the two sweeps; it must not be there (default: a temporary one)"
    )
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "sweep", f"representation={','.join(ROWS)}", *SHORT]
    chance = random.Random(arguments.seed)
    outcome = compare(list(schedule(arguments.kills, len(ROWS), chance)), chance, folder, command)
    print()
    for name, value in outcome.items():
        print(f"{name}: {value}")
    if not arguments.folder:
        shutil.rmtree(folder)
    sys.exit(bool(outcome["differences"] or outcome["files not accounted for"]))


if __name__ == "__main__":
    main()
