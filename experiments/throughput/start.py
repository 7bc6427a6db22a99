"""Where the seconds of a sweep go that are no training steps: before its first run, and within each run.

python -m experiments.throughput.start [RUNS ...]; the first table is of this machine, the second of finished runs.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd

from experiments.collecting import Sweep, finished

# What a process does before its first run, in its order; each line goes on where the one before ended.
PHASES = {
    "the command's modules": "from sweep.commands import train",
    "reading the command line": "asked = train.ask(['+grid=all', 'protocol=paper'])",
    "composing the 34 runs": "from sweep.scheduling.plan import compose_runs; runs = compose_runs(asked)",
    "import torch": "import torch",
    "waking the GPU": "torch.cuda.is_available() and torch.zeros(1, device='cuda')",
    "import lightning": "import lightning",
    "the other modules of a run": "import sweep.training.run",
    "the modules of the table": "import sweep.report",
}
_CODE = """
import json, sys, time
found = {{}}
for name, line in {phases!r}.items():
    wall, cpu = time.perf_counter(), time.process_time()
    exec(line)
    found[name] = (time.perf_counter() - wall, time.process_time() - cpu)
print(json.dumps(found))
"""
PARTS = ("setup", "training", "scoring")
STEPS = Path(__file__).with_name("results.csv")


def phases(lines: dict[str, str]) -> dict[str, tuple[float, float]]:
    """Run lines of Python in a new process: seconds of each by the clock, and of the processor."""
    command = [sys.executable, "-c", _CODE.format(phases=lines)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: tuple(seconds) for name, seconds in json.loads(done.stdout.splitlines()[-1]).items()}


def before(found: dict[str, tuple[float, float]]) -> str:
    """Write what precedes the first run as a table."""
    lines = ["| before the first run | s | of the processor |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {wall:.2f} | {cpu:.2f} |" for name, (wall, cpu) in found.items()]
    return "\n".join(lines)


def within(sweep: Sweep, steps: Path = STEPS) -> str:
    """Write the parts of a sweep's runs as a table: the first run, all of them, and what of it the steps take.

    Args:
        sweep: finished runs of one protocol on one machine.
        steps: time of a step of each row, as `measure` wrote it.
    """
    runs = [sweep.runs.results[name] for name in sweep.done.run]
    first = max(runs, key=lambda run: run.seconds["setup"])  # which loads the data
    lines = ["| seconds of | first run | all runs | a run, median |", "| --- | ---: | ---: | ---: |"]
    for part in PARTS:
        each = pd.Series([run.seconds[part] for run in runs])
        lines.append(f"| {part} | {first.seconds[part]:.2f} | {each.sum():.1f} | {each.median():.2f} |")
    table = pd.read_csv(steps).set_index("representation").ms_per_step
    counts = {run.representation: run.config["protocol"]["steps"] for run in runs if run.representation in table.index}
    alone = sum(table[name] * count for name, count in counts.items()) / 1000
    lines += ["", f"Steps of these {len(counts)} rows alone, by {steps.name}: {alone:.1f} s."]
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m experiments.throughput.start", description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="*", type=Path, help="<runs>, <runs>/<data> or <runs>/<data>/<protocol>")
    options = parser.parse_args()
    print(before(phases(PHASES)))
    try:
        for sweep in finished(options.runs)[0] if options.runs else ():
            print(f"\n{sweep.folder}\n\n{within(sweep)}")
    except (OSError, ValueError) as error:
        sys.exit(f"experiments.throughput: {error}")


if __name__ == "__main__":
    main()
