"""Draws the curves, the kernels and the Mel bank before and after training, in grey, as wide as a paper's column."""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from PIL import Image

from experiments.trainable_kernels.cells import FRONT_ENDS, HEADS, PARTS, PUBLISHED, Cell, FrontEnd
from experiments.trainable_kernels.records import Records
from experiments.trainable_kernels.spectra import SHOWN, initial_taps, spectrum
from sweep.data.recording import SAMPLE_RATE

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import MaxNLocator, NullFormatter

WIDTH, DPI = 3.5, 300  # inches, dots per inch
# Lines of a picture of curves: name, protocol (that of the picture if None), trainable, shade, dashes.
LINES = (
    ("fixed", None, 0, "0.6", "-"),
    ("trainable", None, 1, "k", "-"),
    ("trainable, own rate", "separate", 1, "k", (0, (1, 1))),
)
INITIAL, TRAINED = {"color": "0.65", "linewidth": 1.6}, {"color": "k", "linewidth": 0.6}
FLOOR = -60  # dB below the initial kernel's loudest
PERIODS = 8  # of a kernel that are drawn


def draw_curves(curves: pd.DataFrame, protocol: str, path: Path) -> None:
    """A panel a model: test MSE by epoch; of several seeds the geometric mean and, shaded, all of them."""
    figure, panels = plt.subplots(3, 2, figsize=(WIDTH, 4.0), layout="constrained", sharex=True, sharey="row")
    for axes, (front_end, head) in zip(panels.flat, ((f, h) for f in FRONT_ENDS for h in HEADS), strict=True):
        cell = curves[(curves.front_end == front_end) & (curves["head"] == head)]
        for name, other, trainable, shade, dashes in LINES[: 2 if protocol == "published" else 3]:
            of_it = cell[(cell.protocol == (other or protocol)) & (cell.trainable == trainable)]
            runs = of_it.pivot(index="epoch", columns="seed", values="test_mse")
            if runs.empty:
                continue
            middle = np.exp(np.log(runs).mean(axis=1))
            axes.plot(runs.index, middle, color=shade, linestyle=dashes, linewidth=1, label=name)
            axes.fill_between(runs.index, runs.min(axis=1), runs.max(axis=1), color=shade, alpha=0.15, linewidth=0)
            if protocol == "published":
                paper = PUBLISHED[front_end, head][2 if trainable else 3]
                marker = {"color": shade, "markersize": 4, "clip_on": False}
                axes.plot(60, paper, "v" if trainable else "^", **marker)
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.set_title(f"{front_end} {head}", fontsize=7, pad=2)
        axes.grid(axis="y", alpha=0.3, linewidth=0.4)
        _small(axes)
    panels[0, 1].legend(fontsize=6, frameon=False, loc="upper right")
    for axes in panels[:, 0]:
        axes.set_ylabel("test MSE", fontsize=6.5)
    for axes in panels[-1]:
        axes.set_xlabel("epoch", fontsize=6.5)
    _save(figure, path)


def draw_kernels(taps: dict[str, np.ndarray], protocol: str, head: str, path: Path) -> None:
    """A row a kernel: left its middle, real part, right its spectrum; initial broad and grey, trained black."""
    shown = [(front_end, bin) for front_end in FRONT_ENDS for bin in SHOWN[front_end]]
    figure, panels = plt.subplots(len(shown), 2, figsize=(WIDTH, 0.85 * len(shown) + 0.3), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.01, hspace=0.01)
    for (left, right), (front_end, bin) in zip(panels, shown, strict=True):
        frequency, initial = initial_taps(front_end, bin)
        trained = taps.get(f"{protocol}/{front_end}/{head}/{bin}")
        if trained is None:
            continue
        loudest = spectrum(initial)[1].max()
        for it, style in ((initial, INITIAL), (trained, TRAINED)):
            lags = np.arange(it.shape[1]) - it.shape[1] // 2
            near = np.abs(lags) <= PERIODS / 2 * SAMPLE_RATE / frequency
            left.plot(1e3 * lags[near] / SAMPLE_RATE, it[0, near], **style)
            grid, heard = spectrum(it)
            right.plot(grid / 1e3, 20 * np.log10(np.maximum(heard / loudest, 10 ** (FLOOR / 20 - 1))), **style)
        right.set(ylim=(FLOOR, None), xlim=(0, SAMPLE_RATE / 2e3))
        left.set_title(f"{front_end}, {frequency:,.0f} Hz", fontsize=6.5, pad=2)
        for axes in (left, right):
            _small(axes)
        left.set_yticks([])
    panels[0, 1].set_title("spectrum, dB", fontsize=6.5, pad=2)
    panels[-1, 0].set_xlabel("ms", fontsize=6.5)
    panels[-1, 1].set_xlabel("kHz", fontsize=6.5)
    _save(figure, path)


def draw_bank(taps: dict[str, np.ndarray], protocol: str, path: Path) -> None:
    """The Mel bank before training and as each model trained it; each band against its initial peak, below 0 white."""
    trained = {f"trained, {head}": taps.get(f"{protocol}/Mel/{head}/bank") for head in HEADS}
    initial = FrontEnd(Cell("Mel", "FC", True)).transform.bank.detach().numpy()
    banks = {"initial": initial} | {title: bank for title, bank in trained.items() if bank is not None}
    peaks = banks["initial"].max(axis=1, keepdims=True)
    figure, panels = plt.subplots(len(banks), 1, figsize=(WIDTH, 1.15 * len(banks) + 0.2), layout="constrained")
    for axes, (title, bank) in zip(np.atleast_1d(panels), banks.items(), strict=True):
        extent = (0, SAMPLE_RATE / 2e3, 0, len(bank))
        axes.imshow(
            bank / peaks, extent=extent, origin="lower", aspect="auto", cmap="gray_r", vmin=0, vmax=1,
            interpolation="nearest",
        )  # fmt: skip
        axes.set_title(title, fontsize=6.5, pad=2)
        axes.set_ylabel("band", fontsize=6.5)
        _small(axes)
    axes.set_xlabel("kHz", fontsize=6.5)
    _save(figure, path)


def _small(axes) -> None:
    axes.tick_params(labelsize=5.5, length=1.5, pad=1, width=0.4)
    axes.tick_params(which="minor", length=1, width=0.3)
    for spine in axes.spines.values():
        spine.set_linewidth(0.4)


def _save(figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
    Image.open(path).convert("L").save(path, optimize=True)  # a third of the bytes


def main() -> None:
    """Draw what the folder holds: the full size, or the reduced where there is no other."""
    parser = argparse.ArgumentParser(prog="python -m experiments.trainable_kernels.plot", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    suffix = "" if (folder / "results.csv").exists() else "-reduced"
    records = Records(folder, suffix)
    curves = pd.DataFrame(records.curves)
    for column in ("trainable", "seed", "epoch"):
        curves[column] = curves[column].astype(int)
    curves["test_mse"] = curves.test_mse.astype(float)
    for protocol in PARTS:
        if (curves.protocol == protocol).any():
            if protocol != "separate":  # its lines stand among the fair ones
                draw_curves(curves, protocol, folder / f"figure-curves-{protocol}{suffix}.png")
            draw_kernels(records.taps, protocol, "FC", folder / f"figure-kernels-{protocol}{suffix}.png")
            draw_bank(records.taps, protocol, folder / f"figure-bank-{protocol}{suffix}.png")


if __name__ == "__main__":
    main()
