"""Notes that are kept beside the cached audio are those that reading gives, as long as nothing has changed."""

import numpy as np
import pytest
from test_portions import recording

from sweep.data import label_cache, labels
from sweep.data.reading import read_split
from sweep.data.recording import Changed, DataError


@pytest.fixture(autouse=True)
def keep_all(monkeypatch):
    monkeypatch.setattr(label_cache, "SLOW", -1)


@pytest.fixture
def root(tmp_path):
    for number in range(3):
        recording(tmp_path / "set/train", f"r{number}", 3, number)
    recording(tmp_path / "set/test", "t", 3, 99)
    rows = "start_time,end_time,note,instrument\n8000,90000,60,7\n8000,16000,60,1\n"
    (tmp_path / "set/train/r1.csv").write_text(rows)
    (tmp_path / "set/train/r2.csv").write_text("start_time,end_time,note\n")
    return tmp_path / "set"


@pytest.fixture
def readings(monkeypatch):
    """Names of the label files that are read."""
    read, names = labels.check_csv, []
    monkeypatch.setattr(labels, "check_csv", lambda path, n: names.append(path.name) or read(path, n))
    return names


def load(root, cache, **options):
    remarks = []
    found = read_split(root, "train", "folder", cache, remarks=remarks, **options)
    return [it.notes for it in found], remarks


def test_the_next_start_reads_no_labels_and_has_the_same_notes_and_remarks(root, tmp_path, readings):
    first, said = load(root, tmp_path / "cache")
    assert sorted(readings) == ["r0.csv", "r1.csv", "r2.csv"]
    readings.clear()
    second, again = load(root, tmp_path / "cache")
    assert not readings and again == said and [type(line) for line in again] == [type(line) for line in said]
    assert {line.what for line in said if isinstance(line, Changed)} >= {"notes cut at the end of the audio"}
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype and other.flags.writeable
    assert [part.shape for part in second] == [(1, 3), (2, 4), (0, 3)]


def changed_labels(root):
    (root / "train/r0.csv").write_text("start_time,end_time,note\n8000,16000,61\n")


def changed_audio(root):
    recording(root / "train", "r0", 2, 0)


def another_file(root):
    recording(root / "train", "r3", 3, 7)


@pytest.mark.parametrize("change", [changed_labels, changed_audio, another_file])
def test_what_changes_is_read_anew(root, tmp_path, readings, change):
    load(root, tmp_path / "cache")
    change(root)
    readings.clear()
    notes, _ = load(root, tmp_path / "cache")
    assert "r0.csv" in readings
    fresh, _ = load(root, None)
    assert [part.tolist() for part in notes] == [part.tolist() for part in fresh]


def test_another_key_of_the_source_or_other_code_is_read_anew(root, tmp_path, readings, monkeypatch):
    load(root, tmp_path / "cache", options={"pedal": False})
    readings.clear()
    load(root, tmp_path / "cache", options={"pedal": True})
    assert readings
    readings.clear()
    monkeypatch.setattr(label_cache, "_code", lambda: "other")
    load(root, tmp_path / "cache", options={"pedal": True})
    assert readings


def test_a_shift_is_applied_to_kept_notes(root, tmp_path):
    first, _ = load(root, tmp_path / "cache")
    second, _ = load(root, tmp_path / "cache", shift=0.1)
    assert second[0][0].tolist() == [first[0][0, 0] + 4410, first[0][0, 1] + 4410, 60]


@pytest.mark.parametrize("damage", [lambda content: b"", lambda content: content[:-40], lambda content: b"PK" * 300])
def test_a_damaged_file_is_made_anew(root, tmp_path, readings, damage):
    first, _ = load(root, tmp_path / "cache")
    (file,) = (tmp_path / "cache").glob("*.notes")
    file.write_bytes(damage(file.read_bytes()))
    readings.clear()
    second, _ = load(root, tmp_path / "cache")
    assert readings and [part.tolist() for part in second] == [part.tolist() for part in first]
    readings.clear()
    load(root, tmp_path / "cache")
    assert not readings


def test_problems_are_not_kept(root, tmp_path):
    (root / "train/r0.csv").write_text("start_time,end_time,note\n8000,16000,600\n")
    for _ in range(2):
        with pytest.raises(DataError, match=r"r0.csv:2: note 600 is not in MIDI's"):
            load(root, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.notes"))


def test_what_is_read_fast_is_not_kept(root, tmp_path, monkeypatch):
    monkeypatch.setattr(label_cache, "SLOW", 60)
    load(root, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.notes"))


def test_a_class_from_outside_is_read_each_time(root, tmp_path, forgotten):
    from sweep.data.sources.folder import Folder
    from sweep.registry import sources

    @sources.register("mine")
    class Mine(Folder):
        """A folder."""

    read_split(root, "train", "mine", tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*.notes"))


def test_a_cache_that_cannot_be_written_is_said_in_a_line(root, tmp_path, capfd, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(label_cache, "write_whole", full)
    notes, _ = load(root, tmp_path / "cache")
    assert len(notes) == 3
    said = capfd.readouterr().err
    assert "the notes are not cached (No space left on device), so each start reads all labels" in said
