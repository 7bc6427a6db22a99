"""Trains all that the page compares: python -m experiments.ranking.measure MUSICNET GENUINE RUNS [KEY=VALUE ...].

Each part is one sweep below RUNS. The same command again goes on where the last one stopped. Keys are added to every
sweep; on one GPU, CUDA_VISIBLE_DEVICES=0,0,0 and cluster=gpus let three processes share it.
"""

import argparse
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from experiments.models.folds import make_folds

PARTS = ("rows", "models", "folds", "knobs")
TWELVE = (
    *("linear-256", "linear-1024", "linear-4096", "log-1024", "log-4096", "mel-512-128", "mel-2048-256"),
    *("mel-4096-512", "cqt-12", "cqt-24", "cqt-48", "cqt-180"),
)
# With --reduced: rows, those before models that take long on a CPU, and knobs.
FEW = ("linear-256", "log-1024", "mel-512-128", "mel-2048-256", "cqt-24", "onsets-frames")
FEWER = ("linear-256", "mel-512-128", "cqt-24")
FEW_KNOBS = ("onsets-frames", "knob/hop-256", "knob/fft-4096", "knob/log1p-1", "knob/cqt-36")
REDUCED = ("protocol=quick", "protocol.steps=100", "protocol.scored_windows=300")  # for both kinds of models


def words(part: str, musicnet: Path, genuine: Path, runs: Path, reduced: bool = False) -> list[str]:
    """Return the words of a part's sweep.

    Args:
        part: one of PARTS.
        musicnet, genuine: data sets in MusicNet's layout, and in a folder whose recordings have groups.
        runs: root of the results.
        reduced: whether it is the small sweep for two cores.
    """
    every = f"representation={','.join(FEW)}" if reduced else "+grid=everything"
    twelve = f"representation={','.join(FEWER if reduced else TWELVE)}"
    changed = f"representation={','.join(FEW_KNOBS)}" if reduced else "+grid=knobs"
    seeds = "seed=0,1" if reduced else "seed=0,1,2"
    home = [f"data.root={_folds(musicnet, runs) if part == 'folds' else musicnet}"]
    both = [*home, f"data.test={_folder(genuine)}"]
    found = {
        "rows": ["model=linear,conv", every, seeds, *both],
        "models": ["model=cnn,crnn", twelve, "seed=0", *both],
        "folds": ["model=linear,conv", twelve, "seed=0", *home],
        "knobs": ["model=linear,conv", changed, seeds, *both],
    }
    how = REDUCED if reduced else ("protocol=converged",)
    return [*found[part], *how, "data=musicnet", f"runs={runs / part}"]


def main() -> None:
    """Run the parts one after the other, or print their commands; exit with 3 if the time was too short."""
    parser = argparse.ArgumentParser(prog="python -m experiments.ranking.measure", description=__doc__)
    parser.add_argument("musicnet", type=Path, help="data set in MusicNet's layout, to train on and to test on")
    parser.add_argument("genuine", type=Path, help="data set whose test recordings have groups, to test on as well")
    parser.add_argument("runs", type=Path, help="root of the results, a folder for each part")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="keys for every sweep, such as cluster=gpus")
    parser.add_argument("--part", choices=PARTS, action="append", help="this part; again for another; default: all")
    parser.add_argument("--reduced", action="store_true", help="few rows and steps, 30 min on two cores")
    parser.add_argument("--minutes", type=float, help="stop a sweep after so many minutes in all; it can go on later")
    parser.add_argument("--dry", action="store_true", help="print the commands and run none")
    options = parser.parse_intermixed_args()
    end = time.monotonic() + 60 * (float("inf") if options.minutes is None else options.minutes)
    failed = []
    for part in options.part or PARTS:
        asked = words(part, options.musicnet, options.genuine, options.runs, options.reduced)
        command = ["python", "-m", "sweep", *asked, *options.words]
        if options.dry:
            print(shlex.join(command))
            continue
        if part == "folds":
            make_folds(options.musicnet, _places(options.runs))
        print(shlex.join(command), flush=True)
        code = _run([sys.executable, *command[1:]], options.runs, part, end)
        if code is None:
            sys.exit(3)
        failed += [part] * bool(code)
    if failed:
        sys.exit(f"experiments.ranking: not all runs are done: {', '.join(failed)}; the same command tries again")


def _run(command: list[str], runs: Path, part: str, end: float) -> int | None:
    """Run a sweep, add its seconds to RUNS/seconds.csv, and return its exit code; None if its time was too short."""
    began = time.monotonic()
    if began >= end:
        print(f"{part}: no time left; the same command goes on", flush=True)
        return None
    process = subprocess.Popen(command)
    code = None
    try:
        code = process.wait(None if end == float("inf") else max(end - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # as Ctrl-C: a run that trains writes a checkpoint
        process.wait()
        print(f"{part}: stopped after its time; the same command goes on", flush=True)
    runs.mkdir(parents=True, exist_ok=True)
    with open(runs / "seconds.csv", "a") as file:
        file.write(f"{part},{time.monotonic() - began:.0f}\n")
    return code


def _folder(path: Path) -> str:
    """Return a path that `data.test` takes for a folder and not for an option of conf/data."""
    return str(path) if path.is_absolute() else f"./{path}"


def _places(runs: Path) -> Path:
    return runs / "folds-of-the-data"


def _folds(musicnet: Path, runs: Path) -> str:
    count = len(list((musicnet / "train_data").iterdir()))
    return ",".join(str(_places(runs) / f"fold-{number}") for number in range(1, count + 1))


if __name__ == "__main__":
    main()
