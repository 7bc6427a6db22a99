"""Audio from the cache stays in its file on a CPU, and windows of it are those of audio in memory."""

import mmap

import numpy as np
import pytest
import torch
from test_portions import recording

from sweep.data.cache import in_one_file
from sweep.data.reading import read_audio_at, read_split
from sweep.data.recordings import Recordings
from sweep.data.targets import Labels
from sweep.training.loading import describe


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mapped")
    for number, seconds in enumerate((3, 2, 4)):
        recording(folder / "train", f"r{number}", seconds, number, rate=44100)
    recording(folder / "test", "t", 3, 99, rate=44100)
    return folder


def held(root, cache, rate=44100, keep=slice(None), placement="auto"):
    found = read_split(root, "train", "folder", cache)
    audio = read_audio_at(root, "train", [it.path for it in found], rate, "folder", cache)
    return Recordings.of(Labels(found[keep]), audio[keep], rate, placement)


@pytest.mark.parametrize("rate", [44_100, 16_000])
@pytest.mark.parametrize("keep", [slice(None), slice(1, None), slice(None, None, 2)])
def test_windows_of_mapped_audio_are_those_of_copied_audio(root, tmp_path, rate, keep):
    mapped, copied = held(root, tmp_path, rate, keep), held(root, None, rate, keep)
    assert mapped.mapped and not copied.mapped and mapped.samples.dtype == copied.samples.dtype
    for index in range(len(mapped)):
        starts = torch.tensor([0, 5, int(mapped.lengths[index]) - 16384])  # the last one to the last sample
        torch.testing.assert_close(
            mapped.audio(index, starts, 16384), copied.audio(index, starts, 16384), rtol=0, atol=0
        )
        torch.testing.assert_close(mapped.whole(index), copied.whole(index), rtol=0, atol=0)
    assert mapped.nbytes == copied.nbytes == copied.samples.nbytes


def test_the_samples_are_the_file_and_not_a_copy(root, tmp_path):
    found = read_split(root, "train", "folder", tmp_path)
    recordings = Recordings(found)
    assert recordings.samples.data_ptr() == found[0].audio.__array_interface__["data"][0]
    assert describe(recordings) == "3 recordings, 0.1 min, int16 mapped from the cache, 1 MiB"


def test_another_type_is_a_copy(root, tmp_path):
    recordings = held(root, tmp_path, 16_000, placement="int16")
    assert not recordings.mapped and recordings.samples.dtype == torch.int16


def test_what_is_not_in_one_file_in_one_type():
    whole = mmap.mmap(-1, 4096)
    parts = [np.frombuffer(whole, np.int16, 10, place) for place in (0, 128)]
    flat, places = in_one_file(parts)
    assert places.tolist() == [0, 64] and len(flat) == 64 + 10 + 32
    assert in_one_file([parts[0], parts[1].copy()]) is None and in_one_file([parts[0].copy()]) is None
    assert in_one_file([parts[0], np.frombuffer(whole, np.float32, 10, 128)]) is None
    assert in_one_file([parts[0], np.frombuffer(mmap.mmap(-1, 4096), np.int16, 10, 0)]) is None
