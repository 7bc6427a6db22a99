"""Bad and odd data sets, each made from a good one; `python tests/corpus.py` prints what becomes of each as a table."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from corpus_bad import BAD, Bad
from corpus_makers import make_good
from corpus_odd import ODD, Odd
from rich.console import Console

from sweep.data.reading import read_split
from sweep.data.report import report


def problems_of(case: Bad, root: Path) -> list[str]:
    """What is said of a bad data set; the damage is done to a good one at `root`."""
    make_good(root, case.source)
    case.damage(root)
    return report(root, case.source, Console(quiet=True))


def read_odd(case: Odd, root: Path) -> tuple[np.ndarray, list]:
    """Samples, full scale 1, and notes of the training recording of an odd data set."""
    make_good(root, case.source)
    case.change(root)
    (recording,) = read_split(root, "train", source=case.source)
    scale = 32768 if recording.audio.dtype == np.int16 else 1
    return recording.audio / np.float32(scale), recording.notes[:, :3].tolist()


def main() -> None:
    """Print the table."""
    print("| input | what is said |\n| --- | --- |")
    for case in BAD:
        with tempfile.TemporaryDirectory() as folder:
            lines = problems_of(case, Path(folder, "set"))
            print(f"| {case.name} | {lines[0].replace(folder, '').replace('|', '')} |")
    print(f"\n{len(BAD)} bad inputs, all refused in one line.\n\n| odd input | read as |\n| --- | --- |")
    for case in ODD:
        with tempfile.TemporaryDirectory() as folder:
            samples, notes = read_odd(case, Path(folder, "set"))
            print(f"| {case.name} | {len(samples):,} samples, {len(notes)} note{'s' * (len(notes) != 1)} |")
    print(f"\n{len(ODD)} odd inputs, all read.")


if __name__ == "__main__":
    sys.exit(main())
