"""The constants of the statistics: each test fails when its constant is changed by half."""

import numpy as np
import pytest
from scipy import stats
from test_certainty import made_up
from test_decision import a_sample, lines_of
from test_summary import with_recordings

from sweep.report import certainty
from sweep.report.decision import decide
from sweep.report.more_data import more_data
from sweep.report.rankings import rank
from sweep.report.tau import kendall_interval
from sweep.report.units import BLOCKS, DEPENDENCE, RECORDINGS, read_sample
from sweep.results.result import write_result
from sweep.results.scoring import count_blocks
from sweep.results.table import read_runs
from sweep.results.thresholds import best_threshold


def test_dependence_is_that_of_neighbours_that_correlate_by_015():
    # The mean of n values whose correlation at distance k is r^k has 1 + 2 sum_k (1 - k / n) r^k times the variance of
    # independent ones; experiments/certainty measured r = 0.15.
    n, k = 10_000, np.arange(1, 60)
    assert pytest.approx(1 + 2 * ((1 - k / n) * 0.15**k).sum(), rel=1e-3) == DEPENDENCE


def test_six_units_can_tell_rows_apart_and_five_cannot():
    row = np.random.default_rng(0).normal(0.5, 0.1, 6)
    rows = np.stack([row, row - 0.1 + 0.001 * np.arange(6)])[:, None]
    assert list(certainty.compare(rows).best) == [True, False]
    assert certainty.compare(rows[:, :, :5]).best.all()


def test_the_quantile_is_that_of_seven_tenths_of_the_level():
    generator = np.random.default_rng(9)
    row = generator.normal(0.5, 0.1, 40)
    other = row - 0.01 + generator.normal(0, 0.02, 40)
    bound = certainty.compare(np.stack([row, other])[:, None], draws=20_000).loss[1] - (row - other).mean()
    # Of two rows the greatest T is the greater of t and -t, so each end has half of the probability.
    assert bound == pytest.approx(stats.t.ppf(1 - 0.7 * 0.05 / 2, 39) * stats.sem(row - other), rel=0.03)


def test_there_are_two_thousand_draws():
    scores = made_up(np.random.default_rng(1), np.linspace(0.5, 0.48, 6), 30)
    assert (certainty.compare(scores).loss == certainty.compare(scores, draws=2000).loss).all()
    assert (certainty.compare(scores).loss != certainty.compare(scores, draws=1000).loss).any()
    one, two = scores[:, 0], scores[:, 0] + 0.01 * np.random.default_rng(2).standard_normal((6, 30))
    assert (
        kendall_interval(one, two) == kendall_interval(one, two, draws=2000) != kendall_interval(one, two, draws=1000)
    )


def test_blocks_are_ten_seconds_long_and_six_at_least():
    for seconds, blocks in ((29.0, 6), (61.0, 6), (95.0, 9), (200.0, 20)):
        times = np.linspace(0, seconds, 1000)
        assert len(count_blocks(times, *np.ones((3, 1000), int))) == blocks
    assert len(count_blocks(np.arange(4), *np.ones((3, 4), int))) == 4  # fewer frames than that


@pytest.mark.parametrize(("sure", "found"), [(0.955, 0.95), (0.865, 0.86), (0.055, 0.05), (0.045, 0.05)])
def test_thresholds_reach_from_005_to_095_in_steps_of_one_hundredth(sure, found):
    # Notes have the probability `sure`; everything else has 0.001 less, so only the threshold between them is right.
    reference = np.zeros((50, 128), bool)
    reference[::2, 60:70] = True
    probability = np.where(reference, sure, sure - 0.0051)
    assert best_threshold([(reference, probability)]) == pytest.approx(found)


@pytest.mark.parametrize(("less", "names"), [(0.008, True), (0.012, False)])
def test_the_margin_is_one_hundredth(less, names):
    lines = lines_of(value=[0.5, 0.5 - less], multiply_adds=[8.0, 1.0])
    assert (decide(lines, a_sample(lines)).good_enough is not None) == names


def test_the_number_of_recordings_decides_in_four_of_five_repetitions():
    generator, spread, gap = np.random.default_rng(3), 0.02, 0.01
    difference = generator.normal(0, 1, 12)
    difference = gap + spread * (difference - difference.mean()) / difference.std(ddof=1)
    scores = np.stack([np.full(12, 0.5) + difference, np.full(12, 0.5)])[:, None]
    said = more_data(a_sample(lines_of(value=[0.51, 0.5]), scores), 0, 1, ("a", "b"))
    assert said.startswith("About ") and "test recordings would decide" in said
    count = int(said.split()[1])
    draws = generator.normal(gap, spread, (4000, count))
    power = (np.abs(stats.ttest_1samp(draws, 0, axis=1).statistic) > stats.t.ppf(0.975, count - 1)).mean()
    assert power == pytest.approx(0.8, abs=0.04)


def test_three_rows_make_a_ranking_and_five_movers_are_named():
    def ranked(count):
        values = np.linspace(0.6, 0.3, count)
        tables = {}
        for name, order in (("first", values), ("second", values[::-1])):
            lines = lines_of(value=order).assign(accuracy=order, bins=100)
            tables[name] = lines, a_sample(lines, np.repeat(order[:, None, None], 8, axis=2))
        return rank(tables)

    assert ranked(2) is None
    assert len(ranked(3).table) == 3
    assert ranked(9).remarks()[0].partition("Most places up or down: ")[2].count(",") == 4


@pytest.mark.parametrize(("recordings", "kind"), [(5, BLOCKS), (6, RECORDINGS)])
def test_six_recordings_are_units_and_five_are_cut_into_blocks(tmp_path, recordings, kind):
    for name in ("cqt-12", "cqt-24"):
        write_result(tmp_path / f"linear/{name}/seed-0", with_recordings(name, 0, 0, recordings, 6))
    assert read_sample(read_runs(tmp_path), "accuracy").kind == kind
