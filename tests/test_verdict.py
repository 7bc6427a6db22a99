"""The sentence on what to choose, from results made up here."""

import dataclasses

import pandas as pd
import pytest
from configs import plan_runs
from test_summary import with_recordings

from sweep.report import read_report
from sweep.results.result import write_result


def told(
    folder, rows: dict[str, float], *, recordings: int = 8, blocks: int = 0, seeds: int = 3, **speeds: float
) -> str:
    """What is said of rows whose accuracies differ so much, each with its windows per second."""
    for name, offset in rows.items():
        for seed in range(seeds):
            made = with_recordings(name, offset, seed, recordings, blocks)
            made = dataclasses.replace(made, windows_per_second=speeds.get(name.replace("-", "_"), 100.0))
            write_result(folder / "d/quick" / f"linear/{name}/seed-{seed}", made)
    return read_report(folder / "d" / "quick").verdict


def test_a_row_that_beats_all_others_is_chosen(tmp_path):
    text = told(tmp_path, {"cqt-12": -0.2, "cqt-24": 0.1, "mel-512-128": -0.1})
    top = pd.DataFrame(read_report(tmp_path / "d/quick").lines).set_index("representation").loc["cqt-24"]
    interval = f"(95 % {top.accuracy_low:.3f}\N{EN DASH}{top.accuracy_high:.3f})"
    assert text == (
        f"Choose cqt-24, accuracy {top.accuracy:.3f} {interval}: it beats each of the other 2 rows at 95 % confidence, "
        "over 8 test recordings and 3 seeds."
    )


def test_among_equals_the_fastest_is_chosen(tmp_path):
    rows = {"cqt-12": -0.2, "cqt-24": 0.0, "mel-512-128": 0.0005}
    text = told(tmp_path, rows, cqt_24=900.0, cqt_12=5000.0)
    assert text.startswith("Choose cqt-24, accuracy 0.")
    assert ": it is the fastest to train (900 windows/s) of the 2 rows of 3 that may be the best, at 95 %" in text
    assert "the highest is mel-512-128, accuracy 0." in text


def test_the_highest_that_is_also_the_fastest(tmp_path):
    text = told(tmp_path, {"cqt-24": 0.0, "mel-512-128": 0.0005}, mel_512_128=900.0)
    assert "it is the highest and the fastest to train (900 windows/s) of all 2 rows that may be the best" in text


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"recordings": 2, "blocks": 9},
            "over 18 blocks of time in 2 test recordings and 3 seeds (these recordings only)",
        ),
        ({"recordings": 1, "blocks": 9, "seeds": 1}, "one seed (this recording only, these trained models only)"),
        ({"seeds": 1}, "over 8 test recordings and one seed (these trained models only)"),
    ],
)
def test_what_the_certainty_rests_on_is_said(tmp_path, keys, words):
    assert words in told(tmp_path, {"cqt-24": 0.0, "cqt-12": -0.2}, **keys)


def test_demo_data_and_rows_still_to_come_are_said(tmp_path):
    for name, offset in (("cqt-12", -0.2), ("cqt-24", 0.0)):
        made = dataclasses.replace(with_recordings(name, offset, 0, 8), source="demo")
        write_result(tmp_path / f"d/quick/linear/{name}/seed-0", made)
    plan_runs(tmp_path / "d/quick", "linear/cqt-36/seed-0")
    text = read_report(tmp_path / "d/quick").verdict
    assert text.endswith(
        "(synthetic demo data, not recorded music, these trained models only), with 1 of 3 rows still to come."
    )


def test_nothing_is_chosen_where_nothing_can_be_told(tmp_path):
    plan_runs(tmp_path / "d/quick", "linear/cqt-36/seed-0")
    assert read_report(tmp_path / "d/quick").verdict == "Nothing can be chosen yet: no run is done."
    assert "There is nothing to choose between yet: the one row that is done is cqt-12, accuracy 0." in told(
        tmp_path, {"cqt-12": 0.0}
    )
    assert "how sure that is cannot be said: these results share no test recordings, or hold no blocks of time" in told(
        tmp_path / "old", {"cqt-12": 0.0, "cqt-24": -0.3}, recordings=2
    )
