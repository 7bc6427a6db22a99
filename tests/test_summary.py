"""The table's lines: seeds put together, intervals and marks, from result files made up here."""

import io

import numpy as np
import pandas as pd
import pytest
from configs import make_result, plan_runs
from rich.console import Console

from sweep.report import print_reports
from sweep.results.result import Result, write_result
from sweep.results.scoring import SCORES


def printed(directory, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    assert print_reports(directory, console)[0]
    return console.file.getvalue()


def with_recordings(name: str, offset: float, seed: int, recordings: int, blocks: int = 0) -> Result:
    """A made-up result: accuracies 0.5 + offset but for a little noise, in so many recordings of so many blocks."""
    noise = np.random.default_rng([*name.encode(), seed]).normal(0, 0.002, (recordings, max(blocks, 1)))
    accuracies = 0.5 + offset + 0.05 * np.sin(np.arange(noise.size)).reshape(noise.shape) + noise
    scores = {str(i): dict.fromkeys(SCORES, accuracy) for i, accuracy in enumerate(accuracies.mean(1))}
    for i, right in enumerate((100_000 * accuracies).astype(int) if blocks else []):
        # accuracy = right / (reference + estimate - right)
        scores[str(i)]["blocks"] = {"frames": [[100_000, int(n), int(n)] for n in right]}
    means = dict.fromkeys(SCORES, accuracies.mean())
    return make_result(name, seed=seed, scores=means, recordings=scores, windows_per_second=100.0)


@pytest.mark.parametrize(("recordings", "blocks"), [(8, 0), (2, 9), (1, 9)])
def test_seeds_are_one_line_with_spread_interval_and_marks(tmp_path, recordings, blocks):
    folder = tmp_path / "music" / "quick"
    for name, offset in [("mel-512-128", -0.3), ("mel-2048-128", -0.1), ("cqt-12", -0.1), ("cqt-24", 0), ("cqt-36", 0)]:
        for seed in range(3):
            made = with_recordings(name, offset, seed, recordings, blocks)
            write_result(folder / f"linear/{name}/seed-{seed}", made)
    text = " ".join(printed(folder).split())
    lines = pd.read_csv(folder / "summary.csv")
    assert list(lines.best_of_table) == [False, False, False, True, True]
    assert list(lines.best_of_family) == [False, True, False, True, True]
    runs = pd.read_csv(folder / "table.csv").groupby("representation").accuracy
    assert list(lines.accuracy) == pytest.approx([runs.mean()[name] for name in lines.representation])
    assert list(lines.accuracy_spread) == pytest.approx([runs.std()[name] for name in lines.representation])
    assert ((lines.accuracy_low < lines.accuracy) & (lines.accuracy < lines.accuracy_high)).all()
    header, _, *rows = (folder / "table.md").read_text().splitlines()[4:11]
    assert header.startswith(
        "| representation | seeds | bins | context | Acc | \N{PLUS-MINUS SIGN} | 95 % | best | P |"
    )
    assert [row.split(" | ")[7] for row in rows] == ["", "family", "", "both", "both"]
    units = {0: f"{recordings} test recordings", 9: f"{9 * recordings} blocks of time in "}[blocks]
    assert f"over {units}" in text and " and 3 seeds; " in text and "One seed" not in text
    assert ("the units are blocks of time" in text) == bool(blocks)
    assert ("nothing follows about other music than this recording" in text) == (recordings == 1)


def test_a_missing_seed_and_results_without_blocks_are_said(tmp_path):
    for name, seeds in [("cqt-12", (0, 1)), ("cqt-24", (1,))]:
        for seed in seeds:
            write_result(tmp_path / f"d/quick/linear/{name}/seed-{seed}", with_recordings(name, 0, seed, 7))
    plan_runs(tmp_path / "d" / "quick", "linear/cqt-24/seed-0")
    text = " ".join(printed(tmp_path).split())
    written = (tmp_path / "d/quick/table.md").read_text()
    assert "| cqt-24 | 1 of 2 |" in written and "missing" not in written
    assert "Some rows have fewer than 2 seeds" in text and "1 of 4 runs are not done" in text
    for name, blocks in [("cqt-12", 0), ("cqt-24", 9)]:
        made = with_recordings(name, 0, 0, 1, blocks)
        for folder in (str(blocks), "both"):
            write_result(tmp_path / f"old/{folder}/linear/{name}/seed-0", made)
    assert "No interval: with fewer than 6" in " ".join(printed(tmp_path / "old/0").split())
    assert "No interval" not in printed(tmp_path / "old/9")
    text = " ".join(printed(tmp_path / "old/both").split())
    assert "No interval for cqt-12: with fewer than 6" in text and "\N{EN DASH}" in text


def test_a_run_cut_into_other_blocks_than_most_is_not_compared(tmp_path):
    for name, blocks in [("log-256", 8), ("cqt-12", 9), ("cqt-24", 9)]:
        write_result(tmp_path / f"d/quick/linear/{name}/seed-0", with_recordings(name, 0, 0, 1, blocks))
    printed(tmp_path)
    assert list(pd.read_csv(tmp_path / "d/quick/summary.csv").accuracy_low.isna()) == [True, False, False]


@pytest.mark.parametrize("width", [120, 100, 80, 60])
def test_intervals_and_marks_are_not_cut_on_a_narrow_console(tmp_path, width):
    for name in ("cqt-12", "cqt-24"):
        for seed in range(2):
            write_result(tmp_path / f"d/quick/linear/{name}/seed-{seed}", with_recordings(name, 0, seed, 7))
    text = printed(tmp_path, width)
    assert max(map(len, text.splitlines())) <= width and "\N{HORIZONTAL ELLIPSIS}" not in text
    row = next(line for line in text.splitlines() if line.startswith("cqt-12"))
    assert " both" in row and "\N{EN DASH}0." in row
