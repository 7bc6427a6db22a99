"""`sweep data DIR`: the figures are those of a plain count, and every problem is listed."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import SHARED
from own_recordings import HEADER, write, write_midi
from test_app import call
from test_audio import sine

from sweep.commands import parser
from sweep.data.sources.demo import make_demo


def rows(output: str) -> dict[str, list[str]]:
    """The table's rows by their names."""
    found = (re.split(r"\s{2,}", line.strip()) for line in output.splitlines())
    return {name: cells for name, *cells in found if cells}


def test_the_figures_are_those_of_a_plain_count(tmp_path):
    make_demo(tmp_path / "set", train=3, test=2, seconds=4)
    ended = call("data", "set", cwd=tmp_path, COLUMNS="80")
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr
    assert "\x1b" not in ended.stdout and max(map(len, ended.stdout.splitlines()[2:])) <= 80
    assert ended.stdout.startswith("set, read as data=musicnet\n") and ended.stdout.endswith("\nno problems\n")
    said = rows(ended.stdout)
    for column, (split, count) in enumerate({"train": 3, "test": 2}.items()):
        n_samples = 4 * 44100
        polyphony, pitches = [], []
        for path in (tmp_path / "set" / f"{split}_labels").glob("*.csv"):
            sounding = np.zeros((128, n_samples), bool)
            for row in csv.DictReader(path.open()):
                sounding[int(row["note"]), int(row["start_time"]) : int(row["end_time"])] = True
                pitches.append(int(row["note"]))
            polyphony.append(sounding.sum(0))
        expected = {
            "recordings that can be read": f"{count}",
            "hours": f"{count * 4 / 3600:.2f}",
            "sample rates": f"44,100 Hz ({count})",
            "notes": f"{len(pitches)}",
            "recordings without a note": "0",
            "notes sounding at once, mean over time": f"{np.mean(polyphony):.2f}",
            "notes sounding at once, at most": f"{np.max(polyphony)}",
            "MIDI notes, lowest to highest": f"{min(pitches)} to {max(pitches)}",
            "shortest recording": "4.00 s",
            "in windows of 16,384 samples": "10.8",
        }
        assert {name: said[name][column] for name in expected} == expected


def test_every_problem_is_listed_with_file_and_line(tmp_path):
    root = tmp_path / "mine"
    write(root / "train/good.wav", sine(48000, 3.0), 48000, HEADER + "0,144000,60\n144000,144001,60\n")
    write(root / "train/rows.ogg", sine(22050, 1.0), 22050, HEADER + "5,4,60\n0,9,60\n1,x,60\n0,9,128\n-1,3,1\n")
    write(root / "train/bad [b].wav", labels=HEADER + "3,2,60\n999999999999999999,9999999999999999999999,1\n")
    (root / "train/bad [b].wav").write_bytes(b"no audio")
    write(root / "train/bare.wav", labels=None)
    write(root / "train/short.wav", sine(44100, 0.2))
    write(root / "test/short.wav", sine(44100, 2.0))
    midi = write(root / "test/midi.wav", sine(44100, 4.0), labels=None)
    write_midi(midi.with_suffix(".mid"), (0, False, [(0.0, 1.0, 60), (4.5, 5.0, 61), (4.6, 5.0, 62)]))
    (root / "test/lone.csv").write_text(HEADER)
    ended = call("data", "mine", cwd=tmp_path, COLUMNS="80")
    assert ended.returncode == 1 and ended.stderr == "", ended.stderr
    table, problems = ended.stdout.split("14 problems:\n")
    assert rows(table)["recordings that can be read"] == ["3", "2"]
    assert rows(table)["sample rates"] == ["22,050 Hz (1)", "44,100 Hz (2)"] and "48,000 Hz (1)" in table
    expected = [
        "mine/train/bare.wav: no labels",
        "mine/test/lone.csv: no audio of this name",
        "mine/test/short.wav: same name as mine/train/short.wav",
        "mine/train/bad [b].wav: cannot be read as audio",
        "mine/train/bad [b].csv:2: end_time 2 is not after start_time 3",
        "mine/train/good.csv:3: start_time 144000 is not within the recording's 144000 samples",
        "mine/train/rows.csv:2: end_time 4 is not after start_time 5",
        "mine/train/rows.csv:4: '1,x,60'",
        "mine/train/rows.csv:5: note 128",
        "mine/train/rows.csv:6: start_time -1",
        "mine/train/short.wav: 8820 samples, training needs at least 16384",
        "mine/test/midi.mid: instrument 1 (Acoustic Grand Piano): note 61 at 4.500 s",
        "mine/test/midi.mid: instrument 1 (Acoustic Grand Piano): note 62 at 4.600 s",
        "mine/test/short.wav: 88200 samples, scoring needs at least 109636",
    ]
    lines = problems.splitlines()
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(start)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["file.txt"], "file.txt: no such folder"),
        (["empty"], "empty: holds neither train and test folders nor a split.csv"),
        (["empty", "--source", "musicnet"], "empty/train_data: no such folder"),
    ],
)
def test_bad_input_is_a_problem_in_a_line(tmp_path, arguments, said):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("")
    ended = call("data", *arguments, cwd=tmp_path)
    assert ended.returncode == 1 and ended.stderr == ""
    count, first, *_ = ended.stdout.splitlines()
    assert re.fullmatch(r"\d problems?:", count) and first.startswith(said)


@pytest.mark.parametrize("word", ["labels=[", "labels=2024-13-01", "labels=" + "[" * 3000])
def test_a_value_that_cannot_be_read_is_a_line(word, capsys):
    assert parser.main(["data", "set", "--source", "musicnet", word]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith(f"sweep data: {word[:20]}") and "its value cannot be read; in quotes" in line


def test_a_missing_argument_is_said_with_the_usage(tmp_path):
    ended = call("data", cwd=tmp_path)
    assert ended.returncode == 2 and "DIR" in ended.stderr and "Traceback" not in ended.stderr


def test_one_split_of_musicnet_is_reported_and_the_other_missed(tmp_path):
    for folder in ("train_data", "train_labels"):
        (tmp_path / "set" / folder).mkdir(parents=True)
    soundfile.write(tmp_path / "set/train_data/7.wav", sine(22050), 22050)
    soundfile.write(tmp_path / "set/train_data/8.wav", sine(44100), 44100)
    for id in "78":
        (tmp_path / f"set/train_labels/{id}.csv").write_text(HEADER)
    ended = call("data", "set", cwd=tmp_path)
    assert ended.returncode == 1
    assert rows(ended.stdout)["notes"] == ["0"] and rows(ended.stdout)["recordings without a note"] == ["1"]
    problems = ended.stdout.partition("3 problems:\n")[2].splitlines()
    assert [problem.split(": ")[0] for problem in problems] == [
        "set/train_data/7.wav",
        "set/test_data",
        "set/test_labels",
    ]
    assert "22050 Hz, not 44100 Hz" in problems[0]


@pytest.mark.skipif(not (SHARED / "musicnet-mini").is_dir(), reason="genuine recordings are not at hand")
def test_genuine_recordings_have_no_problem(tmp_path):
    ended = call("data", str(Path(SHARED, "musicnet-mini")), cwd=tmp_path)
    assert ended.returncode == 0, ended.stdout
    assert rows(ended.stdout)["notes"] == ["8,332", "718"] and rows(ended.stdout)["hours"] == ["0.26", "0.03"]
