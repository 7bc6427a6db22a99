"""Draw an excerpt of each row: the spectrogram, the piano rolls below it, and the weights that the model learned."""

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from sweep.report.details import Details
from sweep.report.pictures import Picture, label, new_figure, stem
from sweep.results.evidence import REFERENCE, row_starts
from sweep.results.scoring import FREQUENCIES, PITCHES

_OCTAVES = (55, 110, 220, 440, 880, 1760, 3520)  # Hz, the notes A1 to A7
# Colours: neither, only in the reference (missed), only in the estimate (false), both (right).
_ROLL = ListedColormap(["white", "#56B4E9", "#D55E00", "#222222"])
LOUDNESS = matplotlib.colormaps["magma"].resampled(64)
_SIGNED = matplotlib.colormaps["RdBu_r"].resampled(64)


def excerpt(name: str, runs: list[Details]) -> Picture:
    """Draw a row's excerpt; its runs differ in their seed.

    The spectrogram is above the reference and each run's estimate; each run's weights are beside them.

    Args:
        name: name of the row.
        runs: runs of the row.
    """
    file, runs = stem(f"run-{name}"), [run for run in runs if "roll" in run.evidence]
    if not runs:
        return Picture(file, name, "Its runs kept no excerpt.", None)
    seen = [run for i, run in enumerate(runs) if i == 0 or not _alike(run, runs[0])]
    weighed = [run for run in runs if "weights" in run.evidence]
    heights = [1.5] * len(seen) + [0.62] * (1 + len(runs))
    figure = new_figure(7.6, sum(heights) + 0.45)
    with matplotlib.rc_context({"axes.grid": False, "font.size": 7, "axes.titlesize": 7}):
        grid = figure.add_gridspec(
            len(heights), 1 + len(weighed), height_ratios=heights, width_ratios=[3] + [1] * len(weighed)
        )
        left = [figure.add_subplot(grid[0, 0])]
        left += [figure.add_subplot(grid[place, 0], sharex=left[0]) for place in range(1, len(heights))]
        rows = iter(left)
        for run in seen:
            _draw_spectrogram(next(rows), run, _seeds(seen, runs, run))
        sounding = np.flatnonzero(np.any([run.evidence["roll"].any(1) for run in runs], axis=0))
        _draw_roll(next(rows), runs[0], (runs[0].evidence["roll"] & REFERENCE) * 3, "reference")
        for run in runs:
            _draw_roll(next(rows), run, run.evidence["roll"], f"estimate, seed {run.seed}")
        for axes in left[len(seen) :] if len(sounding) else []:
            axes.set_ylim(PITCHES[sounding[0]] - 2.5, PITCHES[sounding[-1]] + 2.5)
        left[-1].set_xlabel(f"seconds of recording {label(str(runs[0].evidence['recordings'][0]))}")
        for axes in left[:-1]:
            axes.tick_params(labelbottom=False)
        for place, run in enumerate(weighed, 1):
            _draw_weights(figure.add_subplot(grid[:, place]), run, first=place == 1)
    missing = "" if weighed else " Weights per pitch are shown for linear models only."
    return Picture(file, name, missing.strip(), figure)


def _alike(one: Details, other: Details) -> bool:
    """Whether two runs have the same spectrogram, as runs with a frozen front-end have."""
    pair = one.evidence["spectrogram"], other.evidence["spectrogram"]
    return pair[0].shape == pair[1].shape and np.abs(pair[0].astype(int) - pair[1]).max() <= 1


def _seeds(seen: list[Details], runs: list[Details], run: Details) -> str:
    return "log spectrogram" if len(seen) == 1 else f"log spectrogram, seed {run.seed}"


def _draw_spectrogram(axes: Axes, run: Details, title: str) -> None:
    spectrogram = run.evidence["spectrogram"]
    axes.imshow(
        spectrogram,
        aspect="auto",
        origin="lower",
        cmap=LOUDNESS,
        interpolation="none",
        extent=_extent(run, len(spectrogram)),
    )
    frequency_ticks(axes, run.evidence["frequencies"])
    axes.set_title(f"{title}, {spectrogram.shape[1]} instants", loc="left", pad=2)


def _draw_roll(axes: Axes, run: Details, roll: np.ndarray, title: str) -> None:
    extent = (*_extent(run, 0)[:2], PITCHES[0] - 0.5, PITCHES[-1] + 0.5)
    axes.imshow(roll, aspect="auto", origin="lower", cmap=_ROLL, vmin=0, vmax=3, interpolation="none", extent=extent)
    axes.set_yticks([36, 60, 84], ["C2", "C4", "C6"])
    axes.set_title(title, loc="left", pad=2)


def _draw_weights(axes: Axes, run: Details, first: bool) -> None:
    weights = run.evidence["weights"]
    extent = (PITCHES[0] - 0.5, PITCHES[-1] + 0.5, -0.5, len(weights) - 0.5)
    axes.imshow(
        weights, aspect="auto", origin="lower", cmap=_SIGNED, vmin=-96, vmax=96, interpolation="none", extent=extent
    )
    frequencies = np.maximum(_rising(_row_frequencies(run.evidence["frequencies"])), 1e-3)
    rows = np.interp(np.log(FREQUENCIES), np.log(frequencies), np.arange(len(frequencies)), np.nan, np.nan)
    axes.plot(PITCHES, rows, color="black", linewidth=0.5, linestyle=":")
    frequency_ticks(axes, run.evidence["frequencies"])
    if not first:
        axes.tick_params(labelleft=False)
    axes.set_xticks([36, 60, 84], ["C2", "C4", "C6"])
    axes.set_title(f"weights, seed {run.seed}", loc="left", pad=2)
    axes.set_xlabel("note")


def _extent(run: Details, rows: int) -> tuple[float, float, float, float]:
    times = run.evidence["times"]
    half = (times[-1] - times[0]) / max(len(times) - 1, 1) / 2 or 0.5
    return times[0] - half, times[-1] + half, -0.5, rows - 0.5


def frequency_ticks(axes: Axes, frequencies: np.ndarray) -> None:
    """Label the octaves beside a spectrogram that is drawn in the rows of `row_starts`.

    Args:
        axes: axes of the spectrogram.
        frequencies: (bins,) centre frequencies in Hz.
    """
    rows = _row_frequencies(frequencies)
    frequencies = _rising(rows)
    shown = [hertz for hertz in _OCTAVES if frequencies[0] <= hertz <= frequencies[-1]]
    places = np.interp(shown, frequencies, np.arange(len(frequencies)))
    apart = [i for i in range(len(shown)) if i == len(shown) - 1 or places[i + 1] - places[i] > len(rows) / 20]
    axes.set_yticks(places[apart], [f"{shown[i]} Hz" for i in apart])


def _rising(frequencies: np.ndarray) -> np.ndarray:
    """Return the first frequencies up to where they fall: several spectrograms may lie beside each other."""
    falls = np.flatnonzero(np.diff(frequencies) < 0)
    return frequencies[: falls[0] + 1] if len(falls) else frequencies


def _row_frequencies(frequencies: np.ndarray) -> np.ndarray:
    """Mean frequency of the bins in each row of a picture."""
    starts = row_starts(len(frequencies))
    return np.add.reduceat(frequencies.astype(float), starts) / np.diff(starts, append=len(frequencies))
