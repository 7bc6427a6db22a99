"""Files of a run and of a sweep: they are whole, read back as they were written, and say what is wrong with them."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from configs import make_result

from sweep.files import write_whole
from sweep.results.plan import Planned, read_plan, write_plan
from sweep.results.progress import Progress, Tracker, read_progress
from sweep.results.result import FORMAT, OtherFormatError, read_result, write_result
from sweep.results.state import empty, set_aside


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
    recordings = {"1": {"accuracy": np.float64(0.25), "blocks": [(1, np.int64(2), math.nan)]}}
    written = make_result(scores=scores, recordings=recordings, bins=np.int64(336), moved={"bank": math.nan})
    write_result(tmp_path, written)
    assert read_result(tmp_path) == dataclasses.replace(
        written,
        scores={"accuracy": 0.5, "recall": 1 / 3, "average_precision": None, "e_tot": None},
        recordings={"1": {"accuracy": 0.25, "blocks": [[1, 2, None]]}},
        bins=336,
        moved={"bank": None},
    )
    assert "NaN" not in (tmp_path / "result.json").read_text()


@pytest.mark.parametrize("content", [b"", b'{"scores": {"accu', b"[]", b"null", b"\xff\x00"])
def test_a_damaged_file_is_named_with_the_remedy(tmp_path, content):
    for name, read in [("result.json", read_result), ("sweep.json", read_plan)]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name}: damaged, .*; delete it"):
            read(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"runs": ["linear/cqt-12/seed-0"]}',
        '{"runs": {"linear/cqt-12/seed-0": {"family": "cqt"}}}',
        '{"runs": 3}',
    ],
)
def test_a_plan_that_holds_something_else_is_damaged(tmp_path, content):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(ValueError, match=r"sweep\.json: damaged, .*; delete it; the next sweep writes it anew"):
        read_plan(tmp_path)


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(make_result())])
def test_a_result_without_one_of_its_fields_is_damaged(tmp_path, field):
    write_result(tmp_path, make_result())
    content = json.loads((tmp_path / "result.json").read_text())
    wrong = [{key: value for key, value in content.items() if key != field}]
    if isinstance(content[field], dict):
        wrong.append(content | {field: None})
    for each in wrong:
        (tmp_path / "result.json").write_text(json.dumps(each))
        with pytest.raises(ValueError, match=rf"result\.json: damaged, it has no {field}; delete it"):
            read_result(tmp_path)


@pytest.mark.parametrize(("content", "found"), [({}, 1), ({"format": 1}, 1), ({"format": FORMAT + 1}, FORMAT + 1)])
def test_a_result_of_another_version_is_not_damaged_and_says_so(tmp_path, content, found):
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(OtherFormatError) as caught:
        read_result(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'result.json'} has format {found}, this version reads {FORMAT}: choose another folder with "
        "runs=DIR, or make it anew with overwrite=true"
    )


def planned(family: str = "cqt", cost: float = 1.0, **identity: object) -> Planned:
    return Planned(family, cost, identity)


def test_a_plan_keeps_what_was_planned_and_is_not_rewritten(tmp_path):
    assert read_plan(tmp_path) == {}
    first = {"linear/cqt-12/seed-0": planned(seed=0), "linear/cqt-24/seed-0": planned(cost=2.5)}
    write_plan(tmp_path, first)
    before = (tmp_path / "sweep.json").stat()
    write_plan(tmp_path, {"linear/cqt-24/seed-0": planned(cost=2.5)})
    assert (tmp_path / "sweep.json").stat() == before
    assert read_plan(tmp_path) == first and list(read_plan(tmp_path)) == list(first)
    more = {"linear/mine/seed-1": planned("mel"), "linear/cqt-12/seed-0": planned(seed=0)}
    write_plan(tmp_path, more)
    assert read_plan(tmp_path) == first | more
    assert list(read_plan(tmp_path)) == ["linear/cqt-12/seed-0", "linear/cqt-24/seed-0", "linear/mine/seed-1"]


def test_a_run_asked_for_otherwise_keeps_its_place_in_the_plan(tmp_path):
    write_plan(tmp_path, {"linear/cqt-12/seed-0": planned(steps=5), "linear/cqt-24/seed-0": planned()})
    write_plan(tmp_path, {"linear/cqt-12/seed-0": planned(steps=6)})
    assert list(read_plan(tmp_path)) == ["linear/cqt-12/seed-0", "linear/cqt-24/seed-0"]
    assert read_plan(tmp_path)["linear/cqt-12/seed-0"].identity == {"steps": 6}
    lines = (tmp_path / "sweep.json").read_text().splitlines()
    assert len(lines) == 4 and lines[1].startswith('"linear/cqt-12/seed-0": {')  # people read it: a run a line


def test_progress_is_what_the_tracker_was_told(tmp_path):
    now = 1000.0
    assert read_progress(tmp_path) is None
    tracker = Tracker(tmp_path, {"seed": 0}, clock=lambda: now)
    tracker.begin()
    assert read_progress(tmp_path) == Progress(identity={"seed": 0}, began=1000.0)
    now = 1010.0
    tracker.train(first=50, steps=400)
    started = Progress(identity={"seed": 0}, began=1000.0, first=50, steps=400, step=50, training=1010.0, seen=1010.0)
    assert read_progress(tmp_path) == started and started.rate is None
    now = 1110.0
    tracker.reach(100)
    found = read_progress(tmp_path)
    assert found == dataclasses.replace(started, step=100, seen=1110.0) and found.rate == 0.5
    assert [path.name for path in tmp_path.iterdir()] == ["progress.json"]


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b"{}", b"\xff\xfe", b'{"began": 1, "identity": {}, "more": 2}']
)
def test_progress_that_cannot_be_read_is_none(tmp_path, content):
    (tmp_path / "progress.json").write_bytes(content)
    assert read_progress(tmp_path) is None


def test_a_folder_is_emptied_but_for_its_lock_and_its_log(tmp_path):
    for name in ("lock", ".lock.other.partial", "log.txt", "result.json", "progress.json"):
        (tmp_path / name).touch()
    (tmp_path / "curves" / "0").mkdir(parents=True)
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent, target_is_directory=True)
    empty(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"lock", ".lock.other.partial", "log.txt"}
    assert tmp_path.exists()


def test_what_is_damaged_is_set_aside_in_place_of_an_older_one(tmp_path):
    for content in ("older", "newer"):
        (tmp_path / "result.json").write_text(content)
        assert set_aside(tmp_path / "result.json") == tmp_path / "result.json.damaged"
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("result.json.damaged", "newer")]


def test_results_and_scores_import_nothing_heavy():
    heavy = "{'torch', 'lightning', 'hydra', 'omegaconf', 'pandas', 'mir_eval', 'scipy'}"
    modules = "sweep.results.state, sweep.results.plan, sweep.results.scoring"
    code = f"import sys, {modules}; print(sorted({heavy} & set(sys.modules)))"
    root = Path(__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert ran.stdout == "[]\n"
