"""A stranger's package beside ours in an empty environment: all commands work with its classes, no file is edited.

The package, in tests/stranger, has a model, a family, a compression and a data source, each with a key of its own.
"""

import re
import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from environments import build, ended, environment_with, outside, python
from strangers import CLUSTERS, SHORT, assert_same, kill_in_training, make_tapes, results

from sweep.report.pictures import OTHER

RUN = "runs/tapes+shortest=0.05/quick/glance+hidden=8/cochlea/seed-0"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> list[Path]:
    """Our wheel and the stranger's."""
    projects = {"ours": ROOT, "theirs": ROOT / "tests" / "stranger"}
    return [build(project, tmp_path_factory.mktemp(name), "-t", "wheel")[0] for name, project in projects.items()]


@pytest.fixture(scope="module")
def both(wheels, tmp_path_factory) -> Path:
    """An environment with both wheels."""
    folder = tmp_path_factory.mktemp("both")
    environment_with(*wheels, folder=folder)
    return folder


@pytest.fixture(scope="module")
def ours(wheels, tmp_path_factory) -> Path:
    """An environment without the stranger's."""
    folder = tmp_path_factory.mktemp("ours")
    environment_with(wheels[0], folder=folder)
    return folder


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> list[str]:
    """The words of a sweep over two of the stranger's rows."""
    root = make_tapes(tmp_path_factory.mktemp("data") / "tapes")
    rows = ["representation=cochlea,cochlea-loud", "model=glance", "model.hidden=8"]
    return [*rows, "data=tapes", f"data.root={root}", "data.shortest=0.05", *SHORT]


@pytest.fixture(scope="module")
def swept(both, asked, tmp_path_factory) -> Path:
    """The folder of a sweep that nothing interrupted."""
    cwd = tmp_path_factory.mktemp("swept")
    printed = python(both, "-m", "sweep", *asked, cwd=cwd)
    assert "tapes+shortest=0.05, protocol quick, model glance+hidden=8: 2 of 2 runs done, 1 test recording" in printed
    return cwd


def test_its_classes_are_listed_with_their_keys(both, tmp_path):
    printed = python(both, "-m", "sweep", "list", cwd=tmp_path)
    for line in (
        r"glance +A hidden layer over the loudest frame of each bin\. hidden=24, leak=0\.1",
        r"cochlea +Magnitudes of gammatone filters, as broad as the ear's\. n_bins=48, f_min=60\.0, f_max=6000\.0",
        r"cochlea-loud +Magnitudes of gammatone filters, as broad as the ear's\. n_bins=32, .*",
        r"tapes +Takes of several players, with notes in JSON\. shortest=0\.0",
    ):
        assert re.search(f"^  {line}$", printed, flags=re.M), line


@pytest.mark.long
def test_its_keys_are_part_of_what_a_run_is(swept):
    found = results(swept)
    assert list(found) == [RUN, RUN.replace("cochlea", "cochlea-loud")]
    fine, loud = (result["config"] for result in found.values())
    assert fine["model"] == {"name": "glance", "sees": "window", "learning_rate": 0.01, "hidden": 8, "leak": 0.1}
    assert (fine["data"]["source"], fine["data"]["shortest"]) == ("tapes", 0.05)
    assert [fine["representation"][key] for key in ("n_bins", "f_min", "f_max")] == [48, 60.0, 6000.0]
    assert loud["representation"]["n_bins"] == 32
    assert loud["representation"]["compression"] == {"name": "cube-root", "factor": 1.0}
    assert sorted(loud["code"]) == ["compression.name", "data.source", "family", "model.name"]
    assert sorted(fine["code"]) == ["data.source", "family", "model.name"]
    assert found[RUN]["parameters"]["model"] == 48 * 8 + 8 + 8 * 128 + 128


@pytest.mark.long
def test_another_value_of_its_key_is_another_set(both, asked, swept, tmp_path):
    """With a table of its own; nothing of the first one changes."""
    shutil.copytree(swept, tmp_path, dirs_exist_ok=True)
    before = results(tmp_path)
    done = ended(both, "-m", "sweep", *asked, "data.shortest=0.1", "representation=cochlea", cwd=tmp_path)
    assert done.returncode == 0
    after = results(tmp_path)
    assert {run: after.pop(run) for run in before} == before
    assert [run.split("/")[1] for run in after] == ["tapes+shortest=0.1"]


def transcribing(asked: list[str], swept: Path, out: Path) -> list:
    """The words that transcribe the test's take."""
    (audio,) = Path(asked[4].removeprefix("data.root=")).glob("test/*/*.wav")
    return ["-m", "sweep", "transcribe", swept / RUN, audio, "--out", out]


@pytest.mark.long
def test_it_transcribes_where_it_is_installed(both, asked, swept, tmp_path):
    printed = python(both, *transcribing(asked, swept, tmp_path), cwd=tmp_path)
    (table,) = tmp_path.glob("*.notes.csv")
    assert f"{table.name}, .mid, .png" in printed and len(list(tmp_path.iterdir())) == 3


@pytest.mark.long
def test_its_run_says_what_is_missing_where_it_is_not(ours, asked, swept, tmp_path):
    done = ended(ours, *transcribing(asked, swept, tmp_path), cwd=tmp_path)
    line = (
        f"sweep transcribe: {swept / RUN}: its model glance is not known here: give `python SCRIPT transcribe` with "
        "the script that registers it, or install its package\n"
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line)


@pytest.mark.long  # pages and pictures, twice
def test_it_is_reported_where_it_is_installed_where_it_is_not_and_where_it_is_broken(both, ours, swept, tmp_path):
    """Without it the numbers are the same; the family has no colour of its own there and the labels no sentence."""
    pages = {}
    for name, environment, more in (("both", both, []), ("ours", ours, []), ("broken", both, ["--tables-only"])):
        cwd = shutil.copytree(swept, tmp_path / name)
        if name == "broken":  # what stands in the folder of a command comes before what is installed
            (cwd / "reed.py").write_text("raise ImportError('no reed today')")
        printed = python(environment, "-m", "sweep", "report", *more, cwd=cwd)
        assert "2 of 2 runs done" in printed and "Labels as a player marked them." in printed
        folder = cwd / "runs/tapes+shortest=0.05/quick"
        assert (folder / "table.csv").read_bytes() == (swept / "runs/tapes+shortest=0.05/quick/table.csv").read_bytes()
        pages[name] = "" if more else (folder / "report.html").read_text()
    assert "#CC3311" in pages["both"] and "#CC3311" not in pages["ours"]
    assert pages["ours"].count(OTHER) > pages["both"].count(OTHER)


@pytest.mark.long  # four starts of Python; SLURM looks at its jobs every two seconds
@pytest.mark.parametrize("cluster", CLUSTERS)
def test_a_killed_sweep_of_its_classes_ends_as_one_that_was_not(both, asked, swept, cluster, tmp_path):
    if "cluster=slurm" in cluster:
        pytest.importorskip("submitit")
    command = [both / "bin" / "python", "-u", "-m", "sweep", *asked, *cluster]
    kill_in_training(command, tmp_path, outside())
    assert len(results(tmp_path)) < 2
    printed = python(both, *command[2:], cwd=tmp_path)
    assert "2 of 2 runs done" in printed, printed
    assert any(result["resumed_from"] for result in results(tmp_path).values())
    assert_same(tmp_path, swept)
