"""The trainable-kernel experiment at a tiny size: its waves, splits, steps and files against facts from elsewhere."""

import csv
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import gpu
from PIL import Image

from experiments.trainable_kernels import measure, plot, sines, tables
from experiments.trainable_kernels.cells import CELLS, Cell, FrontEnd, bin_taps, build_head
from experiments.trainable_kernels.records import Records
from experiments.trainable_kernels.spectra import initial_taps, loudest_above
from experiments.trainable_kernels.training import Run, curve, search, train
from sweep import filters
from sweep.transforms import CQT

CPU = torch.device("cpu")
TINY = measure.Size("reduced", every=2400, batch=16, epochs=2, rungs=((1, 2), (1, 1)))  # five frequencies


def numpy_waves(k: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The authors' words in float64."""
    t = np.linspace(0, 0.2, 8820)
    return np.sin(2 * np.pi * (k[:, None] * t + np.arange(0, 1, 0.1)[p][:, None]))


def tiny_parts(device: torch.device = CPU, waves: int = 40) -> dict[str, sines.Batches]:
    """Three batches to train on, the last not full, and two to score."""
    k, p = (part[np.random.default_rng(0).permutation(100)] for part in sines.waves(1200))
    parts = {"train": slice(0, waves), "validation": slice(waves, waves + 20)}
    return {name: sines.make_batches(k[some], p[some], 16, device) for name, some in parts.items()}


def stored(batches: sines.Batches) -> tuple[torch.Tensor, torch.Tensor]:
    """The waves of some batches, made by NumPy, and their targets."""
    k, p = (part.flatten()[: batches.waves].numpy() for part in (batches.k, batches.p))
    return torch.from_numpy(numpy_waves(k, p)).float(), torch.from_numpy(k / 22_048).float()[:, None]


def build(cell: Cell, device: torch.device = CPU) -> torch.nn.Module:
    torch.manual_seed(0)
    front_end = FrontEnd(cell)
    return torch.nn.Sequential(front_end, build_head(cell, front_end.transform.n_bins)).to(device)


def test_the_waves_are_the_published_ones():
    k, p = sines.waves()
    assert len(k) == 109_250 and set(np.diff(np.unique(k))) == {2} and (k.min(), k.max()) == (200, 22_048)
    some = np.r_[np.random.default_rng(0).choice(len(k), 60), len(k) - 1]
    made = sines.Sines(CPU)(*(torch.from_numpy(part[some].astype(np.int32)) for part in (k, p)))
    # Half of float32's last digit; with the phase in float32 it would be 1e-3.
    np.testing.assert_allclose(made.double(), numpy_waves(k[some], p[some]), rtol=0, atol=3.1e-8)


def test_the_published_split_is_scikit_learns_and_leaks():
    sklearn = pytest.importorskip("sklearn.model_selection")
    k, _ = sines.waves()
    split = sines.split_waves(k)
    for name, places in zip(
        ("train", "test"), sklearn.train_test_split(np.arange(len(k)), test_size=0.2, random_state=101), strict=True
    ):
        np.testing.assert_array_equal(split[name], places)
    assert np.isin(k[split["test"]], k[split["train"]]).mean() > 0.999


def test_the_fair_split_has_no_frequency_on_two_sides():
    k, p = sines.waves()
    split = sines.split_frequencies(k)
    assert [len(split[name]) for name in ("train", "validation", "test")] == [69_920, 17_480, 21_850]
    assert len(np.unique(np.concatenate(list(split.values())))) == len(k)
    sides = [set(k[places]) for places in split.values()]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 10_925
    assert not (np.diff(k[split["train"]]) > 0).all()  # batches hold all frequencies


@pytest.mark.parametrize("cell", [Cell("STFT", "FC", True), Cell("CQT", "CNN", True)], ids=str)
def test_an_epoch_is_a_plain_loop_over_stored_waves(cell):
    """The last batch is smaller there, and here filled up with waves that weigh nothing."""
    parts = tiny_parts()
    run = Run(build(cell), 1e-4, parts, sines.Sines(CPU))
    train([run], 2)
    model, seen = build(cell), []
    adam = torch.optim.Adam(model.parameters(), lr=1e-4)
    for _ in range(2):
        losses = []
        for x, y in zip(*(part.split(16) for part in stored(parts["train"])), strict=True):
            loss = torch.nn.functional.mse_loss(model(x), y)
            adam.zero_grad()
            loss.backward()
            adam.step()
            losses.append(loss.item() * len(x) / 40)
        seen.append(sum(losses))
    np.testing.assert_allclose([epoch["train"] for epoch in curve(run)], seen, rtol=1e-5)
    for ours, plain in zip(run.model.parameters(), model.parameters(), strict=True):
        # The taps' gradients are sums in another order: where one is near 0 Adam turns that into part of a step.
        np.testing.assert_allclose(ours.detach(), plain.detach(), rtol=0, atol=2e-5)
    x, y = stored(parts["validation"])
    assert curve(run)[-1]["validation"] == pytest.approx(torch.nn.functional.mse_loss(model(x), y).item(), rel=1e-4)


def test_kernels_may_have_a_rate_of_their_own():
    """Adam's first step is as long as the rate, whatever the gradient."""
    run = Run(build(Cell("Mel", "FC", True)), 1e-2, tiny_parts(waves=16), sines.Sines(CPU), kernel_rate=1e-4)
    train([run], 1)
    before = build(Cell("Mel", "FC", True))
    for (name, old), new in zip(before.named_parameters(), run.model.parameters(), strict=True):
        rate = 1e-4 if name.startswith("0.") else 1e-2
        assert (new - old).abs().max().item() == pytest.approx(rate, rel=0.01), name


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell.head == "FC"], ids=str)
def test_fixed_and_trainable_start_from_the_same_features(cell):
    x = torch.from_numpy(numpy_waves(np.array([440, 9000]), np.array([0, 3]))).float()
    features = FrontEnd(cell)(x)
    other = FrontEnd(Cell(cell.front_end, cell.head, not cell.trainable))(x)
    assert features.requires_grad == cell.trainable and features.shape[2] == 18
    assert (features - other).norm() <= 1e-6 * other.norm()
    if cell.front_end == "CQT":  # the scale outside the taps makes the usual transform
        usual = CQT(f_min=200.0, n_bins=82, engine="direct")(x)
        assert (features - usual).norm() <= 1e-6 * usual.norm()


def test_taps_are_read_from_what_they_do():
    front_end = FrontEnd(Cell("CQT", "FC", True))
    kernels = filters.constant_q_kernels("hann", 200 * 2 ** (np.arange(82) / 12), 12, 44_100, "none")
    for bin in (0, 40, 81):
        wanted = kernels.taps(bin, kernels.first_lags[bin] + np.arange(kernels.lengths[bin]))
        real, imag = bin_taps(front_end, bin)
        np.testing.assert_allclose(real + 1j * imag, wanted, atol=1e-6 * np.abs(wanted).max())


def test_harmonics_of_a_kernel_are_found():
    frequency, taps = initial_taps("CQT", 12)
    assert frequency == pytest.approx(400.0)
    assert loudest_above(taps, frequency)[0] == pytest.approx(-31.5, abs=2)  # the first side lobe of a Hann window
    third = taps[0] + 0.1 * taps[0, taps.shape[1] // 2] * np.cos(
        2 * np.pi * 1200 / 44_100 * (np.arange(taps.shape[1]) - taps.shape[1] // 2)
    ) * np.hanning(taps.shape[1])
    level, multiple = loudest_above(np.stack([third, third]), frequency)
    assert (level, multiple) == (pytest.approx(-20, abs=0.2), pytest.approx(3, abs=0.01))
    assert initial_taps("Mel", 24)[0] == pytest.approx(24 * 44_100 / 512)  # whatever the bank is made for


def test_the_search_ends_with_the_rate_that_validates_best():
    parts, made = tiny_parts(), sines.Sines(CPU)
    makers = [partial(Run, build(Cell("STFT", "FC", True)), rate, parts, made) for rate in (1e-9, 1e-3, 1e6)]
    rows = search(makers, ((1, 2), (2, 1)))
    assert [row["chosen"] for row in rows] == [0, 1, 0]
    assert [row["epochs"] for row in rows] in ([3, 3, 1], [1, 3, 3])
    run = Run(build(Cell("STFT", "FC", True)), 1e-3, parts, made)
    train([run], 3)
    assert rows[1]["validation_mse"] == pytest.approx(np.mean([epoch["validation"] for epoch in curve(run)]))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The command's folder at a tiny size, and what it prints."""
    folder = tmp_path_factory.mktemp("trainable_kernels")
    return folder, run_command(folder)


def run_command(folder, *options) -> str:
    """The command's standard output, in this process at the tiny size."""
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr(measure, "SIZES", {"reduced": TINY})
        patch.setattr(measure, "SEEDS", (0, 1))
        patch.setattr(measure, "RATES", (1e-5, 1e-3))
        patch.setattr(measure, "KERNEL_RATES", (1e-7, 1e-5))
        patch.setattr(sys, "argv", ["measure", "--device", "cpu", "--out", str(folder), *options])
        patch.setattr("builtins.print", lambda *words, file=None, **_: printed.append((file, *words)))
        measure.main()
    return "\n".join(str(words[0]) for file, *words in printed if file is None)


def read(folder, name: str) -> list[dict]:
    with open(folder / f"{name}-reduced.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_every_cell_has_its_runs_and_the_tables_their_ratios(measured):
    folder, printed = measured
    rows = read(folder, "results")
    assert len(rows) == 12 + 12 * 2 + 6 * 2 and len(read(folder, "curves")) == 2 * len(rows)
    assert sum(row["chosen"] == "1" for row in read(folder, "rates")) == 12 + 6
    assert all(0 < float(row["test_mse"]) < 1 for row in rows)
    for row in rows:
        assert (float(row["kernels_moved"] or 0) > 0) == (row["trainable"] == "1")
    wide = [row for row in rows if row["wide"] == "1"]
    assert [(row["protocol"], row["front_end"], row["head"], row["trainable"]) for row in wide] == [
        ("published", "Mel", "CNN", "0")
    ]
    assert "Reduced: 5 frequencies, batches of 16, 2 epochs." in printed
    assert printed.count("| CQT CNN |") == 3 and "Trainable is better than fixed in" in printed
    of_it = {row["trainable"]: float(row["test_mse"]) for row in rows[:3:2]}
    assert f"| {of_it['0'] / of_it['1']:.2g} | 4.9 |" in printed.split("STFT FC")[1]


def test_a_run_that_was_cut_off_goes_on_to_the_same_numbers(measured, tmp_path):
    folder, _ = measured
    for path in folder.glob("*-reduced.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = Records(folder, "-reduced").results
    lost = [row for row in before if row["front_end"] == "STFT" and row["seed"] == "1" or row["protocol"] == "separate"]
    records = Records(tmp_path, "-reduced")
    records.results = [row for row in before if row not in lost]
    records.add([], [], {})
    run_command(tmp_path)
    after = Records(tmp_path, "-reduced").results
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in after]
    assert len(after) == len(before) and len(read(tmp_path, "curves")) == len(read(folder, "curves"))
    assert all({k: v for k, v in row.items() if k != "seconds"} in timeless for row in before)
    kept = [row for row in before if row not in lost]
    assert after[: len(kept)] == kept  # not measured again


def test_results_of_another_size_are_not_mixed_in(measured, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["measure", "--device", "cpu", "--out", str(measured[0])])
    monkeypatch.setattr(measure, "SIZES", {"reduced": replace(TINY, epochs=3)})
    with pytest.raises(SystemExit, match="holds results of another size .* 5 frequencies.*: choose another folder"):
        measure.main()


def test_the_pictures_are_as_wide_as_a_column(measured, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["plot", str(measured[0])])
    monkeypatch.setattr(plot, "PARTS", ("fair",))  # one of three that are drawn alike
    plot.main()
    pictures = sorted(measured[0].glob("figure-*.png"))
    assert [path.name for path in pictures] == [f"figure-{it}-fair-reduced.png" for it in ("bank", "curves", "kernels")]
    for path in pictures:
        picture = Image.open(path)
        assert picture.mode == "L" and picture.width == 1050 and path.stat().st_size > 10_000


def test_tables_without_results():
    assert tables.report(Records(measure.HERE / "nowhere", "")) == "No results."


@pytest.mark.parametrize("cell", [Cell(f, h, True) for f in ("STFT", "Mel", "CQT") for h in ("FC", "CNN")], ids=str)
@pytest.mark.parametrize("device", [pytest.param("cuda", marks=gpu)])
def test_captured_steps_are_the_eager_ones(cell, device):
    device = torch.device(device)
    parts, made = tiny_parts(device), sines.Sines(device)
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        make = partial(Run, rate=1e-5, parts=parts, sines=made, kernel_rate=1e-6)
        eager, captured, beside = (make(build(cell, device), capture=capture) for capture in (False, True, True))
        train([eager], 3)
        train([captured, beside], 3)
    for run in (captured, beside):
        for ours, theirs in zip(curve(run), curve(eager), strict=True):
            assert ours == pytest.approx(theirs, rel=1e-4)
    assert curve(captured)[-1]["train"] != curve(captured)[0]["train"]
