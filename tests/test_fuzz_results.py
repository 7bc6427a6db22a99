"""Damaged files of results, seeded: the report stands, memory stays small, and nothing else is lost."""

import dataclasses
import io
import json
import pickle
import random
import resource
import shutil
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from configs import make_config
from mutations import damaged
from rich.console import Console
from test_odd_members import RUN, RUNS, fill

from sweep.report import print_reports
from sweep.report.details import read_details
from sweep.results.evidence import read_evidence
from sweep.results.plan import read_plan
from sweep.results.progress import Progress, read_progress
from sweep.results.result import read_result
from sweep.results.table import read_runs
from sweep.scheduling.status import lines, read_status
from sweep.training.checkpoints import DamagedError, check_state

FILES = [f"{RUN}/result.json", f"{RUN}/evidence.npz", f"{RUN}/curves/from-step-0/metrics.csv", f"{RUN}/progress.json"]
FILES += [f"{RUN}/traceback.txt", f"{RUN}/lock", "sweep.json", "table.csv"]
MEMORY = 100_000  # kB; the largest of the files has some kB


def values_mutated(content: bytes, chance: random.Random) -> bytes:
    """Put a value of another type or size somewhere into a JSON file."""
    tree = json.loads(content)
    node = tree
    while True:
        key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if isinstance(node[key], dict | list) and node[key] and chance.random() < 0.8:
            node = node[key]
            continue
        node[key] = chance.choice(
            [None, True, -1, 0, 10**30, 1e308, "", "x\n\ud800\x1b[31m", [], {}, [[1, 2]], {"a": {}}]
        )
        return json.dumps(tree).encode()


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sweep with all kinds of files in one run, beside three others."""
    sweep = fill(tmp_path_factory.mktemp("fuzz") / "d/quick")
    progress = Progress(identity={"seed": 0}, began=1.0, first=0, steps=10, step=5, training=2.0, seen=3.0)
    (sweep / RUN / "progress.json").write_text(json.dumps(dataclasses.asdict(progress)))
    (sweep / RUN / "traceback.txt").write_text("Traceback\nValueError: it broke\n")
    (sweep / RUN / "lock").write_text("host~12345678~1~2~abcdef01")
    print_reports(sweep, Console(quiet=True))
    return sweep


def attack(original: Path, sweep: Path, seed: int) -> None:
    chance = random.Random(seed)
    name = FILES[seed % len(FILES)]
    content = (original / name).read_bytes()
    sources = [original / path for path in (name, name.replace("cqt-12", "mel-512-128"), *FILES)]
    other = chance.choice([path for path in sources if path.exists()]).read_bytes()
    if name.endswith("json") and chance.random() < 0.4:
        spoilt = values_mutated(content, chance)
    else:
        spoilt = damaged(content, other, chance.randrange(2**32))
    (sweep / name).write_bytes(spoilt)
    if name != f"{RUN}/result.json" and seed % 3 == 0:
        (sweep / RUN / "result.json").unlink()
    try:
        console = Console(file=io.StringIO(), width=200)
        (report,), _ = print_reports(sweep, console)
        read_details(sweep, report.runs, "accuracy")
        for line in lines(read_status(sweep, 10.0)):
            assert "\n" not in line.plain
        runs = read_runs(sweep)
        found = dict(zip(runs.table.run, runs.table.status, strict=True))
        assert {run: found[run] for run in RUNS if run != RUN and name != "sweep.json"}.items() <= dict.fromkeys(
            RUNS, "done"
        ).items()
        assert "nan" not in console.file.getvalue()
        for read, errors in ((read_result, ValueError), (read_evidence, ValueError)):
            try:
                read(sweep / RUN)
            except errors as error:
                assert str(error).startswith(str(sweep / RUN)) and "\n" not in str(error)
        read_progress(sweep / RUN)
        try:
            read_plan(sweep)
        except ValueError as error:
            assert str(error).startswith(str(sweep / "sweep.json"))
    except Exception as error:
        raise AssertionError(f"seed {seed}, {name}: {spoilt[:300]!r}") from error
    finally:
        (sweep / name).write_bytes(content)
        shutil.copy(original / RUN / "result.json", sweep / RUN / "result.json")


def attack_all(original: Path, folder: Path, seeds: range) -> None:
    sweep = folder / "d/quick"
    shutil.copytree(original, sweep)
    attack(original, sweep, 0)  # loads what it needs
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in seeds:
        attack(original, sweep, seed)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY


def test_damage_costs_nothing_else(original, tmp_path):
    attack_all(original, tmp_path, range(8))


@pytest.mark.long
@pytest.mark.parametrize("part", range(4))
def test_more_damage_costs_nothing_else(original, tmp_path, part):
    attack_all(original, tmp_path, range(1000 + 100 * part, 1100 + 100 * part))


def header(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


BOMBS = {
    "shape": (header("(1000000000000,)"), zipfile.ZIP_DEFLATED),
    "negative": (header("(-1, -8)") + b"\0" * 64, zipfile.ZIP_DEFLATED),
    "shape of nothing": (header("(1000000000000,)", "|V0"), zipfile.ZIP_DEFLATED),
    "deep": (header("(" * 5000 + ")" * 5000), zipfile.ZIP_DEFLATED),
    "pickle": (header("(1,)", "|O") + pickle.dumps(print), zipfile.ZIP_DEFLATED),
    "zeros": (header("(12500000,)") + bytes(100_000_000), zipfile.ZIP_DEFLATED),
    "packed twice": (header("(6250000,)") + bytes(50_000_000), zipfile.ZIP_BZIP2),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_arrays_are_not_believed(tmp_path, bomb):
    content, packed = BOMBS[bomb]
    with zipfile.ZipFile(tmp_path / "evidence.npz", "w", packed) as file:
        file.writestr("times.npy", content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"evidence\.npz: damaged, .*overwrite=true"):
            read_evidence(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    config = make_config("representation=mel-512-128")
    path = tmp_path_factory.mktemp("checkpoint") / "model.ckpt"
    run = {"identity": config.identity, "step": 5}
    torch.save({"run": run, "state_dict": {"a": torch.arange(500.0), "b": torch.zeros(3, 3)}}, path)
    assert check_state(path, config) == 5
    return path, config


def check_damaged(checkpoint, folder: Path, seeds: range) -> None:
    original, config = checkpoint
    content = original.read_bytes()
    for seed in seeds:
        path = folder / "model.ckpt"
        spoilt = damaged(content, content, seed)
        path.write_bytes(spoilt)
        try:
            assert check_state(path, config) == 5  # what changed stands between the parts of the file
        except DamagedError as error:
            assert str(error).startswith(f"{path}: damaged (") and "\n" not in str(error), seed


def test_a_damaged_checkpoint_is_named(checkpoint, tmp_path):
    check_damaged(checkpoint, tmp_path, range(60))


@pytest.mark.long
def test_more_damaged_checkpoints_are_named(checkpoint, tmp_path):
    check_damaged(checkpoint, tmp_path, range(1000, 2500))


def test_a_compressed_checkpoint_is_refused(checkpoint, tmp_path):
    """It could take any memory."""
    path, config = checkpoint
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "model.ckpt", "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            new.writestr(part.filename, old.read(part))
    with pytest.raises(DamagedError, match="it is compressed"):
        check_state(tmp_path / "model.ckpt", config)


def test_evidence_written_is_evidence_read(tmp_path, original):
    found = read_evidence(original / RUN)
    assert found["pitches"].shape == (2, 88, 3) and found["recordings"].tolist() == ["0", "1"]
    found["pitches"] += np.array(1)  # arrays may be changed
