"""Unpacking: whole or not at all, when killed, too; archives that are evil, damaged or not MusicNet are refused."""

import copy
import pickle
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from server import serving
from small_musicnet import (
    ARCHIVE_NAME,
    CONTENT,
    INCOMPLETE,
    PACKED,
    RECORD,
    SMALL,
    assert_complete,
    described,
    error_of,
    found,
    get,
    pack,
)

from sweep.data.download import FOLDERS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def server():
    with serving(dict(RECORD)) as server:
        yield server


@pytest.fixture
def root(tmp_path):
    return tmp_path / "musicnet"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


EVIL = {
    "parent": member("../evil.wav"),
    "parent inside": member("musicnet/train_data/../../../evil.wav"),
    "parent as file": member("musicnet/train_data/.."),
    "absolute": member("{outside}/evil.wav"),
    "symlink": member("musicnet/train_data/7.wav", tarfile.SYMTYPE, "/etc/passwd"),
    "symlinked folder": member("musicnet/train_data", tarfile.SYMTYPE, ".."),
    "hard link": member("musicnet/train_data/7.wav", tarfile.LNKTYPE, "musicnet/train_data/1.wav"),
    "hard link outside": member("musicnet/train_data/7.wav", tarfile.LNKTYPE, "/etc/passwd"),
    "device": member("musicnet/train_data/7.wav", tarfile.CHRTYPE),
    "block device": member("musicnet/train_data/7.wav", tarfile.BLKTYPE),
    "pipe": member("musicnet/train_data/7.wav", tarfile.FIFOTYPE),
}


@pytest.mark.parametrize("evil", EVIL.values(), ids=EVIL)
def test_an_evil_archive_is_refused(server, root, tmp_path, evil):
    evil = copy.copy(evil)  # Python 3.11.2 has no TarInfo.replace
    evil.name = evil.name.format(outside=tmp_path)
    server.files[ARCHIVE_NAME] = archive = pack(CONTENT, extra=(evil,))
    message = error_of(server, root, archive=described(ARCHIVE_NAME, archive))
    assert f"{root / ARCHIVE_NAME}: {evil.name!r} is a link, a device or outside" in message and "remove it" in message
    assert list(found(tmp_path)) == [f"musicnet/{ARCHIVE_NAME}"]
    (root / ARCHIVE_NAME).unlink()  # as the message says
    server.files = dict(RECORD)
    get(server, root)
    assert_complete(root)


def test_other_files_of_an_archive_are_left_out(server, root):
    names = ("README.txt", "a.wav", "train_data/._1.wav", "train_data/1.wav~", "train_data/more/1.wav")
    server.files[ARCHIVE_NAME] = archive = pack({**CONTENT, **dict.fromkeys(names, b"something else")})
    get(server, root, archive=described(ARCHIVE_NAME, archive))
    assert_complete(root)


def test_what_a_killed_call_has_unpacked_is_dropped(server, root):
    left = root / ".unpacking" / "train_data" / "4.wav"
    for _ in range(2):  # also where the set is complete
        left.parent.mkdir(parents=True)
        left.write_bytes(b"half a recording")
        get(server, root)
        assert_complete(root)


@pytest.mark.parametrize(
    "archive", [PACKED[: len(PACKED) // 2], PACKED[:5], b"no archive"], ids=["half", "header", "other"]
)
def test_a_damaged_archive(server, root, archive):
    server.files[ARCHIVE_NAME] = archive
    message = error_of(server, root, archive=described(ARCHIVE_NAME, archive))
    assert message.startswith(f"{root / ARCHIVE_NAME}: damaged (") and "remove it" in message


@pytest.mark.parametrize(("pattern", "problem"), INCOMPLETE.items())
def test_an_incomplete_archive_is_named(server, root, pattern, problem):
    content = {name: data for name, data in CONTENT.items() if not Path(name).match(pattern)}
    server.files[ARCHIVE_NAME] = archive = pack(content)
    message = error_of(server, root, archive=described(ARCHIVE_NAME, archive))
    assert message.startswith(f"{root / ARCHIVE_NAME}: {problem}: ")


# A call that is killed at the k-th sign of progress, for k = 0, 1, ... until one runs through: each in a fork, for
# importing takes a second. After each the set must be absent or whole, and the next call must complete it.
KILLED = """
import os, pickle, shutil, signal, sys
from pathlib import Path
from rich.progress import Progress
from sweep.data.download import FOLDERS, get_musicnet, lacking

class Deadly(Progress):
    left = 0
    def count(self):
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    def update(self, *arguments, **options):
        super().update(*arguments, **options)
        self.count()
    def advance(self, *arguments):
        super().advance(*arguments)
        self.count()

url, root, small = pickle.loads(sys.stdin.buffer.read())
get = lambda progress: get_musicnet(root, url, progress=progress, **small)
k = status = -1
seen = set()
while status:
    k += 1
    shutil.rmtree(root, ignore_errors=True)
    child = os.fork()
    if not child:
        progress = Deadly(disable=True)
        progress.left = k
        get(progress)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    seen.update(path.name for path in root.iterdir())
    assert status in (0, signal.SIGKILL), status
    whole = lambda: not lacking(root, small["n_train"], small["test_ids"])
    assert whole() or not any((root / folder).exists() for folder in FOLDERS), k
    get(Progress(disable=True))
    assert whole(), k
    assert not [path for path in root.iterdir() if path.name.startswith(".unpack") or "tar" in path.name], k
print(k, *sorted(seen))
"""


def test_killed_at_any_point(server, root):
    given = pickle.dumps((server.url, root, SMALL))
    ended = subprocess.run([sys.executable, "-c", KILLED], input=given, capture_output=True, cwd=ROOT, timeout=60)
    assert ended.returncode == 0, ended.stderr.decode()
    k, *seen = ended.stdout.decode().split()
    assert int(k) > len(CONTENT) and {".unpacking", ARCHIVE_NAME, f"{ARCHIVE_NAME}.partial", *FOLDERS} <= set(seen)
    assert_complete(root)


@pytest.mark.parametrize("moved", range(5))
def test_killed_while_folders_take_their_places(server, root, moved):
    get(server, root)
    ready = root / ".unpacked"
    ready.mkdir()
    for folder in FOLDERS[moved:]:
        (root / folder).rename(ready / folder)
    (root / ARCHIVE_NAME).write_bytes(PACKED)
    n_requests = len(server.requests)
    get(server, root)
    assert_complete(root)
    assert len(server.requests) == n_requests
