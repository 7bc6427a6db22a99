"""The cache of decoded audio when something goes wrong: damage, crashes, no room, several processes at once."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cached_set import assert_same, make_set, read
from conftest import ROOT

from sweep.data.cache import MAGIC, VERSION
from sweep.data.recording import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_set(tmp_path / "set")


def replace(old: bytes, new: bytes):
    return lambda content: content.replace(old, new)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:5],
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:-5] + b"\n" + content[-4:],
        lambda content: content[100:],
        lambda content: bytes(100) + content,
        lambda content: bytes(len(content)),
        lambda content: content[: -len(MAGIC) - 8] + b"\xff" * 8 + MAGIC,
        lambda content: content[: -len(MAGIC) - 8] + bytes(8) + MAGIC,
        lambda content: content[: -len(MAGIC) - 8] + (2 * len(content)).to_bytes(8, "little") + MAGIC,
        replace(b'{"key"', b'{"kex"'),
        replace(b'"version": %d' % VERSION, b'"version": 0'),
        replace(b'{"key"', b'["key"'),
        lambda content: bytes(8) + b"[]" + (2).to_bytes(8, "little") + MAGIC,
    ],
)
def test_a_damaged_cache_is_made_anew(root, tmp_path, damage):
    expected = read(root, tmp_path / "cache")
    [file] = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    changed = damage(whole)
    assert changed != whole
    file.unlink()  # the arrays above are views into it
    file.write_bytes(changed)
    assert_same(read(root, tmp_path / "cache"), expected)
    assert file.read_bytes() == whole


def test_damage_to_the_index_is_noticed_wherever_it_is(root, tmp_path):
    expected = read(root, tmp_path / "cache")
    [file] = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    first = whole.rindex(b'{"key"')
    rng = np.random.default_rng(0)
    for position in rng.integers(first, len(whole), size=150):
        changed = bytearray(whole)
        changed[position] ^= 1 << int(rng.integers(8))
        file.unlink()
        file.write_bytes(changed)
        assert_same(read(root, tmp_path / "cache"), expected)
        assert file.read_bytes() == whole


def test_what_is_no_file_in_the_caches_place_is_replaced_or_done_without(root, tmp_path, capfd):
    expected = read(root, tmp_path / "cache")
    [file] = (tmp_path / "cache").iterdir()
    file.unlink()
    os.mkfifo(file)
    assert_same(read(root, tmp_path / "cache"), expected)
    assert file.is_file()
    file.unlink()
    file.mkdir()
    assert_same(read(root, tmp_path / "cache"), expected)
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"{file}: the audio is not cached (Is a directory)")


def test_a_data_folder_may_have_a_long_name(tmp_path, capfd):
    root = make_set(tmp_path / ("ö" * 120))
    assert_same(read(root, tmp_path / "cache"), read(root, None))
    assert len(list((tmp_path / "cache").iterdir())) == 1 and capfd.readouterr().err == ""


def test_a_crash_leaves_nothing_that_is_taken_for_whole(root, tmp_path):
    """A process ends after its first recording is written; the next one that writes clears its remains."""
    code = (
        "import os, sys; from pathlib import Path; import sweep.data.reading as reading\n"
        "whole = reading.decode_all\n"
        "def half(*arguments, **options):\n"
        "    yield next(whole(*arguments, **options))\n"
        "    os._exit(9)\n"
        "reading.decode_all = half\n"
        "reading.read_split(Path(sys.argv[1]), 'train', cache=Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "cache")]
    ended = subprocess.run(command, cwd=ROOT, timeout=60, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert ended.returncode == 9
    left = sorted(path.suffix for path in (tmp_path / "cache").iterdir())
    assert left == [".lock", ".partial"]
    assert_same(read(root, tmp_path / "cache"), read(root, None))
    [file] = (tmp_path / "cache").iterdir()
    assert file.suffix == ".audio"


def test_bad_audio_leaves_nothing_in_the_cache(root, tmp_path):
    (root / "train_data" / "3.wav").write_bytes(b"no audio")
    with pytest.raises(DataError, match="3.wav: cannot be read"):
        read(root, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_of_processes_at_once_one_decodes(root, tmp_path):
    expected = read(root, None)
    code = (
        "import json, sys; from pathlib import Path; import sweep.data.reading as reading\n"
        "whole, decoded = reading.decode_all, []\n"
        "def counted(*arguments, **options):\n"
        "    decoded.append(1)\n"
        "    yield from whole(*arguments, **options)\n"
        "reading.decode_all = counted\n"
        "sys.stdin.readline()\n"
        "recordings = reading.read_split(Path(sys.argv[1]), 'train', cache=Path(sys.argv[2]))\n"
        "print(json.dumps([len(decoded), *(recording.audio.astype(float).sum() for recording in recordings)]))"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(root), str(tmp_path / "cache")],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    time.sleep(0.1)
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    decoded = 0
    for process in processes:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        times, *sums = json.loads(output)
        assert sums == [audio.astype(float).sum() for audio in expected]
        decoded += times
    assert decoded == 1
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_cache_that_cannot_be_written_is_said_in_a_line_and_done_without(root, tmp_path, capfd):
    (tmp_path / "blocked").write_text("a file in the place of the folder")
    assert_same(read(root, tmp_path / "blocked"), read(root, None))
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(str(tmp_path / "blocked")) and "not cached (" in line and "data.cache=null" in line


def test_a_disk_without_room_is_said_in_a_line_and_done_without(root, tmp_path):
    """A limit on the size of files stands for the full disk: write fails in the middle of the second recording."""
    code = (
        "import resource, sys; from pathlib import Path; from sweep.data.reading import read_split\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "print([len(recording.audio) for recording in read_split(Path(sys.argv[1]), 'train', cache=Path(sys.argv[2]))])"
    )
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "cache")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0 and ended.stdout == "[1001, 1002, 1003]\n"
    [line] = ended.stderr.splitlines()
    assert "not cached (File too large)" in line
    assert list((tmp_path / "cache").iterdir()) == []
