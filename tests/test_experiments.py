"""The speed experiment runs from one command: every front-end has a row with a time, or with the reason why not."""

import csv
import importlib.util
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

from experiments.speed import tables
from experiments.speed.entries import Entry, TooSlow, check_speed, correlation, prepare, set_up
from experiments.speed.peers import Peer, missing, peers, reason
from experiments.speed.tensorflow_rows import NOTES
from experiments.speed.workloads import cases
from sweep.data.sources.demo import make_demo

CASES = ("stft-2048", "mel-2048-128-full", "log-256", "cqt-12", "gammatone-64", "cfp-16k")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What the command prints at a tiny size, and the file that it writes."""
    folder = tmp_path_factory.mktemp("speed")
    make_demo(folder / "music", train=1, test=1, seconds=2)
    size = ["--device", "cpu", "--paper-clips", "2", "--sweep-clips", "2", "--rows", ",".join(CASES), "--rounds", "2"]
    command = [sys.executable, "-m", "experiments.speed.measure", folder / "music", *size, "--budget", "0.1"]
    command += ["--families-clips", "2", "--workload", "paper,families,sweep"]
    command += ["--tensorflow", folder / "no-python", "--out", folder / "results-cpu.csv"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(folder / "results-cpu.csv", newline="") as file:
        return done.stdout, list(csv.DictReader(file)), folder / "results-cpu.csv"


@pytest.mark.long  # the command; so of all that ask what it measured
def test_every_front_end_has_a_row_with_a_time_or_a_reason(measured):
    _, rows, _ = measured
    for name in CASES:
        of_case = {tables.label(row): row for row in rows if row["row"] == name}
        workload = next(row["workload"] for row in of_case.values())
        expected = [peer.label for peer in peers("cpu", workload)]
        expected += list(NOTES) if workload != "families" else []
        assert sorted(of_case) == sorted(expected)
        for row in of_case.values():
            assert bool(row["forward_ms"]) != bool(row["reason"]), row


@pytest.mark.long
def test_ours_and_the_peers_of_the_test_environment_are_timed(measured):
    _, rows, _ = measured
    timed = {(tables.label(row), row["row"]) for row in rows if row["forward_ms"]}
    both = {(tables.label(row), row["row"]) for row in rows if row["both_ms"]}
    for name in CASES:
        modes = ("exact",) if name == "cfp-16k" else ("exact", "high", "fast")
        assert {(f"ours {mode}", name) for mode in modes} <= timed & both
        if importlib.util.find_spec("nnAudio"):
            assert ("nnAudio", name) in timed and (("nnAudio", name) in both) == (name != "cfp-16k")
    if importlib.util.find_spec("librosa"):
        assert {("librosa", name) for name in ("stft-2048", "mel-2048-128-full", "cqt-12")} <= timed
    assert {("torch", name) for name in ("stft-2048", "mel-2048-128-full", "log-256")} <= timed & both


@pytest.mark.long
def test_the_results_are_well_formed(measured):
    _, rows, _ = measured
    assert tuple(rows[0]) == tables.COLUMNS
    for row in rows:
        assert row["machine"] and row["threads"] == "1" and row["mode"]
        assert "reduced from" in row["size"]
        if row["forward_ms"]:
            middle, lower, upper, floor = (
                float(row[key]) for key in ("forward_ms", "forward_q1", "forward_q3", "floor_ms")
            )
            assert 0 < lower <= middle <= upper
            assert math.isclose(float(row["over_floor"]), middle / floor, abs_tol=0.01)
            assert float(row["correlation"]) > 0.9 and "torch" in row["versions"]
            case = [it for it in rows if it["row"] == row["row"] and it["forward_ms"] and it["front_end"] != "ours"]
            best = min(float(it["forward_ms"]) for it in case)
            assert math.isclose(float(row["best_peer_over_this"]), best / middle, abs_tol=0.001)


@pytest.mark.long
def test_the_tables_name_the_reduced_size_and_what_has_no_time(measured):
    printed, _, path = measured
    assert "2 clips x 80,000 in batches of 2, reduced from 1,770 clips" in printed
    assert "a batch of 2 x 16,384, reduced from 100" in printed
    assert "- Kapre: no environment with TensorFlow: --tensorflow names its Python" in printed
    assert printed.strip() == tables.report(tables.read(path)).strip()


@pytest.mark.long
def test_the_figures_are_drawn(measured):
    pytest.importorskip("matplotlib")
    path = measured[2]
    subprocess.run([sys.executable, "-m", "experiments.speed.plot", path], cwd=ROOT, check=True)
    assert {file.name for file in path.parent.glob("*.png")} == {
        "figure-cpu-paper.png",
        "figure-cpu-families.png",
        "figure-cpu-sweep.png",
    }


def test_another_transform_does_not_pass_for_ours():
    rng = np.random.default_rng(0)
    ours = rng.random((2, 30, 33))
    assert correlation(3 * ours[..., :-1], ours) == pytest.approx(1)  # a factor and a frame do not matter
    assert correlation(rng.random((2, 30, 33)), ours) < 0.2
    with pytest.raises(ValueError, match=r"its output is \(2, 29, 33\), ours \(2, 30, 33\)"):
        correlation(ours[:, 1:], ours)


def test_a_missing_peer_says_why_without_naming_folders():
    absent = [peer for peer in peers("cuda", "sweep") if peer.name == "flashmel"]
    assert missing(absent[0], "cpu") == "computes on cuda only"
    assert reason(OSError("cannot load /somebody/else/lib/thing.so: no")) == "OSError: cannot load thing.so: no"


def test_a_slow_peer_is_timed_on_a_few_clips_scaled_to_all():
    (case,) = (case for case in cases(["paper"], "cpu", True, ["mel-2048-128-full"], {"paper": 4}))
    seen, clips = [], 0.1 * torch.randn(4, 8000)
    peer = Peer(
        "slow", lambda r, device: lambda x: seen.append(len(x)) or r.transform()(x), few=1, differentiable=False
    )
    entry = Entry(peer, {"note": "", "reason": ""})
    set_up(entry, case, clips, {}, {})
    prepare(entry, case, clips, {}, patience=10.0)
    entry.works["forward"]()
    assert not entry.row["reason"] and set(seen) == {1}
    assert entry.passes == 1 / 4 and entry.row["note"] == "timed on 1 of the clips, scaled"


def test_what_needs_more_memory_or_time_than_there_is_says_so():
    failed = "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried to"
    assert reason(RuntimeError(failed)) == "needs more than half of the free memory"
    batches = (torch.zeros(4, 8),) * 3
    check_speed(lambda batches: None, batches, patience=10.0, device=torch.device("cpu"))
    with pytest.raises(TooSlow, match="one batch of 4 takes 0.0 s, and there are 3"):
        check_speed(lambda batches: None, batches, patience=0.0, device=torch.device("cpu"))
