"""Locks: one holder at a time whatever dies when, also between machines, and files that dead writers left."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from configs import plan_runs
from conftest import ROOT

from sweep import files, locks
from sweep.locks import Held, Lost, claim, holder, is_dead, wait
from sweep.results.state import LOCK
from sweep.results.table import build_table

ELSEWHERE = "node7~0badcafe~12~345~6789abcd"  # a token of another machine


def start(code: str, *arguments, **options) -> subprocess.Popen:
    """A process that runs code with what it needs."""
    command = [sys.executable, "-c", f"import sys, time; from pathlib import Path; from sweep import locks\n{code}"]
    command += map(str, arguments)
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, **options)


HOLDS = "lock = locks.claim(Path(sys.argv[1])).__enter__(); print('held', flush=True); time.sleep(60)"


def test_one_holds_and_the_other_is_told_who(tmp_path):
    with claim(tmp_path / "a" / "lock") as lock:
        with pytest.raises(Held, match=rf"process {os.getpid()} on "):
            claim(lock.path)
        assert f"process {os.getpid()}" in holder(lock.path)
        lock.confirm()
    assert holder(lock.path) is None
    with claim(lock.path):
        pass
    assert list((tmp_path / "a").iterdir()) == []


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    process = start(HOLDS, tmp_path / "lock")
    assert process.stdout.readline() == "held\n"
    with pytest.raises(Held, match=f"process {process.pid} on"):
        claim(tmp_path / "lock")
    process.kill()
    while True:  # killed, and not yet waited for: a zombie holds nothing
        try:
            lock = claim(tmp_path / "lock")
            break
        except Held:
            time.sleep(0.01)
    assert process.returncode is None and holder(tmp_path / "lock").startswith(f"process {os.getpid()}")
    process.wait()
    lock.__exit__()
    assert list(tmp_path.iterdir()) == []


def test_a_process_of_the_same_number_is_not_taken_for_the_holder(tmp_path):
    place, boot, pid, started = locks.identity().split("~")
    assert is_dead(f"{place}~{boot}~{pid}~{started}~00") is False
    assert is_dead(f"{place}~{boot}~{pid}~{int(started) - 1}~00") is True
    assert (
        is_dead(f"{place}~ffffffff~{pid}~{started}~00") is None
    )  # before the machine started, or in another container
    (tmp_path / "lock").write_text(f"{place}~{boot}~{pid}~{int(started) - 1}~00")
    with claim(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("content", [ELSEWHERE, "", "no token"])
def test_another_machines_lock_is_free_when_it_is_touched_no_more(tmp_path, content):
    path = tmp_path / "lock"
    path.write_text(content)
    with pytest.raises(Held, match="on node7" if content == ELSEWHERE else "does not say"):
        claim(path)
    os.utime(path, (time.time(), time.time() - locks.STALE + 20))
    with pytest.raises(Held):
        claim(path)
    os.utime(path, (time.time(), time.time() - locks.STALE - 1))
    assert holder(path) is None
    with claim(path) as lock:
        lock.confirm()


def test_a_holder_shows_that_it_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.01)
    with claim(tmp_path / "lock") as lock:
        os.utime(lock.path, (0, 0))
        deadline = time.monotonic() + 30
        while lock.path.stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_holder_that_was_taken_for_dead_writes_no_more_and_frees_nothing(tmp_path):
    with claim(tmp_path / "lock") as lock:
        os.utime(lock.path, (0, 0))
        lock.path.write_text(ELSEWHERE)  # another machine, after this one slept for an hour
        with pytest.raises(Lost, match="taken by another process"):
            lock.confirm()
    assert lock.path.read_text() == ELSEWHERE


def test_a_successor_that_died_before_it_took_over_blocks_nobody(tmp_path):
    place = locks.identity().rsplit("~", 2)[0]
    dead, died_over_it = f"{place}~1~1~aa", f"{place}~2~1~bb"
    (tmp_path / "lock").write_text(dead)
    (tmp_path / f".lock.{dead}.partial").write_text(died_over_it)
    with claim(tmp_path / "lock"):
        assert len(list(tmp_path.iterdir())) == 1


def test_one_process_alone_succeeds_a_dead_holder(tmp_path):
    """Another one, which lives, is about to take the lock over."""
    dead = locks.identity().rsplit("~", 2)[0] + "~1~1~aa"
    (tmp_path / "lock").write_text(dead)
    (tmp_path / f".lock.{dead}.partial").write_text(f"{locks.identity()}~bb")
    with pytest.raises(Held, match=f"process {os.getpid()} on"):
        claim(tmp_path / "lock")
    assert (tmp_path / "lock").read_text() == dead


def test_without_hard_links_it_works_too(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    test_one_holds_and_the_other_is_told_who(tmp_path)
    test_a_successor_that_died_before_it_took_over_blocks_nobody(tmp_path / "a")


RACE = """
import os, random, signal
locks.POLL = 0.002
path, log, chance = Path(sys.argv[1]), sys.argv[2], random.Random(int(sys.argv[3]))
for _ in range(40):
    with locks.wait(path):
        with open(log, "ab", buffering=0) as file:
            file.write(b"(")
            if chance.random() < 0.03:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(chance.random() / 500)
            file.write(b")")
"""


def test_of_many_that_try_one_holds_though_some_are_killed(tmp_path):
    """Six processes at once, of which many are killed as they hold the lock, and others started in their place."""
    lock, log = tmp_path / "lock", tmp_path / "log"
    running, killed, seed = [start(RACE, lock, log, seed) for seed in range(6)], 0, 6
    while running:
        ended = [process for process in running if process.poll() is not None]
        for process in ended:
            running.remove(process)
            assert process.returncode in (0, -signal.SIGKILL)
            killed += process.returncode != 0
            if process.returncode and seed < 18:
                running.append(start(RACE, lock, log, seed))
                seed += 1
        time.sleep(0.005)
    written = log.read_text()
    assert killed > 6 and written.count("(") > 200
    # What a killed process opened stays open; two at once would close, or open, within each other.
    assert "))" not in written and len(re.findall(r"\((?!\))", written)) == killed
    with wait(lock):
        files.clean(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "log"}


def test_what_dead_writers_left_is_removed_and_what_living_ones_write_is_not(tmp_path):
    code = (
        "from sweep import files; import os\n"
        "with files.whole(Path(sys.argv[1])) as partial: partial.write_text('half'); os._exit(9)"
    )
    assert start(code, tmp_path / "table.csv").wait() == 9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".table.csv.") and left.name.endswith(".partial")
    mine = tmp_path / files.partial_name("table.csv")
    foreign, old = (tmp_path / f".table.csv.{ELSEWHERE}{n}.partial" for n in "12")
    for path in (mine, foreign, old):
        path.touch()
    os.utime(old, (0, time.time() - files.ABANDONED - 1))
    files.write_whole(tmp_path / "table.csv", "whole")
    assert set(tmp_path.iterdir()) == {mine, foreign, tmp_path / "table.csv"}


@pytest.mark.parametrize(
    "name",
    ["x" * 255, "音" * 85, "a [b] *.csv", os.fsdecode(b"\xff\xfe")],
    ids=["long", "long in UTF-8", "glob", "bytes"],
)
def test_any_name_that_the_folder_takes_can_be_written_and_locked(tmp_path, name):
    code = (
        "from sweep import files; import os\n"
        "with files.whole(Path(sys.argv[1])) as partial: partial.write_text('half'); os._exit(9)"
    )
    assert start(code, tmp_path / name).wait() == 9
    assert len(list(tmp_path.iterdir())) == 1
    files.write_whole(tmp_path / name, "whole")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [(name, "whole")]
    (tmp_path / name).unlink()
    with wait(tmp_path / name), pytest.raises(Held):
        claim(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_named_with_the_remedy_and_the_old_file_stays(tmp_path):
    files.write_whole(tmp_path / "a", "old")
    with pytest.raises(files.NoRoom, match=r"a: not written, No space left on device: make room"):
        with files.whole(tmp_path / "a") as partial:
            partial.write_text("half")
            with open("/dev/full", "w") as full:
                full.write("x")
    assert (tmp_path / "a").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_a_report_shows_what_is_running(tmp_path):
    folder, run = tmp_path / "demo" / "quick", "linear/cqt-12/seed-0"
    plan_runs(folder, run)
    with claim(folder / run / LOCK):
        table = build_table(folder)
    assert list(table.status) == ["running"] and f"process {os.getpid()} on" in table.note[0]
    assert list(build_table(folder).status) == ["missing"]
