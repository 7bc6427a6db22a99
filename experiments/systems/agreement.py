"""Compares the rows of published systems with their own code: python -m experiments.systems.agreement DIR.

DIR holds NAME.npz, one a system: `input` and `sample_rate`, `output` and the frames of it that were kept. Writes
agreement.csv: of each row the largest and the median difference, in units of the features, their span between the
0.1th and the 99.9th percentile, and the share of cells within 0.3 % of it; of constant-Q rows also that share with
`algorithm=exact`.
"""

import csv
import sys
from pathlib import Path

import numpy as np
import torch

from sweep import row
from sweep.representations import Representation

# The rows, and the files of their systems; the others of +grid=systems are only described.
FILES = {
    "onsets-frames": "onsets_and_frames",
    "kong": "kong_bytedance",
    "hft": "hft_transformer",
    "hppnet": "hppnet",
    "onsets-velocities": "onsets_and_velocities",
    "transkun": "transkun_v2",
    "mt3": "mt3",
    "ymt3": "yourmt3_ymt3plus",
    "yptf": "yourmt3_yptf",
    "basic-pitch": "basic_pitch",
    "deep-salience": "deep_salience",
    "tabcnn": "tabcnn",
    "madmom-rnn": "madmom_rnn",
    "omnizart": "omnizart_music",
    "diffroll": "diffroll",
}
OUT = Path(__file__).with_name("agreement.csv")


def compare(name: str, folder: Path) -> dict[str, str]:
    """Compare a row's features with those of a system, and return a line of the table."""
    theirs, ours = np.load(folder / f"{FILES[name]}.npz"), row(name)
    clip = torch.from_numpy(theirs["input"])
    expected = theirs["output"]
    low, high = np.percentile(expected, [0.1, 99.9])

    def difference(it: Representation) -> np.ndarray:
        made = it.features(clip, accuracy="exact").numpy()[..., theirs["frame_index"]]
        return np.abs((made[0] if made.ndim > expected.ndim else made) - expected)  # the network makes another channel

    def within(error: np.ndarray) -> str:
        return f"{100 * np.mean(error <= 0.003 * (high - low)):.3f}"

    error = difference(ours)
    return {
        "row": name,
        "sample_rate": str(ours.sample_rate),
        "cells": str(error.size),
        "span": f"{high - low:.3g}",
        "largest": f"{error.max():.1e}",
        "median": f"{np.median(error):.1e}",
        "within": within(error),
        "within_exact": within(difference(row(name, algorithm="exact"))) if ours.family == "cqt" else "",
        "times": f"{np.abs(ours.times(len(clip)) - theirs['times']).max():.0e}",
    }


def main() -> None:
    """Compare all, print the table and write it."""
    lines = [compare(name, Path(sys.argv[1])) for name in FILES]
    with OUT.open("w", newline="") as file:
        table = csv.DictWriter(file, lines[0], lineterminator="\n")
        table.writeheader()
        table.writerows(lines)
    print("| row | span | largest | median | cells within 0.3 % of the span |\n| --- | ---: | ---: | ---: | ---: |")
    for line in lines:
        print(f"| {line['row']} | {line['span']} | {line['largest']} | {line['median']} | {line['within']} % |")


if __name__ == "__main__":
    main()
