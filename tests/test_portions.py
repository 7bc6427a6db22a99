"""Hours of a data set, labels moved in time, and recordings that the set itself holds out."""

import numpy as np
import pytest
import soundfile
from configs import make_config

from sweep.data.portion import some_hours
from sweep.data.reading import read, read_split, shifted
from sweep.data.recording import Changed, DataError, Pair
from sweep.data.source import Source
from sweep.registry import sources
from sweep.scheduling.plan import fingerprinted

RATE = 8_000
SECONDS = [3, 2, 4, 2, 5, 9, 2, 6]


def recording(folder, name, seconds, seed, rate=RATE):
    """Noise, and one note from 1 s to 2 s."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-9000, 9000, seconds * rate, dtype=np.int16)
    soundfile.write(folder / f"{name}.wav", noise, rate)
    (folder / f"{name}.csv").write_text(f"start_time,end_time,note\n{rate},{2 * rate},60\n")


@pytest.fixture
def root(tmp_path):
    for number, seconds in enumerate(SECONDS):
        recording(tmp_path / "set/train", f"r{number}", seconds, number)
    recording(tmp_path / "set/test", "t", 3, 99)
    return tmp_path / "set"


def pairs(root):
    return [Pair(f"r{n}", root / f"train/r{n}.wav", root / f"train/r{n}.csv") for n in range(len(SECONDS))]


def test_hours_are_never_exceeded_and_fewer_are_a_part_of_more(root):
    before = set()
    for seconds in range(1, 34):
        taken, lines = some_hours(pairs(root), seconds / 3600)
        ids = {pair.id for pair in taken}
        total = sum(SECONDS[int(id[1:])] for id in ids)
        assert [pair.id for pair in taken] == sorted(ids) and before <= ids
        assert total <= seconds or len(taken) == 1
        assert bool(lines) == (seconds >= sum(SECONDS)) == (len(ids) == len(SECONDS))
        assert total + max(SECONDS) > seconds or lines  # nearly reached
        before = ids


def test_the_draw_is_the_same_wherever_the_folder_lies_and_in_whatever_order(root, tmp_path):
    (tmp_path / "elsewhere").symlink_to(root)
    here, there = (some_hours(found, 12 / 3600)[0] for found in (pairs(root), pairs(tmp_path / "elsewhere")[::-1]))
    assert {pair.id for pair in here} == {pair.id for pair in there}
    assert {pair.id for pair in here} != {f"r{n}" for n in range(len(here))}  # drawn, not the first ones


def test_more_hours_than_there_are_take_all_and_say_so(root):
    taken, (line,) = some_hours(pairs(root), 1)
    assert len(taken) == len(SECONDS) and line == "data.hours 1: takes all recordings, which are 0.01 hours"


def test_a_file_that_is_no_audio_is_named(root):
    (root / "train/r3.wav").write_bytes(b"not audio")
    with pytest.raises(DataError, match=r"r3.wav: cannot be read as audio \(.*\): download or convert it again"):
        some_hours(pairs(root), 1)


def test_hours_are_of_the_training_recordings(root, tmp_path):
    splits, _ = read(root, "folder", tmp_path / "cache", hours=12 / 3600)
    assert 6 < sum(len(it.audio) for it in splits["train"]) / 44100 <= 12 and len(splits["test"]) == 1
    read(root, "folder", tmp_path / "cache")
    names = sorted(file.name.partition("-")[2].partition("-")[2] for file in (tmp_path / "cache").glob("*.audio"))
    assert names == ["test.audio", "train-0.00333333h.audio", "train.audio"]


@pytest.mark.parametrize(("shift", "start", "end"), [(0.03, 1.03, 2.03), (-0.25, 0.75, 1.75), (0, 1, 2), (1.5, 2.5, 3)])
def test_labels_are_moved_and_cut_at_the_end(root, shift, start, end):
    (found,) = read_split(root, "test", "folder", shift=shift)
    np.testing.assert_allclose(found.notes[0, :2] / 44100, (start, end), atol=1e-5)


def test_notes_that_are_moved_off_the_recording_are_left_out_and_counted(root):
    remarks = []
    (found,) = read_split(root, "test", "folder", remarks=remarks, shift=-2.5)
    assert len(found.notes) == 0
    (line,) = remarks
    assert isinstance(line, Changed) and str(line) == (
        f"notes that data.shift moves off the recording, left out: 1; the first: {root / 'test/t.csv'}"
    )


def test_a_shift_leaves_what_it_was_given_alone(tmp_path):
    notes = np.array([[100, 200, 60, 1], [50, 300, 62, 1]])
    moved, lines = shifted(tmp_path, notes, 0.001, 320)
    assert moved.tolist() == [[144, 244, 60, 1], [94, 320, 62, 1]] and not lines
    assert notes.tolist() == [[100, 200, 60, 1], [50, 300, 62, 1]]


@pytest.fixture
def holding_out(root, forgotten):
    """A source whose folder has a part "validation" beside the other two."""

    @sources.register("holding-out")
    class HoldingOut(Source):
        """Audio and CSV in train, validation and test."""

        RESAMPLES = True
        HOLDS_OUT = True

        def find(self, split):
            files = sorted((self.root / split).glob("*.wav"))
            return [Pair(file.stem, file, file.with_suffix(".csv")) for file in files], []

    recording(root / "validation", "v", 4, 50)
    return root


def test_recordings_that_the_set_holds_out(holding_out):
    splits, _ = read(holding_out, "holding-out", held_out=True)
    assert {split: len(part) for split, part in splits.items()} == {"train": 8, "validation": 1, "test": 1}
    assert list(read(holding_out, "holding-out")[0]) == ["train", "test"]


@pytest.mark.parametrize("split", ["train", "test"])
def test_held_out_audio_is_in_no_other_split(holding_out, split):
    samples, _ = soundfile.read(holding_out / "validation/v.wav")
    soundfile.write(holding_out / split / "copy.flac", samples * 0.5, RATE)
    (holding_out / split / "copy.flac").rename(holding_out / split / "copy.wav")
    (holding_out / split / "copy.csv").write_text((holding_out / "validation/v.csv").read_text())
    with pytest.raises(DataError, match="a recording belongs into one split") as caught:
        read(holding_out, "holding-out", held_out=True)
    assert str(holding_out / "validation/v.wav") in str(caught.value)


def test_a_source_without_recordings_of_its_own_to_hold_out(root):
    data = make_config("data=folder", f"data.root={root}", "data.validation=own").data
    with pytest.raises(ValueError, match="data.validation own: data.source folder holds out no recordings; choose a s"):
        fingerprinted(data)


def test_held_out_files_count_to_the_fingerprint(holding_out):
    source = sources["holding-out"](holding_out)
    before = source.fingerprint()
    recording(holding_out / "validation", "v", 5, 50)
    assert source.fingerprint() != before


def test_audio_is_cached_once_for_keys_of_labels_and_apart_for_other_keys(root, tmp_path, forgotten):
    """A key that chooses recordings does not make the cache of another choice anew at each turn."""

    @sources.register("chosen")
    class Chosen(Source):
        """Recordings whose names end with one of some digits."""

        RESAMPLES = True
        LABEL_KEYS = ("late",)

        def __init__(self, root, digits: str = "0123", late: bool = False):
            super().__init__(root)
            self.digits = digits

        def find(self, split):
            files = sorted(it for it in (self.root / split).glob("*.wav") if it.stem[-1] in self.digits + "t")
            return [Pair(file.stem, file, file.with_suffix(".csv")) for file in files], []

    def files(**options):
        read(root, "chosen", tmp_path / "cache", options=options)
        return {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cache").glob("*.audio")}

    default = files(digits="0123")
    assert len(default) == 2 and files(late=True) == default
    both = files(digits="45")
    assert len(both) == 4 and both.items() > default.items()
    assert files() == both and files(digits="45", late=True) == both
