"""Scores on other sets in a report: their columns, groups and ranking, and a report about one of them alone."""

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from configs import changed, make_config, make_result
from parsed_page import Page
from rich.console import Console

from sweep.commands.parser import main
from sweep.report import print_reports, read_report
from sweep.results.plan import write_plan
from sweep.results.result import Result, write_result
from sweep.results.scoring import SCORES
from sweep.scheduling.jobs import Run

QUIET = Console(quiet=True)
ROWS = ["linear-256", "mel-512-128", "cqt-12", "cqt-24"]
HERE = [0.1, 0.2, 0.3, 0.4]
# Of two recordings of the group bach and one of the group piano, by row; the last two rows change places there.
BACH, PIANO = [(0.2, 0.4), (0.3, 0.5), (0.6, 0.8), (0.5, 0.7)], [0.1, 0.3, 0.4, 0.2]
MEANS = [0.7 / 3, 1.1 / 3, 1.8 / 3, 1.4 / 3]


def scored(accuracies: dict[str, tuple[float, str]], labels: str = "") -> dict:
    """Scores of recordings, by id their accuracy, which all other scores are too, and group."""
    recordings = {
        id: dict.fromkeys(SCORES, accuracy) | ({"group": group} if group else {})
        for id, (accuracy, group) in accuracies.items()
    }
    mean = float(np.mean([accuracy for accuracy, _ in accuracies.values()]))
    return {"scores": dict.fromkeys(SCORES, mean), "recordings": recordings, "labels": labels}


def made(place: int, seed: int, **sets: dict) -> Result:
    """The result of a row that was scored at home and on some sets; its second seed is better by 0.02 everywhere."""
    home = scored({str(number): (HERE[place] + 0.02 * seed, "") for number in range(8)}, "Labels of home.")
    keys = {
        "source": "folder",
        "root": "/secret",
        "shift": 0.0,
        "fingerprint": "f",
        "pedal": False,
        "x_root": "/secret",
    }
    keys = {"genuine": keys, "solo": keys | {"shift": 0.03}}
    config = {"data": {"test": {name: keys.get(name, {}) for name in sets}}, "row": ROWS[place], "seed": seed}
    return make_result(ROWS[place], seed=seed, elsewhere=sets, config=config, **home)


def genuine(place: int, seed: int) -> dict:
    more = 0.02 * seed
    bach = {f"b{number}": (accuracy + more, "bach") for number, accuracy in enumerate(BACH[place])}
    return scored({**bach, "p": (PIANO[place] + more, "piano")}, "Labels of genuine.")


@pytest.fixture
def folder(tmp_path) -> Path:
    folder = tmp_path / "runs/home/quick"
    for place, name in enumerate(ROWS):
        for seed in range(2):
            solo = scored({"s": (0.9 - HERE[place], "")})
            result = made(place, seed, genuine=genuine(place, seed), solo=solo)
            write_result(folder / f"linear/{name}/seed-{seed}", result)
    return folder


def printed(directory: Path, width: int = 250, **keys) -> str:
    console = Console(file=io.StringIO(), width=width)
    assert print_reports(directory, console, **keys)[0]
    return console.file.getvalue()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_set_has_its_columns_in_the_table_and_in_all_files(folder):
    text = printed(folder)
    report = read_report(folder)
    headings = list(report.cells())
    first = headings.index("note F1") + 1
    assert headings[first : first + 5] == [
        *("Acc on genuine", "note F1 on genuine", "Acc on solo", "note F1 on solo"),
        "windows/s",
    ]
    assert headings[:first] == [*headings[:first]] and all(heading in text for heading in headings)
    means = [mean + 0.01 for mean in MEANS]  # over two seeds
    assert list(report.cells()["Acc on genuine"]) == [f"{mean:.3f}" for mean in means[:2]] + [
        f"**{means[2]:.3f}**",
        f"{means[3]:.3f}",
    ]
    summary, table = (pd.read_csv(folder / name) for name in ("summary.csv", "table.csv"))
    assert list(summary.accuracy_on_genuine) == pytest.approx(means)
    assert list(summary.note_recall_on_solo) == pytest.approx([0.9 - here for here in HERE])
    assert list(table.accuracy_on_genuine) == pytest.approx([mean + 0.02 * seed for mean in MEANS for seed in range(2)])
    for read in (summary, table):
        assert {f"{score}_on_{name}" for score in SCORES for name in ("genuine", "solo")} <= set(read)
        assert set(read.recordings_on_genuine) == {3} and set(read.recordings_on_solo) == {1}
    assert "Acc on genuine" in (folder / "table.md").read_text() and "Acc on solo" in (folder / "table.tex").read_text()


def test_the_columns_follow_the_metric_and_can_be_chosen(folder):
    report = read_report(folder, ["Acc on genuine", "accuracy_on_solo", "e_sub_on_solo", "ron genuine"])
    assert list(report.cells()) == ["representation", "Acc on genuine", "Acc on solo", "e_sub_on_solo", "R on genuine"]
    text = printed(folder, metric="average_precision")
    assert "AP on genuine" in text and "note F1 on genuine" in text and "Acc on genuine" not in text
    with pytest.raises(ValueError, match=r"--columns Acc on gone: no such column; choose among .*Acc on genuine"):
        read_report(folder, ["Acc on gone"])


def test_a_narrow_console_leaves_out_others_before_them(folder):
    heads = next(line for line in printed(folder, width=92).splitlines() if line.startswith("representation"))
    assert "Acc on genuine" in heads and "Acc on solo" in heads and "note F1 on" not in heads
    text = " ".join(printed(folder, width=100).split())
    assert "Acc on genuine" in text and "Acc on solo" in text and "No room for R, P, windows/s" in text


def test_the_remarks_say_what_the_sets_are_and_whether_the_ranking_carries_over(folder):
    """Of six pairs of rows five have the same order on genuine, (5 - 1) / 6, and none on solo."""
    remarks = read_report(folder).remarks
    assert remarks[-2:] == [
        "on genuine: the same trained models at the same thresholds on the 3 test recordings of genuine, read as "
        "folder pedal=false; none is trained on. Labels of genuine. Kendall's tau between the rows' accuracy here and "
        "there: 0.67 over 4 rows (1: the same ranking).",
        "on solo: the same trained models at the same thresholds on the one test recording of solo, read as folder "
        "shift=0.03 pedal=false; none is trained on. Kendall's tau between the rows' accuracy here and there: -1.00 "
        "over 4 rows (1: the same ranking).",
    ]


def test_the_ranking_is_compared_model_by_model(folder):
    for place in range(3):
        result = dataclasses.replace(made(place, 0, genuine=genuine(place, 0)), model="conv")
        write_result(folder / f"conv/{ROWS[place]}/seed-0", result)
    (remark,) = (line for line in read_report(folder).remarks if line.startswith("on genuine"))
    assert "here and there: 1.00 over 3 rows of conv, 0.67 over 4 rows of linear (1" in remark


def test_a_set_whose_recordings_have_groups_has_a_table_of_them(folder):
    text = printed(folder)
    table = pd.read_csv(folder / "on-genuine.csv")
    assert list(table.representation) == ROWS
    assert list(table.group_bach) == pytest.approx([np.mean(pair) + 0.01 for pair in BACH])
    assert list(table.group_piano) == pytest.approx([value + 0.01 for value in PIANO])
    assert list(table["mean"]) == pytest.approx(list(pd.read_csv(folder / "summary.csv").accuracy_on_genuine))
    markdown = (folder / "on-genuine.md").read_text().splitlines()
    assert markdown[0] == "## quick: accuracy on genuine, by group"
    assert markdown[2:7:2] == ["| representation | mean | bach | piano |", "| linear-256 | 0.243 | 0.310 | 0.110 |",
                               "| cqt-12 | **0.610** | **0.710** | **0.410** |"]  # fmt: skip
    assert "quick: accuracy on genuine, by group" in text and "(bach 2, piano 1)" in text
    assert not (folder / "on-solo.csv").exists()


def test_a_report_about_another_set_is_the_whole_report(folder):
    print_reports(folder, QUIET)
    before = contents(folder)
    text = printed(folder, on="genuine")
    report = read_report(folder, on="genuine")
    assert report.title == "home on genuine, protocol quick, model linear: 8 of 8 runs done, 3 test recordings"
    assert report.verdict.startswith("Scores on genuine. Highest: cqt-12, accuracy 0.610")
    assert report.sample.units == ["bach", "piano"] and report.title in text and "on solo" not in text
    assert list(report.summary.accuracy) == pytest.approx([mean + 0.01 for mean in MEANS])
    there = folder / "on-genuine"
    assert {path.name for path in there.iterdir()} >= {"table.csv", "summary.csv", "table.md", "verdict.json"}
    assert json.loads((there / "verdict.json").read_text())["choice"] == "cqt-12"
    assert json.loads((folder / "verdict.json").read_text())["choice"] == "cqt-24"
    assert {path: content for path, content in contents(folder).items() if f"{there}/" not in path} == before
    assert any("Labels of genuine." in line for line in report.remarks)
    assert not any("Labels of home." in line for line in report.remarks)


def test_a_run_without_the_set_is_left_out_and_said(folder):
    for seed in range(2):
        write_result(folder / f"linear/cqt-36/seed-{seed}", dataclasses.replace(made(0, seed), representation="cqt-36"))
    report = read_report(folder, on="genuine")
    assert list(report.summary.representation) == ROWS
    assert report.runs.remarks == [
        f"{folder}/linear/cqt-36/seed-0: left out, not scored on genuine",
        f"{folder}: 1 more such runs",
    ]
    home = read_report(folder)
    cells = home.cells().set_index("representation")
    assert cells["Acc on genuine"]["cqt-36"] == "" and cells["Acc on genuine"]["cqt-24"] == "0.477"


def test_a_set_that_is_not_there(folder, capsys):
    with pytest.raises(
        ValueError, match="^--on maps: no run was scored on a set of this name; there is genuine, solo$"
    ):
        print_reports(folder, QUIET, on="maps")
    with pytest.raises(ValueError, match="there is genuine, solo"):
        read_report(folder, on="maps")
    lone = folder.parents[1] / "lone/quick"
    write_result(lone / "linear/cqt-12/seed-0", made(2, 0))
    with pytest.raises(ValueError, match=r"no run was scored on a set of this name; data\.test=NAME of a sweep names"):
        print_reports(lone, QUIET, on="maps")
    text = printed(folder.parents[1], on="solo")  # two folders, of which one has the set
    assert f"{lone}: no run was scored on solo" in text and not (lone / "on-solo").exists()
    assert main(["report", str(folder), "--on", "maps"]) == 2
    assert capsys.readouterr().err.startswith("sweep report: --on maps: no run was scored on a set of this name; ")


def test_rankings_of_two_protocols_on_another_set(folder):
    for path in list(folder.rglob("result.json")):
        converged = folder.parent / "converged" / path.relative_to(folder).parent
        content = json.loads(path.read_text())
        converged.mkdir(parents=True)
        (converged / "result.json").write_text(json.dumps(content | {"protocol": "converged"}))
    text = printed(folder.parents[1], on="genuine")
    assert "home on genuine: rankings of 4 representations: converged, quick" in text
    table = pd.read_csv(folder.parent / "rankings-on-genuine.csv")
    assert list(table.score_quick) == pytest.approx([mean + 0.01 for mean in MEANS])
    assert not (folder.parent / "rankings.csv").exists()


def test_the_page_has_the_columns_and_the_groups(folder, capsys):
    main(["report", str(folder)])
    page = Page((folder / "report.html").read_text())
    assert "elsewhere" in page.ids and "#elsewhere" in page.addresses
    assert "Acc on genuine" in page.table[0]
    place = page.table.index(["representation", "mean", "bach", "piano"])
    assert page.table[place + 3] == ["cqt-12", "0.610", "0.710", "0.410"]
    assert page.keys[place + 3] == ["2", "0.610", "0.710", "0.410"]
    main(["report", str(folder), "--on", "genuine"])
    there = Page((folder / "on-genuine/report.html").read_text())
    assert "elsewhere" not in there.ids and "Acc on genuine" not in there.table[0]
    assert any("Scores on genuine. Highest: cqt-12" in text for text in there.texts)
    assert not any("first test recording" in text for text in there.texts)
    assert f"{folder}/on-genuine/report.html: " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../up", "a <b>|*x*", "mean", "nul", "x" * 300])
def test_any_name_of_a_set_or_a_group(name, tmp_path):
    folder = tmp_path / "runs/home/quick"
    for place in range(2):
        other = scored({"a": (0.3, name), "b": (0.4, "representation")})
        write_result(folder / f"linear/{ROWS[place]}/seed-0", made(place, 0, **{name: other}))
    words = ["--tables-only"] * (name != "a <b>|*x*")  # a page takes seconds
    main(["report", str(folder), *words])
    main(["report", str(folder), "--on", name, *words])
    (there,) = (path for path in folder.iterdir() if path.name.startswith("on-") and path.is_dir())
    assert (there / "report.html").exists() != bool(words) and (folder / f"{there.name}.csv").exists()
    assert list(pd.read_csv(folder / "summary.csv")[f"accuracy_on_{name}"]) == pytest.approx([0.35, 0.35])
    table = pd.read_csv(folder / f"{there.name}.csv")
    assert list(table[f"group_{name}"]) == [0.3, 0.3] and list(table.group_representation) == [0.4, 0.4]
    assert len(read_report(folder).by_group[0].cells().columns) == 4
    assert {path.name for path in tmp_path.iterdir()} == {"runs"}


def test_open_runs_stay_in_a_report_about_another_set(folder):
    config = changed(make_config("representation=cqt-36"), runs=str(folder.parents[1]), data__name="home")
    write_plan(folder, {Run("", config).name: Run("", config).planned()})
    report = read_report(folder, on="genuine")
    assert "8 of 9 runs done" in report.title and "1 of 5 rows are still to come" in report.verdict
