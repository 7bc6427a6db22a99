"""On the fly against stored: the experiment's command at a small size, and that both sides train the same."""

import csv
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from conftest import ROOT, ROWS, gpu

from experiments.preprocessing import measure, tables, training
from experiments.preprocessing.crnn import CRNN
from experiments.preprocessing.extraction import extract, pieces
from experiments.preprocessing.stores import Nothing, Store, StoredTranscriber
from experiments.rows import protocol as read_protocol
from sweep.data.reading import read_split
from sweep.data.recordings import Recordings
from sweep.data.sources.demo import make_demo
from sweep.data.windows import Windows, draw_windows
from sweep.training.building import features_of
from sweep.training.models.linear import Linear
from sweep.training.steps import Steps

NAMES = ("linear-256", "cqt-12")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preprocessing") / "music"
    make_demo(folder, train=2, test=1, seconds=3)
    return folder


@pytest.fixture(scope="module")
def train(root):
    return Recordings(read_split(root, "train"))


@pytest.fixture(scope="module")
def measured(root):
    """What the command prints, and the folder of its results."""
    size = ["--device", "cpu", "--rows", ",".join(NAMES), "--seconds", "2", "--cache", root.parent / "cache"]
    command = [sys.executable, "-m", "experiments.preprocessing.measure", root, *size, "--out", root.parent]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout, root.parent


@pytest.mark.long  # the command; so of all that ask what it measured
def test_each_row_has_both_models_and_every_library_hours_or_a_reason(measured):
    _, folder = measured
    with open(folder / "results-cpu.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["representation"] for row in rows] == list(NAMES)
    for row in rows:
        for model in ("linear", "crnn"):
            fly, stored, ratio = (float(row[f"{model}_{key}"]) for key in ("fly_ms", "stored_ms", "over_stored"))
            assert fly / stored == pytest.approx(ratio, abs=0.01 + 0.002 * ratio)
            assert float(row[f"{model}_first_s"]) > 0 and float(row[f"{model}_fly_epoch_s"]) > 0
    with open(folder / "extraction-cpu.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3
    for row in rows:
        assert bool(row["hours_of_musicnet"]) != bool(row["reason"]), row
        if row["hours_of_musicnet"]:
            assert float(row["hours_of_musicnet"]) == pytest.approx(34 / 2 * float(row["seconds"]), abs=2e-3)


@pytest.mark.long
def test_the_tables_name_the_reduced_size_and_the_rows_that_are_slower(measured):
    printed, _ = measured
    assert "Reduced: batches of 16 windows instead of 100; 1 segment of 32,768 samples instead of 16" in printed
    assert "measured on 2.0 s of audio and scaled" in printed
    assert printed.count("- Over 1.1 times the stored: ") == 2


def test_what_the_files_hold_of_other_rows_and_parts_is_kept(root, tmp_path, monkeypatch):
    before = {}
    for part in ("results", "extraction"):
        path = tmp_path / f"{part}-cpu.csv"
        before[part] = tables.read(ROOT / "experiments/preprocessing" / path.name)
        path.write_bytes((ROOT / "experiments/preprocessing" / path.name).read_bytes())
    asked = [root, "--device", "cpu", "--rows", "cqt-12", "--parts", "extraction", "--seconds", "1", "--keep"]
    monkeypatch.setattr(sys, "argv", ["measure", *map(str, [*asked, "--cache", tmp_path / "cache", "--out", tmp_path])])
    monkeypatch.setattr(measure, "limit_memory", lambda: None)  # of this very process
    measure.main()
    assert tables.read(tmp_path / "results-cpu.csv") == before["results"]
    extracted = tables.read(tmp_path / "extraction-cpu.csv")
    assert len(extracted) == len(before["extraction"]) == 3 * 34
    for old, new in zip(before["extraction"], extracted, strict=True):
        assert (old == new) == (old["representation"] != "cqt-12")


@pytest.mark.long
def test_the_figure_is_drawn(measured):
    pytest.importorskip("matplotlib")
    from experiments.preprocessing.plot import draw

    assert draw(measured[1], "cpu").stat().st_size > 5000


@pytest.mark.parametrize("arguments, says", [
    (["--rows", "cqt-13"], "--rows cqt-13: choose among linear-256"),
    (["--parts", "rnn"], "--parts rnn: choose among linear, crnn, extraction"),
    (["no-such-folder", "--device", "cpu", "--rows", "cqt-12"], "no-such-folder"),
])  # fmt: skip
def test_bad_options_end_with_one_line(arguments, says, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["measure", *arguments])
    with pytest.raises(SystemExit, match=says):
        measure.main()


@pytest.mark.parametrize(
    "device, on_host", [("cpu", False), *(pytest.param("cuda", on_host, marks=gpu) for on_host in (False, True))]
)
def test_steps_from_a_store_are_the_steps_on_the_fly(root, device, on_host):
    """The same windows: the store holds those of seed 1, step after step."""
    train = Recordings(read_split(root, "train"), device)
    r, batch = ROWS["cqt-12"], 4
    protocol = replace(read_protocol("paper"), batch_size=batch, learning_rate=1e-3)
    live = training.build(r, protocol).to(device)
    store = Store(live, train, 3 * batch, on_host)
    features, numbers = features_of(r, protocol.window), replace(protocol, window=store.samples.shape[1])
    stored = StoredTranscriber(Nothing(r.n_bins), Linear(features), features, numbers, training.PRECISION).to(device)
    drawn = draw_windows(train, range(3), batch_size=batch, length=protocol.window, seed=1)
    places = torch.arange(3 * batch).view(3, batch)
    losses = [
        Steps(module, module.configure_optimizers(), recordings, capture=False)(windows).wait()
        for module, recordings, windows in (
            (live, train, drawn), (stored, store, Windows(0, torch.zeros_like(places), places)),
        )
    ]  # fmt: skip
    assert losses[0][2] < losses[0][0]  # it learns
    exact = device == "cpu"  # elsewhere sums depend on how many windows go together
    torch.testing.assert_close(losses[1], losses[0], rtol=1e-6 if exact else 1e-3, atol=0)
    if exact:
        torch.testing.assert_close(stored.model.output.weight, live.model.output.weight, rtol=0, atol=1e-7)


def test_the_store_draws_places_that_it_has(train):
    r = ROWS["linear-256"]
    protocol = replace(read_protocol("paper"), batch_size=2)
    store = Store(training.build(r, protocol), train, 4)
    drawn = store.draw(0, 50, 2)
    assert drawn.start.shape == (50, 2) and set(drawn.start.flatten().tolist()) == {0, 1, 2, 3}
    assert torch.equal(store.draw(0, 50, 2).start, drawn.start)


def test_the_larger_model_hears_a_frame_through_its_neighbours():
    model, x = CRNN(30).eval(), torch.randn(2, 30, 9)
    y = model(x)
    assert y.shape == (2, 9, 128)
    x[:, :, 8] += 1.0
    assert (model(x)[:, 0] != y[:, 0]).any()  # the LSTM reads backwards too
    assert model.dense.in_features == 96 * 7


def test_what_is_extracted_is_the_spectrogram(train, tmp_path):
    r, clips = ROWS["linear-256"], pieces(train, 1.0)
    assert clips.shape == (1, 44100)
    missing = {"ours": None, "nnAudio": "does not import: not today", "librosa": None}
    ours, nnaudio, librosa = extract(r, clips, missing, tmp_path)
    assert ours["gigabytes_of_musicnet"] == pytest.approx(34 * 3600 * 4 * 129 * 87 / 1e9, abs=0.01)
    assert ours["hours_of_musicnet"] >= 34 * ours["writing"] > 0
    assert nnaudio["reason"] == "does not import: not today" and "hours_of_musicnet" not in nnaudio
    assert "has no STFT at these frequencies" in librosa["reason"] or "No module" in librosa["reason"]
    assert list(tmp_path.iterdir()) == []  # removed again


def test_costs():
    found = {"fly": training.Cost(2.0, 3.0, 10**6), "stored": training.Cost(1.0, 2.0, 4 * 10**6)}
    row = tables.costs("linear", found, epoch=1000)
    assert row["linear_over_stored"] == 1.5 and row["linear_fly_epoch_s"] == 3.0 and row["linear_stored_mb"] == 4
    assert tables.slower({"linear_over_stored": "1.11"}, "linear")
    assert not tables.slower({"linear_over_stored": "1.1"}, "linear")
