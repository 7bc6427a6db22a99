"""The correctness experiment from one command, and its own references against facts from elsewhere."""

import csv
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

from experiments.correctness import measure, signals, tables
from experiments.correctness.aliasing import measure_aliasing
from experiments.correctness.front_ends import TRANSFORMS, build_nnaudio, build_ours, constant_q
from experiments.correctness.reference import htk_bank, librosa_lengths, librosa_taps

CQT = TRANSFORMS["cqt-220"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """What the command prints at a small size, and the rows that it writes."""
    path = tmp_path_factory.mktemp("correctness") / "results.csv"
    size = ["--transforms", "mel,cqt-220", "--signals", "impulse,logarithmic sweep", "--no-aliasing", "--out", path]
    command = [sys.executable, "-m", "experiments.correctness.measure", *size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with open(path, newline="") as file:
        return done.stdout, list(csv.DictReader(file))


def errors(rows: list[dict], transform: str, label: str) -> list[float]:
    return [float(row["error"]) for row in rows if row["transform"] == transform and tables.label(row) == label]


@pytest.mark.long  # the command; so of all that ask what it measured
def test_every_front_end_has_errors_or_a_reason(measured):
    printed, rows = measured
    assert tuple(rows[0]) == tables.COLUMNS
    for row in rows:
        assert bool(row["error"]) != bool(row["reason"]), row
    assert "| **cqt-220** | impulse | logarithmic sweep | worst bin |" in printed


@pytest.mark.long
def test_ours_is_within_what_it_allows_itself(measured):
    _, rows = measured
    assert max(errors(rows, "cqt-220", "ours exact")) < 1e-5
    assert max(errors(rows, "mel", "ours exact")) < 1e-6
    assert len(errors(rows, "cqt-220", "ours 2010v2 exact")) == 2


@pytest.mark.long
@pytest.mark.parametrize("peer, module", [("nnAudio CQT2010v2", "nnAudio"), ("librosa", "librosa")])
def test_ours_is_fifty_times_closer_than_what_halves_the_rate(measured, peer, module):
    pytest.importorskip(module)
    _, rows = measured
    for ours, theirs in zip(errors(rows, "cqt-220", "ours exact"), errors(rows, "cqt-220", peer), strict=True):
        assert theirs > 50 * ours


def test_an_unknown_name_ends_with_one_line(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["measure", "--signals", "noise"])
    with pytest.raises(SystemExit, match="experiments.correctness: --signals noise: choose among linear sweep"):
        measure.main()


def test_the_signals():
    for make in signals.SIGNALS.values():
        assert make().dtype == np.float32
    for sweep, middle in ((signals.linear_sweep, (55 + 22050) / 2), (signals.logarithmic_sweep, (55 * 22050) ** 0.5)):
        crossings = np.flatnonzero(np.diff(np.signbit(sweep()[21050:23050])))
        assert (len(crossings) - 1) / (crossings[-1] - crossings[0]) * 22050 == pytest.approx(middle, rel=0.01)


def test_librosas_convention_is_that_of_its_filters():
    filters = pytest.importorskip("librosa").filters
    frequencies, rate = 220 * 2 ** (np.arange(30) / 24), 44100
    wanted, lengths = filters.wavelet(freqs=frequencies, sr=rate, norm=1, pad_fft=True, dtype=np.complex128)
    np.testing.assert_allclose(librosa_lengths(frequencies, 24, rate), lengths)
    half = wanted.shape[1] // 2
    taps = librosa_taps(frequencies, lengths, rate, np.arange(-half, half))
    # librosa's wavelets turn the other way: they are meant to be convolved
    np.testing.assert_allclose(taps.conj(), np.sqrt(lengths)[:, None] * wanted, atol=1e-12)


def test_the_htk_bank_at_its_peaks():
    bank = htk_bank(16000, 1 << 16, 20, 0.0, 8000.0)
    peaks = bank.argmax(axis=1) * 16000 / (1 << 16)
    assert peaks[0] == pytest.approx(700 * (10 ** (2595 * np.log10(1 + 8000 / 700) / 21 / 2595) - 1), abs=0.3)
    inner = slice(bank[0].argmax(), bank[-1].argmax())
    np.testing.assert_allclose(bank.sum(axis=0)[inner], 1.0, atol=1e-9)  # neighbours' slopes add up to 1


def test_compare():
    rng = np.random.default_rng(0)
    wanted = rng.random((CQT.n_bins, 9))
    found = measure.compare(wanted / 2, wanted, CQT)
    assert found["error"] == pytest.approx(0.5) and found["factor"] == pytest.approx(2)
    assert found["error_rescaled"] < 1e-12
    off = wanted.copy()
    off[7] *= 1.5
    assert measure.compare(off[:, :8], wanted, CQT)["worst_bin_hz"] == pytest.approx(CQT.frequencies[7], abs=0.05)
    with pytest.raises(ValueError, match=r"its output is \(159, 7\), the definition's \(159, 9\)"):
        measure.compare(wanted[:, :7], wanted, CQT)


def test_aliasing_is_heard_where_the_rate_is_halved_and_nowhere_else():
    three_octaves = constant_q("three octaves", 1760.0, 87)
    halved = build_ours(three_octaves, "exact", "2010v2")
    loudest = measure_aliasing(halved, three_octaves)
    wanted = max(halved.engine.aliasing(k) for k in range(87))  # from the low-pass, not from a signal
    assert loudest.decibels == pytest.approx(wanted, abs=1.0)
    assert measure_aliasing(build_ours(three_octaves, "exact", "exact"), three_octaves).decibels < -80
    if importlib.util.find_spec("nnAudio"):
        assert measure_aliasing(build_nnaudio(three_octaves, "CQT2010v2"), three_octaves).decibels > -30


def test_the_pictures_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    from experiments.correctness.plot import draw

    values = [np.random.default_rng(0).random((CQT.n_bins, 87)) for _ in range(4)]
    draw([("cqt-220", "some", values, [1.0] * 4)], -80, "dB", tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000
    assert torch.get_default_dtype() == torch.float32
