"""Which rows a table lets one choose, from lines made up here, and what more data would tell."""

import json

import numpy as np
import pandas as pd
import pytest

from sweep.report.decision import decide
from sweep.report.more_data import more_data
from sweep.report.units import BLOCKS, GROUPS, RECORDINGS, Sample
from sweep.report.verdict import as_json, verdict
from sweep.results.metrics import METRICS


def lines_of(value, **columns) -> pd.DataFrame:
    """Lines of a table with these means; all else equal unless given."""
    count = len(value)
    usual = {
        "model": "linear", "representation": [f"row-{i}" for i in range(count)], "variant": "", "status": "done",
        "value": value, "low": np.asarray(value) - 0.05, "high": np.asarray(value) + 0.05, "loss": 0.02, "seeds": 3,
        "multiply_adds": np.arange(count, 0, -1.0), "parameters": 100, "best_of_table": True, "source": "folder",
        "changed": "",
    }  # fmt: skip
    return pd.DataFrame(usual | columns)


def a_sample(lines, scores=None, *, kind=RECORDINGS, recordings=8, units=8) -> Sample:
    """The sample behind such lines."""
    rows = list(lines[["model", "representation", "variant"]].itertuples(index=False, name=None))
    scores = np.repeat(lines.value.to_numpy(float)[:, None, None], units, axis=2) if scores is None else scores
    names = [str(i) for i in range(scores.shape[2])]
    return Sample(METRICS["accuracy"], rows, scores, names, [str(i) for i in range(recordings)], kind)


def told(lines, sample=None, **options) -> str:
    sample = a_sample(lines) if sample is None else sample
    return verdict(decide(lines, sample, **options), lines)


def test_the_highest_and_the_cheapest_within_the_margin_are_named():
    lines = lines_of([0.500, 0.495, 0.492, 0.480], multiply_adds=[8e8, 4e8, 1e8, 1e7], loss=[0.01, 0.02, 0.025, 0.05])
    decision = decide(lines, a_sample(lines))
    assert decision.highest.representation == "row-0" and decision.good_enough.representation == "row-2"
    assert decision.less == pytest.approx(0.008) and decision.at_most == 0.025 and not decision.alike
    assert decide(lines, a_sample(lines), 0.005).good_enough.representation == "row-1"
    assert decide(lines, a_sample(lines), 0.02).good_enough.representation == "row-3"
    assert decide(lines, a_sample(lines), 0.0).good_enough is None
    text = told(lines)
    assert text.startswith(
        "Highest: row-0, accuracy 0.500 (95 % 0.450\N{EN DASH}0.550), one of 4 rows of 4 that may be the best. Good "
        "enough: row-2 needs 1/8 of the operations and scores 0.008 less here; at most 0.025 less than the best row, "
        "at 95 % confidence. Over 8 test recordings and 3 seeds."
    )


def test_the_cheaper_of_two_equals_is_the_highest_and_parameters_break_ties():
    lines = lines_of([0.5, 0.5, 0.4], multiply_adds=[2.0, 1.0, 1.0])
    assert decide(lines, a_sample(lines)).highest.representation == "row-1"
    lines = lines_of([0.5, 0.495, 0.494], multiply_adds=[1.0, 1.0, 1.0], parameters=[300, 100, 200])
    assert decide(lines, a_sample(lines)).good_enough.representation == "row-1"
    assert "row-1 needs 1/3 of the parameters" in told(lines)


def test_no_cheaper_row_is_good_enough():
    lines = lines_of([0.5, 0.499, 0.3], multiply_adds=[1.0, 2.0, 0.5])
    assert "No cheaper row is within 0.01 of it." in told(lines)


@pytest.mark.parametrize(
    ("loss", "seeds", "kind", "said"),
    [
        (0.009, 3, RECORDINGS, True),
        (0.009, 2, GROUPS, True),
        (0.011, 3, RECORDINGS, False),
        (0.009, 1, RECORDINGS, False),  # two trained models, not two representations
        (0.009, 3, BLOCKS, False),  # these recordings only
        (np.nan, 3, RECORDINGS, False),
    ],
)
def test_as_good_is_said_only_where_the_bound_allows_it(loss, seeds, kind, said):
    lines = lines_of([0.5, 0.495], loss=loss, seeds=seeds)
    text = told(lines, a_sample(lines, kind=kind, recordings=1 if kind == BLOCKS else 8))
    assert ("as good for practical purposes" in text) == said


def test_what_limits_the_claim_is_said():
    lines = lines_of([0.5, 0.495], seeds=1, source="demo")
    assert "one seed (synthetic demo data, not recorded music, these trained models only)" in told(lines)
    lines = lines_of([0.5, 0.495], seeds=1, best_of_table=pd.NA)
    few = a_sample(lines, kind=GROUPS, units=4, recordings=6)
    text = told(lines.assign(loss=np.nan), few)
    assert "how much less it may score elsewhere cannot be said" in text
    assert "Over 4 groups in 6 test recordings and one seed (these trained models only)" in text
    assert "4 groups of test recordings are too few to compare rows" in text
    assert "4 groups of recordings cannot say how many would decide between row-0 and row-1" in text
    precision = Sample(METRICS["average_precision"], few.rows, np.empty((2, 1, 0)), [], ["0"], BLOCKS)
    assert "average precision has no blocks of time, so it takes six test recordings or more" in told(lines, precision)


def test_nothing_is_chosen_where_nothing_is_known():
    assert told(lines_of([0.5, 0.4], status="missing")).startswith("Nothing can be chosen yet: no run is done.")
    assert "Nothing can be chosen: accuracy is undefined" in told(lines_of([np.nan, np.nan]))
    assert told(lines_of([0.5])).startswith("There is nothing to choose between yet: the one row that is done is row-0")
    lines = lines_of([0.5, 0.4, np.nan], status=["done", "done", "missing"])
    assert told(lines).endswith("1 of 3 rows are still to come.")


def test_the_same_scores_give_the_same_sentence_whatever_the_speeds():
    generator = np.random.default_rng(0)
    lines = lines_of(0.5 - 0.004 * generator.random(30), multiply_adds=generator.random(30))
    said = {told(lines.assign(windows_per_second=generator.permutation(30))) for _ in range(20)}
    assert len(said) == 1


def test_the_verdict_is_a_file_for_programs_too():
    lines = lines_of([0.5, 0.495, 0.4], loss=[0.01, 0.02, np.nan], best_of_table=[True, True, False])
    sample = a_sample(lines)
    decision = decide(lines, sample)
    found = json.loads(as_json(decision, "words"))
    assert found["choice"] == "row-0" and found["value"] == 0.5 and found["metric"] == "accuracy"
    assert found["good_enough"]["row"] == "row-1" and found["good_enough"]["at_most"] == 0.02
    assert found["bounds"] == {"row-0": 0.01, "row-1": 0.02, "row-2": None}
    assert found["not_told_from_the_best"] == ["row-0", "row-1"] and found["sentence"] == "words"
    empty = lines_of([np.nan])
    assert json.loads(as_json(decide(empty, sample), ""))["choice"] is None


def differing(units: int, seeds: int, *, of_units: float, of_seeds: float, gap: float = 0.01) -> np.ndarray:
    """(2, seeds, units) scores whose difference has exactly these deviations over units and over seeds."""
    generator = np.random.default_rng(1)

    def exact(count: int, deviation: float) -> np.ndarray:
        drawn = generator.standard_normal(count)
        return deviation * (drawn - drawn.mean()) / (drawn.std(ddof=1) if count > 1 else 1)

    first = 0.5 + gap + exact(units, of_units) + exact(seeds, of_seeds)[:, None]
    return np.stack([first, np.full((seeds, units), 0.5) + exact(seeds, of_seeds)[:, None]])


def more(scores, **options) -> str:
    lines = lines_of([0.51, 0.5])
    return more_data(a_sample(lines, scores, **options), 0, 1, ("row-0", "row-1"))


def test_recordings_or_seeds_that_would_decide_are_counted():
    # (2.8 / 0.01)^2 = 78,400 times a variance of 4e-4 / U, or of 2 x 4e-6 / S.
    text = more(differing(10, 1, of_units=0.02, of_seeds=0))
    assert text.startswith(
        "About 32 test recordings would decide between the trained models of row-0 and row-1; one seed"
    )
    text = more(differing(10, 3, of_units=0.02, of_seeds=0.002))
    # 1.2755e-5 allowed, 2.667e-6 of it goes to three seeds: 4e-4 / 1.0088e-5 = 39.65; ten recordings alone are too few.
    assert text == "About 40 test recordings with 3 seeds would decide between row-0 and row-1."
    text = more(differing(40, 2, of_units=0.01, of_seeds=0.008))
    # 1e-4 / 40 = 2.5e-6 for the units: 1.28e-4 / 1.0255e-5 = 12.5 seeds; two seeds alone have 6.4e-5.
    assert text == "About 13 seeds with 40 test recordings would decide between row-0 and row-1."
    text = more(differing(8, 2, of_units=0.02, of_seeds=0.008))
    assert text == "About 63 test recordings with 21 seeds would decide between row-0 and row-1."


def test_a_variance_that_the_results_do_not_hold_is_not_guessed():
    blocks = {"kind": BLOCKS, "recordings": 1}
    assert more(differing(9, 1, of_units=0.02, of_seeds=0), **blocks) == (
        "One recording cannot say how many would decide between row-0 and row-1; nor does one seed say what another "
        "training would change."
    )
    text = more(differing(9, 3, of_units=0.02, of_seeds=0.004), **blocks)
    assert text.startswith(
        "As to training, about 3 seeds would decide between row-0 and row-1; one recording cannot say how many"
    )
    assert more(np.full((2, 1, 8), 0.5)) == ""
