"""Draws the front-ends' answers to the four signals side by side, in grey, and how far they are from the definition.

Each picture is as wide as a column of a two-column paper, 3.5 inches.
"""

from pathlib import Path

import matplotlib
import numpy as np
import torch
from PIL import Image

from experiments.correctness.front_ends import TRANSFORMS, front_ends, missing
from experiments.correctness.reference import expected
from experiments.correctness.signals import SIGNALS

matplotlib.use("Agg")
import matplotlib.pyplot as plt

HERE = Path(__file__).parent
WIDTH, DPI = 3.5, 300  # inches, dots per inch
PIXELS = 160  # rows of a panel that the print resolves: of the bins that share one, the loudest is drawn
# Rows of each picture: a transform, and whose ("definition", or a label of front_ends).
FOURIER = (
    ("stft", "ours exact"),
    ("stft", "librosa"),
    ("log-stft", "ours exact"),
    ("log-stft", "nnAudio STFT"),
    ("mel", "ours exact"),
    ("mel", "librosa"),
)
CONSTANT_Q = (
    ("cqt", "definition"),
    ("cqt", "ours exact"),
    ("cqt", "ours 2010v2 exact"),
    ("cqt", "nnAudio CQT1992v2"),
    ("cqt", "nnAudio CQT2010v2"),
    ("cqt", "librosa"),
    ("cqt", "diffsptk"),
)
TITLES = ("linear\nsweep", "logarithmic\nsweep", "impulse", "chromatic\nscale")
NAMES = {"stft": "STFT", "log-stft": "log STFT", "mel": "Mel", "cqt": ""}
TICKS = {"stft": (5000, 10_000, 20_000), "log-stft": (100, 1000, 10_000), "mel": (500, 2000, 10_000)}
CQT_TICKS = (100, 1000, 10_000)


def answers(transform: str, label: str) -> list[np.ndarray] | None:
    """(bins, frames) magnitudes for each signal, or None where the library is missing; Mel as roots of its powers."""
    r = TRANSFORMS[transform]
    root = 0.5 if r.family == "mel" else 1.0
    clips = [make()[None] for make in SIGNALS.values()]
    if label == "definition":
        return [np.abs(expected(r, x))[0] ** root for x in clips]
    front_end = next(it for it in front_ends() if it.label == label and it.family in (None, r.family))
    if missing(front_end):
        return None
    function = front_end.build(r)
    with torch.inference_mode():
        return [np.abs(np.asarray(function(torch.from_numpy(x))))[0] ** root for x in clips]


def conventional(transform: str, label: str) -> list[np.ndarray]:
    """What the definition gives under a front-end's own convention."""
    r = TRANSFORMS[transform]
    convention = next(it for it in front_ends() if it.label == label and it.family in (None, r.family)).convention(r)
    return [np.abs(expected(r, make()[None], convention))[0] for make in SIGNALS.values()]


def in_decibels(values: np.ndarray, loudest: float, floor: float) -> np.ndarray:
    """dB below the loudest; of as many neighbouring bins as share a row of the print, the loudest."""
    pooled = np.maximum.reduceat(values, np.arange(0, len(values), max(1, len(values) // PIXELS)))
    return 20 * np.log10(np.maximum(pooled / loudest, 10 ** (floor / 20)))


def draw(rows: list[tuple[str, str, list[np.ndarray], list[float]]], floor: float, label: str, path: Path) -> None:
    """A row of four panels for each front-end.

    Args:
        rows: transform, name, values and the loudest of each signal.
        floor: dB that is white.
        label: of the scale.
        path: of the picture.
    """
    figure, panels = plt.subplots(
        len(rows), 4, figsize=(WIDTH, 0.62 * len(rows) + 0.75), layout="constrained", squeeze=False
    )
    figure.get_layout_engine().set(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    for place, (line, (transform, name, values, loudest)) in enumerate(zip(panels, rows, strict=True)):
        frequencies = TRANSFORMS[transform].frequencies
        for axes, value, most in zip(line, values, loudest, strict=True):
            seconds = (value.shape[1] - 1) * 512 / 44_100
            image = axes.imshow(
                in_decibels(value, most, floor), origin="lower", aspect="auto", cmap="gray_r", vmin=floor, vmax=0,
                extent=(0, seconds, 0, len(frequencies)), interpolation="nearest",
            )  # fmt: skip
            axes.set_xticks([0, 1] if seconds < 2 else [0, 2, 4])
            axes.tick_params(labelbottom=place == len(rows) - 1)
            ticks = np.interp(TICKS.get(transform, CQT_TICKS), frequencies, np.arange(len(frequencies)))
            names = [f"{f / 1000:g}k" if f >= 1000 else f"{f}" for f in TICKS.get(transform, CQT_TICKS)]
            axes.set_yticks(ticks, names if axes is line[0] else [])
            axes.tick_params(labelsize=5.5, length=1.5, pad=1, width=0.4)
            for spine in axes.spines.values():
                spine.set_linewidth(0.4)
        line[0].set_ylabel(name, fontsize=6, labelpad=2)
    for axes, title in zip(panels[0], TITLES, strict=True):
        axes.set_title(title, fontsize=6.5, pad=2)
    figure.supxlabel("across: time in s; up: frequency in Hz", fontsize=6)
    bar = figure.colorbar(image, ax=panels, location="bottom", aspect=45, pad=0.01, fraction=0.03)
    bar.set_label(label, fontsize=6, labelpad=1)
    bar.ax.tick_params(labelsize=5.5, length=1.5, pad=1)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
    Image.open(path).convert("L").save(path, optimize=True)  # a third of the bytes


def main() -> None:
    """Write the three pictures beside this file."""
    spectrograms, differences = {"fourier": [], "cqt": []}, []
    for key, rows in (("fourier", FOURIER), ("cqt", CONSTANT_Q)):
        for transform, label in rows:
            values = answers(transform, label)
            if values is None:
                continue
            short = label.removesuffix(" exact") if label != "ours exact" else "ours"
            name = f"{NAMES[transform]}\n{short}".strip().replace("nnAudio ", "nnAudio\n").replace("ours 2", "ours\n2")
            loudest = [value.max() for value in values]
            spectrograms[key].append((transform, name, values, loudest))
            if key == "cqt" and label != "definition":
                wanted = conventional(transform, label)
                apart = [np.abs(v - w[:, : v.shape[1]]) for v, w in zip(values, wanted, strict=True)]
                differences.append((transform, name, apart, [w.max() for w in wanted]))
    draw(spectrograms["fourier"], -80, "dB below the loudest", HERE / "figure-fourier.png")
    draw(spectrograms["cqt"], -80, "dB below the loudest", HERE / "figure-cqt.png")
    draw(differences, -120, "difference from the definition, dB below its loudest", HERE / "figure-difference.png")


if __name__ == "__main__":
    main()
