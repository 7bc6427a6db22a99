"""Headers are not believed: streamed files are whole, and cut ones are named with their place."""

import os
import shutil
import struct
import subprocess
import tracemalloc

import numpy as np
import pytest
from audio_bytes import ANY, NOISE, RATE, TAG, listened, put, read, written
from test_audio import sine

from sweep.data.audio import decode
from sweep.data.recording import DataError


@pytest.mark.parametrize("riff", [0, 8, 36, 0xFFFFFFFF, 0x7FFFF024, None])
@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, 0xFFFFFF00])
def test_a_streamed_wav_is_whole_whatever_stands_for_its_length(tmp_path, riff, size):
    content = put(written(tmp_path, "wav"), 40, "<I", size)
    content = content if riff is None else put(content, 4, "<I", riff)
    np.testing.assert_array_equal(read(tmp_path, "x.wav", content), NOISE)
    heard, problem = listened(tmp_path, "x.wav", content)
    np.testing.assert_array_equal(heard, NOISE / np.float32(32768))
    assert problem == ""


@pytest.mark.parametrize(
    ("ending", "name", "after", "form", "value"),  # a length stands so many bytes after a name
    [
        ("aiff", b"SSND", 4, ">I", 0),
        ("aiff", b"SSND", 4, ">I", 0xFFFFFFFF),
        ("au", b".snd", 8, ">I", 0xFFFFFFFF),
        ("au", b".snd", 8, ">I", 0),
        ("w64", b"data\xf3\xac", 16, "<q", -1),
        ("w64", b"data\xf3\xac", 16, "<q", 2**63 - 1),
        ("caf", b"data", 4, ">q", -1),
        ("rf64", b"ds64", 16, "<Q", 0),
        ("rf64", b"ds64", 16, "<q", -1),
    ],
)
def test_a_streamed_file_of_other_formats_is_whole(tmp_path, ending, name, after, form, value):
    content = written(tmp_path, ending)
    content = put(content, content.index(name) + after, form, value)
    if ending == "aiff":
        content = put(content, 22, ">I", 0)  # the number of frames in COMM
    np.testing.assert_array_equal(read(tmp_path, f"x.{ending}", content), NOISE)
    assert listened(tmp_path, f"x.{ending}", content)[1] == ""


def test_a_flac_of_unknown_length_is_whole_and_an_error_where_it_is_cut(tmp_path):
    content = written(tmp_path, "flac")
    content = put(content, 21, ">BI", content[21] & 0xF0, 0)  # 36 bits of STREAMINFO
    np.testing.assert_array_equal(read(tmp_path, "x.flac", content), NOISE)
    assert listened(tmp_path, "x.flac", content)[1] == ""
    with pytest.raises(DataError, match=r"x.flac: cannot be read beyond [\d.]+ s \(.*truncated"):
        read(tmp_path, "x.flac", content[: len(content) * 9 // 10])


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("form", ["wav", "aiff", "au", "w64", "caf", "flac", "wav -rf64 always"])
def test_what_ffmpeg_writes_to_a_pipe_is_whole(tmp_path, form):
    written(tmp_path, "wav")
    command = f"ffmpeg -v error -i {tmp_path}/whole.wav -f {form} -".split()
    content = subprocess.run(command, capture_output=True, check=True).stdout
    np.testing.assert_array_equal(read(tmp_path, "x", content), NOISE)


@pytest.mark.parametrize("ending", ANY)
def test_a_cut_recording_is_an_error_with_its_place_and_is_heard_up_to_there(tmp_path, ending):
    content = written(tmp_path, ending, np.tile(NOISE, 4))
    whole = read(tmp_path, f"x.{ending}", content)
    whole = whole / np.float32(32768 if whole.dtype == np.int16 else 1)
    cut = content[: len(content) * 9 // 10]
    with pytest.raises(DataError) as caught:
        read(tmp_path, f"x.{ending}", cut)
    said = str(caught.value)
    assert (
        said.startswith(f"{tmp_path}/x.{ending}: ") and "truncated" in said and "download or convert it again" in said
    )
    assert " s" in said and (ending in ("ogg", "opus") or f" of {len(NOISE) * 4 / RATE:.3f} s" in said)
    heard, problem = listened(tmp_path, f"x.{ending}", cut)
    assert problem and problem in said
    assert 0.65 * len(whole) < len(heard) < 0.95 * len(whole)  # a page of Opus has a second
    kept = len(heard) - 5000 * (ending in ("ogg", "opus", "mp3"))  # the last block fades where the next one is missing
    np.testing.assert_allclose(heard[:kept], whole[:kept], atol=1e-3)


def test_a_wav_with_a_length_of_nothing_and_other_chunks_holds_nothing(tmp_path):
    content = written(tmp_path, "wav", NOISE[:0]) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    with pytest.raises(DataError, match="x.wav: holds no samples"):
        read(tmp_path, "x.wav", content)


@pytest.mark.parametrize(
    "chunk",
    [b"JUNK" + struct.pack("<I", 5000) + bytes(5000), b"odd " + struct.pack("<I", 3) + b"abc\0", b"", b"ID3"],
    ids=["large", "odd", "none", "ID3 in front"],
)
@pytest.mark.parametrize("size", [None, 0xFFFFFFFF, 0])
def test_chunks_before_the_audio_are_passed_over(tmp_path, chunk, size):
    content = written(tmp_path, "wav")
    content = content if size is None else put(content, 40, "<I", size)
    content = TAG + content if chunk == b"ID3" else content[:36] + chunk + content[36:]
    np.testing.assert_array_equal(read(tmp_path, "x.wav", content), NOISE)


@pytest.mark.parametrize("ending", ["ogg", "opus"])
def test_ogg_streams_one_after_the_other_are_all_read(tmp_path, ending):
    first, second = written(tmp_path, ending), written(tmp_path, ending, NOISE[:20_000])
    expected = [listened(tmp_path, f"x.{ending}", content)[0] for content in (first, second)]
    heard, problem = listened(tmp_path, f"x.{ending}", first + second)
    assert problem == ""
    rate = 48000 if ending == "opus" else RATE
    assert decode(tmp_path / f"x.{ending}").file_samples == len(NOISE) + 20_000
    if rate == RATE:
        np.testing.assert_array_equal(heard, np.concatenate(expected))
    with pytest.raises(DataError, match="truncated"):
        read(tmp_path, f"x.{ending}", (first + second)[:-300])
    other = written(tmp_path, "ogg", NOISE, 22050)
    with pytest.raises(DataError, match=f"the sample rate changes from {rate} to 22050 Hz"):
        read(tmp_path, f"x.{ending}", first + other)


@pytest.mark.parametrize(
    ("ending", "name", "after", "form", "values"),
    [
        ("flac", b"fLaC", 21, ">BI", (0xFF, 2**32 - 1)),  # 2^36 - 1 samples
        ("wav", b"data", 4, "<I", (2**32 - 2**20,)),
        ("w64", b"data\xf3\xac", 16, "<Q", (2**50,)),
        ("caf", b"data", 4, ">Q", (2**50,)),
        ("au", b".snd", 8, ">I", (2**31 + 2**20,)),
    ],
)
def test_memory_is_that_of_the_samples_not_of_the_headers_claim(tmp_path, ending, name, after, form, values):
    content = written(tmp_path, ending)
    content = put(content, content.index(name) + after, form, *values)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"truncated, \d+ of \d+ .*1\.134 of \d+\.\d+ s"):
        read(tmp_path, f"x.{ending}", content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # bytes; a block has 1.4e6


@pytest.mark.parametrize("rate", [0, 1, 999, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_sample_rate_out_of_the_world_is_an_error(tmp_path, rate):
    content = put(written(tmp_path, "wav"), 24, "<I", rate)
    with pytest.raises(DataError, match=r"x.wav: (a sample rate of \d+ Hz, not one of 1,000|cannot be read as audio)"):
        read(tmp_path, "x.wav", content)


@pytest.mark.parametrize("channels", [0, 3, 64, 1024, 2000])
def test_channels_are_averaged_however_many(tmp_path, channels):
    content = written(tmp_path, "wav", NOISE[:48_000])
    content = put(content, 22, "<H", channels)
    content = put(content, 32, "<H", 2 * channels)
    if channels in (0, 2000):
        with pytest.raises(DataError, match="x.wav: cannot be read as audio"):
            read(tmp_path, "x.wav", content)
        return
    samples = NOISE[: 48_000 // channels * channels].reshape(-1, channels)
    expected = (samples / np.float32(32768)).mean(axis=1)
    actual = read(tmp_path, "x.wav", content)
    np.testing.assert_allclose(actual if actual.dtype != np.int16 else actual / 32768, expected, atol=1e-6)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "MS_ADPCM"])
def test_samples_of_every_kind(tmp_path, subtype):
    wave, inside = sine(RATE), slice(100, 44000)  # ADPCM finds its step first
    actual = read(tmp_path, "x.wav", written(tmp_path, "wav", wave, subtype=subtype))
    actual = actual / (32768 if actual.dtype == np.int16 else 1)
    tolerance = {"PCM_U8": 0.01, "ULAW": 0.02, "IMA_ADPCM": 0.05, "MS_ADPCM": 0.05}.get(subtype, 4e-5)
    np.testing.assert_allclose(actual[inside], wave[inside], rtol=0, atol=tolerance)


def test_a_damaged_frame_ends_what_can_be_read(tmp_path):
    content = bytearray(written(tmp_path, "flac"))
    content[len(content) // 2 : len(content) // 2 + 900] = bytes(900)
    with pytest.raises(DataError, match=r"x.flac: cannot be read beyond 0\.\d+ of 1.134 s .*truncated or damaged"):
        read(tmp_path, "x.flac", bytes(content))
    heard, problem = listened(tmp_path, "x.flac", bytes(content))
    assert problem and 15_000 < len(heard) < 26_000
    np.testing.assert_array_equal(heard, NOISE[: len(heard)] / np.float32(32768))


@pytest.mark.parametrize("ending", ["wav", "au", "snd", "vox", "gsm", "raw", "mp3", "flac"])
def test_a_text_is_no_audio_whatever_its_name(tmp_path, ending):
    """libsndfile would take it for telephone speech, by its ending."""
    with pytest.raises(DataError, match=rf"x.{ending}: cannot be read as audio \("):
        read(tmp_path, f"x.{ending}", b"text, not audio\n" * 500)


def test_what_is_no_file_is_said_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "nowhere.wav").symlink_to(tmp_path / "gone.wav")
    for name, said in [("pipe", "a pipe, no file"), ("folder", "a folder, no file"), ("nowhere", "no such file")]:
        with pytest.raises(DataError, match=f"{name}.wav: .*{said}"):
            decode(tmp_path / f"{name}.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all")
def test_a_file_without_permission_is_said_so(tmp_path):
    (tmp_path / "x.wav").touch(0o000)
    with pytest.raises(DataError, match="x.wav: cannot be read .Permission denied.: correct its permissions"):
        decode(tmp_path / "x.wav")


def test_a_name_may_have_any_bytes_and_the_full_length(tmp_path):
    content = written(tmp_path, "wav")
    for name in (b"\xff\xfe caf\xe9.wav", "音楽 ♪.wav".encode(), b"x" * 251 + b".wav"):
        np.testing.assert_array_equal(read(tmp_path, os.fsdecode(name), content), NOISE)


def test_an_au_header_may_say_that_its_audio_begins_beyond_the_end(tmp_path):
    content = put(written(tmp_path, "au"), 4, ">I", 2**31 - 16)
    tracemalloc.start()
    with pytest.raises(DataError, match="x.au: "):
        read(tmp_path, "x.au", content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e7
