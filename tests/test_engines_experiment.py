"""The engines experiment: it runs, and engine="auto" decides as its table says."""

import csv
import subprocess
import sys

import pytest
import torch
from conftest import ROOT, ROWS

from sweep.engines import auto

TABLES = sorted((ROOT / "experiments" / "engines").glob("results-*.csv"))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def chosen(name: str, accuracy: str, device: str) -> str:
    """What the table calls the way that "auto" takes."""
    engine = ROWS[name].transform(accuracy=accuracy).engine
    if ROWS[name].family == "cqt":
        return f"direct up to {auto._DIRECT_UP_TO[device][2]}"
    (part,) = engine.parts(torch.device(device))
    return part.name


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_auto_takes_the_fastest_way_of_the_table(path):
    cases = {}
    for row in read(path):
        cases.setdefault((row["representation"], row["accuracy"], row["device"]), {})[row["way"]] = float(row["ms"])
    assert cases
    for case, ways in cases.items():
        assert ways[chosen(*case)] <= 1.2 * min(ways.values()), case


@pytest.mark.long
def test_the_command_times_every_way(tmp_path):
    size = ["--device", "cpu", "--rows", "linear-256,cqt-12", "--accuracy", "fast", "--clips", "1", "--rounds", "2"]
    command = [sys.executable, "-m", "experiments.engines.measure", *size, "--out", tmp_path / "results.csv"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ways = [(row["representation"], row["way"]) for row in read(tmp_path / "results.csv") if float(row["ms"]) > 0]
    assert ways[:3] == [("linear-256", engine) for engine in ("direct", "banded", "spectral")]
    assert ways[3:] == [("cqt-12", f"direct up to {n}") for n in (128, 256, 512, 1024, 2048, 4096)]
