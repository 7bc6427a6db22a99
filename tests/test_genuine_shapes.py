"""Genuine recordings brought into the shape in which their data sets are had: notes as an independent reading's."""

import csv
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import SHARED
from mir_eval.io import load_valued_intervals

from sweep.data.reading import read_split

GENUINE = SHARED / "genuine"
pytestmark = pytest.mark.skipif(not GENUINE.is_dir(), reason="genuine recordings are not at hand")


def notes_of(path: Path) -> np.ndarray:
    """(n, 3): start and end in samples, and pitch, of each row of a CSV beside a genuine recording."""
    with path.open() as file:
        columns = ("start_time", "end_time", "note")
        return np.array([[int(row[name]) for name in columns] for row in csv.DictReader(file)])


def ordered(notes: np.ndarray) -> np.ndarray:
    return notes[np.lexsort(notes.T[[1, 2, 0]])]


def test_maps(tmp_path):
    """The Disklavier's recordings as WAV, with labels as MAPS's text files; the synthesised pianos are not at hand."""
    paths = sorted(GENUINE.rglob("maps_*.flac"))
    assert len(paths) == 6
    for path in paths:
        name = path.stem.removeprefix("maps_")
        folder = tmp_path / "MAPS" / name.rpartition("_")[2] / "MUS"
        folder.mkdir(parents=True, exist_ok=True)
        audio, rate = soundfile.read(path, dtype="int16")
        soundfile.write(folder / f"MAPS_MUS-{name}.wav", np.column_stack([audio, audio]), rate)  # MAPS is stereo
        rows = (
            f"{start / rate:.6f}\t{end / rate:.6f}\t{note}" for start, end, note in notes_of(path.with_suffix(".csv"))
        )
        (folder / f"MAPS_MUS-{name}.txt").write_text("\n".join(["OnsetTime\tOffsetTime\tMidiPitch", *rows, ""]))
    recordings = read_split(tmp_path, "test", "maps")
    assert [recording.id for recording in recordings] == sorted(path.stem.removeprefix("maps_") for path in paths)
    assert {recording.group for recording in recordings} == {"ENSTDk"}
    for recording in recordings:
        intervals, pitches = load_valued_intervals(recording.path.with_suffix(".txt"), comment="Onset")
        expected = ordered(np.column_stack([intervals, pitches]))
        found = ordered(recording.notes / [recording.sample_rate, recording.sample_rate, 1])
        assert len(found) == len(expected) > 400
        assert np.array_equal(found[:, 2], expected[:, 2])
        assert abs(found[:, :2] - expected[:, :2]).max() < 1e-3


def test_musicnets_violins(tmp_path):
    """Two of MusicNet's violin sonatas as 32-bit WAV, with MusicNet's seven columns."""
    expected = {}
    for split, name in (("train", "2659"), ("test", "2191")):
        [path] = GENUINE.rglob(f"musicnet_{name}.flac")
        for kind in ("data", "labels"):
            (tmp_path / f"{split}_{kind}").mkdir()
        audio, rate = soundfile.read(path, dtype="float32")
        soundfile.write(tmp_path / f"{split}_data" / f"{name}.wav", audio, rate, subtype="FLOAT")
        expected[split] = notes_of(path.with_suffix(".csv"))
        with (tmp_path / f"{split}_labels" / f"{name}.csv").open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value"))
            table.writerows((start, end, 41, note, 0.0, 1.0, "Quarter") for start, end, note in expected[split])
    for split, notes in expected.items():
        [recording] = read_split(tmp_path, split, "musicnet")
        assert recording.sample_rate == 44100 and set(recording.notes[:, 3]) == {41}
        assert len(notes) > 500 and np.array_equal(recording.notes[:, :3], notes)
