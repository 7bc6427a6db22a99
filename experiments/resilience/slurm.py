"""A sweep of 8 rows as an array on a real SLURM; jobs are cancelled, queued again and run out of time.

python -m experiments.resilience.slurm [--folder DIR]     (DIR must be seen by all nodes)
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CANCELLED, REQUEUED, LONG = "log-512", "mel-512-256", "cqt-288"
ROWS = ["linear-256", "linear-512", "log-256", CANCELLED, "mel-512-128", REQUEUED, "mel-1024-128", LONG]
OPTIONS = ["protocol.steps=1200", "protocol.checkpoint_every=50", "device=cpu", "retry=1"]
# Two minutes: enough for all rows but the last, which is told 30 s before, writes a checkpoint and is queued again.
CLUSTER = [
    "cluster=slurm",
    "cluster.gpus=0",
    "cluster.cpus=1",
    "cluster.memory=3",
    "cluster.timeout=2",
    "cluster.grace=30",
]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path.cwd(), help="to work in (default: this one)")
    folder = parser.parse_args().folder.resolve()
    command = [sys.executable, "-m", "sweep", f"representation={','.join(ROWS)}", *OPTIONS, *CLUSTER]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    array = None
    waiting = {CANCELLED: ["scancel"], REQUEUED: ["scontrol", "requeue"]}
    while process.poll() is None:
        if array is None:
            submitted = [path for path in (folder / "runs/slurm").glob("*") if path.name.isdecimal()]
            array = submitted[0].name if submitted else None
        for row in list(waiting):
            if list(folder.glob(f"runs/*/*/*/{row}/seed-0/checkpoint.ckpt")):
                job = f"{array}_{ROWS.index(row)}"
                subprocess.run([*waiting[row], job], check=True)
                print(f"{time.monotonic() - began:.0f} s: {' '.join(waiting.pop(row))} {job} ({row})", flush=True)
        time.sleep(0.05)
    print(process.stdout.read())
    print(f"exit code {process.returncode} after {time.monotonic() - began:.0f} s")
    for row in ROWS:
        (run,) = folder.glob(f"runs/*/*/*/{row}/seed-0")
        log = (run / "log.txt").read_text()
        steps = re.findall(r"from step (\d+) of", log)
        result = json.loads((run / "result.json").read_text())
        print(f"{row}: begun at steps {', '.join(steps)}; resumed_from {result['resumed_from']}")


if __name__ == "__main__":
    main()
