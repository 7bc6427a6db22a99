"""The demo set: MusicNet's layout, the same bytes every time, labels that agree with the sound."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sweep.data.reading import read_split
from sweep.data.recording import DataError
from sweep.data.sources import demo
from sweep.data.sources.demo import make_demo
from sweep.data.synthesis import render

TRAIN, TEST, SECONDS = 8, 1, 8.0  # one recording per ensemble, and a test recording


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("demo") / "set"
    make_demo(root, TRAIN, TEST, SECONDS)
    return root


@pytest.fixture(scope="module")
def recordings(root):
    """Audio in [-1, 1) and label rows of every recording."""
    loaded = []
    for path in sorted(root.glob("*_data/*.wav")):
        labels = root / path.parent.name.replace("data", "labels") / f"{path.stem}.csv"
        with labels.open(newline="") as file:
            rows = list(csv.DictReader(file))
        loaded.append((soundfile.read(path)[0], rows))
    return loaded


def files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_layout_is_musicnets(root, recordings):
    train, test = range(1001, 1001 + TRAIN), range(2001, 2001 + TEST)
    assert set(files(root)) == {
        "demo.json",
        *(f"train_data/{i}.wav" for i in train),
        *(f"train_labels/{i}.csv" for i in train),
        *(f"test_data/{i}.wav" for i in test),
        *(f"test_labels/{i}.csv" for i in test),
    }
    for path in root.glob("*_data/*.wav"):
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.format, info.subtype) == (44100, 1, "WAV", "PCM_16")
        assert info.frames == SECONDS * 44100
    header = (root / "train_labels" / "1001.csv").read_text().splitlines()[0]
    assert header == "start_time,end_time,instrument,note,start_beat,end_beat,note_value"  # MusicNet's first line
    beats = {"Sixteenth": 0.25, "Eighth": 0.5, "Dotted Eighth": 0.75, "Quarter": 1, "Dotted Quarter": 1.5, "Half": 2}
    beats |= {"Dotted Half": 3, "Whole": 4}
    for audio, rows in recordings:
        starts = [int(row["start_time"]) for row in rows]
        assert starts == sorted(starts) and starts[0] >= 0
        assert all(int(row["start_time"]) < int(row["end_time"]) <= len(audio) for row in rows)
        assert all(float(row["end_beat"]) == beats[row["note_value"]] for row in rows)


def test_instruments_are_general_midi_programs_plus_one(root):
    def instruments(recording: str) -> set[int]:
        with (root / "train_labels" / f"{recording}.csv").open(newline="") as file:
            return {int(row["instrument"]) for row in csv.DictReader(file)}

    assert instruments("1001") == {1}  # piano
    assert instruments("1002") == {41, 43}  # violins and cello
    assert instruments("1004") == {1, 41, 43}
    assert instruments("1006") == {71, 72}  # bassoons and clarinets


def test_the_reader_of_musicnet_reads_it(root):
    assert [recording.id for recording in read_split(root, "train")] == [str(1001 + i) for i in range(TRAIN)]
    assert all(len(recording.notes) > 5 for recording in read_split(root, "test"))


def test_the_same_bytes_in_another_process_with_other_threads_and_hashes(root, tmp_path):
    call = f"make_demo({str(tmp_path / 'again')!r}, {TRAIN}, {TEST}, {SECONDS})"
    script = f"from sweep.data.sources.demo import make_demo; {call}"
    environment = os.environ | {"PYTHONHASHSEED": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    repository = Path(demo.__file__).parents[3]
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, cwd=repository)
    assert files(tmp_path / "again") == files(root)


def test_recordings_differ(root):
    hashes = list(files(root).values())
    assert len(set(hashes)) == len(hashes)


def level(audio: np.ndarray, first: int, pitch: float, n: int = 4410) -> float:
    """Level in dB at a MIDI pitch, over 100 ms from a sample: one term of a Fourier sum, resolving a semitone at A4."""
    f = 440 * 2 ** ((pitch - 69) / 12)
    piece = audio[first : first + n] * np.hanning(n)
    return 20 * np.log10(np.abs(piece @ np.exp(-2j * np.pi * f / 44100 * np.arange(n))) + 1e-3)


def rise(recordings, edge: str, shift: int = 0, semitones: int = 0) -> float:
    """How far the level at the labelled pitches rises from just before to just after an edge of the notes, mean dB."""
    rises = []
    for audio, rows in recordings:
        for row in rows:
            at, pitch = int(row[edge]) + shift, int(row["note"]) + semitones
            if int(row["note"]) >= 69 and 4410 <= at <= len(audio) - 4410:
                rises.append(level(audio, at, pitch) - level(audio, at - 4410, pitch))
    assert len(rises) > 100
    return float(np.mean(rises))


def test_labels_agree_with_the_sound(recordings):
    # Measured on these recordings: 22 dB at the labels, 7 dB a semitone beside, -2 dB 100 ms off.
    onset = rise(recordings, "start_time")
    assert onset > 18
    assert all(rise(recordings, "start_time", shift=shift) < onset - 12 for shift in (-4410, 4410))
    assert all(rise(recordings, "start_time", semitones=step) < onset - 12 for step in (-1, 1))
    # -4.5 dB at the end of a note, where the room rings on; 6 dB 100 ms earlier.
    assert rise(recordings, "end_time") < -2 < 2 < rise(recordings, "end_time", shift=-4410)


def test_levels_are_those_of_a_recording(recordings):
    for audio, _ in recordings:
        assert 0.39 < np.abs(audio).max() < 0.81
        assert abs(audio.mean()) < 1e-6  # 2e-7 measured, 4e-5 without the high-pass
        assert 0.02 < audio.std() < 0.3
        assert np.abs(audio[:2205]).max() > 0  # a floor of noise, before the first note too


def test_a_half_made_set_is_not_taken_for_a_whole_one(tmp_path, monkeypatch):
    calls = []

    def breaks(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return render(*arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(demo, "render", breaks)
        make_demo(tmp_path / "set", 1, 1, 2.0)
    assert len(calls) == 2
    assert list(tmp_path.iterdir()) == []
    make_demo(tmp_path / "set", 1, 1, 2.0)
    assert len(list((tmp_path / "set").glob("*_data/*.wav"))) == 2
    assert list(tmp_path.iterdir()) == [tmp_path / "set"]


def test_a_whole_set_is_left_alone(root, monkeypatch):
    monkeypatch.setattr(demo, "render", None)  # any work would fail
    make_demo(root, TRAIN, TEST, SECONDS)


@pytest.mark.parametrize("change", ["missing file", "other version", "other settings"])
def test_an_outdated_set_is_made_again(tmp_path, change):
    root = tmp_path / "set"
    make_demo(root, 1, 1, 2.0)
    whole = files(root)
    if change == "missing file":
        (root / "train_labels" / "1001.csv").unlink()
    elif change == "other version":
        (root / "demo.json").write_text(json.dumps(json.loads((root / "demo.json").read_text()) | {"version": 0}))
    else:
        make_demo(root, 2, 1, 2.0)
        assert (root / "train_data" / "1002.wav").exists()
    make_demo(root, 1, 1, 2.0)
    assert files(root) == whole


@pytest.mark.parametrize("mark", [None, "not json", "[]", '"version"', '{"version": 1}'])
def test_a_foreign_folder_is_refused_and_left_as_it_is(tmp_path, mark):
    root = tmp_path / "recordings"
    (root / "train_data").mkdir(parents=True)
    (root / "train_data" / "1.wav").write_bytes(b"precious")
    if mark is not None:
        (root / "demo.json").write_text(mark)
    before = files(root)
    with pytest.raises(DataError, match=f"{root}: .*another folder"):
        make_demo(root, 1, 1, 2.0)
    assert files(root) == before


def test_an_empty_folder_is_filled(tmp_path):
    make_demo(tmp_path, 1, 1, 2.0)
    assert (tmp_path / "demo.json").exists()


@pytest.mark.parametrize("numbers", [(0, 1, 2.0), (1, 0, 2.0), (1, 1, 1.9)])
def test_numbers_below_their_minimum_are_refused(tmp_path, numbers):
    with pytest.raises(ValueError, match="need train, test >= 1 and seconds >= 2"):
        make_demo(tmp_path / "set", *numbers)
