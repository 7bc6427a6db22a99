"""Draws results-<device>.csv and extraction-<device>.csv: figure-<device>.png."""

import argparse
from pathlib import Path

import matplotlib
import pandas as pd

from experiments.preprocessing.extraction import LIBRARIES
from experiments.preprocessing.tables import BAR

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MODELS = {"linear": ("linear model", "0.15", ""), "crnn": ("CNN + biLSTM", "0.7", "///")}
MARKERS = {"ours": ("o", "k"), "nnAudio": ("s", "0.45"), "librosa": ("^", "0.45")}


def draw(folder: Path, device: str) -> Path:
    """Above, a step on the fly over a stored one, by row and model; below, hours to extract MusicNet, by library."""
    steps, extracted = (pd.read_csv(folder / f"{name}-{device}.csv") for name in ("results", "extraction"))
    figure, (above, below) = plt.subplots(2, 1, figsize=(7, 6), layout="constrained", sharex=True)
    places = range(len(steps))
    for shift, (model, (label, shade, hatch)) in zip((-0.2, 0.2), MODELS.items(), strict=True):
        ratios = steps[f"{model}_over_stored"]
        style = {"color": shade, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
        above.bar([p + shift for p in places], ratios, 0.4, label=label, **style)
    above.axhline(BAR, color="k", linestyle="--", linewidth=1, label=f"{BAR}")
    above.set(ylabel="step on the fly / stored", yscale="log")
    above.yaxis.set_major_formatter("{x:g}")
    above.yaxis.set_minor_formatter("{x:g}")
    above.tick_params(axis="y", which="minor", labelsize=7)
    above.set_title(steps.machine.iloc[0].partition(";")[0], fontsize=9)
    above.legend(fontsize=8, ncols=3)
    for library in LIBRARIES:
        of_it = extracted[extracted.library == library].set_index("representation").hours_of_musicnet
        marker, shade = MARKERS[library]
        below.plot(places, of_it.reindex(steps.representation), marker, color=shade, label=library, fillstyle="none")
    below.set(ylabel="hours to extract MusicNet", yscale="log")
    below.set_xticks(places, steps.representation, rotation=90, fontsize=8)
    below.legend(fontsize=8, ncols=3, loc="lower right")
    for axes in (above, below):
        axes.grid(axis="y", alpha=0.3)
    path = folder / f"figure-{device}.png"
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path


def main() -> None:
    """Draw each device's results that are there."""
    parser = argparse.ArgumentParser(prog="python -m experiments.preprocessing.plot", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent)
    folder = parser.parse_args().folder
    for path in sorted(folder.glob("results-*.csv")):
        device = path.stem.removeprefix("results-")
        if (folder / f"extraction-{device}.csv").exists():
            draw(folder, device)


if __name__ == "__main__":
    main()
