"""`sweep transcribe`: which run, which files and names it takes, what it writes where, and what it says."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pretty_midi
import pytest
import soundfile
from small_sweep import run_small_sweep
from test_app import call

from sweep.commands import parser
from sweep.data.reading import read_split
from sweep.data.sources.demo import make_demo
from sweep.data.sources.folder import Folder
from sweep.data.sources.musicnet import MusicNet
from sweep.results.result import FORMAT
from sweep.transcribe.trained import find_run, load_transcriber


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_demo(root, train=3, test=2, seconds=5)
    return root


@pytest.fixture(scope="module")
def sweep(root, tmp_path_factory):
    """Two rows with two seeds each, done, and a third that is only planned: its <data>/<protocol> folder."""
    return run_small_sweep(root, tmp_path_factory.mktemp("runs"), ["linear-256", "mel-1024-128"], range(2))


def test_the_best_run_of_a_sweep(sweep, monkeypatch):
    """By the mean over seeds of each row, then by the seed."""
    accuracy = {}
    for path in sweep.glob("*/*/*/result.json"):
        row = accuracy.setdefault(path.parts[-3], {})
        row[path.parent] = json.loads(path.read_text())["scores"]["accuracy"]
    row = max(accuracy.values(), key=lambda seeds: np.mean(list(seeds.values())))
    expected = max(row, key=row.get)
    for asked in (sweep, sweep / "best", sweep.parents[1]):
        found, why = find_run(asked)
        assert found.resolve() == expected and f"accuracy {np.mean(list(row.values())):.3f}, a mean over 2 seeds" in why
    other = next(path for path in (sweep / "linear").iterdir() if path != expected.parent)
    assert find_run(other)[0].resolve().parent == other
    assert find_run(expected) == (expected, "")
    monkeypatch.chdir(sweep.parents[1].parent)
    Path("runs").exists() or Path("runs").symlink_to(sweep.parents[1], target_is_directory=True)
    assert find_run(Path("best"))[0].resolve() == expected


def test_a_run_that_cannot_transcribe_is_named(sweep, tmp_path):
    run = "linear/linear-256/seed-0"
    copy = tmp_path / "runs/tiny/quick"
    shutil.copytree(sweep, copy)
    shutil.copytree(sweep, tmp_path / "runs/tiny/converged")

    def said(asked: Path, load: bool = False) -> str:
        with pytest.raises(ValueError) as caught:
            found, _ = find_run(asked)
            load_transcriber(found, "cpu")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert said(tmp_path / "nowhere").startswith(f"{tmp_path / 'nowhere'}: no such folder")
    assert "choose one: " in said(tmp_path / "runs") and f"{copy}" in said(tmp_path / "runs")
    (copy / run / "result.json").rename(copy / run / "kept")
    assert "the run is unfinished" in said(copy / run)
    (copy / run / "traceback.txt").write_text("Traceback\nValueError: it went wrong\n")
    assert "the run is failed, ValueError: it went wrong" in said(copy / run)
    (copy / run / "result.json").write_text(f'{{"format": {FORMAT}}}')
    assert "the run is damaged, " in said(copy / run)
    (copy / run / "result.json").write_text("{}")
    assert "the run is changed, " in said(copy / run) and f"has format 1, this version reads {FORMAT}" in said(
        copy / run
    )
    (copy / run / "kept").replace(copy / run / "result.json")
    weights = (copy / run / "model.ckpt").read_bytes()
    half = len(weights) // 2
    (copy / run / "model.ckpt").write_bytes(weights[:half] + bytes([weights[half] ^ 1]) + weights[half + 1 :])
    assert "model.ckpt: damaged" in said(copy / run)
    (copy / run / "model.ckpt").unlink()
    assert "model.ckpt: no such file" in said(copy / run)
    for path in copy.glob("*/*/*/result.json"):
        path.unlink()
    assert "none of its 4 runs is done" in said(copy)


def test_files_stand_beside_the_audio_and_are_no_part_of_a_data_folder(sweep, root, tmp_path):
    """Labels of the same stem are left alone, and the sweep's data are what they were."""
    data = tmp_path / "own"
    shutil.copytree(root, data / "as_musicnet")
    pairs = [(f"{split}_data/{id}.wav", split, id) for split, id in (("train", 1001), ("test", 2001))]
    for wav, split, id in pairs:
        (data / "mine" / split).mkdir(parents=True)
        shutil.copy(root / wav, data / "mine" / split / f"{id}.wav")
        shutil.copy(root / f"{split}_labels/{id}.csv", data / "mine" / split / f"{id}.csv")
    sources = MusicNet(data / "as_musicnet"), Folder(data / "mine")
    before = [source.fingerprint() for source in sources]
    files = ["as_musicnet/test_data/2001.wav", "mine/train/1001.wav"]
    ended = call("transcribe", str(sweep), *files, cwd=data)
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr
    first, *lines = ended.stdout.splitlines()
    assert "accuracy 0." in first and first.endswith("of 2 done")
    for line, file in zip(lines, files, strict=True):
        assert line.startswith(f"{file}: 0:05, ") and line.endswith(".notes.csv, .mid, .png")
        stem = data / file.removesuffix(".wav")
        notes, midi = pd.read_csv(f"{stem}.notes.csv"), pretty_midi.PrettyMIDI(f"{stem}.notes.mid")
        assert sum(len(instrument.notes) for instrument in midi.instruments) == len(notes)
        assert f" {len(notes)} note" in line
        image = matplotlib.image.imread(f"{stem}.notes.png")
        assert image.shape == (1125, 1800, 4) and image[..., :3].std() > 0.1
    assert [source.fingerprint() for source in sources] == before
    assert len(read_split(data / "as_musicnet", "test")) == 2
    pairs, problems = sources[1].find("train")
    assert [pair.labels.name for pair in pairs] == ["1001.csv"] and not problems


def test_what_cannot_be_transcribed_is_said_and_the_rest_is(sweep, root, tmp_path):
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "a=b.wav", rng.normal(0, 0.1, (9000, 2)), 8000)
    soundfile.write(tmp_path / "$silent$ 音.wav", np.zeros(44100), 44100)
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 44100)
    files = ["a=b.wav", "text.wav", "$silent$ 音.wav", "empty.wav", "nowhere.wav"]
    run = sweep / "linear/linear-256/seed-0"
    ended = call("transcribe", str(run), *files, "--out", "to/here", "--picture", "10:20", cwd=tmp_path)
    assert ended.returncode == 1
    assert [line.split(": ")[1] for line in ended.stderr.splitlines()] == ["text.wav", "empty.wav", "nowhere.wav"]
    assert "$silent$ 音.wav: 0:01, 0 notes" in ended.stdout
    assert {path.name for path in (tmp_path / "to/here").iterdir()} == {
        f"{name}.notes.{kind}" for name in ("a=b", "$silent$ 音") for kind in ("csv", "mid", "png")
    }


@pytest.mark.long
def test_names_of_any_script_bytes_and_length_and_what_is_left_of_a_cut_file(sweep, root, tmp_path):
    """The outputs stand below a ~ that the shell left; what ended early is said in the file's line."""
    sound = sorted((root / "test_data").iterdir())[0]
    names = [b"\xff caf\xe9 [b].wav", "音 Ωδή.wav".encode(), b"x" * 215 + b".wav"]
    for name in names:
        shutil.copy(sound, os.fsencode(tmp_path) + b"/" + name)
    samples, rate = soundfile.read(sound)
    soundfile.write(tmp_path / "cut.flac", samples, rate)
    content = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) * 9 // 10])
    run = str(sweep / "linear/linear-256/seed-0")
    files = [os.fsdecode(name) for name in (*names, b"cut.flac")]
    ended = call("transcribe", run, *files, "--out=~/notes", cwd=tmp_path, HOME=str(tmp_path))
    assert ended.returncode == 0 and "Traceback" not in ended.stderr, ended.stderr
    stems = {os.path.splitext(name)[0] for name in (*names, b"cut.flac")}
    written = {os.fsencode(path.name) for path in (tmp_path / "notes").iterdir()}
    assert written == {stem + b".notes." + kind for stem in stems for kind in (b"csv", b"mid", b"png")}
    lines = ended.stdout.splitlines()[1:]
    assert lines[0].startswith(r"\xff caf\xe9 [b].wav: 0:05, ") and lines[1].startswith("音 Ωδή.wav: 0:05, ")
    assert re.match(r"cut\.flac: 0:0[34] \(cannot be read beyond [34]\.\d+ of 5\.000 s \(", lines[3])
    assert pd.read_csv(tmp_path / "notes/cut.notes.csv").offset_seconds.max() <= 5


def refused(words: list[str], folder: Path, monkeypatch, capsys) -> str:
    """What the command says where it does nothing."""
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as ended:
        sys.exit(parser.main(["transcribe", *words]))
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == ""
    return err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "x.wav"], "nowhere: no such folder"),
        (["best", "--threshold", "2", "x.wav"], "--threshold 2.0: needs a number"),
        (["best", "--hop", "0", "x.wav"], "--hop 0: needs a whole number"),
        (["best", "--gap", "-1", "x.wav"], "--gap -1.0: needs a number of at least 0"),
        (["best", "--picture", "20", "x.wav"], "--picture 20: needs FROM:TO in seconds"),
        (["best", "--picture", "20:999", "x.wav"], "--picture 20:999: needs FROM:TO in seconds, at most 300 apart"),
        (["RUN", "--out", "file", "x.wav"], "--out file: cannot be made"),
        (["RUN", f"{'x' * 248}.wav"], f"{'x' * 248}.wav: {'x' * 248}.notes.csv cannot be written (File name too long)"),
        (["RUN", "taken.wav"], "taken.notes.mid: is a folder; move it away"),
        (["RUN", "--out=~/file", "x.wav"], "--out HOME/file: cannot be made"),
        (["RUN", "x.wav", "x.flac"], "x.wav and x.flac: both would be written to x.notes.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_ends_in_one_line(arguments, said, sweep, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").touch()
    (tmp_path / "taken.notes.mid").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    run = str(sweep / "linear/linear-256/seed-0")
    err = refused([run if word == "RUN" else word for word in arguments], tmp_path, monkeypatch, capsys)
    assert err.startswith(f"sweep transcribe: {said.replace('HOME', str(tmp_path))}") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["best", "--outt", "x", "x.wav"], "unrecognized arguments: --outt"),
        (["best", "--device", "tpu", "x.wav"], "argument --device: invalid choice: 'tpu' (choose from "),
        (["best", "--out", "there"], "the following arguments are required: AUDIO"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_options_end_with_the_usage(arguments, said, tmp_path, monkeypatch, capsys):
    usage, _, error = refused(arguments, tmp_path, monkeypatch, capsys).strip().rpartition("\n")
    assert usage.startswith("usage: sweep transcribe [-h]") and error.startswith(f"sweep transcribe: error: {said}")
