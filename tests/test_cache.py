"""The cache of decoded audio: what it gives is what decoding gives, and nothing that is not whole is taken for it."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import ROOT, SHARED

from sweep.data import DataError, read_split
from sweep.data.audio import THREADS, decode_all, in_order
from sweep.data.cache import MAGIC, _map, cached

LENGTHS = {"1": 1001, "2": 1002, "3": 1003}  # odd ones: the next recording must be aligned all the same


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of int16 and float32 recordings, in the order 1, 2, 3."""
    root = tmp_path / "set"
    for folder in ("train_data", "train_labels"):
        (root / folder).mkdir(parents=True)
    for id, n_samples in LENGTHS.items():
        write(root, id, n_samples, seed=0)
        (root / "train_labels" / f"{id}.csv").write_text("start_time,end_time,note\n10,20,60\n")
    return root


def write(root: Path, id: str, n_samples: int, seed: int) -> Path:
    """One recording; number 2 has 24 bits."""
    path = root / "train_data" / f"{id}.wav"
    audio = np.random.default_rng([seed, int(id)]).uniform(-1, 1, n_samples)
    soundfile.write(path, audio, 44100, subtype="PCM_24" if id == "2" else "PCM_16")
    return path


def read(root: Path, cache: Path | None) -> list[np.ndarray]:
    return [recording.audio for recording in read_split(root, "train", cache=cache)]


def assert_same(actual: list[np.ndarray], expected: list[np.ndarray]) -> None:
    assert [audio.dtype for audio in actual] == [audio.dtype for audio in expected]
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def damage_audio(root: Path) -> None:
    """Every audio file becomes zeros of the same size and time of change: who reads one now fails."""
    for path in (root / "train_data").iterdir():
        state = path.stat()
        path.write_bytes(bytes(state.st_size))
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    with pytest.raises(DataError):
        read(root, None)


@pytest.mark.filterwarnings("error")
def test_the_cache_gives_what_decoding_gives_and_reads_no_audio_again(root, tmp_path):
    expected = read(root, None)
    assert [audio.dtype for audio in expected] == [np.int16, np.float32, np.int16]
    assert_same(read(root, tmp_path / "cache"), expected)
    damage_audio(root)
    audio = read(root, tmp_path / "cache")
    assert_same(audio, expected)
    assert [torch.from_numpy(part).dtype for part in audio] == [torch.int16, torch.float32, torch.int16]  # no warning
    assert all(part.ctypes.data % part.itemsize == 0 for part in audio)
    audio[0][:] = 0  # does not reach the disk
    assert_same(read(root, tmp_path / "cache"), expected)
    [file] = (tmp_path / "cache").iterdir()
    assert file.name.startswith("set-") and file.name.endswith("-train.audio")


def touch(root: Path) -> None:
    path = root / "train_data" / "1.wav"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def exchange(root: Path) -> None:
    """Files 1 and 3 take each other's name."""
    one, other = root / "train_data" / "1.wav", root / "train_data" / "3.wav"
    one.rename(root / "aside")
    other.rename(one)
    (root / "aside").rename(other)


def remove(root: Path) -> None:
    (root / "train_data" / "1.wav").unlink()
    (root / "train_labels" / "1.csv").unlink()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: write(root, "3", LENGTHS["3"], seed=1),
        lambda root: write(root, "1", 2000, seed=0),
        exchange,
        remove,
    ],
    ids=["content", "length", "names", "a file less"],
)
def test_changed_files_are_decoded_anew_and_replace_the_old(root, tmp_path, change):
    before = read(root, tmp_path / "cache")
    copies = [audio.copy() for audio in before]
    change(root)
    expected = read(root, None)
    assert_same(read(root, tmp_path / "cache"), expected)
    assert_same(before, copies)  # who had the old one mapped keeps it
    damage_audio(root)
    assert_same(read(root, tmp_path / "cache"), expected)
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_the_time_of_change_counts(root, tmp_path):
    read(root, tmp_path / "cache")
    damage_audio(root)
    touch(root)
    with pytest.raises(DataError):
        read(root, tmp_path / "cache")


def test_the_size_counts(root, tmp_path):
    read(root, tmp_path / "cache")
    path = root / "train_data" / "1.wav"
    state = path.stat()
    write(root, "1", 2000, seed=0)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert_same(read(root, tmp_path / "cache"), read(root, None))


def test_folders_of_the_same_name_have_a_cache_each(root, tmp_path):
    other = tmp_path / "other" / root.name
    shutil.copytree(root, other)
    for id, n_samples in LENGTHS.items():
        write(other, id, n_samples, seed=1)
    expected = read(root, None), read(other, None)
    for folder, audio in zip((root, other), expected, strict=True):
        assert_same(read(folder, tmp_path / "cache"), audio)
    for folder, audio in zip((root, other), expected, strict=True):
        damage_audio(folder)
        assert_same(read(folder, tmp_path / "cache"), audio)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not count a mapping as memory")
def test_a_cache_larger_than_the_memory_can_be_mapped(tmp_path):
    path = tmp_path / "large"
    path.touch()
    size = 2 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") + 2**34  # and more than there may be swap
    os.truncate(path, size)
    with open(path, "rb") as stream:
        mapped = _map(stream.fileno(), size)
    assert len(mapped) == size and mapped[-1] == 0


def test_how_audio_is_decoded_counts(root, tmp_path):
    """Another sample rate, and not to resample: a cached recording must not pass where the file would be refused."""
    for id in LENGTHS:
        soundfile.write(root / "train_data" / f"{id}.wav", np.full(100, 0.5), 22050)
    paths = sorted((root / "train_data").iterdir())
    for rate, resample in ((22050, False), (44100, True)):
        how = {"sample_rate": rate, "resample": resample}
        audio = cached(tmp_path / "cache", root, "train", paths, how, lambda how=how: decode_all(paths, **how))
        assert {len(part.samples) for part in audio} == {100 * rate // 22050}
        assert {part[1:] for part in audio} == {(22050, 100)}
    with pytest.raises(DataError, match="22050 Hz, not 44100 Hz"):
        read(root, tmp_path / "cache")


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
        replace(b'"version": 1', b'"version": 0'),
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
        "import json, sys; from pathlib import Path; from sweep.data import read_split, reading\n"
        "whole, decoded = reading.decode_all, []\n"
        "def counted(*arguments, **options):\n"
        "    decoded.append(1)\n"
        "    yield from whole(*arguments, **options)\n"
        "reading.decode_all = counted\n"
        "sys.stdin.readline()\n"
        "recordings = read_split(Path(sys.argv[1]), 'train', cache=Path(sys.argv[2]))\n"
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
        "import resource, sys; from pathlib import Path; from sweep.data import read_split\n"
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


@pytest.mark.skipif(not (SHARED / "musicnet-mini").is_dir(), reason="genuine recordings are not at hand")
@pytest.mark.parametrize("split", ["train", "test"])
def test_genuine_recordings_are_the_same_with_the_cache(tmp_path, split):
    expected, made, again = (
        read_split(SHARED / "musicnet-mini", split, cache=cache) for cache in (None, tmp_path, tmp_path)
    )
    for recordings in (made, again):
        for one, other in zip(recordings, expected, strict=True):
            assert (one.id, one.sample_rate, one.path) == (other.id, other.sample_rate, other.path)
            assert one.audio.dtype == other.audio.dtype == np.int16
            np.testing.assert_array_equal(one.audio, other.audio)
            np.testing.assert_array_equal(one.notes, other.notes)


def test_memory_is_bounded_by_a_few_recordings():
    """Decoded recordings are taken as they come: no more than five are under way or waiting."""
    begun = []
    results = in_order(lambda item: begun.append(item) or item, range(100), "")
    for taken, item in enumerate(results):
        assert item == taken
        assert len(begun) <= taken + 1 + THREADS
    assert len(begun) == 100
