"""Fixed and trained front-ends side by side, and what training learned, from real runs."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ROWS
from test_app import SHORT, call

from sweep.data.sources.demo import make_demo
from sweep.report.trained import fixed_variant, pair_up
from sweep.report.units import BLOCKS, Sample
from sweep.results.evidence import SPECTRUM, learned_kernels, read_evidence
from sweep.results.metrics import METRICS

ROWS_RUN = "representation=linear-256,mel-512-128"


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two rows, fixed and trained; where its runs are, and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    make_demo(folder / "tiny", train=3, test=2, seconds=12)
    rates = ["frontend.trainable=false,true", "frontend.learning_rate=1e-3"]
    arguments = [ROWS_RUN, *rates, *SHORT, "data=musicnet", "data.root=tiny", "runs=runs"]
    done = call(*arguments, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = call("report", "runs", cwd=folder)
    assert report.returncode == 0, report.stderr
    (results,) = (folder / "runs" / "tiny").iterdir()
    return results, report.stdout


def result(folder, row: str) -> dict:
    return json.loads((folder / "linear" / row / "seed-0/result.json").read_text())


@pytest.mark.long  # the sweep; so of all that ask what came of it
@pytest.mark.parametrize("name", ["linear-256", "mel-512-128"])
def test_the_difference_is_that_of_the_two_results(name, swept):
    folder, printed = swept
    trained = f"{name}+trainable+frontend_rate=0.001"
    accuracies = [result(folder, row)["scores"]["accuracy"] for row in (name, trained)]
    table = pd.read_csv(folder / "trained.csv").set_index("representation").loc[name]
    np.testing.assert_allclose(table[["fixed", "trained"]].astype(float), accuracies, rtol=1e-6)
    assert table.difference == pytest.approx(accuracies[1] - accuracies[0], abs=1e-9)
    assert f"{trained} " in printed and f"{accuracies[1] - accuracies[0]:+.3f}" in printed
    page = (folder / "report.html").read_text()
    assert "Fixed and trained front-ends" in page and f"{trained}: what its front-end learned" in page
    assert (folder / f"pictures/kernels-{trained}.png").stat().st_size > 10_000


@pytest.mark.long
def test_how_far_kernels_moved_is_what_the_model_holds(swept):
    folder, _ = swept
    row = "linear-256+trainable+frontend_rate=0.001"
    state = torch.load(folder / "linear" / row / "seed-0/model.ckpt", weights_only=True)["state_dict"]
    before = ROWS["linear-256"].transform(trainable=True).engine.taps[0].detach()
    after = state["frontend.transforms.0.engine.taps.0"]
    moved = ((after - before).square().sum((0, 2)) / before.square().sum((0, 2))).sqrt()
    kept = read_evidence(folder / "linear" / row / "seed-0")
    np.testing.assert_allclose(kept["kernels_moved"], moved, rtol=1e-4)
    assert result(folder, row)["moved"]["kernels"] == pytest.approx(float(np.median(moved)), rel=1e-4)
    bin = kept["kernel_bins"][2]
    np.testing.assert_allclose(kept["kernel_taps"][1, 2, :256], after[0, bin] + 1j * after[1, bin], rtol=1e-6)
    assert result(folder, "linear-256")["moved"] == {}


def test_a_kernels_spectrum_peaks_at_its_frequency_and_shows_what_was_added():
    frequency, added = ROWS["linear-1024"].frequencies[307], 9000.0
    initial, trained = (ROWS["linear-1024"].transform(trainable=True) for _ in range(2))
    n = np.arange(-512, 512)
    with torch.no_grad():
        wave = 0.1 * np.exp(-2j * np.pi * added * n / 44100)
        trained.engine.taps[0][:, 307] += torch.from_numpy(np.stack([wave.real, wave.imag])).float()
    kept = learned_kernels(trained, initial, 44100)
    (place,) = np.flatnonzero(kept["kernel_bins"] == 307)
    before, after = kept["kernel_spectra"][:, place]
    peak, bump = np.searchsorted(SPECTRUM, (frequency, added)) - 1
    assert before.argmax() == peak and before.max() == 0 and before[bump] < -60
    np.testing.assert_allclose(after[bump], 20 * np.log10(0.1 * 1024 / 512), atol=0.1)  # Hann's window sums to 512
    assert np.flatnonzero(kept["kernels_moved"] > 1e-6).tolist() == [307]


def test_a_pair_is_compared_over_the_seeds_that_both_have():
    rows = [("linear", "cqt-12", ""), ("linear", "cqt-12", "trainable")]
    scores = np.stack([np.full((2, 8), 0.4), np.full((2, 8), 0.5)])
    scores[0, 1], scores[1, 1] = 0.6, np.nan  # seed 1 of the trained row is missing
    scores[1, 0] += np.linspace(-0.02, 0.02, 8)
    sample = Sample(METRICS["accuracy"], rows, scores, [f"r/{i}" for i in range(8)], ["r"], BLOCKS)
    lines = pd.DataFrame(rows, columns=["model", "representation", "variant"])
    lines = lines.assign(status="done", value=[0.5, 0.5], windows_per_second=[8.0, 2.0])
    lines = lines.assign(moved_kernels=[np.nan, 0.1], moved_bank=np.nan)
    (pair,) = pair_up(lines, sample).table.itertuples()
    assert pair.difference == pytest.approx(0.1) and pair.slower == 4
    assert pair.low < 0.1 < pair.high and pair.high - pair.low < 0.1


def test_variants_find_their_fixed_side():
    assert fixed_variant("trainable+frontend_rate=1e-05") == ""
    assert fixed_variant("trainable=bank+capacity+threshold=0.5") == "capacity+threshold=0.5"
