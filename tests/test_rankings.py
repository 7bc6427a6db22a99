"""Two rankings side by side, from result files made up here."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from configs import make_result
from rich.console import Console
from scipy import stats

from sweep.report import print_reports
from sweep.report.tau import halves, kendall, kendall_interval
from sweep.results.result import write_result
from sweep.results.scoring import SCORES

NAMES = ["linear-256", "log-512", "mel-512-128", "cqt-12"]


def write(folder, name: str, accuracies: list[float], model: str = "linear", seed: int = 0) -> None:
    """A result with these accuracies of as many recordings."""
    recordings = {str(number): dict.fromkeys(SCORES, accuracy) for number, accuracy in enumerate(accuracies)}
    scores = dict.fromkeys(SCORES, float(np.mean(accuracies)))
    what = {"model": model, "seed": seed, "protocol": folder.name, "data": folder.parent.name}
    made = make_result(name, scores=scores, recordings=recordings, **what)
    write_result(folder / model / name / f"seed-{seed}", made)


def printed(directory, width: int = 100) -> str:
    console = Console(file=io.StringIO(), width=width)
    assert print_reports(directory, console)[0]
    return console.file.getvalue()


@pytest.fixture
def data(tmp_path):
    """Two protocols of 8 recordings, whose rankings differ in the place of cqt-12; the second has one row more."""
    folder = tmp_path / "runs" / "music"
    noise = np.random.default_rng(0).normal(0, 0.001, (2, 5, 8))
    for place, (paper, converged) in enumerate([(0.4, 0.4), (0.5, 0.5), (0.6, 0.6), (0.1, 0.7)]):
        write(folder / "paper", NAMES[place], list(paper + noise[0, place]))
        write(folder / "converged", NAMES[place], list(converged + noise[1, place]))
    write(folder / "converged", "cqt-24", list(0.8 + noise[1, 4]))
    return folder


def test_tau_is_scipys():
    generator = np.random.default_rng(0)
    for ties in (False, True):
        first, second = generator.normal(size=(2, 20))
        if ties:
            first, second = first.round(), second.round()
        assert kendall(first, second) == pytest.approx(stats.kendalltau(first, second).statistic, abs=1e-12)
    assert np.isnan(kendall(np.zeros(3), np.arange(3)))


def test_taus_interval_between_sets_draws_each_sides_units_by_themselves():
    """The same scores twice: paired, every draw orders both sides alike; apart, the draws differ."""
    scores = np.linspace(0.4, 0.5, 8)[:, None] + np.random.default_rng(0).normal(0, 0.05, (8, 9))
    assert kendall_interval(scores, scores) == (1.0, 1.0)
    low, high = kendall_interval(scores, scores, paired=False)
    assert low < 0.8 and high == 1.0  # 0.72
    fewer = kendall_interval(scores, scores[:, :4], paired=False)
    assert fewer[0] < kendall(scores.mean(1), scores[:, :4].mean(1)) - (1 - low)  # t of 3 degrees of freedom, not of 8
    assert np.isnan(kendall_interval(scores, scores[:, :2], paired=False)).all()


def test_tau_has_an_interval_over_units_that_holds_the_truth():
    generator, held = np.random.default_rng(0), []
    truth = np.stack([np.linspace(0.3, 0.6, 15), generator.permuted(np.linspace(0.3, 0.6, 15))])
    tau = kendall(*truth)
    for _ in range(150):
        first, second = truth[:, :, None] + 0.03 * generator.standard_normal((2, 15, 10))
        low, high = kendall_interval(first, second, draws=200)
        assert -1 <= low <= kendall(first.mean(1), second.mean(1)) <= high <= 1
        held.append(low <= tau <= high)
    assert np.mean(held) >= 0.9
    assert np.isnan(kendall_interval(first[:, :2], second[:, :2])).all()


@pytest.mark.parametrize("units", [(9, 4), (9, 8)])
def test_taus_interval_between_sets_holds_the_truth(units):
    generator, held = np.random.default_rng(0), []
    truth = np.stack([np.linspace(0.3, 0.6, 15), generator.permuted(np.linspace(0.3, 0.6, 15))])
    tau = kendall(*truth)
    for _ in range(150):
        sides = [
            side[:, None] + 0.03 * generator.standard_normal((15, n)) for side, n in zip(truth, units, strict=True)
        ]
        low, high = kendall_interval(*sides, draws=200, paired=False)
        held.append(low <= tau <= high)
    assert np.mean(held) >= 0.9  # 1.0 with this seed: fewer units, wider intervals


def test_rankings_are_printed_and_written_with_tau_and_what_moves(data):
    text = " ".join(printed(data.parent).split())
    # Of the 6 pairs of 4 rows the 3 with cqt-12 turn round: tau = (3 - 3) / 6.
    assert "converged and paper: Kendall's tau 0.00 (95 % interval over 8 units 0.00 to 0.00" in text
    assert (
        "over 4 rows. Orders from two halves of the units agree by 1.00 (converged) and 1.00 (paper), across by 0.00."
        in text
    )
    assert "across by 0.00. Most places up or down: cqt-12 -3, linear-256 +1, log-512 +1, mel-512-128 +1." in text
    table = pd.read_csv(data / "rankings.csv")
    assert list(table.representation) == [*NAMES, "cqt-24"]
    assert list(table.rank_paper[:4]) == [3, 2, 1, 4] and list(table.rank_converged) == [5, 4, 3, 2, 1]
    assert np.isnan(table.score_paper[4])
    lines = (data / "rankings.md").read_text().splitlines()
    assert lines[0] == "## music: rankings of 5 representations: converged, paper"
    assert lines[2] == "| representation | bins | score converged | rank converged | score paper | rank paper | rises |"
    assert lines[6] == "| mel-512-128 | 84 | 0.600 | 3 | 0.600 | **1** | +1 |"
    assert lines[8] == "| cqt-24 | 84 | 0.800 | **1** |  |  |  |"


def test_models_are_rankings_too_and_seeds_are_not(tmp_path):
    for seed in range(2):
        for place, name in enumerate(NAMES):
            write(tmp_path / "music" / "quick", name, [0.1 * place] * 6, seed=seed)
    assert "rankings" not in printed(tmp_path)
    assert not (tmp_path / "music" / "rankings.csv").exists()
    for place, name in enumerate(NAMES):
        write(tmp_path / "music" / "quick", name, [0.1 * place] * 6, model="cnn")
    text = " ".join(printed(tmp_path).split())
    assert "cnn and linear: Kendall's tau 1.00" in text and "No row changes its place." in text


def test_one_recording_without_blocks_has_a_tau_without_an_interval(tmp_path):
    for protocol, sign in (("paper", 1), ("quick", -1)):
        for place, name in enumerate(NAMES):
            write(tmp_path / "music" / protocol, name, [0.5 + sign * 0.1 * place])
    assert "Kendall's tau -1.00 (no interval, too few units)" in " ".join(printed(tmp_path).split())


@pytest.mark.parametrize("width", [100, 60, 45])
def test_nothing_is_cut(data, width):
    text = printed(data, width)
    assert max(map(len, text.splitlines())) <= width and "\N{HORIZONTAL ELLIPSIS}" not in text
    assert "mel-512-128 " in text


def test_one_protocol_alone_leaves_the_rankings_of_all_as_they_were(data):
    for place, name in enumerate(NAMES):
        write(data / "paper", name, [0.1 * place] * 8, model="cnn")
    printed(data)
    before = (data / "rankings.md").read_text()
    assert "rankings" not in printed(data / "paper")
    assert (data / "rankings.md").read_text() == before


def test_halves_that_are_compared_share_no_unit():
    """Of the same scores twice, across is what one side's own halves give; a shared unit would raise it."""
    scores = np.random.default_rng(0).normal(size=(20, 9))
    found = halves(scores, scores)
    assert found.first == found.second == pytest.approx(found.across) and abs(found.first) < 0.2
    both = halves(scores, scores, paired=False)
    assert both.across > found.across + 0.2  # drawn by themselves, the halves have units in common
    assert halves(scores[:, :3], scores[:, :3]) is None


def test_a_unit_that_carries_the_order_is_named(tmp_path):
    """Recording 5 alone tells the better rows apart; without it they stand the other way round."""
    accuracies = {"linear-256": 0.2, "log-512": 0.5, "mel-512-128": 0.51, "cqt-12": 0.52}
    for name, accuracy in accuracies.items():
        write(tmp_path / "music" / "quick", name, [accuracy] * 6)
    assert "carries" not in printed(tmp_path)
    one = {"linear-256": 0.2, "log-512": 0.9, "mel-512-128": 0.7, "cqt-12": 0.5}
    for name, accuracy in accuracies.items():
        write(tmp_path / "music" / "quick", name, [accuracy] * 5 + [one[name]])
    text = " ".join(printed(tmp_path).split())
    assert int(re.search(r"linear: 5, one of 6 units, carries (\d+) % of how far the better half", text)[1]) > 50
    tau = stats.kendalltau([0.2 * 6, 0.5 * 5 + 0.9, 0.51 * 5 + 0.7, 0.52 * 5 + 0.5], [*accuracies.values()]).statistic
    assert f"agrees with this one by a Kendall's tau of {tau:.2f}." in text
