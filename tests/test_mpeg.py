"""MP3 files with odd tags, a wrong number of frames or none, and tags before a FLAC."""

import struct

import numpy as np
import pytest
from audio_bytes import NOISE, RATE, TAG, put, read, written

from sweep.data.recording import DataError

LARGE = b"ID3\4\0\0" + bytes([0, 60, 0, 0]) + b"\xff\xfb\x90\x64" * (15 << 14)  # which holds what looks like frames
APE = struct.pack("<8sIIIIQ", b"APETAGEX", 2000, 132, 1, 0xA0000000, 0) + bytes(132)


@pytest.mark.parametrize(
    "tagged",
    [
        lambda mp3: TAG + mp3,
        lambda mp3: TAG + TAG + mp3,
        lambda mp3: LARGE + mp3,
        lambda mp3: APE + mp3,
        lambda mp3: bytes(5000) + mp3,
        lambda mp3: mp3 + b"TAG" + bytes(125),
        lambda mp3: mp3 + APE + b"TAG" + bytes(125),
    ],
    ids=["ID3", "two ID3", "large ID3", "APE", "zeros", "ID3v1", "APE and ID3v1 behind"],
)
def test_tags_of_an_mp3_are_passed_over(tmp_path, tagged):
    mp3 = written(tmp_path, "mp3")
    expected = read(tmp_path, "x.mp3", mp3)
    assert len(expected) == len(NOISE)
    np.testing.assert_array_equal(read(tmp_path, "x.mp3", tagged(mp3)), expected)


def test_tags_of_a_flac_are_passed_over(tmp_path):
    np.testing.assert_array_equal(read(tmp_path, "x.flac", TAG + written(tmp_path, "flac")), NOISE)


@pytest.mark.parametrize("stated", [0, 3, 44, 46, 400, 2**32 - 1])
def test_an_mp3_that_states_a_wrong_number_of_frames_is_read_whole(tmp_path, stated):
    mp3 = written(tmp_path, "mp3", bitrate_mode="VARIABLE", compression_level=0.5)
    at = mp3.index(b"Xing")
    assert struct.unpack(">I", mp3[at + 8 : at + 12]) == (45,)
    expected = read(tmp_path, "x.mp3", mp3)
    np.testing.assert_array_equal(read(tmp_path, "x.mp3", put(mp3, at + 8, ">I", stated)), expected)


def test_an_mp3_that_states_no_length_is_read_whole(tmp_path):
    """Its guessed length is a fourth of the true one; mpg123 then leaves out the 529 samples of its own delay."""
    time = np.arange(20 * RATE) / RATE
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, len(time)) * (time % 10 < 5)
    mp3 = written(tmp_path, "mp3", audio, bitrate_mode="VARIABLE", compression_level=0.5)
    expected = read(tmp_path, "x.mp3", mp3)
    [frames] = struct.unpack(">I", mp3[mp3.index(b"Xing") + 8 :][:4])
    bare = mp3[mp3.find(mp3[:2], 100) :]  # without its first frame, which holds the length
    actual = read(tmp_path, "x.mp3", bare)
    assert len(actual) == 1152 * frames - 529
    delay = len(actual) - len(expected)
    scores = [np.dot(actual[d : d + 100_000], expected[:100_000]) for d in range(delay)]
    start = int(np.argmax(scores))
    np.testing.assert_allclose(
        actual[start:][: len(expected) - 3000], expected[: len(actual) - start][:-3000], atol=1e-4
    )
    with pytest.raises(DataError, match="x.mp3: truncated, its last MP3 frame is incomplete"):
        read(tmp_path, "x.mp3", bare[:-200])
