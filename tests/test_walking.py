"""Folders on real disks: one rule for what is walked, what is left out in silence, and what is said."""

import os
import subprocess
import sys
from pathlib import Path

from sweep.walking import files_below, walk


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def found(root: Path) -> tuple[list[str], list[str]]:
    """The files below a root, and the lines, both relative to it."""
    unread = []
    files = [path.relative_to(root).as_posix() for path in files_below(root, unread)]
    return files, [line.replace(f"{root}/", "") for line in unread]


def test_hidden_ones_are_left_out_in_silence(tmp_path):
    for name in (".git/a", "x/.cache/b", "x/._c", "x/.d.partial", "x/e", "f.g/h"):
        touch(tmp_path / name)
    os.symlink("nowhere", tmp_path / ".link")
    assert found(tmp_path) == (["f.g/h", "x/e"], [])
    root = tmp_path / ".git"
    assert found(root) == (["a"], [])


def test_each_folder_is_visited_once_and_circles_end(tmp_path):
    touch(tmp_path / "z/one")
    touch(tmp_path / "elsewhere/two")
    root = tmp_path / "root"
    touch(root / "real/x")
    links = {"a": "real", "real/up": "..", "real/self": ".", "b": "../elsewhere", "c": "b", "d": "..", "e": "/"}
    for link, target in links.items():
        os.symlink(target, root / link)
    os.symlink(root, tmp_path / "elsewhere/back")
    assert found(root) == (["real/x", "b/two"], [])


def test_links_that_lead_nowhere_are_named(tmp_path):
    os.symlink("gone", tmp_path / "a.wav")
    os.symlink("self", tmp_path / "self")
    os.symlink(touch(tmp_path / "there"), tmp_path / "good")
    os.symlink("there/x", tmp_path / "through")
    said = "a link that leads nowhere: mend or remove it"
    files, lines = found(tmp_path)
    assert files == ["good", "there"]
    assert sorted(lines) == [f"a.wav: {said}", f"self: {said}", f"through: {said}"]


def test_a_folder_that_cannot_be_entered_is_named_and_costs_nothing_else(tmp_path):
    """A path beyond the system's limit cannot be entered, by root neither."""
    touch(tmp_path / "x")
    deep, here = tmp_path, os.getcwd()
    name = "d" * 200
    try:
        os.chdir(tmp_path)
        for _ in range(25):
            os.mkdir(name)
            os.chdir(name)
            deep = deep / name
    finally:
        os.chdir(here)
    files, (line,) = found(tmp_path)
    assert files == ["x"] and "d: cannot be entered (File name too long), nothing in it is read" in line


def test_permissions(tmp_path):
    """As a user without rights: a folder that may not be entered, and one that may only be listed."""
    for name in ("closed/a", "listed/b", "open/c"):
        touch(tmp_path / name)
    os.symlink("../closed/a", tmp_path / "open/link")
    tmp_path.chmod(0o755)
    (tmp_path / "closed").chmod(0)
    (tmp_path / "listed").chmod(0o444)
    code = (
        "import os, sys; from pathlib import Path; from sweep.walking import files_below\n"
        "os.chdir(sys.argv[1])\n"  # the folders above it may be closed to that user
        "os.setuid(65534) if os.getuid() == 0 else None\n"
        "unread = []; print([str(path) for path in files_below(Path('.'), unread)]); print(*unread, sep='\\n')"
    )
    try:
        ended = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    finally:
        (tmp_path / "closed").chmod(0o755)
        (tmp_path / "listed").chmod(0o755)
    assert ended.stdout.splitlines() == [
        "['listed/b', 'open/c']",
        "closed: cannot be entered (Permission denied), nothing in it is read: correct its permissions",
        "open/link: cannot be read (Permission denied): correct its permissions",
    ]


def test_pipes_are_no_files_and_a_missing_root_is_empty(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    assert found(tmp_path) == ([], [])
    assert found(tmp_path / "gone") == ([], [])
    assert found(touch(tmp_path / "file")) == ([], [])


def test_a_caller_may_leave_out_folders(tmp_path):
    for name in ("a/x", "b/y"):
        touch(tmp_path / name)
    seen = []
    for _, below, files in walk(tmp_path, []):
        seen += files
        below[:] = [name for name in below if name != "a"]
    assert seen == ["y"]


def test_folders_that_vanish_were_not_there(tmp_path):
    for name in ("a/x", "b/y"):
        touch(tmp_path / name)
    unread = []
    for _, below, _ in walk(tmp_path, unread):
        if "a" in below:
            (tmp_path / "a/x").unlink()
            (tmp_path / "a").rmdir()
    assert unread == []
