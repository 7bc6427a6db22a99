"""Getting MusicNet, on a small one: complete in the end, or a clear error and nothing half done."""

import functools
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from server import cut, hang_up, serving, stall, status
from small_musicnet import (
    ARCHIVE_NAME,
    CONTENT,
    INCOMPLETE,
    METADATA_NAME,
    PACKED,
    RECORD,
    SMALL,
    TRAIN,
    assert_complete,
    described,
    error_of,
    found,
    get,
    pack,
)

from sweep.commands import download, parser
from sweep.data.download import ARCHIVE, METADATA, N_TRAIN, TEST_IDS, File
from sweep.data.reading import read_split
from sweep.data.recording import DataError

ROOT = Path(__file__).parents[1]


@pytest.fixture
def server():
    with serving(dict(RECORD)) as server:
        yield server


@pytest.fixture
def root(tmp_path):
    return tmp_path / "musicnet"


def test_what_musicnet_is():
    text = (ROOT / "data" / "README.md").read_text()
    for file in (ARCHIVE, METADATA):
        assert f"| `{file.name}` | {file.size:,} | {file.md5} |" in text
    assert f"{N_TRAIN} recordings" in text and f"{len(TEST_IDS)} recordings: {' '.join(TEST_IDS)}\n" in text


@pytest.mark.parametrize("prefix", ["musicnet/", "", "./", "./musicnet/"])
def test_the_set_is_fetched_unpacked_and_read(server, root, prefix):
    server.files[ARCHIVE_NAME] = archive = pack(CONTENT, prefix)
    get(server, root, archive=described(ARCHIVE_NAME, archive))
    assert_complete(root)
    assert [recording.id for recording in read_split(root, "train")] == list(TRAIN)
    assert [recording.notes.tolist() for recording in read_split(root, "test")] == [[[0, 8, 60]], [[0, 9, 60]]]


def test_a_complete_set_is_left_alone_without_a_request(server, root):
    get(server, root)
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.name != ".download.lock"}
    n_requests = len(server.requests)
    # Nothing is fetched, hashed or unpacked, and no space is needed.
    get(server, root, unpacked=10**18, archive=File(ARCHIVE_NAME, 10**18, "0" * 32))
    assert {path: path.stat().st_mtime_ns for path in times} == times and len(server.requests) == n_requests


def test_the_archive_is_kept_on_request(server, root):
    get(server, root, keep_archive=True)
    assert_complete(root, archive=True)
    get(server, root)
    assert_complete(root, archive=True)


def test_an_archive_put_there_by_hand_is_verified_and_used(server, root):
    root.mkdir()
    (root / ARCHIVE_NAME).write_bytes(PACKED[:-1] + b"x")
    assert f"{root / ARCHIVE_NAME}: md5 " in error_of(server, root)
    (root / ARCHIVE_NAME).write_bytes(PACKED)
    get(server, root)
    assert_complete(root)
    assert [name for name, _ in server.requests] == [METADATA_NAME]


def test_cuts_and_later_calls(server, root):
    server.acts = [cut(10_000), hang_up, hang_up, hang_up, cut(30_000), status(404)]
    for words in ("nothing new in 3 attempts", "HTTP 404"):
        assert words in error_of(server, root)
    get(server, root)
    assert_complete(root)
    asked = [asked for name, asked in server.requests if name == ARCHIVE_NAME]
    assert asked[-2:] == ["bytes=30000-", "bytes=30000-"]


def test_wrong_bytes_are_not_unpacked(server, root):
    server.files[ARCHIVE_NAME] = PACKED[:-1] + b"x"
    assert "md5" in error_of(server, root)
    assert found(root) == {}
    server.files = dict(RECORD)
    get(server, root)
    assert_complete(root)


@pytest.mark.parametrize("there", [0, 20_000, len(PACKED)], ids=["none", "part", "all"])
def test_no_space(server, root, there):
    root.mkdir()
    if there:
        (root / (ARCHIVE_NAME + ".partial" * (there < len(PACKED)))).write_bytes(PACKED[:there])
    size = len(PACKED) if there else 10**18
    changed = {"archive": File(ARCHIVE_NAME, size, "0" * 32), "unpacked": 10**18}
    message = error_of(server, root, **changed)
    assert message.startswith(f"{root}: ") and "about 1,000,000,000.0 GB unpacked" in message and " GB free" in message
    assert ("1,000,000,000.0 GB to fetch" if size == 10**18 else " 0.0 GB to fetch") in message
    assert not server.requests


def test_space_counts_what_is_there_already(server, root, monkeypatch):
    root.mkdir()
    (root / f"{ARCHIVE_NAME}.partial").write_bytes(PACKED[:20_000])
    needed = len(PACKED) - 20_000 + 1_000_000
    for free, fits in ((needed - 1, False), (needed, True)):
        monkeypatch.setattr("shutil.disk_usage", lambda _, free=free: SimpleNamespace(free=free))
        if fits:
            get(server, root)
        else:
            assert "free some space" in error_of(server, root)
    assert_complete(root)


@pytest.mark.parametrize(("pattern", "problem"), INCOMPLETE.items())
def test_an_incomplete_folder_is_named_and_left_alone(server, root, pattern, problem):
    get(server, root)
    for path in list(root.glob(pattern)):
        path.unlink()
    before, n_requests = found(root), len(server.requests)
    with pytest.raises(DataError, match=f"^{root}: {problem}: move what is there away"):
        get(server, root)
    assert found(root) == before and len(server.requests) == n_requests


@pytest.mark.parametrize(
    ("new", "problem"),
    [
        ("test_{}/7.{}", "test_data should not hold recording 7"),
        ("train_{}/7.{}", "train_data holds 4 recordings, not 3"),
    ],
)
def test_a_folder_with_recordings_too_many(server, root, new, problem):
    get(server, root)
    for kind, ending in (("data", "wav"), ("labels", "csv")):
        (root / new.format(kind, ending)).write_bytes(b"something else")
    with pytest.raises(DataError, match=f"^{root}: {problem}: move what is there away"):
        get(server, root)


def test_recordings_of_ones_own_are_left_alone(server, root):
    for split in ("train", "test"):
        for name, data in CONTENT.items():
            path = root / name.replace("/", "/own-")
            if name.startswith(split):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    before = found(root)
    with pytest.raises(DataError, match="test_data lacks recording 8"):
        get(server, root)
    assert found(root) == before and not server.requests


def test_two_calls_at_once_do_not_mix(server, root):
    server.acts = [stall(10_000)]
    first = threading.Thread(target=get, args=(server, root))
    first.start()
    while not (root / f"{ARCHIVE_NAME}.partial").exists():
        assert first.is_alive()
        time.sleep(0.01)
    assert "another download is at work" in error_of(server, root)
    assert len(server.requests) == 1
    server.stopped.set()
    first.join()
    assert_complete(root)


# The command.


# `sweep download` that takes the small set to be MusicNet.
SMALL_COMMAND = f"""
import functools, sys
from sweep.commands import download, parser
from sweep.data.download import File
download.run = functools.partial(download.run, **{SMALL!r})
sys.exit(parser.main(["download", *sys.argv[1:]]))
"""


def call(*arguments: str) -> subprocess.Popen:
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_ctrl_c_stops_cleanly_and_the_next_call_resumes(server, root):
    server.acts = [stall(10_000)]
    process = call("-c", SMALL_COMMAND, str(root), "--url", server.url)
    partial = root / f"{ARCHIVE_NAME}.partial"
    while not partial.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 130 and errors == "" and "the same command resumes the download" in output
    assert partial.stat().st_size < len(PACKED)
    process = call("-c", SMALL_COMMAND, str(root), "--url", server.url + "/", "--keep-archive")
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 0 and errors == "" and f"{root}: MusicNet is complete" in output
    assert_complete(root, archive=True)


@pytest.fixture
def error_line(monkeypatch, capsys):
    """From a command line that must fail to the line on stderr."""
    monkeypatch.setattr(download, "run", functools.partial(download.run, **SMALL))

    def line(*arguments: object) -> str:
        assert parser.main(["download", *map(str, arguments)]) == 2
        (said,) = capsys.readouterr().err.splitlines()
        return said

    return line


def test_errors_are_one_line(server, root, tmp_path, error_line):
    server.files = {}
    line = error_line(root, "--url", f"{server.url}/")
    assert line.startswith(f"sweep download: {server.url}/{ARCHIVE_NAME}?download=1: HTTP 404 ") and "--url" in line
    (tmp_path / "file").write_text("")
    line = error_line(tmp_path / "file", "--url", server.url)
    assert line.startswith(f"sweep download: {tmp_path / 'file'}: File exists: ")
    line = error_line(root, "--url", "ftp://127.0.0.1")
    assert line == "sweep download: --url ftp://127.0.0.1: must begin with http:// or https://"


def test_it_is_a_command():
    process = call("-m", "sweep", "download", "--help")
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0 and output.startswith("usage: sweep download ") and "--keep-archive" in output
