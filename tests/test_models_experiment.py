"""The experiment on models: its folds, what it collects from result files made up here, and its tables."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from configs import make_result
from conftest import ROOT
from scipy import stats

from experiments.collecting import BEGIN, END, fill
from experiments.models import tuning
from experiments.models.collect import COLUMNS, by_unit, collect, markdown, parts_of
from experiments.models.folds import make_folds
from sweep.data.sources.musicnet import find
from sweep.results.result import write_result
from sweep.results.scoring import SCORES

ROWS = {"linear-1024": 0.4, "mel-512-128": 0.3, "cqt-12": 0.5, "cqt-24": 0.55}
HERE = ROOT / "experiments/models"


def write(folder, data: str, model: str, name: str, accuracy: float, seed: int = 0, **fields) -> None:
    """The result of a run in the converged protocol, with another note F1 than accuracy."""
    scores = {**dict.fromkeys(SCORES, accuracy), "note_f1": round(accuracy + 0.2, 6)}
    made = {"onset_threshold": None, "model": model, "data": data, "protocol": "converged", "seed": seed, **fields}
    place = folder / data / "converged" / model / name / f"seed-{seed}"
    write_result(place, make_result(name, scores=scores, **made))


@pytest.fixture
def runs(tmp_path):
    """Three folds and a set with two seeds; conv is better by 0.1 and a little more from fold to fold, and by 0.15."""
    for name, accuracy in ROWS.items():
        for fold in (1, 2, 3):
            write(tmp_path, f"fold-{fold}", "linear", name, accuracy + 0.05 * fold)
            gain = 0.1 + 0.01 * fold + (0.3 if name == "mel-512-128" else 0)
            write(tmp_path, f"fold-{fold}", "conv", name, accuracy + 0.05 * fold + gain, resumed_from=50 * (fold == 2))
        for seed in (0, 1):
            write(tmp_path, "mini", "linear", name, accuracy, seed)
            write(tmp_path, "mini", "conv", name, accuracy + 0.15, seed, parameters={"frontend": 0, "model": 70 + seed})
    write(tmp_path, "fold-1", "crnn", "cqt-12", 0.9)
    return tmp_path


def test_every_training_recording_is_left_out_once(small_set, tmp_path):
    folds = make_folds(small_set, tmp_path)
    names = sorted(path.stem for path in (small_set / "train_data").iterdir())
    assert [fold.name for fold in folds] == ["fold-1", "fold-2", "fold-3"] and len(names) == 3
    for fold, name in zip(folds, names, strict=True):
        for split, expected in (("train", [other for other in names if other != name]), ("test", [name])):
            pairs, problems = find(fold, split)
            assert sorted(pair.id for pair in pairs) == expected and problems == []
        labels = fold / "test_labels" / f"{name}.csv"
        assert labels.read_bytes() == (small_set / "train_labels" / f"{name}.csv").read_bytes()
    assert make_folds(small_set, tmp_path) == folds  # again: what is there stays


def test_a_run_is_a_line(runs):
    table, remarks = collect([runs])
    assert remarks == [] and [*table] == [*COLUMNS]
    assert len(table) == 4 * (3 * 2 + 2 * 2) + 1
    assert table[table.data == "fold-1"].representation.unique().tolist() == [*ROWS]  # the paper's order
    one = table[(table.data == "mini") & (table.model == "conv") & (table.seed == 1)].iloc[2]
    assert (one.representation, one.accuracy, one.note_f1, one.parameters) == ("cqt-12", 0.65, 0.85, 71)
    resumed = (table.data == "fold-2") & (table.model == "conv")  # only their last part was timed
    assert (table.seconds_training.isna() == resumed).all()
    assert collect([runs / "mini", runs / "mini/converged"])[0].equals(
        table[table.data == "mini"].reset_index(drop=True)
    )


def test_what_is_left_out_is_said(runs):
    (runs / "mini/converged/conv/cqt-24/seed-1/result.json").write_text("{")
    table, remarks = collect([runs / "mini"])
    assert len(table) == 15 and len(remarks) == 1
    assert remarks[0].endswith("mini/converged/conv/cqt-24/seed-1: left out, damaged")
    with pytest.raises(ValueError, match="nothing: no finished runs; run the sweep first"):
        collect([runs / "nothing"])


def test_differences_are_paired(runs):
    """Worked out by hand: the folds differ by 0.05, but conv's gain only by 0.01."""
    text = markdown(collect([runs])[0])
    folds, mini = text.split("### mini, converged")
    assert folds.startswith("### leave-one-out, converged\n\n3 folds.") and "2 seeds." in mini
    accuracy, notes = folds.split("| Note F1 | linear | conv | crnn | conv - linear | crnn - linear |")
    assert "| linear-1024 | 0.500 ± 0.050 | 0.620 ± 0.060 |  | +0.120 ± 0.010 |  |" in accuracy
    assert "| cqt-12 | 0.600 ± 0.050 | 0.720 ± 0.060 | 0.900 | +0.120 ± 0.010 | +0.350 |" in accuracy
    assert "| cqt-12 | 0.800 ± 0.050 | 0.920 ± 0.060 | 1.100 | +0.120 ± 0.010 | +0.350 |" in notes
    assert "| Accuracy | +0.195 ± 0.010 | +0.350 |" in folds  # (3 x 0.12 + 0.42) / 4
    assert "| cqt-24 | 0.550 ± 0.000 | 0.700 ± 0.000 | +0.150 ± 0.000 |" in mini
    assert "| conv | 70 to 71 | 2.0 |" in mini and "| linear | 1,000 to 1,000 | 2.0 |" in mini


def test_orders_are_compared(runs):
    (_, unit, folds), (_, _, mini) = parts_of(collect([runs])[0])
    scores = by_unit(folds, unit, "accuracy")
    tau = stats.kendalltau(scores["linear"].mean(axis=1), scores["conv"].mean(axis=1)).statistic
    assert tau < 0.5
    lines = [line for line in markdown(folds).splitlines() if "Kendall" in line]
    assert len(lines) == 2 and lines[0].startswith(
        f"- Accuracy, conv's order and linear's: Kendall's tau {tau:.2f} (95 %"
    )
    assert "Kendall's tau 1.00, 4 rows." in markdown(mini)  # no interval: seeds are no recordings


def test_the_command_fills_a_page_from_the_file_alone(runs, tmp_path):
    page, out = tmp_path / "page.md", tmp_path / "out.csv"
    page.write_text(f"before\n{BEGIN}OLD\n{END}\nafter\n")
    command = [sys.executable, "-m", "experiments.models.collect"]
    done = subprocess.run([*command, runs, out, "--fill", page], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n### leave-one-out") and text.endswith(f"\n{END}\nafter\n")
    assert "OLD" not in text
    assert markdown(pd.read_csv(out)).strip() in text
    fill(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n\n{END}\nafter\n"
    with pytest.raises(ValueError, match="has no place for the tables"):
        fill(out, "new")


def test_the_page_has_its_tables():
    text = (HERE / "README.md").read_text()
    for protocol, changed in tuning.read().items():
        assert tuning.markdown(changed, tuning.BASES[protocol]) in text
    before, _, after = text.partition(BEGIN)
    assert before and END in after
    if (HERE / "results.csv").exists():
        assert markdown(pd.read_csv(HERE / "results.csv")).strip() in text


def test_a_change_is_compared_with_the_same_row_and_fold():
    """Two of tuning.csv's lines subtracted by hand."""
    changed = tuning.read()["converged"]
    apart = tuning.differences(changed, "base")
    assert apart.accuracy["lr1e-3", "cqt-24", "fold-7"] == pytest.approx(0.5332 - 0.5286)
    assert apart.note_f1["crnn", "mel-2048-256", "fold-4"] == pytest.approx(0.9203 - 0.8853)
    assert not apart.loc["base"].to_numpy().any() and not apart.loc["nocap"].to_numpy().any()
    assert np.isfinite(apart.to_numpy()).all()
    assert not changed.duplicated(["variant", *tuning.PAIR]).any()
