"""Recordings of one's own: `data=folder` finds them, resamples them, takes CSV or MIDI, and names what is wrong."""

import json
import shutil
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import soundfile
import torch
from test_app import SHORT, call
from test_audio import sine

from sweep.data import DataError, Recordings, read_split
from sweep.data.demo import make_demo
from sweep.data.folder import audio_endings
from sweep.settings import fingerprint

HEADER = "start_time,end_time,note\n"


def write(path: Path, audio: np.ndarray | None = None, rate: int = 44100, labels: str | None = HEADER) -> Path:
    """An audio file, and labels beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(len(str(path))).uniform(-0.5, 0.5, 1000)
    soundfile.write(path, noise if audio is None else audio, rate)
    if labels is not None:
        path.with_suffix(".csv").write_text(labels)
    return path


def write_midi(path: Path, *instruments: tuple[int, bool, list[tuple[float, float, int]]]) -> None:
    """Instruments: program, whether drums, notes as start and end, s, and pitch. 10,000 ticks a second."""
    midi = pretty_midi.PrettyMIDI(resolution=5000, initial_tempo=120)
    for program, is_drum, notes in instruments:
        instrument = pretty_midi.Instrument(program, is_drum)
        instrument.notes = [pretty_midi.Note(80, pitch, start, end) for start, end, pitch in notes]
        midi.instruments.append(instrument)
    midi.write(str(path))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One good recording in each split."""
    root = tmp_path / "mine"
    write(root / "train" / "a.wav", labels=HEADER + "10,20,60\n")
    write(root / "test" / "bach" / "b.flac", labels=HEADER + "30,40,62\n")
    return root


def read(root: Path, split: str) -> list:
    return read_split(root, split, source="folder")


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


def test_a_relative_root_does(root, monkeypatch):
    monkeypatch.chdir(root / "train")
    assert [recording.id for recording in read(Path(".."), "train")] == ["a"]
    (root / "split.csv").write_text("file,split\ntrain/a.wav,train\ntest/bach/b.flac,test\n")
    assert [recording.id for recording in read(Path("../../mine"), "train")] == ["train/a"]


# Labels.


def test_csv_times_are_samples_of_the_file(tmp_path):
    path = write(tmp_path / "train" / "a.wav", sine(48000), 48000, HEADER + "4800,9601,60\n47999,60000,61\n0,1,62\n")
    write(tmp_path / "test" / "b.wav")
    [recording] = read(tmp_path, "train")
    assert recording.notes.tolist() == [[4410, 8821, 60], [44099, 44100, 61], [0, 1, 62]]
    path.with_suffix(".csv").write_text(HEADER + "48000,60000,61\n")
    with pytest.raises(DataError, match="a.csv:2: start_time 48000 is not within the recording's 48000 samples"):
        read(tmp_path, "train")


@pytest.mark.parametrize("rate", [8000, 44100, 96000])
def test_every_note_keeps_at_least_one_sample_within_the_recording(tmp_path, rate):
    rows = "".join(f"{start},{start + 1},60\n" for start in range(rate - 50, rate))
    write(tmp_path / "train" / "a.wav", sine(rate), rate, HEADER + rows)
    write(tmp_path / "test" / "b.wav")
    [recording] = read(tmp_path, "train")
    start, end = recording.notes[:, :2].T
    assert (start >= 0).all() and (start < end).all() and end.max() == len(recording.audio) == 44100


def test_midi_times_are_seconds_and_drums_are_left_out(tmp_path):
    path = write(tmp_path / "train" / "a.wav", sine(48000, 2.0), 48000, labels=None)
    piano, violin = [(0.5, 1.0, 60), (0.1, 0.2, 64)], [(0.3, 5.0, 67)]
    write_midi(path.with_suffix(".mid"), (0, False, piano), (0, True, [(0.1, 0.2, 38)]), (40, False, violin))
    write(tmp_path / "test" / "b.wav")
    [recording] = read(tmp_path, "train")
    assert recording.notes.tolist() == [[4410, 8820, 64], [13230, 88200, 67], [22050, 44100, 60]]
    write_midi(path.with_suffix(".mid"), (0, True, [(0.1, 0.2, 38)]), (40, False, [*violin, (2.0, 2.5, 99)]))
    with pytest.raises(DataError) as caught:
        read(tmp_path, "train")
    assert f"{path.with_suffix('.mid')}: instrument 2 (Violin): note 99 at 2.000 s is not within" in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_the_tempo_map_is_followed_and_must_be_in_the_first_track(tmp_path):
    """480 ticks a beat; 120 beats a minute, from beat 2 on 60: a note from beat 3 to 4 is one from 2 to 3 s."""
    tempi = [mido.MetaMessage("set_tempo", tempo=500_000), mido.MetaMessage("set_tempo", tempo=1_000_000, time=960)]
    key = mido.MetaMessage("key_signature", key="G")  # many programs write it into every track
    note = [mido.Message("note_on", note=60, time=1440), mido.Message("note_off", note=60, time=480)]
    path = write(tmp_path / "train" / "a.wav", sine(44100, 4.0), labels=None)
    write(tmp_path / "test" / "b.wav")
    tracks = [mido.MidiTrack(tempi), mido.MidiTrack([key, *note])]
    mido.MidiFile(ticks_per_beat=480, tracks=tracks).save(path.with_suffix(".MIDI"))
    assert read(tmp_path, "train")[0].notes.tolist() == [[2 * 44100, 3 * 44100, 60]]
    mido.MidiFile(ticks_per_beat=480, tracks=tracks[::-1]).save(path.with_suffix(".MIDI"))
    with pytest.raises(DataError, match="a.MIDI: changes its tempo in a track that is not the first"):
        read(tmp_path, "train")


@pytest.mark.parametrize("rate", [22050, 44100, 48000])
def test_csv_and_midi_of_the_same_notes_give_the_same_targets(tmp_path, rate):
    """Times are multiples of 0.02 s: whole samples at all these rates, 882 at 44.1 kHz."""
    rng = np.random.default_rng(0)
    start, length = rng.permutation(125)[:40], rng.integers(1, 49, 40)  # the last ones end after the recording
    notes = [(s / 50, (s + n) / 50, 40 + i) for i, (s, n) in enumerate(zip(start, length, strict=True))]
    rows = "".join(f"{round(start * rate)},{round(end * rate)},{note}\n" for start, end, note in notes)
    write(tmp_path / "train" / "csv.wav", sine(rate, 3.0), rate, HEADER + rows)
    midi = write(tmp_path / "train" / "midi.wav", sine(rate, 3.0), rate, labels=None)
    write_midi(midi.with_suffix(".mid"), (0, False, notes[:20]), (40, False, notes[20:]))
    write(tmp_path / "test" / "b.wav")
    recordings = Recordings(read(tmp_path, "train"))
    expected = torch.zeros(3 * 44100, 128)
    for i, (s, n) in enumerate(zip(start, length, strict=True)):
        expected[882 * s : 882 * (s + n), 40 + i] = 1
    for index in (0, 1):
        torch.testing.assert_close(recordings.targets(index, torch.arange(3 * 44100)), expected, rtol=0, atol=0)


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
        read(root, "train")
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
    seen = {fingerprint(root, "folder")}
    (root / "train" / "notes.txt").write_text("no recording")
    (root / "table.csv").write_text("nor this")
    assert {fingerprint(root, "folder")} == seen
    write(root / "train" / "c.wav")
    seen.add(fingerprint(root, "folder"))
    (root / "train" / "c.csv").write_text(HEADER + "1,2,60\n")
    seen.add(fingerprint(root, "folder"))
    table("train/a.wav,train\ntrain/c.wav,test\n")(root)
    seen.add(fingerprint(root, "folder"))
    table("train/a.wav,test\ntrain/c.wav,train\n")(root)
    seen.add(fingerprint(root, "folder"))
    assert len(seen) == 5


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A demo set as somebody's own recordings: other rates and formats, CSV and MIDI."""
    made, own = tmp_path_factory.mktemp("made") / "set", tmp_path_factory.mktemp("own") / "own"
    make_demo(made, train=3, test=2, seconds=4)
    for split in ("train", "test"):
        for number, recording in enumerate(read_split(made, split)):
            path = write(own / split / f"{recording.id}.{('wav', 'flac', 'ogg')[number]}", recording.audio, labels=None)
            notes = [(start / 44100, end / 44100, note) for start, end, note in recording.notes]
            write_midi(path.with_suffix(".mid"), (0, False, notes))
    return own


def test_a_sweep_on_ones_own_recordings(own, tmp_path):
    arguments = ["data=folder", f"data.root={own}", *SHORT, "protocol.steps=2", "representation=mel-512-128"]
    ended = call(*arguments, cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stderr == "" and ended.stdout.startswith("[1/1] mel-512-128  accuracy")
    result = json.loads((tmp_path / "runs/own/quick/linear/mel-512-128/seed-0/result.json").read_text())
    assert list(result["recordings"]) == ["2001", "2002"] and len(result["config"]["data"]["fingerprint"]) == 16
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
        (["data.cache=3"], "data.cache 3: needs a folder, or null"),
    ],
)
def test_bad_settings_end_in_one_line(arguments, message, tmp_path):
    ended = call(*arguments, *SHORT, cwd=tmp_path)
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    (line,) = (ended.stdout + ended.stderr).splitlines()
    assert message in line
