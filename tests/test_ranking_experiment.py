"""The experiment on rankings: its commands, what it collects, its page; test_ranking_answers.py: what it computes."""

import re
import shlex
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, read_grid
from other_sets import make_other
from test_documented_commands import check
from test_summary import with_recordings

from experiments.collecting import BEGIN, END
from experiments.ranking import measure, tables
from experiments.ranking.collect import COLUMNS, FOLDS, SCORES, collect
from experiments.ranking.samples import RESULTS, described, of_model, read, sample, samples
from sweep.report.units import BLOCKS, GROUPS
from sweep.results.result import write_result

BLOCKED = [f"2303/{number}" for number in range(9)]
UNITS = {"mini": ("blocks", BLOCKED), "six": ("groups", ["bach", "piano", "strings", "urmp"])}


def lines(part: str, model: str, means: dict[str, float], name: str = "mini", seeds: int = 3, noise=0.0) -> list[dict]:
    """Made-up lines of results.csv: the same at all units but for noise; note F1 orders the rows the other way."""
    generator, (kind, units) = np.random.default_rng(0), UNITS[name]
    head = {"part": part, "set": name, "kind": kind, "model": model}
    found = []
    for row, mean in means.items():
        for seed in range(seeds):
            for unit in units:
                scores = (mean, 1 - mean, mean + 0.1) + generator.normal(0, noise, 3)
                key = {"representation": row, "seed": seed, "unit": unit}
                found.append(head | key | dict(zip(SCORES, scores, strict=True)))
    return found


# The commands


def dry(*words: str) -> list[list[str]]:
    """The words that the printed commands give to `sweep`."""
    command = [sys.executable, "-m", "experiments.ranking.measure", "data/mini", "data/six", "out", "--dry", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = [shlex.split(line) for line in done.stdout.splitlines()]
    assert all(words[:3] == ["python", "-m", "sweep"] for words in found)
    return [words[3:] for words in found]


@pytest.fixture
def mini(monkeypatch, tmp_path):
    """Where the commands look for training recordings to leave out: three of them."""
    for number in range(3):
        (tmp_path / "mini/train_data").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"mini/train_data/{number}.wav").touch()
    return tmp_path / "mini"


@pytest.mark.parametrize("reduced", [False, True])
def test_the_commands_are_sweeps(mini, reduced):
    for part in measure.PARTS:
        words = measure.words(part, mini, mini.parent / "six", mini.parent / "out", reduced)
        check([word for word in words if not word.startswith("data.test=")])
        (grid,) = [word for word in words if word.startswith(("+grid=", "representation="))]
        names = read_grid(grid.removeprefix("+grid=")) if grid[0] == "+" else grid.partition("=")[2].split(",")
        assert len(names) >= 3 and ("knob/pcen" in names or "knob/log1p-1" in names) == (part == "knobs")
        assert ("protocol=converged" in words) != reduced and f"runs={mini.parent / 'out' / part}" in words
    folds = measure.words("folds", mini, mini.parent / "six", mini.parent / "out")
    (root,) = [word for word in folds if word.startswith("data.root=")]
    assert [place[-6:] for place in root.split(",")] == ["fold-1", "fold-2", "fold-3"]
    assert not any(word.startswith("data.test") for word in folds)


def test_the_commands_are_printed():
    (words,) = dry("--part", "knobs", "cluster=gpus")
    assert words[0] == "model=linear,conv" and words[-1] == "cluster=gpus"
    assert {"+grid=knobs", "data.root=data/mini", "data.test=./data/six", "runs=out/knobs", "seed=0,1,2"} <= set(words)
    found = dry("--part", "rows", "--part", "models", "--reduced", "device=cpu")
    assert ["model=linear,conv", "model=cnn,crnn"] == [words[0] for words in found]


# What is collected


def test_a_unit_is_a_line_whose_mean_is_the_runs_score(tmp_path):
    """A recording in nine blocks, another set of groups, and two folds."""
    groups = {"a": ("duo", 0.2), "b": ("duo", 0.4), "c": ("solo", 0.6)}
    for seed, offset in ((0, 0.1), (1, 0.12)):
        for name in ("cqt-12", "mel-512-128"):
            made = with_recordings(name, offset, seed, 1, 9)
            there = {
                id: dict.fromkeys(SCORES, score + offset) | {"group": group} for id, (group, score) in groups.items()
            }
            made.elsewhere["six"] = {"scores": dict.fromkeys(SCORES, 0.4 + offset), "recordings": there, "labels": ""}
            write_result(tmp_path / f"rows/mini/quick/linear/{name}/seed-{seed}", made)
    for fold in (1, 2):
        made = with_recordings("cqt-12", 0.1 * fold, 0, 1)
        write_result(tmp_path / f"folds/fold-{fold}/quick/conv/cqt-12/seed-0", made)
        made.recordings["left"] = made.recordings.pop("0")
    table, remarks = collect({part: tmp_path / part for part in ("rows", "folds")})
    assert remarks == [] and [*table] == [*COLUMNS]
    home = table[table["set"] == "mini"]
    assert home.kind.unique() == ["blocks"] and home.unit.unique().tolist() == [f"0/{block}" for block in range(9)]
    of_run = home[(home.representation == "cqt-12") & (home.seed == 1)]
    assert of_run.accuracy.mean() == pytest.approx(
        with_recordings("cqt-12", 0.12, 1, 1, 9).scores["accuracy"], abs=1e-4
    )
    six = table[table["set"] == "six"]
    assert six.kind.unique() == ["groups"] and six.unit.unique().tolist() == ["duo", "solo"]
    # Units of a group of two and of a single one: 2 / 3 of the sum of deviations from the mean, 0.5.
    assert six[six.seed == 0].note_f1.tolist() == pytest.approx(2 * [0.5 - 0.4 / 3, 0.5 + 0.4 / 3], abs=1e-9)
    left = table[table["set"] == FOLDS]
    assert (
        left.unit.tolist() == ["0", "0"]
        and left.kind.unique() == ["recordings"]
        and left.model.tolist() == ["conv"] * 2
    )


def test_a_file_becomes_the_samples_again(tmp_path):
    made = lines("rows", "conv", {"cqt-12": 0.5, "cqt-24": 0.4}) + lines("models", "linear", {"cqt-24": 0.3}, seeds=1)
    table = pd.DataFrame(made)[[*COLUMNS]]
    table.loc[3, "accuracy"] = np.nan
    table.to_csv(tmp_path / "results.csv", index=False, float_format="%.5f")
    found = samples(read(tmp_path / "results.csv"))["mini", "accuracy"]
    assert found.rows == [("conv", "cqt-12", ""), ("conv", "cqt-24", ""), ("linear", "cqt-24", "")]
    assert found.kind == BLOCKS and found.recordings == ["2303"] and found.strata == 1 and found.units == BLOCKED
    assert found.scores.shape == (3, 3, 9) and np.isnan(found.scores[0, 0, 3]) and np.isnan(found.scores[2, 1:]).all()
    assert found.scores[1, 2, 8] == 0.4 and found.scores[2, 0, 0] == 0.3
    assert of_model(found, "linear")[1].shape == (1, 1, 9)
    assert described(found) == "9 blocks of time of one recording, 1 to 3 seeds"
    six = sample(pd.DataFrame(lines("rows", "conv", {"cqt-12": 0.5}, "six")), "note_f1")
    assert six.kind == GROUPS and described(six) == "4 groups of recordings, 3 seeds"


# The page


QUOTED = re.compile(r"(-?[\d.]+)(?: %)? \((-?[\d.]+) to (-?[\d.]+)\)")


def quoted(text: str) -> set[tuple[float, ...]]:
    """Return the numbers with an interval that a text has: middle, low and high."""
    numbers = QUOTED.findall(" ".join(text.replace("+", "").split()))
    return {tuple(float(number.removesuffix(".")) for number in found) for found in numbers}


@pytest.mark.parametrize(
    ("page", "begin", "end"),
    [
        ("README.md", "## What we found", "**How far one trains"),
        ("docs/science.md", "## Does the ranking hold?", "<!-- made:"),
    ],
)
def test_intervals_that_are_quoted_are_the_tables_own(page, begin, end):
    """With their sign, or with the other where a change is called a loss."""
    text = (ROOT / page).read_text()
    found = quoted(text[text.index(begin) : text.index(end, text.index(begin))])
    known = quoted((ROOT / "experiments/ranking/README.md").read_text())
    known |= {(-middle, -high, -low) for middle, low, high in known}
    assert len(found) >= 6 and found <= known


@pytest.mark.long
def test_the_pages_tables_are_those_of_its_file():
    text = (ROOT / "experiments/ranking/README.md").read_text()
    assert "## What cannot be concluded" in text.partition(BEGIN)[0]
    assert f"{BEGIN}\n{tables.markdown(read(RESULTS)).strip()}\n\n{END}" in text


@pytest.mark.long
def test_all_parts_from_one_command(small_set, tmp_path, monkeypatch, capfd):
    """A few steps of two or three rows of each part; the last part again, nothing is trained."""
    rows = ("linear-256", "mel-512-128", "cqt-12")
    for name, value in {
        "FEW": rows,
        "FEWER": rows,
        "FEW_KNOBS": ("onsets-frames", "knob/hop-256"),
    }.items():
        monkeypatch.setattr(measure, name, value)
    short = ["protocol.steps=2", "protocol.scored_windows=20", "protocol.batch_size=4", "device=cpu", "workers=0"]
    other = tmp_path / "six"
    other.mkdir()
    arguments = ["measure", str(small_set), str(make_other(other)), str(tmp_path / "runs"), "--reduced", *short]
    monkeypatch.setattr(sys, "argv", [*arguments, "data.cache=null"])
    monkeypatch.chdir(ROOT)
    measure.main()
    assert "done before" not in capfd.readouterr().out
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--part", "knobs"])
    measure.main()
    assert capfd.readouterr().out.count("done before") == 8
    assert [line.partition(",")[0] for line in open(tmp_path / "runs/seconds.csv")] == [*measure.PARTS, "knobs"]
    command = [sys.executable, "-m", "experiments.ranking.collect", tmp_path / "runs", tmp_path / "results.csv"]
    subprocess.run(command, cwd=ROOT, check=True)
    table = read(tmp_path / "results.csv")
    assert set(table["set"]) == {small_set.name, "six", FOLDS} and set(table.model) == {"linear", "conv", "cnn", "crnn"}
    assert table[table["set"] == FOLDS].unit.nunique() == 3 and set(table.part) == set(measure.PARTS)
    assert "### What one knob is worth" in tables.markdown(table)
    pytest.importorskip("matplotlib")
    subprocess.run([sys.executable, "-m", "experiments.ranking.plot", tmp_path / "results.csv"], cwd=ROOT, check=True)
    pictures = {path.name for path in tmp_path.glob("figure-*.png")}
    assert {"figure-ranks.png", "figure-taus.png", "figure-knobs-linear.png", "figure-knobs-conv.png"} <= pictures
    monkeypatch.setattr(sys, "argv", [*arguments, "--minutes", "0", "--part", "rows"])
    with pytest.raises(SystemExit) as stopped:
        measure.main()
    assert stopped.value.code == 3
