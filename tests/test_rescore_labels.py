"""Runs scored anew against labels that several keys choose together, and what is left out or has changed."""

import shutil
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pandas as pd
import pytest
from configs import run_alone
from rich.console import Console
from test_rescore import IDS, METRICS, expected, windows
from tones import make_tones

from sweep.commands import parser
from sweep.config import RunConfig
from sweep.data.sources.musicnet import MusicNet
from sweep.registry import sources
from sweep.rescoring.choices import read_choices
from sweep.rescoring.labels import Labels
from sweep.rescoring.moves import moves
from sweep.rescoring.rescore import rescore
from sweep.results.plan import write_plan
from sweep.results.table import read_runs
from sweep.scheduling.jobs import Run


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "tiny"
    make_tones(root)
    return root


@pytest.fixture(scope="module")
def swept(root, tmp_path_factory) -> RunConfig:
    """The first of two runs."""
    runs = tmp_path_factory.mktemp("kept") / "runs"
    configs = [windows(root, runs), windows(root, runs, seed=1, protocol__steps=20)]
    for config in configs:
        run_alone(config)
        write_plan(config.table, {Run("", it).name: Run("", it).planned() for it in configs[: config.seed + 1]})
    return configs[0]


def later(root: Path, folder: Path) -> Path:
    """Write MusicNetEM's <id>.mid and, below csv/, the same notes as CSV: each 10 ms later, every third left out."""
    (folder / "csv").mkdir(parents=True)
    for name in IDS:
        head, *rows = (root / f"test_labels/{name}.csv").read_text().splitlines()
        notes = [[int(value) + add for value, add in zip(row.split(","), (441, 441, 0), strict=True)] for row in rows]
        notes = [[start, min(end, 220_500), pitch] for start, end, pitch in np.delete(notes, slice(None, None, 3), 0)]
        lines = [head, *(",".join(map(str, note)) for note in notes)]
        (folder / f"csv/{name}.csv").write_text("\n".join(lines) + "\n")
        events = [(end, "note_off", pitch) for _, end, pitch in notes]
        events += [(start, "note_on", pitch) for start, _, pitch in notes]
        track, now = mido.MidiTrack(), 0
        for time, kind, pitch in sorted(events):
            track.append(mido.Message(kind, note=int(pitch), velocity=80, time=int(time) - now))
            now = int(time)
        mido.MidiFile(ticks_per_beat=22_050, tracks=[track]).save(folder / f"{name}.mid")  # a tick is a sample
    return folder


def of(table: pd.DataFrame, choice: str, value: str = "", seed: int = 0) -> list[float]:
    """The three scores of one of the runs."""
    rows = table[(table.choice == choice) & (table.value == value) & (table.seed == seed)]
    assert list(rows.metric) == METRICS
    return list(rows.score)


def test_midi_in_place_of_musicnets_labels(swept, root, tmp_path, capsys):
    """Two keys are one choice, since neither applies alone; what does not apply is named, and the others go on."""
    em = later(root, tmp_path / "a+b" / "em")
    words = ["data.labels=midi", f"data.labels=midi+data.labels_root={em}", "data.shift=0.01"]
    assert parser.main(["rescore", str(swept.table), *words]) == 0
    said, wrong = capsys.readouterr()
    table = pd.read_csv(swept.table / "rescored.csv", keep_default_na=False)
    assert set(table.choice) == {"result.json", "baseline", "data.labels+data.labels_root", "data.shift"}
    found = of(table, "data.labels+data.labels_root", f"midi+{em}")
    assert found == pytest.approx(expected(swept, em / "csv"), abs=1e-9)
    assert of(table, "data.shift", "0.01") == pytest.approx(expected(swept, root / "test_labels", shift=441), abs=1e-9)
    assert max(np.subtract(of(table, "data.shift", "0.01"), found)) > 0.05
    assert said.count("\ndata.labels=midi+labels_root=em ") == 3 and wrong == ""
    reason = "data.labels=midi: data.labels_root null: with data.labels=midi: name the folder of the MIDI files"
    assert f"\nleft out of tiny/quick, {reason}\n" in said
    assert parser.main(["rescore", str(swept.table), words[0]]) == 2
    assert capsys.readouterr() == ("", f"sweep rescore: left out of tiny/quick, {reason}\n")


def test_choices_that_read_the_same_in_short_are_written_out(swept, root, tmp_path):
    first, second = (later(root, tmp_path / name / "em") for name in ("a", "b"))
    choices = read_choices([f"data.labels=midi+data.labels_root={first},{second}"])
    found = rescore(swept.table, read_runs(swept.table), choices, Console(quiet=True))
    lines = [move.what for move in moves(found, "note_f1")]
    assert lines[:2] == [f"data.labels=midi+data.labels_root={folder}" for folder in (first, second)]


def test_the_words_of_a_joint_choice():
    choices = read_choices(["data.shift=0,0.1+threshold=0.3,0.5", "data.root=a+b", "data.shift=0+threshold=0.3"])
    assert [dict(choice.values) for choice in choices] == [
        {"data.shift": 0, "threshold": 0.3},
        {"data.shift": 0, "threshold": 0.5},
        {"data.shift": 0.1, "threshold": 0.3},
        {"data.shift": 0.1, "threshold": 0.5},
        {"data.root": "a+b"},
    ]


def test_the_line_of_a_joint_choice_names_all_keys():
    words = "data.labels=midi+data.labels_root=x/em/", "threshold=0.3+data.shift=0.1"
    titles = [choice.title([]) for choice in read_choices(words)]
    assert titles == ["data.labels=midi+labels_root=em", "threshold=0.3+data.shift=0.1"]


def test_a_joint_choice_scores_as_mir_eval_does(swept, root):
    choices = read_choices(["data.shift=0.03+threshold=0.6+tolerance=0.1"])
    table = rescore(swept.table, read_runs(swept.table), choices, Console(quiet=True)).table
    wanted = expected(swept, root / "test_labels", shift=1323, threshold=0.6, tolerance=0.1)
    assert of(table, "data.shift+threshold+tolerance", "0.03+0.6+0.1") == pytest.approx(wanted, abs=1e-9)


@pytest.mark.usefixtures("forgotten")
def test_a_choice_that_applies_to_some_runs_only(swept):
    @sources.register("named")
    class Named(MusicNet):
        def __init__(self, root: Path, reader: str = "a"):
            super().__init__(root)

    runs = read_runs(swept.table)
    name = next(name for name in runs.results if name.endswith("seed-1"))
    result = runs.results[name]
    record = result.config | {"data": result.config["data"] | {"source": "named"}}
    runs.results[name] = replace(result, config=record)
    choices = read_choices(["data.reader=b", "threshold=0.2"])
    found = rescore(swept.table, runs, choices, Console(quiet=True))
    assert set(found.table[found.table.choice == "data.reader"].seed) == {1}
    assert set(found.table[found.table.choice == "threshold"].seed) == {0, 1}
    (said,) = found.remarks
    assert said.startswith("left out of 1 of 2 runs of tiny/quick, data.reader (b): unknown key; ")
    assert found.titles["data.reader", "b"] == "data.reader a → b"


def test_audio_and_labels_are_read_once(swept, root, tmp_path):
    """Later versions do not see that the audio is no longer audio, nor shifted ones that the labels are gone."""
    em = later(root, tmp_path / "em")
    data = replace(swept.data, root=str(shutil.copytree(root, tmp_path / "tiny")))
    labels = Labels()
    own = labels.of(data)
    rows = [line.split(",") for line in (root / "test_labels/2001.csv").read_text().splitlines()[1:]]
    assert own["2001"].notes.tolist() == [[int(value) for value in row] for row in rows]
    for path in (tmp_path / "tiny/test_data").iterdir():
        path.write_bytes(b"no audio")
    midi = labels.of(replace(data, options={"labels": "midi", "labels_root": str(em)}))
    assert midi["2001"].samples == own["2001"].samples == 220_500
    assert len(midi["2001"].notes) == len(rows) - len(rows[::3])
    shutil.rmtree(tmp_path / "tiny/test_labels")
    moved = labels.of(replace(data, shift=0.01))["2001"].notes
    wanted = [[int(start) + 441, min(int(end) + 441, 220_500), int(pitch)] for start, end, pitch in rows]
    assert moved.tolist() == wanted


def test_changed_files_are_said(swept, root, tmp_path):
    """As the fingerprint tells, which a sweep writes into each run's configuration."""
    elsewhere = Path(shutil.copytree(root, tmp_path / "tiny"))
    runs = read_runs(swept.table)
    print_of = MusicNet(root).fingerprint()

    def remarks(*marked: str) -> list[str]:
        for name, result in runs.results.items():
            data = result.config["data"] | {"fingerprint": print_of if name.endswith(marked) else None}
            runs.results[name] = replace(result, config=result.config | {"data": data})
        return rescore(swept.table, runs, [], Console(quiet=True), elsewhere).remarks

    assert remarks("seed-0", "seed-1") == []
    with (elsewhere / "test_labels/2001.csv").open("a") as file:
        file.write("100000,110000,60\n")
    changed = f"{swept.table}: recordings or labels in {elsewhere} have changed since "
    said = "scored: the line above each table says by how much that moves the scores"
    assert remarks("seed-0", "seed-1") == [f"{changed}the runs were {said}"]
    assert remarks("seed-0") == [f"{changed}1 of 2 runs were {said}"]
    assert remarks("none") == []
