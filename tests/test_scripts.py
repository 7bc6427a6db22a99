"""A script that registers classes of its own and ends with `sweep.main()`: each command, on each kind of cluster."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from strangers import CLUSTERS, SHORT, assert_same, make_tapes, results

MINE = '''
"""A model, a family and a data source of my own."""

import json

import numpy as np
from torch import nn

import sweep
from sweep.data.recording import Pair
from sweep.data.source import Source
from sweep.representations.windowed import Windowed
from sweep.training.model import Model, output_layer


@sweep.model
class TwoLayers(Model):
    """Two layers over all frames.

    Args:
        features, bias: arguments of every model.
        hidden: units of the first layer.
    """

    def __init__(self, features, bias=None, hidden: int = 32):
        super().__init__(features)
        self.first = nn.Linear(features.channels * features.bins * features.frames, hidden)
        self.second = output_layer(hidden, 128, bias and bias["frames"])

    def forward(self, features):
        # one estimate, in the middle
        return {"frames": self.second(self.first(features.flatten(1)).relu()).unsqueeze(1)}


@sweep.family
class Semitones(Windowed):
    """STFT magnitude at the pitches of the piano."""

    TRANSFORM = "STFT"

    n_fft: int = 4096
    """Samples of a frame."""
    lowest: int = 36
    """Lowest note (MIDI)."""
    notes: int = 60
    """Number of notes."""

    def measure(self):
        return {"frequencies": self.pitch(np.arange(self.notes)), "context": self.n_fft}

    def pitch(self, note):
        return 440 * 2 ** ((self.lowest + note - 69) / 12)

    def arguments(self):
        numbers = super().arguments()
        lowest, notes = numbers.pop("lowest"), numbers.pop("notes")
        ends = {"f_min": float(self.pitch(0)), "f_max": float(self.pitch(notes))}
        return numbers | ends | {"scale": "log", "n_bins": notes}


@sweep.source("my-takes")
class Takes(Source):
    """Takes of one player.

    Args:
        root: folder of the takes.
        player: name of the player.
    """

    def __init__(self, root, player: str = "nobody"):
        super().__init__(root)
        self.player = player

    def find(self, split):
        takes = sorted(self.root.glob(f"{split}/{self.player}/*.wav"))
        problems = [] if takes else [f"{self.root / split}: no take of {self.player}; correct data.player"]
        return [Pair(take.stem, take, take.with_suffix(".json")) for take in takes], problems

    def notes(self, labels):
        marked = json.loads(labels.read_text())
        return [(note["from"], note["from"] + note["lasts"], note["pitch"]) for note in marked]


sweep.main()
'''
GUARDED = MINE.replace("\nsweep.main()", '\nif __name__ == "__main__":\n    sweep.main()')
RUN = "runs/tapes+player=ada/quick/two_layers+hidden=16/semitones/seed-0"


def call(*arguments, cwd: Path) -> subprocess.CompletedProcess:
    """What became of a call of Python, such as `python mine.py model=two_layers`, in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    command = [sys.executable, "-u", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> list[str]:
    """The words of a sweep of the script's classes."""
    root = make_tapes(tmp_path_factory.mktemp("data") / "tapes")
    mine = ["model=two_layers", "model.hidden=16", "representation=semitones", "representation.notes=48"]
    return [*mine, "seed=0,1", "data=my-takes", f"data.root={root}", "data.player=ada", *SHORT]


@pytest.fixture(scope="module")
def swept(asked, tmp_path_factory) -> Path:
    """The folder of mine.py and of a sweep of it in one process."""
    cwd = tmp_path_factory.mktemp("swept")
    (cwd / "mine.py").write_text(MINE)
    done = call("mine.py", *asked, cwd=cwd)
    assert done.returncode == 0 and "2 of 2 runs done" in done.stdout, done.stdout + done.stderr
    return cwd


@pytest.fixture
def copied(swept, tmp_path) -> Path:
    """A copy of that folder, to change."""
    return shutil.copytree(swept, tmp_path / "copied")


@pytest.mark.long  # the sweep; so of all that ask what came of it
def test_the_keys_and_the_code_of_a_scripts_classes_are_part_of_a_run(swept):
    found = results(swept)
    run = "runs/tapes+player=ada/quick/two_layers+hidden=16/semitones+notes=48/seed-{}"
    assert list(found) == [run.format(seed) for seed in (0, 1)]
    result = found[run.format(0)]
    config = result["config"]
    assert (config["model"]["hidden"], config["data"]["player"], config["data"]["source"]) == (16, "ada", "my-takes")
    assert [config["representation"][key] for key in ("n_fft", "lowest", "notes")] == [4096, 36, 48]
    assert sorted(config["code"]) == ["data.source", "family", "model.name"]
    assert result["bins"] == 48 and result["parameters"]["model"] == 48 * 33 * 16 + 16 + 16 * 128 + 128
    planned = json.loads((swept / "runs/tapes+player=ada/quick/sweep.json").read_text())["runs"]
    identity = planned["two_layers+hidden=16/semitones+notes=48/seed-0"]["identity"]
    assert (identity["model.hidden"], identity["data.player"], identity["representation.notes"]) == (16, "ada", 48)


def test_help_shows_the_keys_of_a_scripts_classes_with_their_defaults(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    done = call("mine.py", "model=two_layers", "representation=semitones", "data=my-takes", "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for line in ("hidden: 32", "n_fft: 4096", "lowest: 36", "notes: 60", "player: nobody"):
        assert f"\n  {line}\n" in done.stdout, done.stdout


@pytest.mark.long
@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("# one estimate, in the middle", "# that of the middle", True),
        ('"""Two layers over all frames.', '"""Two layers, no more.', True),
        (".relu()", ".tanh()", False),
    ],
    ids=["comment", "docstring", "statement"],
)
def test_an_edited_class_is_another_one_and_an_edited_comment_is_not(asked, copied, before, after, same):
    assert before in MINE
    (copied / "mine.py").write_text(MINE.replace(before, after))
    done = call("mine.py", *asked, cwd=copied)
    assert done.returncode == (0 if same else 1), done.stdout + done.stderr
    assert done.stdout.count("(done before)") == (2 if same else 0)
    if not same:
        refused = [line for line in done.stdout.splitlines() if "was made with another configuration" in line]
        assert len(refused) == 2 and all("model.name: the class has another code" in line for line in refused)
        assert all("overwrite=true" in line for line in refused)


def transcribing(asked: list[str], cwd: Path) -> list:
    (root,) = (word.removeprefix("data.root=") for word in asked if word.startswith("data.root="))
    (audio,) = Path(root).glob("test/*/*.wav")
    return ["transcribe", RUN.replace("semitones", "semitones+notes=48"), audio, "--out", cwd]


@pytest.mark.long
def test_a_scripts_run_is_transcribed_with_by_the_script_alone(asked, swept, tmp_path):
    done = call("-m", "sweep", *transcribing(asked, tmp_path), cwd=swept)
    line = (
        "sweep transcribe: runs/tapes+player=ada/quick/two_layers+hidden=16/semitones+notes=48/seed-0: its model "
        "two_layers is not known here: give `python SCRIPT transcribe` with the script that registers it, or install "
        "its package\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.long
def test_a_script_transcribes_with_its_run_unless_its_class_was_edited(asked, copied, tmp_path):
    done = call("mine.py", *transcribing(asked, tmp_path / "out"), cwd=copied)
    assert done.returncode == 0 and ".notes.csv" in done.stdout, done.stdout + done.stderr
    assert len(list((tmp_path / "out").glob("*.notes.*"))) == 3
    (copied / "mine.py").write_text(MINE.replace(".relu()", ".tanh()"))
    done = call("mine.py", *transcribing(asked, tmp_path / "other"), cwd=copied)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert "its model two_layers has changed since it was trained" in done.stderr


@pytest.mark.long
def test_a_script_reports_its_runs(copied):
    done = call("mine.py", "report", cwd=copied)
    assert done.returncode == 0 and "2 of 2 runs done" in done.stdout, done.stdout + done.stderr
    assert (copied / "runs/tapes+player=ada/quick/report.html").exists()


@pytest.mark.long
@pytest.mark.parametrize("script", [MINE, GUARDED], ids=["plain", "guarded"])
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_script_sweeps_on_every_cluster_alike(asked, swept, script, cluster, tmp_path):
    if "cluster=slurm" in cluster:
        pytest.importorskip("submitit")
    (tmp_path / "mine.py").write_text(script)
    done = call("mine.py", *asked, *cluster, cwd=tmp_path)
    assert done.returncode == 0 and "2 of 2 runs done" in done.stdout, done.stdout + done.stderr
    assert_same(tmp_path, swept)
    jobs = [path.read_text() for path in tmp_path.glob("runs/slurm/*/*submission.sh")]
    assert bool(jobs) == ("cluster=slurm" in cluster)
    started = rf"{re.escape(sys.executable)} {re.escape(str(tmp_path / 'mine.py'))} -u -m submitit\.core\._submit"
    assert all(re.search(started, job) for job in jobs)
