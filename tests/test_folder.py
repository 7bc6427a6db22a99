"""Recordings of one's own: `data=folder` finds them, names what is wrong, and a sweep runs on them."""

import json
import shutil
from pathlib import Path

import pytest
from own_recordings import HEADER, read, write, write_midi
from test_app import SHORT, call

from sweep.data.reading import read_split
from sweep.data.recording import DataError
from sweep.data.sources.folder import Folder, audio_endings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One good recording in each split."""
    root = tmp_path / "mine"
    write(root / "train" / "a.wav", labels=HEADER + "10,20,60\n")
    write(root / "test" / "bach" / "b.flac", labels=HEADER + "30,40,62\n")
    return root


# Where the recordings are.


def test_endings_are_those_that_libsndfile_reads():
    assert {".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".au", ".caf", ".opus"} <= audio_endings()
    assert not {".raw", ".csv", ".mid", ".txt", ".m4a"} & audio_endings()


def test_sub_folders_are_the_splits(root):
    (root / "train" / "notes.txt").write_text("no recording")
    write(root / "train" / ".hidden" / "c.wav")
    (root / "train" / "._a.wav").write_bytes(b"macOS")
    write(root / "train" / "c.aiff").rename(root / "train" / "LOUD.AIF")
    (root / "train" / "c.csv").rename(root / "train" / "LOUD.csv")
    [first, second] = read(root, "train")
    assert (first.id, second.id) == ("LOUD", "a") and second.path == root / "train" / "a.wav"
    assert second.sample_rate == 44100 and second.notes.tolist() == [[10, 20, 60]]
    [nested] = read(root, "test")
    assert nested.id == "bach/b" and nested.notes.tolist() == [[30, 40, 62]]


def test_a_split_csv_decides_instead(root):
    write(root / "c.wav")  # not listed
    (root / "split.csv").write_text("split, file\ntest,train/a.wav\n\ntrain,./test/bach/../bach/b.flac,\n")
    assert [recording.id for recording in read(root, "train")] == ["test/bach/b"]
    assert [recording.id for recording in read(root, "test")] == ["train/a"]


def test_a_column_of_split_csv_names_groups(root):
    (root / "split.csv").write_text("group,file,split\n bach ,train/a.wav,test\n,test/bach/b.flac,train\n")
    assert [recording.group for recording in read(root, "test")] == ["bach"]
    assert [recording.group for recording in read(root, "train")] == [""]


def test_a_relative_root_does(root, monkeypatch):
    monkeypatch.chdir(root / "train")
    assert [recording.id for recording in read(Path(".."), "train")] == ["a"]
    (root / "split.csv").write_text("file,split\ntrain/a.wav,train\ntest/bach/b.flac,test\n")
    assert [recording.id for recording in read(Path("../../mine"), "train")] == ["train/a"]


# Errors: one line with the file, the value and the remedy.


def table(text: str):
    return lambda root: (root / "split.csv").write_text("file,split\n" + text)


BOTH = "train/a.wav,train\ntest/bach/b.flac,test\n"


@pytest.mark.parametrize(
    ("damage", "file", "words"),
    [
        (lambda root: shutil.rmtree(root), "", "no such folder"),
        (lambda root: [shutil.rmtree(root / split) for split in ("train", "test")], "", "holds neither train and test"),
        (lambda root: shutil.rmtree(root / "test"), "test", "holds no audio"),
        (lambda root: (root / "train/a.csv").unlink(), "train/a.wav", "no labels: put a.csv or a.mid or a.midi"),
        (lambda root: (root / "train/a.wav").rename(root / "train/c.wav"), "train/a.csv", "no audio of this name:"),
        (lambda root: (root / "train/a.wav").rename(root / "train/a.m4a"), "train/a.csv", "(a.m4a is nothing that"),
        (lambda root: write(root / "train/a.flac"), "train/a.wav", "same name as a.flac"),
        (lambda root: write_midi(root / "train/a.mid"), "train/a.mid", "same name as a.csv"),
        (lambda root: write(root / "test/a.flac"), "test/a.flac", "same name as {root}/train/a.wav"),
        (lambda root: write(root / "train/bach/b.ogg"), "test/bach/b.flac", "same name as {root}/train/bach/b.ogg"),
        (
            lambda root: [shutil.copy(path, root / "test" / f"c{path.suffix}") for path in root.glob("train/*")],
            "test/c.wav",
            "the same audio as {root}/train/a.wav",
        ),
        (lambda root: (root / "split.csv").write_text(""), "split.csv:1", "no column file, split in ''"),
        (lambda root: (root / "split.csv").write_text("file\n"), "split.csv:1", "no column split in 'file'"),
        (lambda root: (root / "split.csv").write_bytes(b"file,split\n\xff,test\n"), "split.csv", "cannot be read"),
        (table(""), "split.csv", "lists no file"),
        (table("train/a.wav,train\n"), "split.csv", "lists no file for test"),
        (table(BOTH + "train/a.wav,dev\n"), "split.csv:4", "split 'dev' is not one of train, test"),
        (table(BOTH + "train/a.wav\n"), "split.csv:4", "split '' is not one of train, test"),
        (table(BOTH + "c.wav,test\n"), "split.csv:4", "file 'c.wav': no such file"),
        (table(BOTH + ",test\n"), "split.csv:4", "file ''"),
        (table(BOTH + "../mine/train/a.wav,test\n"), "split.csv:4", "file '../mine/train/a.wav': nothing that"),
        (table(BOTH + "train/a.csv,test\n"), "split.csv:4", "file 'train/a.csv': nothing that libsndfile reads"),
        (table(BOTH + "train/../train/a.wav,train\n"), "split.csv:4", "listed in line 2 already"),
        (table(BOTH + "train/a.wav,test\n"), "split.csv:4", "listed in line 2 already"),
        (lambda root: (root / "train/a.wav").write_bytes(b"no"), "train/a.wav", "cannot be read as audio"),
        (lambda root: (root / "train/a.csv").write_text(HEADER + "1,2,x\n"), "train/a.csv:2", "'1,2,x'"),
        (
            lambda root: (root / "train/a.csv").rename(root / "train/a.mid"),
            "train/a.mid",
            "cannot be read as MIDI (MThd not found",
        ),
    ],
)
def test_what_is_wrong_is_named(root, damage, file, words):
    damage(root)
    with pytest.raises(DataError) as caught:
        [read(root, split) for split in ("train", "test")]
    message = str(caught.value)
    assert "\n" not in message and words.format(root=root) in message
    assert message.startswith(f"{root / file}: ")


def test_damaged_midi_files_are_named(root):
    """Cut after any number of bytes a MIDI file reads as fewer notes or is an error of one line, nothing else."""
    (root / "train/a.csv").unlink()
    path = root / "train/a.mid"
    write_midi(path, (0, False, [(0.001, 0.01, 60)]))
    content = path.read_bytes()
    refused = 0
    for length in range(len(content)):
        path.write_bytes(content[:length])
        try:
            read(root, "train")
        except DataError as error:
            refused += str(error).startswith(f"{path}: cannot be read as MIDI (") and "\n" not in str(error)
        else:
            raise AssertionError(length)
    assert refused == len(content)


# The program.


def test_the_fingerprint_knows_the_files_that_are_read_and_their_split(root):
    seen = {Folder(root).fingerprint()}
    (root / "train" / "notes.txt").write_text("no recording")
    (root / "table.csv").write_text("nor this")
    assert {Folder(root).fingerprint()} == seen
    write(root / "train" / "c.wav")
    seen.add(Folder(root).fingerprint())
    (root / "train" / "c.csv").write_text(HEADER + "1,2,60\n")
    seen.add(Folder(root).fingerprint())
    table("train/a.wav,train\ntrain/c.wav,test\n")(root)
    seen.add(Folder(root).fingerprint())
    table("train/a.wav,test\ntrain/c.wav,train\n")(root)
    seen.add(Folder(root).fingerprint())
    assert len(seen) == 5


@pytest.fixture(scope="module")
def own(small_set, tmp_path_factory):
    """A demo set as somebody's own recordings: other rates and formats, CSV and MIDI."""
    own = tmp_path_factory.mktemp("own") / "own"
    for split in ("train", "test"):
        for number, recording in enumerate(read_split(small_set, split)):
            path = write(own / split / f"{recording.id}.{('wav', 'flac', 'ogg')[number]}", recording.audio, labels=None)
            notes = [(start / 44100, end / 44100, note) for start, end, note in recording.notes[:, :3]]
            write_midi(path.with_suffix(".mid"), (0, False, notes))
    return own


@pytest.mark.long
def test_a_sweep_on_ones_own_recordings(own, tmp_path):
    arguments = ["data=folder", f"data.root={own}", *SHORT, "protocol.steps=2", "representation=mel-512-128"]
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == "" and ended.stdout.startswith("[1/1] mel-512-128  accuracy")
    result = json.loads((tmp_path / "runs/own/quick/linear/mel-512-128/seed-0/result.json").read_text())
    assert list(result["recordings"]) == ["2001", "2002"] and len(result["config"]["data"]["fingerprint"]) == 16
    assert result["labels"] == "Labels as in the CSV; MIDI from key down to key up, the pedal is not followed."
    assert result["labels"] in (tmp_path / "runs/own/quick/table.md").read_text()
    assert sorted(path.name.split("-")[-1] for path in tmp_path.glob("data/cache/*")) == ["test.audio", "train.audio"]
    # The same run without the cache: it is the same run, and a blocked cache is no reason to fail.
    ended = call(*arguments, "data.cache=null", cwd=tmp_path)
    assert ended.returncode == 0 and "(done before)" in ended.stdout and "data.cache" not in ended.stdout
    (tmp_path / "blocked").write_text("")
    ended = call(*arguments, "data.cache=blocked", "overwrite=true", cwd=tmp_path)
    assert ended.returncode == 0 and ended.stderr.count("the audio is not cached (Not a directory)") == 2
    assert len(ended.stderr.splitlines()) == 2 and "data.cache" not in ended.stdout
    again = json.loads((tmp_path / "runs/own/quick/linear/mel-512-128/seed-0/result.json").read_text())
    assert again["scores"] == result["scores"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=folder"], "data.root is missing: name the folder of the recordings, data.root=DIR"),
        (["data=folder", "data.root=nowhere"], "nowhere: no such folder"),
        (["data.cache=[3]"], "data.cache [3]: needs a folder, as text it is written"),
    ],
)
def test_bad_settings_end_in_one_line(arguments, message, tmp_path):
    ended = call(*arguments, *SHORT, cwd=tmp_path)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    (line,) = (ended.stdout + ended.stderr).splitlines()
    assert message in line
