"""The cache of decoded audio: what it gives is what decoding gives, anew when the files have changed."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from cached_set import LENGTHS, assert_same, damage_audio, make_set, read, write
from conftest import SHARED

from sweep.data.audio import THREADS, decode_all, in_order
from sweep.data.cache import _map, cached
from sweep.data.reading import read_split
from sweep.data.recording import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_set(tmp_path / "set")


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
