"""What the ranking experiment computes, of tables made up so that the answers are known."""

import functools

import numpy as np
import pandas as pd
import pytest
from conftest import read_grid
from scipy import stats
from test_ranking_experiment import lines

from experiments.ranking import tables
from experiments.ranking.factors import FACTORS, choices, design, rank, shares
from experiments.ranking.losses import knobs, losses
from experiments.ranking.noise import beside, carrying
from experiments.ranking.orders import alike, best_rows, orders, pairs
from experiments.ranking.samples import sample, samples
from experiments.ranking.steady import steady

# Orders


def test_orders_are_compared_by_tau():
    """Accuracy and note F1 order the rows the other way round; conv exchanges one pair of six."""
    rows = {"cqt-12": 0.2, "cqt-24": 0.3, "cqt-36": 0.4, "cqt-48": 0.5}
    other = rows | {"cqt-12": 0.35}
    made = [*lines("rows", "linear", rows), *lines("rows", "conv", other), *lines("rows", "linear", other, "six")]
    found = orders(samples(pd.DataFrame(made)))
    taus = {(pair.one, pair.other): pair for pair in pairs(found)}
    by_model = taus[("linear", "accuracy", "mini"), ("conv", "accuracy", "mini")]
    expected = stats.kendalltau([*rows.values()], [*other.values()]).statistic
    assert by_model.tau == pytest.approx(expected) and by_model.paired and by_model.varied == ["model"]
    assert (by_model.low, by_model.high) == pytest.approx((expected, expected))  # no unit differs from another
    assert taus[("linear", "accuracy", "mini"), ("linear", "note_f1", "mini")].tau == pytest.approx(-1)
    by_set = taus[("linear", "accuracy", "mini"), ("linear", "accuracy", "six")]
    assert by_set.tau == pytest.approx(expected) and not by_set.paired
    assert all(len(pair.varied) == 1 for pair in taus.values())
    assert alike(("linear", "accuracy", "mini"), ("conv", "note_f1", "mini"), found).tau == pytest.approx(-expected)


def test_the_best_rows_under_every_model():
    """Two rows lead under linear and another two under conv, one of them the same; four groups tell nothing."""
    low = {f"cqt-{n}": 0.3 for n in (12, 24, 36, 48)}
    made = lines("rows", "linear", low | {"cqt-12": 0.5, "cqt-24": 0.5}, noise=0.005)
    made += lines("rows", "conv", low | {"cqt-24": 0.5, "cqt-36": 0.5}, noise=0.005)
    made += lines("models", "cnn", {"cqt-12": 0.5, "cqt-24": 0.2}, noise=0.005)
    found = best_rows(sample(pd.DataFrame(made), "accuracy"))
    assert found.of_model == {"linear": ["cqt-12", "cqt-24"], "conv": ["cqt-24", "cqt-36"], "cnn": ["cqt-12"]}
    assert found.whole == ["linear", "conv"] and found.everywhere(["linear", "conv"]) == ["cqt-24"]
    few = best_rows(sample(pd.DataFrame(lines("rows", "linear", low, "six", noise=0.005)), "accuracy"))
    assert few.of_model == {"linear": None} and few.whole == []


# Choices


def test_choices_that_are_independent_explain_their_squares():
    """On a grid of 2 x 2 x 2: the variance of 3 a + 4 b is divided 9 to 16, and c has none."""
    a, b, c = (side.ravel() for side in np.meshgrid([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0]))
    columns = {"a": a[:, None], "b": b[:, None], "c": c[:, None]}
    found = {it.factor: it for it in shares(3 * a + 4 * b, columns, draws=50)}
    assert [found[name].share for name in "abc"] == pytest.approx([0.36, 0.64, 0.0], abs=1e-8)
    assert [found[name].own for name in "abc"] == pytest.approx([0.36, 0.64, 0.0], abs=1e-8)
    assert found["a"].known == pytest.approx(0) and found["a"].chance == pytest.approx(1 / 7)
    assert rank(columns) == (3, 3)


def test_choices_that_go_together_share_what_they_explain():
    a = np.arange(8.0)[:, None] - 3.5
    columns = {"a": a, "b": -2 * a}
    one, other = shares(a[:, 0], columns, draws=20)
    assert (one.share, other.share) == pytest.approx((0.5, 0.5))
    assert (one.own, other.own) == pytest.approx((0, 0)) and (one.known, other.known) == pytest.approx((1, 1))
    assert rank(columns) == (1, 2)


@pytest.mark.parametrize("planted", ["window", "scale", "compression"])
def test_the_choice_that_explains_everything_is_found_among_the_rows(planted):
    """The scores of all 54 rows follow from one choice alone, and a little noise."""
    found = [choices(name) for name in read_grid("everything")]
    columns = design(found)
    assert list(columns) == [name for name in FACTORS if name in columns] or set(columns) == set(FACTORS)
    assert rank(columns) == (12, 12)
    levels = sorted({str(choice[planted]) for choice in found})
    generator = np.random.default_rng(0)
    values = [levels.index(str(it[planted])) if isinstance(it[planted], str) else it[planted] for it in found]
    scores = 0.1 * np.array(values, float) + generator.normal(0, 0.01, len(found))
    first, second, *_ = sorted(shares(scores, columns, draws=40), key=lambda it: -it.share)
    assert first.factor == planted and first.low > second.high and first.own > 0.2


def test_the_choices_of_a_row():
    mel = choices("mel-2048-128")
    assert mel["window"] == pytest.approx(np.log2(1000 * 2048 / 44_100)) and mel["bins"] == 7
    assert (mel["scale"], mel["compression"], mel["stack"]) == ("mel", "logarithm", "one")
    # The kernel at 440 Hz of 48 bins an octave: Q = 1 / (2^(1/48) - 1) periods.
    assert 2 ** choices("cqt-48")["window"] == pytest.approx(1000 / (2 ** (1 / 48) - 1) / 440, rel=1e-3)
    assert choices("deep-salience")["stack"] == "several" and choices("hppnet")["compression"] == "dB with a range"
    assert choices("madmom-cnn")["compression"] == "weaker" and choices("omnizart")["scale"] == "logarithmic"
    paper = design([choices(name) for name in read_grid("all")])
    assert set(paper) == {"window", "bins", "scale"}  # the others are the same in all 34


# Losses and knobs


def test_what_a_choice_loses():
    means = {"log-4096": 0.48, "mel-2048-128": 0.45, "cqt-12": 0.5, "cqt-24": 0.49}
    other = means | {"cqt-24": 0.52}
    table = pd.DataFrame([*lines("rows", "linear", means), *lines("rows", "conv", other)])
    found = {(it.model, it.row): it for it in losses(sample(table, "accuracy"))}
    lost = {key: round(it.loss, 6) for key, it in found.items()}
    assert lost == {
        **{("linear", "log-4096"): 0.02, ("linear", "mel-2048-128"): 0.05, ("linear", "cqt-24"): 0.01},
        **{("conv", "log-4096"): 0.04, ("conv", "mel-2048-128"): 0.07, ("conv", "cqt-12"): 0.02},
    }
    assert found["linear", "cqt-24"].choice == "the highest under conv" and found["linear", "cqt-24"].best == "cqt-12"
    noisy = sample(pd.DataFrame(lines("rows", "linear", means, noise=0.01)), "accuracy")
    for it in losses(noisy):
        one, own = (noisy.scores[noisy.rows.index(("linear", row, ""))].mean(0) for row in (it.best, it.row))
        low, high = stats.ttest_rel(one, own).confidence_interval(0.95)
        assert it.low < it.loss < it.high < it.bound and it.loss == pytest.approx((low + high) / 2)


def test_what_a_knob_is_worth():
    means = dict.fromkeys(read_grid("knobs"), 0.4) | {"knob/hop-160": 0.45, "knob/cqt-36": 0.3, "knob/harmonics": 0.32}
    found = {it.row: it for it in knobs(sample(pd.DataFrame(lines("knobs", "conv", means, noise=0.003)), "accuracy"))}
    assert set(found) == set(means) - {"onsets-frames"}
    assert found["knob/harmonics"].base == "knob/cqt-36" and found["knob/cqt-12"].base == "onsets-frames"
    expected = {"knob/hop-160": 0.05, "knob/cqt-36": -0.1, "knob/harmonics": 0.02}
    for row, it in found.items():
        assert it.change == pytest.approx(expected.get(row, 0), abs=0.004) and it.sure == (row in expected), row
        assert it.same[1] == 9 and (it.same[0] == 9 or row not in expected)
    few = knobs(sample(pd.DataFrame(lines("knobs", "conv", means, "six", noise=0.0001)), "accuracy"))
    assert {it.row for it in few if abs(it.change) > 0.01} == set(expected)
    assert not any(it.sure for it in few)  # four groups, however far apart


# The sentences


def test_the_sentences_say_what_was_planted(monkeypatch):
    """Both models order the paper's rows by their window; one knob matters."""
    monkeypatch.setattr(tables, "shares", functools.partial(shares, draws=20))
    rows = {name: 0.2 + 0.03 * choices(name)["window"] for name in read_grid("all")}
    changed = dict.fromkeys(read_grid("knobs"), 0.4) | {"knob/fft-1024": 0.3}
    made = [line for model in ("linear", "conv") for line in lines("rows", model, rows, noise=0.002)]
    made += [line for model in ("linear", "conv") for line in lines("knobs", model, changed, noise=0.002)]
    text = tables.markdown(pd.DataFrame(made))
    short, _, rest = text.partition("### Units")
    (highest,) = [line for line in rest.splitlines() if line.startswith("| mini | Accuracy | linear | cqt-288")][:1]
    assert highest.endswith("of 34 |") and "linear, accuracy: window" in short
    assert "What one loses by the paper's best, log-4096" in short and "what-one" not in text
    assert "    - mini, conv, accuracy: fft-1024 -0.1" in short and ". Of the other 19 the largest is " in short
    assert "| fft-1024 | **-0.1" in rest and "nan" not in text
    for heading in (
        "Which rows may be the best",
        "What explains the spread",
        "Which rows hold everywhere",
        "What one knob is worth",
        "All rows",
    ):
        assert f"### {heading}\n\n" in rest


# What holds everywhere


def test_the_row_that_loses_least_at_worst():
    """cqt-24 is never first and never far behind; cqt-12 is first before linear and last before conv."""
    linear = {"cqt-12": 0.50, "cqt-24": 0.47, "cqt-36": 0.40, "cqt-48": 0.30}
    conv = {"cqt-12": 0.30, "cqt-24": 0.58, "cqt-36": 0.60, "cqt-48": 0.40}
    made = lines("rows", "linear", linear, noise=0.002) + lines("rows", "conv", conv, noise=0.002)
    few = lines("models", "cnn", {"cqt-12": 0.5, "cqt-24": 0.4, "cqt-48": 0.2}, noise=0.002)

    def accuracy(made):
        return orders({key: it for key, it in samples(pd.DataFrame(made)).items() if key[1] == "accuracy"})

    held = steady(accuracy(made))
    assert held.orders == [("linear", "accuracy", "mini"), ("conv", "accuracy", "mini")]
    first, *_, last = held.fared
    assert (first.row, first.where[0], first.lowest, first.place) == ("cqt-24", "linear", 2, 2.0)
    assert first.loss == pytest.approx(0.03, abs=2e-3) and first.low < first.loss < first.high
    assert (last.row, last.where[0], last.lowest, last.place) == ("cqt-12", "conv", 4, 2.5)
    assert set(held.agreed) == {("cqt-24", "cqt-48"), ("cqt-36", "cqt-48")}
    assert first.first == 1.0 and last.first == 0.0
    both = accuracy(made + few)
    assert {it.row for it in steady(both).fared} == {"cqt-12", "cqt-24", "cqt-48"} and len(steady(both).orders) == 3
    assert len(steady(both, most=True).fared) == 4 and len(steady(both, most=True).orders) == 2


# Chance


def test_halves_of_an_order_say_how_much_is_chance():
    """Orders of noise agree by nothing, orders that stand by all; two that stand, in turn, by nothing across."""
    rows = {f"cqt-{n}": 0.3 + 0.01 * at for at, n in enumerate((12, 24, 36, 48, 60, 72))}
    turned = dict(zip(rows, reversed(rows.values()), strict=True))
    made = lines("rows", "linear", rows, noise=1e-4) + lines("rows", "conv", turned, noise=1e-4)
    made += lines("rows", "cnn", dict.fromkeys(rows, 0.3), noise=0.01)
    found = orders({key: it for key, it in samples(pd.DataFrame(made)).items() if key[1] == "accuracy"})
    split = {(it.pair.one[0], it.pair.other[0]): it for pair in pairs(found) if (it := beside(pair, found))}
    assert split["linear", "conv"].halves == pytest.approx((1, 1, -1))
    assert split["linear", "cnn"].halves.first == pytest.approx(1) and abs(split["linear", "cnn"].halves.second) < 0.35


def test_the_unit_that_carries_an_order():
    """One block of nine turns the better rows round; without it they stand as the other eight have them."""
    rows = {"cqt-12": 0.30, "cqt-24": 0.50, "cqt-36": 0.51, "cqt-48": 0.52}
    made = pd.DataFrame(lines("rows", "linear", rows, noise=0))
    turned = (made.unit == "2303/4") & (made.representation == "cqt-24")
    made.loc[turned, "accuracy"] += 0.45  # 0.05 of the mean, more than what tells the rows apart
    (found,) = [carrying(key, order) for key, order in orders(samples(made)).items() if key[1] == "accuracy"]
    assert found.name == "2303/4" and found.share > 0.5
    assert found.tau == pytest.approx(stats.kendalltau([1, 4, 2, 3], [1, 2, 3, 4]).statistic)
