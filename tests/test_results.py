"""Run folders and their files: names that never collide, files that are whole, results that read back."""

import copy
import itertools
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sweep.files import write_whole
from sweep.results import (
    differences,
    identity,
    read_plan,
    read_result,
    run_folder,
    write_plan,
    write_result,
)

SETTINGS = {
    "runs": "out",
    "data": {"name": "demo", "root": "data/demo", "validation": 0.1},
    "protocol": {"name": "quick", "steps": 100},
    "model": {"name": "linear"},
    "representation": {"name": "cqt-48", "n_bins": 336},
    "frontend": {"trainable": False, "accuracy": "fast", "learning_rate": None},
    "control": {"name": "none"},
    "precision": "tf32",
    "threshold": 0.4,
    "seed": 3,
    "device": "cpu",
    "logger": {"name": "csv"},
}


def changed(**values: object) -> dict:
    """SETTINGS with some values replaced; data__root is the key data.root."""
    settings = copy.deepcopy(SETTINGS)
    for key, value in values.items():
        *parents, last = key.split("__")
        section = settings
        for parent in parents:
            section = section[parent]
        section[last] = value
    return settings


def test_a_run_lies_where_its_choices_say():
    assert run_folder(SETTINGS) == Path("out/demo/quick/linear/cqt-48/seed-3")
    chosen = changed(frontend__trainable=True, frontend__accuracy="high", threshold=0.5)
    assert run_folder(chosen) == Path("out/demo/quick/linear/cqt-48+trainable+accuracy=high+threshold=0.5/seed-3")
    exact = changed(precision="float32", frontend__accuracy="high")  # what float32 implies
    assert run_folder(exact) == Path("out/demo/quick/linear/cqt-48+precision=float32/seed-3")


def test_no_two_variants_share_a_folder():
    precisions = ["float32", "tf32", "bfloat16"]
    choices = list(
        itertools.product([False, True], ["exact", "high", "fast"], precisions, [0.3, 0.30001, 0.4, "tuned"])
    )
    keys = ("frontend__trainable", "frontend__accuracy", "precision", "threshold")
    folders = {run_folder(changed(**dict(zip(keys, values, strict=True)))) for values in choices}
    assert len(folders) == len(choices)


@pytest.mark.parametrize(
    "key",
    [
        "runs",
        "device",
        "logger",
        "progress",
        "overwrite",
        "cluster",
        "retry",
        "workers",
        "data__root",
        "data__cache",
        "capture",
    ],
)
def test_where_and_how_a_run_is_computed_is_not_its_identity(key):
    assert identity(changed(**{key: "other"})) == identity(SETTINGS)


@pytest.mark.parametrize(
    "key",
    ["data__name", "data__validation", "protocol__steps", "frontend__learning_rate", "representation__n_bins", "seed"],
)
def test_what_decides_the_result_is_its_identity(key):
    assert identity(changed(**{key: "other"})) != identity(SETTINGS)


def test_differences_name_the_key_and_both_values():
    old = changed(representation__n_bins=84)
    new = changed(frontend__trainable=True, retry=None)
    del new["threshold"]
    assert sorted(differences(old, new)) == [
        "frontend.trainable: false -> true",
        "representation.n_bins: 84 -> 336",
        "retry: (absent) -> null",
        "threshold: 0.4 -> (absent)",
    ]
    assert differences(SETTINGS, copy.deepcopy(SETTINGS)) == []


def test_the_same_content_is_not_written_again(tmp_path):
    path = tmp_path / "new" / "folder" / "table.md"
    write_whole(path, "old é\n")
    assert path.read_bytes() == "old é\n".encode()
    before = path.stat()
    write_whole(path, "old é\n")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)
    write_whole(path, "new")
    assert path.read_text() == "new"


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("accident", [OSError("disk full"), KeyboardInterrupt()])
def test_an_accident_while_writing_leaves_the_old_file(tmp_path, monkeypatch, step, accident):
    def fail(*_):
        raise accident

    path = tmp_path / "result.json"
    write_whole(path, "old")
    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(accident)):
        write_whole(path, "new")
    assert [file.name for file in tmp_path.iterdir()] == ["result.json"]
    assert path.read_text() == "old"


def test_a_result_reads_back_with_null_for_what_is_not_finite(tmp_path):
    assert read_result(tmp_path) is None
    scores = {"accuracy": np.float32(0.5), "recall": 1 / 3, "average_precision": math.nan, "e_tot": np.float64("inf")}
    write_result(tmp_path, {"config": {}, "scores": scores, "bins": np.int64(336), "losses": (1.0, math.nan)})
    assert read_result(tmp_path) == {
        "config": {},
        "scores": {"accuracy": 0.5, "recall": 1 / 3, "average_precision": None, "e_tot": None},
        "bins": 336,
        "losses": [1.0, None],
    }
    assert "NaN" not in (tmp_path / "result.json").read_text()


@pytest.mark.parametrize("content", [b"", b'{"scores": {"accu', b"[]", b"{}", b"null", b"\xff\x00"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    for name, read in [("result.json", read_result), ("sweep.json", read_plan)]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}: damaged, .*; delete it"):
            read(tmp_path)


def test_a_plan_keeps_what_was_planned_and_is_not_rewritten(tmp_path):
    assert read_plan(tmp_path) == []
    write_plan(tmp_path, ["linear/cqt-12/seed-0", "linear/cqt-24/seed-0"])
    before = (tmp_path / "sweep.json").stat()
    assert write_plan(tmp_path, ["linear/cqt-24/seed-0"]) == ["linear/cqt-12/seed-0", "linear/cqt-24/seed-0"]
    assert (tmp_path / "sweep.json").stat() == before
    write_plan(tmp_path, ["linear/cqt-12/seed-1", "linear/cqt-12/seed-0"])
    assert read_plan(tmp_path) == ["linear/cqt-12/seed-0", "linear/cqt-24/seed-0", "linear/cqt-12/seed-1"]


def test_results_and_scores_import_nothing_heavy():
    heavy = "{'torch', 'lightning', 'hydra', 'omegaconf', 'pandas', 'mir_eval', 'scipy'}"
    code = f"import sys, sweep.results, sweep.scoring; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert ran.stdout == "[]\n"
