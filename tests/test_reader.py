"""The reader of MusicNet's layout: what it takes, what it refuses, and what it then says."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sweep.data.audio import read_audio
from sweep.data.labels import read_labels
from sweep.data.reading import read_split
from sweep.data.recording import DataError

SHARED = Path(os.environ.get("SWEEP_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
GOOD_ROW = "10,20,1,60,0.0,1.0,Quarter\n"
N_SAMPLES = 1000


def int16_noise(n_samples: int = N_SAMPLES) -> np.ndarray:
    return np.random.default_rng(0).integers(-32768, 32768, n_samples).astype(np.int16)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set of one good recording, 7.wav, with one note."""
    for folder in ("train_data", "train_labels"):
        (tmp_path / folder).mkdir()
    soundfile.write(tmp_path / "train_data" / "7.wav", int16_noise(), 44100)
    (tmp_path / "train_labels" / "7.csv").write_text(HEADER + GOOD_ROW)
    return tmp_path


def test_a_good_data_set(root):
    [recording] = read_split(root, "train")
    assert recording.id == "7" and recording.path == root / "train_data" / "7.wav" and recording.sample_rate == 44100
    assert recording.audio.dtype == np.int16
    np.testing.assert_array_equal(recording.audio, int16_noise())
    assert recording.notes.dtype == np.int64 and recording.notes.tolist() == [[10, 20, 60, 1]]


def test_recordings_are_sorted_by_number_and_hidden_files_are_no_recordings(root):
    for name in ("10", "9", "b", "10a"):
        soundfile.write(root / "train_data" / f"{name}.flac", int16_noise(), 44100)
        (root / "train_labels" / f"{name}.csv").write_text(HEADER)
    (root / "train_data" / "._7.wav").write_bytes(b"macOS")
    (root / "train_data" / "README.txt").write_text("no audio")
    recordings = read_split(root, "train")
    assert [recording.id for recording in recordings] == ["7", "9", "10", "10a", "b"]
    assert [recording.notes.shape for recording in recordings] == [(1, 4)] + [(0, 3)] * 4


# How audio is stored: the values decide whether int16 holds them, not the format.

FINE = np.random.default_rng(1).integers(-(2**23), 2**23, (N_SAMPLES, 2)) / 2**23  # 24-bit values


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("ending", "subtype", "written", "expected"),
    [
        ("wav", "PCM_16", int16_noise(), int16_noise()),
        ("flac", "PCM_16", int16_noise(), int16_noise()),
        ("wav", "FLOAT", int16_noise() / 32768, int16_noise()),  # as MusicNet's own files
        ("wav", "FLOAT", FINE[:, 0], FINE[:, 0].astype(np.float32)),
        ("wav", "FLOAT", np.array([0.5, 1.0]), np.array([0.5, 1.0], np.float32)),  # 32768 does not fit
        ("wav", "FLOAT", np.array([0.5, -1.5]), np.array([0.5, -1.5], np.float32)),
        ("wav", "FLOAT", np.array([0.5, -3e38]), np.array([0.5, -3e38], np.float32)),
        ("wav", "DOUBLE", FINE[:, 0], FINE[:, 0].astype(np.float32)),
        ("wav", "PCM_24", FINE[:, 0], FINE[:, 0].astype(np.float32)),
        ("flac", "PCM_24", FINE[:, 0], FINE[:, 0].astype(np.float32)),
        ("wav", "PCM_24", int16_noise() / 32768, int16_noise()),
        ("wav", "PCM_U8", np.array([-1.0, 0.0, 0.5]), np.array([-32768, 0, 16384], np.int16)),
        ("wav", "PCM_24", FINE, FINE.mean(axis=1).astype(np.float32)),  # stereo
        ("wav", "PCM_16", np.array([[3, 4], [-8, -6]], np.int16), np.array([3.5, -7], np.float32) / 32768),
        ("flac", "PCM_16", np.array([[3, 5], [-8, -6]], np.int16), np.array([4, -7], np.int16)),
    ],
)
def test_audio_formats(tmp_path, ending, subtype, written, expected):
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, written, 44100, subtype=subtype)
    audio = read_audio(path)
    assert audio.dtype == expected.dtype
    np.testing.assert_array_equal(audio, expected)  # exact: float32 has 24 bits, and so have their means of two


@pytest.mark.parametrize(
    "text",
    [
        HEADER + GOOD_ROW,
        "\ufeff" + HEADER + GOOD_ROW,
        (HEADER + GOOD_ROW).replace("\n", "\r\n"),
        HEADER + GOOD_ROW.rstrip("\n"),
        HEADER + "10,20,1,60,0.0,1.0,\n\n",  # an empty last field and a blank line
        HEADER + "10,20,1,60,0.0,1.0,Quarter,\n",  # a comma more than the header has
        "colour,note,end_time,x,start_time\nred,60,20,?,10\n",
        'start_time, end_time, note\n10, 20,"60"\n',
    ],
    ids=["plain", "BOM", "CRLF", "no last newline", "empty field", "comma", "other columns", "spaces and quotes"],
)
def test_label_formats(tmp_path, text):
    path = tmp_path / "x.csv"
    path.write_bytes(text.encode())
    assert read_labels(path, N_SAMPLES)[:, :3].tolist() == [[10, 20, 60]]


def test_text_that_is_not_read_may_have_any_encoding(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes(HEADER.encode() + b"10,20,1,60,0.0,1.0,\xe9\xff\n")
    assert read_labels(path, N_SAMPLES).tolist() == [[10, 20, 60, 1]]


def test_notes_are_cut_at_the_end_of_the_audio(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("start_time,end_time,note\n0,1001,0\n999,99999999999999999999,127\n5,1000,60\n")
    assert read_labels(path, N_SAMPLES).tolist() == [[0, 1000, 0], [999, 1000, 127], [5, 1000, 60]]


# Errors: one line with the file, the line, the value.


def error_of(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_split(root, "train")
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(root))
    return message.removeprefix(f"{root}{os.sep}")


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("12.5,20,1,60,0,1,", "12.5"),
        ("12.0,20,1,60,0,1,", "12.0"),
        ("abc,20,1,60,0,1,", "abc"),
        (",20,1,60,0,1,", ",20,1,60"),
        ("10,nan,1,60,0,1,", "nan"),
        ("10,20,1,C4,0,1,", "C4"),
        ("10,20", "10,20"),
        ("-1,20,1,60,0,1,", "start_time -1 is negative"),
        ("30,20,1,60,0,1,", "end_time 20 is not after start_time 30"),
        ("20,20,1,60,0,1,", "end_time 20 is not after start_time 20"),
        ("1000,1010,1,60,0,1,", "start_time 1000 is not within the recording's 1000 samples"),
        ("10,20,1,128,0,1,", "note 128 is not in MIDI's 0..127"),
        ("10,20,1,-1,0,1,", "note -1"),
    ],
)
def test_a_bad_row_is_named(root, row, value):
    (root / "train_labels" / "7.csv").write_text(HEADER + GOOD_ROW + "\n" + row + "\n" + GOOD_ROW)
    message = error_of(root)
    assert message.startswith(os.path.join("train_labels", "7.csv:4: ")) and value in message


def damage_labels(text: str):
    return lambda root: (root / "train_labels" / "7.csv").write_text(text)


def damage_audio(samples, rate=44100, **options):
    return lambda root: soundfile.write(root / "train_data" / "7.wav", samples, rate, **options)


def truncate(ending: str, kept: float):
    def damage(root: Path) -> None:
        (root / "train_data" / "7.wav").unlink()
        path = root / "train_data" / f"7.{ending}"
        soundfile.write(path, int16_noise(100_000), 44100)
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])

    return damage


def remove_folder(name: str):
    return lambda root: (root / name).rename(root / "elsewhere")


def rename(old: str, new: str):
    return lambda root: (root / old).rename(root / new)


@pytest.mark.parametrize(
    ("damage", "file", "words"),
    [
        (remove_folder("train_data"), "train_data", "no such folder"),
        (remove_folder("train_labels"), "train_labels", "no such folder"),
        (lambda root: [path.unlink() for path in root.glob("train_*/*")], "train_data", "no .wav or .flac"),
        (rename("train_labels/7.csv", "train_labels/8.csv"), "train_data/7.wav", "no labels"),
        (lambda root: (root / "train_labels/8.csv").write_text(HEADER), "train_labels/8.csv", "no recording"),
        (lambda root: (root / "train_data/7.flac").write_bytes(b""), "train_data/7.wav", "same id as 7.flac"),
        (damage_audio(int16_noise(), rate=22050), "train_data/7.wav", "22050 Hz, not 44100 Hz: resample"),
        (damage_audio(int16_noise(0)), "train_data/7.wav", "no samples"),
        (damage_audio(np.array([0, np.nan]), subtype="FLOAT"), "train_data/7.wav", "sample 1 is nan"),
        (damage_audio(np.array([0, 0, -np.inf]), subtype="FLOAT"), "train_data/7.wav", "sample 2 is -inf"),
        (
            lambda root: (root / "train_data/7.wav").write_bytes(b""),
            "train_data/7.wav",
            "audio (Format not recognised):",
        ),
        (lambda root: (root / "train_data/7.wav").write_text("hello"), "train_data/7.wav", "cannot be read"),
        (truncate("wav", 0.0001), "train_data/7.wav", "cannot be read"),
        (truncate("wav", 0.5), "train_data/7.wav", "truncated, 99978 of 200000 bytes"),
        (truncate("flac", 0.5), "train_data/7.flac", "cannot be read"),
        (damage_labels(""), "train_labels/7.csv:1", "no column start_time, end_time, note"),
        (damage_labels(GOOD_ROW), "train_labels/7.csv:1", "no column start_time, end_time, note in '10,20,"),
        (damage_labels("start_time,end_time,pitch\n1,2,3\n"), "train_labels/7.csv:1", "no column note"),
        (damage_labels(HEADER + '1,2,3,4,5,6,"7\n' + GOOD_ROW), "train_labels/7.csv", "cannot be read as CSV"),
    ],
)
def test_a_bad_file_is_named(root, damage, file, words):
    damage(root)
    message = error_of(root)
    assert message.startswith(file.replace("/", os.sep) + ": ") and words in message


def test_audio_at_another_sample_rate_with_notes_in_the_reference_clock(root):
    [own] = read_split(root, "train")
    [recording] = read_split(root, "train", sample_rate=22050)
    assert recording.sample_rate == 22050 and len(recording.audio) == (len(own.audio) + 1) // 2
    assert recording.length == own.length == len(own.audio)
    assert recording.notes.tolist() == own.notes.tolist()


def test_files_of_another_rate_than_the_labels_are_refused_at_every_rate(root):
    damage_audio(int16_noise(), rate=22050)(root)
    for rate in (44100, 22050, 16000):
        with pytest.raises(DataError, match="7.wav: 22050 Hz, not 44100 Hz: resample it to 44100 Hz, or choose"):
            read_split(root, "train", sample_rate=rate)


@pytest.mark.skipif(not (SHARED / "musicnet-mini").is_dir(), reason="genuine recordings are not at hand")
def test_genuine_recordings():
    train, [test] = (read_split(SHARED / "musicnet-mini", split) for split in ("train", "test"))
    assert [recording.id for recording in train] == ["2195", "2196", "2207", "2208", "2209", "2214", "2215", "2224"]
    assert sum(len(recording.audio) for recording in train) / 44100 == pytest.approx(934, abs=0.5)  # its README's
    assert all(recording.audio.dtype == np.int16 for recording in [*train, test])
    assert test.id == "2303" and len(test.audio) / 44100 == pytest.approx(92.6, abs=0.05)
    assert test.notes.shape == (718, 4) and test.notes[0].tolist() == [1502, 54238, 50, 1]
    assert train[5].notes[:, 1].max() == len(train[5].audio)  # the labels of 2214 end 110 samples later
