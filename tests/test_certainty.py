"""How sure a comparison is: facts that can be worked out, and sweeps made up so that the truth is known."""

import numpy as np
import pytest
from scipy import stats
from test_summary import with_recordings

from experiments.certainty import variances
from sweep.report import certainty
from sweep.report.units import DEPENDENCE, block_values, group_values
from sweep.results.metrics import METRICS
from sweep.results.result import write_result


def made_up(generator, truth, units, *, seeds=1, unit=0.05, interaction=0.016, training=0.0, residual=0.005):
    """(rows, seeds, units) scores with the effects of certainty's model, all normal with these deviations."""
    rows = len(truth)
    by_unit = np.asarray(truth)[:, None] + unit * generator.standard_normal(units)
    by_unit = by_unit + interaction * generator.standard_normal((rows, units))
    by_seed = training * generator.standard_normal((rows, seeds, 1))
    return by_unit[:, None] + by_seed + residual * generator.standard_normal((rows, seeds, units))


def test_interval_with_one_seed_is_students():
    scores = np.random.default_rng(0).normal(0.5, 0.1, (3, 1, 7))
    for (low, high), row in zip(certainty.intervals(scores), scores[:, 0], strict=True):
        expected = stats.t.interval(0.95, 6, row.mean(), stats.sem(row))
        assert (low, high) == pytest.approx(expected, abs=1e-12)
    # By hand: mean 0.5, deviation 0.1, t of 2 degrees of freedom 4.303.
    assert certainty.intervals(np.array([[[0.4, 0.5, 0.6]]]))[0] == pytest.approx([0.2516, 0.7484], abs=1e-4)


def test_seeds_widen_the_interval_by_their_pooled_variance():
    # No unit differs from another: what remains is the seeds' variance, 2 rows with 3 seeds, 4 degrees of freedom.
    by_seed = np.array([[0.50, 0.52, 0.54], [0.60, 0.60, 0.60]])
    scores = np.repeat(by_seed[:, :, None], 5, axis=2)
    assert certainty.spread(scores) == pytest.approx([0.02, 0.0], abs=1e-12)
    assert certainty.seed_variance(scores) == (pytest.approx(0.0002), 4)
    half = stats.t.ppf(0.975, 4) * np.sqrt(0.0002 / 3)
    assert certainty.intervals(scores) == pytest.approx(
        np.array([[0.52 - half, 0.52 + half], [0.6 - half, 0.6 + half]])
    )


@pytest.mark.parametrize(("units", "seeds"), [(4, 1), (4, 3), (10, 3), (30, 1)])
def test_intervals_hold_the_truth(units, seeds):
    generator, truth, held = np.random.default_rng(units), np.linspace(0.3, 0.6, 10), []
    for _ in range(400):
        training = 0.004 if seeds > 1 else 0.0
        low, high = certainty.intervals(made_up(generator, truth, units, seeds=seeds, training=training)).T
        held.append((low <= truth) & (truth <= high))
    # Rows share their units, so 400 sweeps count little more than 400 times: deviation 0.011 of a share of 0.95.
    assert 0.925 <= np.mean(held) <= 0.975


def test_a_difference_with_one_seed_is_the_paired_t_interval():
    scores = np.random.default_rng(0).normal(0.5, 0.1, (4, 1, 7))
    mean, low, high = certainty.difference(scores, 2, 1)
    expected = stats.ttest_rel(scores[2, 0], scores[1, 0]).confidence_interval(0.95)
    assert (low, high) == pytest.approx(expected, abs=1e-12)
    assert mean == pytest.approx(np.mean(scores[2] - scores[1]))
    assert certainty.difference(scores, 1, 2) == pytest.approx((-mean, -high, -low))
    assert np.isnan(certainty.difference(scores[:, :, :1], 0, 1)[1:]).all()


def test_a_differences_training_part_is_pooled_over_all_rows():
    """No unit differs from another, and only the third row's seeds differ: its variance is a third of all rows'."""
    by_seed = np.array([[0.5, 0.5, 0.5], [0.6, 0.6, 0.6], [0.50, 0.52, 0.54]])
    mean, low, high = certainty.difference(np.repeat(by_seed[:, :, None], 5, axis=2), 1, 0)
    half = stats.t.ppf(0.975, 6) * np.sqrt(2 * 0.0004 / 3 / 3)
    assert (mean, low, high) == pytest.approx((0.1, 0.1 - half, 0.1 + half))


def test_a_differences_interval_holds_the_truth():
    generator, truth = np.random.default_rng(0), np.linspace(0.3, 0.6, 10)
    held = []
    for _ in range(400):
        _, low, high = certainty.difference(made_up(generator, truth, 9, seeds=3, training=0.004), 3, 0)
        held.append(low <= 0.1 <= high)
    assert 0.92 <= np.mean(held) <= 0.98  # 0.955 with this seed; deviation of 400 draws 0.011


@pytest.mark.parametrize(("units", "seeds"), [(6, 1), (10, 3)])
def test_no_best_row_is_left_out_more_often_than_one_time_in_twenty(units, seeds):
    generator, wrong = np.random.default_rng(units), 0
    for _ in range(200):
        scores = made_up(generator, np.full(20, 0.5), units, seeds=seeds, training=0.004 if seeds > 1 else 0.0)
        wrong += not certainty.compare(scores, draws=300).best.all()
    assert wrong / 200 <= 0.05 + 0.03  # two deviations of 200 draws


def test_a_tie_at_the_top_is_kept_and_rows_below_are_left_out():
    generator = np.random.default_rng(1)
    truth = np.repeat([0.5, 0.45], 10)
    kept = np.array([certainty.compare(made_up(generator, truth, 10), draws=300).best for _ in range(60)])
    assert kept[:, :10].all(1).mean() >= 0.9
    assert (~kept[:, 10:]).mean() >= 0.8
    scores = made_up(generator, truth, 10)
    scores[3] = scores[7]  # the very same row twice
    best = certainty.compare(scores).best
    assert best[3] == best[7]


def test_the_simultaneous_interval_of_the_distance_holds_all_distances():
    generator, truth = np.random.default_rng(2), np.linspace(0.5, 0.4, 12)
    held = []
    for _ in range(100):
        scores = made_up(generator, truth, 8)
        found = certainty.compare(scores, draws=300)
        leader = certainty.means(scores).argmax()
        distance = truth[leader] - truth
        held.append(((found.low <= distance) & (distance <= found.high)).all())
        assert found.behind[leader] == found.low[leader] == found.high[leader] == 0
        assert (found.low <= found.behind).all() and (found.behind <= found.high).all()
    assert np.mean(held) >= 0.90


def test_rows_that_differ_in_nothing_are_tied_and_rows_that_differ_by_a_constant_are_not():
    row = np.random.default_rng(3).normal(0.5, 0.1, 8)
    assert certainty.compare(np.stack([row, row, row])[:, None]).best.all()
    assert list(certainty.compare(np.stack([row, row - 0.01, row])[:, None]).best) == [True, False, True]


def test_few_units_leave_every_row_in_the_set():
    row = np.array([0.4, 0.5, 0.6, 0.5, 0.4])
    found = certainty.compare(np.stack([row, row - 0.3])[:, None])
    assert found.best.all() and found.behind == pytest.approx([0, 0.3]) and np.isnan(found.low).all()


def test_one_unit_has_no_interval_and_one_seed_no_spread():
    scores = np.array([[[0.5]], [[0.6]]])
    assert np.isnan(certainty.intervals(scores)).all()
    assert np.isnan(certainty.spread(scores)).all()
    assert certainty.seed_variance(scores) == (0.0, 0)
    assert certainty.means(scores) == pytest.approx([0.5, 0.6])


def test_missing_seeds_and_scores_are_left_out():
    generator = np.random.default_rng(4)
    scores = made_up(generator, [0.5, 0.49, 0.3, 0.2], 9, seeds=3, training=0.004)
    whole = certainty.compare(scores)
    scores[1, 1:] = np.nan  # a row with one seed of three
    scores[2, :, 4] = np.nan  # a unit that one row lacks
    scores[3] = np.nan  # a row that is not done
    low, high = certainty.intervals(scores).T
    found = certainty.compare(scores)
    assert np.isnan([low[3], high[3], found.behind[3], found.low[3]]).all() and not found.best[3]
    assert list(found.best[:3]) == list(whole.best[:3]) == [True, True, False]
    assert certainty.seed_variance(scores)[1] == 2 + 0 + 2
    assert high[2] - low[2] > 0 and certainty.means(scores)[2] == pytest.approx(np.nanmean(scores[2]))
    # The row with one seed bears the others' variance over seeds three times.
    alone = certainty.intervals(scores[[1]])
    assert high[1] - low[1] > alone[0, 1] - alone[0, 0]
    assert not certainty.compare(np.full((2, 1, 8), np.nan)).best.any()


def test_the_same_scores_give_the_same_marks():
    scores = made_up(np.random.default_rng(5), np.linspace(0.5, 0.46, 10), 20)
    first, again = (certainty.compare(scores, draws=100) for _ in range(2))
    assert (first.best == again.best).all() and (first.low == again.low).all()


def test_values_of_blocks_have_the_mean_and_the_variance_of_the_recordings_mean():
    generator = np.random.default_rng(6)
    counts = [generator.integers(50, 150, (blocks, 3)) * [2, 2, 1] for blocks in (6, 9, 20)]
    values = np.concatenate(block_values([METRICS["accuracy"].ratio(part) for part in counts]))
    accuracies, variances = [], []
    for part in counts:
        right, size = part[:, 2], part[:, 0] + part[:, 1] - part[:, 2]
        accuracies.append(right.sum() / size.sum())
        # A block left out at a time: the jackknife's variance of the ratio, which the values take to first order.
        rest = (right.sum() - right) / (size.sum() - size)
        variances.append((len(part) - 1) / len(part) * ((rest - rest.mean()) ** 2).sum())
    assert values.mean() == pytest.approx(np.mean(accuracies), abs=1e-12)
    low, high = certainty.intervals(values[None, None], strata=3)[0]
    deviation = (high - low) / 2 / stats.t.ppf(0.975, 35 - 3)
    # 0.03: the jackknife's and the first-order term's variances differ by less than that.
    assert deviation == pytest.approx(np.sqrt(DEPENDENCE * sum(variances)) / 3, rel=0.03)


def test_blocks_of_silence_do_no_harm():
    silent, quiet, one = np.zeros((6, 2), int).T, np.array([[0, 2], [0, 6]]), np.array([[1], [1]])
    assert np.concatenate(block_values([tuple(silent)])) == pytest.approx(0)
    assert np.isfinite(np.concatenate(block_values([tuple(quiet), tuple(one)]))).all()


def test_values_of_groups_have_the_mean_of_the_recordings_and_the_variance_of_a_ratio():
    generator = np.random.default_rng(7)
    sizes = [1, 4, 3, 4, 3, 5, 4, 4]
    groups = np.repeat([*"abcdefgh"], sizes)
    scores = 0.5 + np.repeat(0.05 * generator.standard_normal(len(sizes)), sizes)
    scores += 0.01 * generator.standard_normal(len(scores))
    values = group_values(scores, groups)
    assert values.mean() == pytest.approx(scores.mean(), abs=1e-12)
    # The jackknife that leaves out a group at a time, of which the values are the first order.
    rest = np.array([scores[groups != group].mean() for group in "abcdefgh"])
    jackknife = 7 / 8 * ((rest - rest.mean()) ** 2).sum()
    assert values.var(ddof=1) / 8 == pytest.approx(jackknife, rel=0.1)
    # Eight recordings of one player are worth little more than one: the plain interval would be far too short.
    assert values.var(ddof=1) / 8 > 1.8 * scores.var(ddof=1) / len(scores)


def test_the_bound_of_what_a_row_may_lose_holds_against_the_truly_best_row():
    generator, truth, held, losses = np.random.default_rng(8), np.linspace(0.5, 0.47, 12), [], []
    for _ in range(150):
        scores = made_up(generator, truth, 10, seeds=2, training=0.004)
        found = certainty.compare(scores, draws=300)
        held.append((truth.max() - truth <= found.loss + 1e-12).all())
        losses.append(found.loss)
        assert (found.loss >= found.behind - 1e-12).all()
        assert found.loss[found.behind.argmin()] > 0  # the highest may not be the best either
    assert np.mean(held) >= 0.93
    assert np.mean(losses, axis=0)[-1] < 0.07  # and it is of use


def test_the_bound_is_worked_out():
    generator = np.random.default_rng(9)
    row = generator.normal(0.5, 0.1, 40)
    other = row - 0.01 + generator.normal(0, 0.02, 40)
    found = certainty.compare(np.stack([row, other])[:, None], draws=20_000)
    # Of two rows the greatest T is the greater of t and -t, so each end has half of the probability.
    bound = stats.t.ppf(1 - 0.7 * 0.05 / 2, 39) * stats.sem(row - other)
    assert found.loss[1] == pytest.approx((row - other).mean() + bound, rel=0.03)
    assert found.loss[0] == pytest.approx(max(0, (other - row).mean() + bound), abs=3e-4)


def test_the_experiment_reads_the_deviations_of_a_sweep(tmp_path):
    for name in ("cqt-12", "cqt-24"):
        for seed in range(2):
            write_result(tmp_path / f"linear/{name}/seed-{seed}", with_recordings(name, 0, seed, 3, 9))
    scores, blocks = variances.read(tmp_path)
    assert scores.shape == (2, 2, 3) and [part.shape for part in blocks] == [(2, 9)] * 3
    assert variances.deviations(scores)["residual"] > 0 and variances.of_blocks(blocks[0])["block"] > 0
