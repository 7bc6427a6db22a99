"""How far each accuracy lies from the float64 definition, on real windows: the worst of the 34 rows, and the time.

The reference is the direct engine in float64, which tests/test_definition.py holds to sums written out there (1e-14).
"""

import argparse
import time
from pathlib import Path

import torch

from experiments.rows import rows
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.data.windows import training_windows

CHOICES = {"direct": {"engine": "direct"}, **{name: {"accuracy": name} for name in ("exact", "high", "fast")}}


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, help="folder in MusicNet's layout (default: the demo set)")
    root = parser.parse_args().root or Path("data/demo")
    if root == Path("data/demo"):
        make_demo(root)
    test = Recordings(read_split(root, "test"))
    windows, _ = training_windows(test, batch_size=64, length=16384, seed=0, step=0)
    few, worst, seconds = windows[:4], dict.fromkeys(CHOICES, (0.0, "")), 0.0
    for row in rows():
        expected = row.transform(engine="direct")(few.double())
        for choice, options in CHOICES.items():
            frontend = row.transform(**options)
            error = (frontend(few) - expected).norm() / expected.norm()
            worst[choice] = max(worst[choice], (error.item(), row.name))
            if choice == "high":
                frontend(windows)
                began = time.perf_counter()
                frontend(windows)
                seconds += time.perf_counter() - began
    for choice, (error, name) in worst.items():
        print(f"{choice:6}  {error:.1e}  {name}")
    print(f"64 windows through all 34 front-ends, default: {seconds:.1f} s, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
