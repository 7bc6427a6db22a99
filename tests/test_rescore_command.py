"""`sweep rescore`: what moves a score, in a table and in a file, and what is wrong in one line."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from configs import make_result, plan_runs
from conftest import ROOT
from small_sweep import run_small_sweep
from test_app import files

import sweep.rescoring.rescore
from sweep.commands import parser
from sweep.report.printing import csv
from sweep.rescoring.moves import Move, cells_of, moves
from sweep.rescoring.rescore import Rescored
from sweep.results.pool import count_processes, start_pool
from sweep.results.result import write_result

REMEDY = "keep_probabilities=true overwrite=true makes the run anew"


@pytest.fixture(scope="module")
def swept(small_set, tmp_path_factory) -> Path:
    """The table's folder of two rows with two seeds each."""
    runs = tmp_path_factory.mktemp("kept") / "runs"
    return run_small_sweep(small_set, runs, ["linear-256", "mel-512-128"], range(2), keep_probabilities=True)


@pytest.fixture
def folder(swept, tmp_path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(swept, tmp_path / "runs/tiny/quick"))


def rescored(capsys, *words: str) -> tuple[int, str, str]:
    """The exit code, and what the command printed on stdout and stderr."""
    code = parser.main(["rescore", *words])
    return code, *capsys.readouterr()


def test_tables_and_file_say_what_moves_the_scores(folder, capsys):
    before = files(folder)
    code, said, wrong = rescored(capsys, str(folder.parents[1]), "data.shift=0,0.03", "threshold=0.2", "tolerance=0.1")
    assert code == 0 and wrong == ""
    for words in ("accuracy", "note F1", "note F1 with offsets"):
        assert f"tiny/quick: what moves {words}, 4 runs scored anew\n" in said
    assert said.count("\nHighest: ") == 3
    for choice, times in (("data.shift 0 → 0.03", 3), ("threshold 0.4 → 0.2", 3), ("tolerance 0.05 → 0.1", 2)):
        assert said.count(f"\n{choice} ") == times  # frames have no onsets
    assert said.count("\nseeds, within a row ") == said.count("\nfront-ends ") == 3
    table = pd.read_csv(folder / "rescored.csv", keep_default_na=False)
    assert len(table) == 4 * 5 * 3  # runs, and of each result.json, baseline and three choices, three metrics
    assert list(table.columns[:5]) == ["run", "model", "representation", "variant", "seed"]
    assert list(table.columns[5:]) == ["choice", "value", "metric", "score", "moved"]
    assert set(table.choice) == {"result.json", "baseline", "data.shift", "threshold", "tolerance"}
    after = files(folder)
    assert after.pop("rescored.csv") and after == before  # nothing of the runs has changed


@pytest.mark.parametrize("place", ["", "linear/linear-256/seed-0"])
def test_a_run_stands_for_its_table_as_in_the_report(place, folder, capsys):
    assert rescored(capsys, str(folder / place))[0] == 0
    assert pd.read_csv(folder / "rescored.csv").run.nunique() == 4


def test_runs_that_have_kept_nothing_are_named_with_the_remedy(folder, capsys):
    for name in ("linear/linear-256/seed-0", "linear/mel-512-128/seed-1"):
        (folder / name / "probabilities.npz").unlink()
    code, said, _ = rescored(capsys, str(folder))
    named = "linear/linear-256/seed-0, linear/mel-512-128/seed-1"
    assert code == 0 and f"{folder}: left out, without kept probabilities: {named}; {REMEDY}\n" in said
    assert "2 runs scored anew" in said and "seeds" not in said.replace("seeds, front-ends and models", "")
    for path in folder.rglob("probabilities.npz"):
        path.unlink()
    code, said, wrong = rescored(capsys, str(folder))
    assert (code, said) == (2, "") and wrong.count("\n") == 1
    assert wrong.startswith("sweep rescore: ") and "and 1 more; keep_probabilities=true" in wrong


def test_a_damaged_or_foreign_file_costs_its_run_only(folder, capsys):
    (folder / "linear/linear-256/seed-0/probabilities.npz").write_bytes(b"PK")
    result = make_result(recordings={"1": {}}, config={})
    write_result(folder / "linear/linear-256/seed-1", result)
    plan_runs(folder, "linear/linear-256/seed-1")
    code, said, _ = rescored(capsys, str(folder), "threshold=0.2")
    assert code == 0 and "2 runs scored anew" in said
    assert f"left out, {folder}/linear/linear-256/seed-0/probabilities.npz: damaged, " in said
    assert "seed-1/probabilities.npz: is of 2001, 2002, the run heard 1: keep_probabilities=true" in said


WRONG = {
    "data.shift": "data.shift: needs to be KEY=VALUE",
    "data.shift=late": "data.shift late: needs a number from -10 to 10",
    "data.shift=(": "data.shift (: cannot be read",
    "data.pedal=true": "data.pedal (True): unknown key; there is name, source, root",
    "data.labels=em": "left out of tiny/quick, data.labels em: is none of own, midi: choose one",
    "data.validation=0.2": "data.validation (0.2): does not change how a run is scored; there is data.root, data.shift",
    "protocol.steps=3": "protocol.steps (3): does not change how a run is scored; there is data.root, data.shift",
    "treshold=0.3": "treshold (0.3): does not change how a run is scored; did you mean threshold?",
    "threshold=tuned": "threshold tuned: needs a number of at least 0 and below 1",
    "tolerance=0": "tolerance 0: needs a number above 0",
    "frame_step=1000": "frame_step 1000: needs a multiple of 512",
    "frame_step=a": "frame_step a: needs a whole number of at least 1",
    "frame_step=44544": "frame_step 44544: needs at most 44032, a second",
    "data.root=nowhere": "left out of tiny/quick, data.root nowhere: no such folder; name the folder of the recordings",
    "data.shift=1+data.shift=2": "data.shift=1+data.shift=2: has data.shift twice; join different keys, and values by",
    "data.labels=midi+data.lables_root=em": "data.lables_root (em): unknown key; did you mean labels_root?",
    "data.shift=1+em": "data.shift 1+em: needs a number",
}


@pytest.mark.parametrize("word", WRONG)
def test_what_is_wrong_is_said_in_a_line(word, swept, capsys):
    code, said, wrong = rescored(capsys, str(swept), word)
    assert (code, said) == (2, "") and wrong.startswith(f"sweep rescore: {WRONG[word]}") and wrong.count("\n") == 1


def test_no_folder_and_no_runs(tmp_path, capsys):
    assert rescored(capsys, str(tmp_path / "a"))[2] == f"sweep rescore: {tmp_path / 'a'}: no such folder\n"
    assert f"{tmp_path}: no results in or below it" in rescored(capsys, str(tmp_path))[2]


@pytest.mark.long
def test_several_processes_find_the_same(folder, capsys, monkeypatch):
    rescored(capsys, str(folder), "data.shift=0.03")
    alone = (folder / "rescored.csv").read_bytes()
    (folder / "rescored.csv").unlink()
    monkeypatch.setattr(sweep.rescoring.rescore, "_POOLED", 0)
    start_pool.cache_clear()
    rescored(capsys, str(folder), "data.shift=0.03")
    assert start_pool.cache_info().currsize == (count_processes("auto") > 0)
    assert (folder / "rescored.csv").read_bytes() == alone


def test_no_torch_is_needed(folder):
    code = (
        f"import sys\nfrom sweep.commands.parser import main\nmain(['rescore', {str(folder)!r}, 'data.shift=0.03'])\n"
        "print(sorted({'torch', 'lightning', 'matplotlib'} & set(sys.modules)))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert ended.stderr == "" and ended.stdout.endswith("\n[]\n")


# The table, by hand

# Scores before and after a choice, of two models, three rows and two seeds; "c" has one seed, "conv" two rows.
SCORES = {
    ("linear", "a", 0): (0.50, 0.53),
    ("linear", "a", 1): (0.54, 0.55),
    ("linear", "b", 0): (0.60, 0.52),
    ("linear", "b", 1): (0.60, 0.54),
    ("linear", "c", 0): (0.40, 0.43),
    ("conv", "a", 0): (0.70, 0.70),
    ("conv", "b", 0): (0.80, 0.80),
}


def made(only: str | None = None) -> Rescored:
    rows = []
    for (model, name, seed), (before, after) in SCORES.items():
        if only in (None, model):
            about = {
                "run": f"{model}/{name}/{seed}",
                "model": model,
                "representation": name,
                "variant": "",
                "seed": seed,
            }
            about |= {"metric": "accuracy"}
            rows.append(about | {"choice": "baseline", "value": "", "score": before, "moved": 0.0})
            rows.append(about | {"choice": "threshold", "value": "0.3", "score": after, "moved": after - before})
    return Rescored(Path("d/quick"), pd.DataFrame(rows), {("threshold", "0.3"): "threshold 0.4 → 0.3"}, [])


def test_a_choice_beside_seeds_and_front_ends():
    choice, seeds, rows = moves(made("linear"), "accuracy")
    changes = [0.03, 0.01, -0.08, -0.06, 0.03]
    # Means of a, b, c: 0.52, 0.60, 0.40 before and 0.54, 0.53, 0.43 after: one of three pairs has changed its order.
    assert choice == Move(
        "threshold 0.4 → 0.3", 5, pytest.approx(np.mean(changes)), pytest.approx(np.std(changes, ddof=1)),
        pytest.approx(-0.08), pytest.approx(0.03), pytest.approx(1 / 3), "a",
    )  # fmt: skip
    # Deviations of a are -0.02 and 0.02, of b 0; two degrees of freedom.
    assert (seeds.what, seeds.runs) == ("seeds, within a row", 4)
    assert seeds.deviation == pytest.approx(0.02) and (seeds.lowest, seeds.highest) == pytest.approx((-0.02, 0.02))
    mean = (0.52 + 0.60 + 0.40) / 3
    assert (rows.what, rows.runs) == ("front-ends", 3)
    assert rows.deviation == pytest.approx(np.std([0.52, 0.60, 0.40], ddof=1))
    assert (rows.lowest, rows.highest) == pytest.approx((0.40 - mean, 0.60 - mean))


def test_several_models_are_compared_over_the_rows_that_all_have():
    choice, _, linear, conv, models = moves(made(), "accuracy")
    assert choice.leads == "" and choice.tau == pytest.approx(0.8)  # 9 of 10 pairs agree
    assert (linear.what, conv.what) == ("front-ends, linear", "front-ends, conv")
    assert conv.deviation == pytest.approx(0.1 / np.sqrt(2))
    assert (models.what, models.runs) == ("models, over the rows that all have", 2)  # 0.56 and 0.75
    assert (models.lowest, models.highest) == pytest.approx((-0.095, 0.095))


def test_the_cells_are_text():
    cells = cells_of(moves(made("linear"), "accuracy"))
    assert list(cells.iloc[0]) == ["threshold 0.4 → 0.3", "5", "-0.0140", "0.0522", "-0.0800", "+0.0300", "0.33"]
    assert list(cells.iloc[1]) == ["seeds, within a row", "4", "", "0.0200", "-0.0200", "+0.0200", ""]
    assert csv(cells).count("\n") == 4


def test_what_is_not_defined_moves_nothing():
    """Labels without notes give no score; one row has no ranking."""
    rescored = made("linear")
    table = rescored.table[rescored.table.representation == "c"].copy()
    (choice,) = moves(Rescored(Path(), table, rescored.titles, []), "accuracy")
    assert np.isnan(choice.tau) and choice.mean == pytest.approx(0.03) and np.isnan(choice.deviation)
    table.loc[table.choice == "threshold", ["score", "moved"]] = np.nan
    assert moves(Rescored(Path(), table, rescored.titles, []), "accuracy") == []


def test_a_threshold_between_two_steps_is_said_to_count_as_the_lower_one(folder, capsys):
    """0.4 is 102/255; 0.3 lies between 76/255 and 77/255."""
    _, said, _ = rescored(capsys, str(folder), "threshold=0.3,0.2")
    assert "threshold 0.3: counts as 0.2980, since probabilities are kept in steps of 1/255" in said
    assert "threshold 0.2: counts as" not in said
