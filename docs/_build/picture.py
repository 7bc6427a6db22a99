"""Draws the picture of the README: python docs/_build/picture.py RUNS, a sweep of all rows on the demo set.

The same eight seconds of one recording as four rows see them, under each the notes that its model hears, and the accuracy
of all rows against their number of bins. Written as docs/picture-light.png and docs/picture-dark.png.
"""

import io
import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from PIL import Image

from sweep.report.columns import label_of
from sweep.report.details import Details, read_details
from sweep.report.excerpts import frequency_ticks
from sweep.report.pictures import colour_of, marker_of
from sweep.report.report import read_report
from sweep.results.scoring import PITCHES

DOCS = Path(__file__).resolve().parents[1]
ROWS = ("linear-512", "log-2048", "mel-2048-128", "cqt-48")
SECONDS = 8.0
# Ink, paper, faint ink, and the colours of a roll's cells: neither, only in the reference, only heard, both.
THEMES = {
    "light": ("#222222", "#ffffff", "#dddddd", ["#ffffff", "#56B4E9", "#D55E00", "#222222"]),
    "dark": ("#dddddd", "#0d1117", "#333a44", ["#0d1117", "#56B4E9", "#D55E00", "#e6e6e6"]),
}


def draw(folder: Path, theme: str) -> Figure:
    """The picture of a <runs>/<data>/<protocol> folder in one of THEMES."""
    ink, paper, faint, cells = THEMES[theme]
    report = read_report(folder)
    runs = {run.row[1]: run for run in read_details(folder, report.runs, report.sample.metric.name)[0] if not run.row[2]}
    style = {"text.color": ink, "axes.labelcolor": ink, "xtick.color": ink, "ytick.color": ink, "axes.edgecolor": ink}
    style |= {"figure.facecolor": paper, "axes.facecolor": paper, "font.size": 8, "axes.titlesize": 9}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(10, 5.4), layout="constrained", dpi=160)
        FigureCanvasAgg(figure)
        grid = figure.add_gridspec(4, 3, height_ratios=[1.5, 0.75, 1.5, 0.75], width_ratios=[1, 1, 1.15])
        for place, name in enumerate(ROWS):
            above = figure.add_subplot(grid[2 * (place // 2), place % 2])
            below = figure.add_subplot(grid[2 * (place // 2) + 1, place % 2], sharex=above)
            accuracy = report.summary.accuracy[report.summary.representation == name].iloc[0]
            draw_row(above, below, runs[name], ListedColormap(cells), last=place > 1)
            above.set_title(f"{name}: accuracy {accuracy:.2f}", loc="left", color=ink)
        draw_accuracy(figure.add_subplot(grid[:, 2]), report.summary.assign(name=label_of(report.summary)), faint)
        words = "notes: dark, heard and there; blue, missed; orange, heard and not there"
        figure.supxlabel(words.replace("dark", "light") if theme == "dark" else words, fontsize=8, color=ink)
    return figure


def draw_row(above: Axes, below: Axes, run: Details, colours: ListedColormap, last: bool) -> None:
    """A row's log spectrogram, and under it the piano roll of reference and estimate."""
    found = run.evidence
    inside = found["times"] - found["times"][0] <= SECONDS
    extent = (0.0, SECONDS, -0.5, len(found["spectrogram"]) - 0.5)
    low, high = np.percentile(found["spectrogram"][:, inside], (5, 100))
    options = {"aspect": "auto", "origin": "lower", "interpolation": "none"}
    above.imshow(found["spectrogram"][:, inside], cmap="magma", vmin=low, vmax=high, extent=extent, **options)
    frequency_ticks(above, found["frequencies"])
    sounding = np.flatnonzero(found["roll"].any(1))
    extent = (0.0, SECONDS, PITCHES[0] - 0.5, PITCHES[-1] + 0.5)
    below.imshow(found["roll"][:, inside], cmap=colours, vmin=0, vmax=3, extent=extent, **options)
    below.set_ylim(PITCHES[sounding[0]] - 2.5, PITCHES[sounding[-1]] + 2.5)
    below.set_yticks([note for note in (36, 48, 60, 72, 84) if PITCHES[sounding[0]] <= note <= PITCHES[sounding[-1]]])
    below.set_yticklabels([f"C{int(note) // 12 - 1}" for note in below.get_yticks()])
    above.tick_params(labelbottom=False)
    below.tick_params(labelbottom=last)
    if last:
        below.set_xlabel("seconds")


def draw_accuracy(axes: Axes, lines, faint: str) -> None:
    """Accuracy against the number of bins with its 95 % interval, in the colours of the families."""
    for family, part in lines.groupby("family", sort=False):
        bins = part.bins.astype(float)
        axes.vlines(bins, part.low, part.high, color=colour_of(family), linewidth=1, alpha=0.6)
        axes.plot(bins, part.accuracy, marker_of(family), color=colour_of(family), markersize=4, label=family)
    axes.set(xscale="log", xlabel="bins", title="accuracy of all 34, and its 95 % interval")
    axes.title.set_ha("left")
    axes.title.set_x(0)
    axes.set_xticks([128, 256, 512, 1024, 2048], ["128", "256", "512", "1024", "2048"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(color=faint, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", ncols=2, handletextpad=0.2)


if __name__ == "__main__":
    (sweep,) = map(Path, sys.argv[1:])
    for theme in THEMES:
        drawn = io.BytesIO()
        draw(sweep, theme).savefig(drawn)
        # A palette: a third of the bytes.
        Image.open(drawn).convert("RGB").quantize(256).save(DOCS / f"picture-{theme}.png", optimize=True)
