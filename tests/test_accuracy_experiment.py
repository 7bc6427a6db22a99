"""The experiment on accuracies: its table is what its file holds, and what it collects from results made up here."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from configs import make_result
from conftest import ROOT, ROWS
from definition import below_peak, definition

from experiments.accuracy import collect, measure
from experiments.collecting import BEGIN, END
from sweep.engines import BELOW_PEAK
from sweep.results.result import write_result
from sweep.results.scoring import SCORES

HERE = ROOT / "experiments/accuracy"


def test_the_page_has_the_table_of_the_files_and_the_promises_hold():
    page = (HERE / "README.md").read_text()
    assert measure.report(measure.results()) in page and BEGIN in page and END in page
    table = pd.concat([pd.read_csv(path) for path in measure.results()])
    for mode, promise in BELOW_PEAK.items():
        of_it = table[table.accuracy == mode]
        assert set(of_it.representation) == set(ROWS) and (of_it[[*measure.CLIPS]] > promise).all(axis=None)


def test_a_row_is_measured_against_the_definition(small_set):
    """On music too, which the command reads by itself; powers by their root."""
    x = measure.clips([small_set / "test_data"])
    assert len(x) == 5 + 2 * measure.PLACES
    for name in ("mel-512-128", "cqt-12"):
        expected = np.abs(definition(ROWS[name], x.double().numpy()))
        lines = {line["accuracy"]: line for line in measure.measure(ROWS[name], x)}
        front_end = ROWS[name].transform(accuracy="high")
        values = front_end(x)
        for clip, some in (("impulse", slice(2, 3)), ("two sines", slice(4, 5)), ("music", slice(5, None))):
            wanted = below_peak(values[some], expected[some], front_end.exponent)
            assert float(lines["high"][clip]) == pytest.approx(wanted, abs=0.1)


def test_no_music_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"no WAV or FLAC file of 44.1 kHz; name recordings or folders"):
        measure.clips([tmp_path])


@pytest.fixture
def runs(tmp_path):
    """Two models and two seeds; "high" gains 0.02 and a little more from recording to recording, in linear's cqt-12."""
    for model in ("linear", "conv"):
        for name in ("cqt-12", "mel-512-128"):
            for variant in ("", "accuracy=high", "steps=9"):
                for seed in (0, 1):
                    gains = variant == "accuracy=high" and (model, name) == ("linear", "cqt-12")
                    recordings = {
                        str(k): {**dict.fromkeys(SCORES, 0.3 + 0.02 * k + gains * (0.02 + 0.001 * (k % 2)))}
                        | {"notes": {}, "blocks": []}
                        for k in range(8)
                    }
                    scores = {key: float(np.mean([it[key] for it in recordings.values()])) for key in SCORES}
                    made = {"model": model, "variant": variant, "data": "d", "protocol": "converged", "seed": seed}
                    result = make_result(name, scores=scores, recordings=recordings, **made)
                    place = f"{name}+{variant}" if variant else name
                    write_result(tmp_path / "d/converged" / model / place / f"seed-{seed}", result)
    return tmp_path


def test_gains_are_paired_by_unit(runs, tmp_path, monkeypatch, capsys):
    out, page = tmp_path / "gain.csv", tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}{END}after\n")
    monkeypatch.setattr(sys, "argv", ["collect", str(runs), str(out), "--fill", str(page)])
    collect.main()
    table = pd.read_csv(out).set_index(["model", "metric", "representation"])
    row = table.loc["linear", "accuracy", "cqt-12"]
    differences = 0.02 + 0.001 * (np.arange(8) % 2)
    assert row.gain == pytest.approx(differences.mean(), abs=1e-5) and row.seeds == 2 and row.units == 8
    # Student's t with 7 degrees of freedom: 2.3646; the seeds do not differ.
    half = 2.3646 * differences.std(ddof=1) / 8**0.5
    assert (row.low, row.high_end) == pytest.approx((row.gain - half, row.gain + half), abs=2e-5)
    assert (table.loc["conv"].gain == 0).all()
    assert table.loc["linear", "accuracy", collect.ALL].gain == pytest.approx(row.gain / 2, abs=1e-5)
    text = page.read_text()
    assert "### d, converged, linear" in text and "| cqt-12 | 0.370 | +0.0205" in text
    assert "steps=9" in capsys.readouterr().err


def test_a_sweep_at_one_accuracy_says_what_is_missing(tmp_path):
    write_result(tmp_path / "d/converged/linear/cqt-12/seed-0", make_result("cqt-12", data="d", protocol="converged"))
    with pytest.raises(ValueError, match="choose frontend.accuracy=fast,high"):
        collect.collect([tmp_path])


def test_the_two_sines_are_80_db_apart():
    x = torch.from_numpy(measure.two_sines(44_100))  # whole periods
    spectrum = torch.fft.rfft(x).abs()
    assert float(20 * torch.log10(spectrum[1500] / spectrum[1000])) == pytest.approx(-80, abs=1e-6)
