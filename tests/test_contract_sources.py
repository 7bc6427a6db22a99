"""A source that does not find what a run can read is told so in one line."""

import random
import shutil
from pathlib import Path

import pytest
from own_recordings import write

from sweep import testing
from sweep.data.contract import check_source
from sweep.data.recording import Pair
from sweep.data.sources.demo import Demo
from sweep.data.sources.folder import Folder
from sweep.data.sources.musicnet import MusicNet
from sweep.registry import sources


@pytest.fixture
def recordings(tmp_path) -> Path:
    for name in ("train/a.wav", "train/b.flac", "test/c.wav"):
        write(tmp_path / "set" / name)
    return tmp_path / "set"


class MySource(Folder):
    """Recordings of one's own, found by a source that is wrong in one way."""


def pair(root: Path, id: str, audio: str = "train/a.wav", labels: str = "test/c.csv") -> Pair:
    return Pair(id, root / audio, root / labels)


AUDIO = {"train": "train/a.wav", "test": "test/c.wav"}
WRONG_SOURCES = {
    "an id in both splits": (
        {"find": lambda self, split: ([pair(self.root, "a", AUDIO[split])], [])},
        "id 'a': is in train and in test; put a recording into one, or give it two ids",
    ),
    "an id twice in a split": (
        {"find": lambda self, split: ([pair(self.root, "a"), pair(self.root, "a", "train/b.flac")], [])},
        ".*a.wav: another recording of train is called 'a' too: rename one of the two",
    ),
    "a missing file": (
        {"find": lambda self, split: ([pair(self.root, split, "train/z.wav")], [])},
        ".*z.wav of recording train: no such file; let find return files that are there",
    ),
    "nothing": ({"find": lambda self, split: ([], [])}, r'find\("train"\) finds no recording in .*; correct find, .*'),
    "no lines": ({"find": lambda self, split: []}, r'find\("train"\) returns \[\]: needs a list of .*Pair and one .*'),
    "paths": (
        {"find": lambda self, split: ([self.root / "train/a.wav"], [])},
        r'find\("train"\) returns .*: needs a list of sweep.data.recording.Pair and one of lines',
    ),
    "a path as text": (
        {"find": lambda self, split: ([Pair("a", "a.wav", "a.csv")], [])},
        "'a.wav' of recording a: needs a pathlib.Path",
    ),
    "a number": ({"find": lambda self, split: ([pair(self.root, 7)], [])}, "id 7 of .*: needs text, unique in its .*"),
    "a problem": (
        {"find": lambda self, split: (Folder.find(self, split)[0], [f"{self.root}: is of no use: leave it"])},
        ".*set: is of no use: leave it",
    ),
    "raises": ({"find": lambda self, split: 1 / 0}, r'find\("train"\) raises ZeroDivisionError: division by zero'),
    "lines that are no text": (
        {"find": lambda self, split: (Folder.find(self, split)[0], [7])},
        r'find\("train"\) returns 7 among its lines: needs text',
    ),
    "others at a second call": (
        {
            "find": lambda self, split: (
                [pair(self.root, str(random.random()), AUDIO[split])],
                [],
            )
        },
        r'find\("train"\) finds other recordings at a second call; let it depend on the folder alone',
    ),
    "files without a split": (
        {"files": lambda self: [self.root / "train/a.wav"]},
        r"files\(\) returns .*a.wav.*: needs a list of \(split, path\), or None",
    ),
    "files that are not there": (
        {"files": lambda self: [("train", self.root / "z.wav")]},
        r"files\(\) names .*z.wav of train: needs files that are there, of train or test",
    ),
    "another fingerprint each time": (
        {"fingerprint": lambda self: str(random.random())},
        r"fingerprint\(\) is .* and then .*; let it depend on the files alone",
    ),
    "a remark that is no text": ({"remark": lambda self: None}, r"remark\(\) returns None: needs a sentence"),
    "a fingerprint that is no text": ({"fingerprint": lambda self: 7}, r"fingerprint\(\) returns 7: needs text, or .*"),
}


@pytest.mark.parametrize("kind", WRONG_SOURCES)
def test_a_wrong_source_is_told_in_a_line(kind, recordings):
    methods, line = WRONG_SOURCES[kind]
    with pytest.raises(ValueError, match=rf"^source MySource: {line}$") as told:
        check_source(type("MySource", (MySource,), methods)(recordings))
    assert "\n" not in str(told.value)


def test_recordings_that_cannot_be_read(recordings):
    check_source(MySource(recordings))
    (recordings / "train" / "a.wav").write_bytes(b"no audio")
    check_source(MySource(recordings), read=False)
    with pytest.raises(ValueError, match=r"^source MySource: .*a\.wav: .*$"):
        check_source(MySource(recordings))
    write(recordings / "train" / "a.wav", labels="start_time,end_time,note\n1,2,300\n")
    with pytest.raises(ValueError, match=r"^source MySource: .*a\.csv:2: .*300.*$"):
        check_source(MySource(recordings))


def test_musicnets_layout(small_set, tmp_path):
    check_source(MusicNet(small_set))
    shutil.copytree(small_set, tmp_path / "other")
    next((tmp_path / "other" / "train_labels").glob("*.csv")).unlink()
    with pytest.raises(ValueError, match=r"^source MusicNet: .*$"):
        check_source(MusicNet(tmp_path / "other"))


# sweep.testing


def test_our_sources(small_set, tmp_path):
    assert sources.names() == ["demo", "folder", "guitarset", "maestro", "maps", "mirdata", "musicnet", "slakh"]
    testing.check_source(MusicNet, small_set)
    for name in ("train/a.wav", "train/é.flac", "test/c.wav"):
        write(tmp_path / "set" / name)
    testing.check_source(Folder, tmp_path / "set")
    (tmp_path / "set" / "split.csv").write_text("file,split\ntrain/a.wav,train\ntest/c.wav,test\n")
    testing.check_source(Folder, str(tmp_path / "set"))


@pytest.mark.long
def test_our_demo_set(tmp_path):
    testing.check_source(Demo, tmp_path / "demo")


def test_a_fingerprint_that_says_where_the_folder_is(recordings):
    mine = type("Mine", (MySource,), {"fingerprint": lambda self: str(self.root)})
    check_source(mine(recordings))
    with pytest.raises(ValueError, match=r"^source Mine: fingerprint\(\) is .*set, and .*elsewhere of a copy at .*$"):
        testing.check_source(mine, recordings)


def test_a_class_that_cannot_be_built(recordings):
    with pytest.raises(ValueError, match=r"^source Folder: Folder\(root\) raises TypeError: .*'split'$"):
        testing.check_source(Folder, recordings, split="by hand")
