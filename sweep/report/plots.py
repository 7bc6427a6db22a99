"""Draw the metric against the number of bins and against cost, and loss curves."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from sweep.report.details import Details, rows_of, words
from sweep.report.pictures import Picture, colour_of, label, marker_of, new_figure
from sweep.results.metrics import METRICS

_ASIDE = 1.02  # horizontal factor between families, so that intervals at the same number of bins do not overlap
_COSTS = {
    "multiply_adds": ("million multiply-adds per second of audio", min, 1e-6),
    "windows_per_second": ("windows per second in training", max, 1),
    "parameters": ("trained parameters", min, 1),
    "peak_memory_bytes": ("peak memory, MiB", min, 2**-20),
}


def score_by_bins(done: pd.DataFrame) -> Picture:
    """Plot the metric against the number of bins; a line joins the rows of a family that differ in nothing else.

    Args:
        done: done lines of the table, with their names.
    """
    figure, labels = new_figure(7.2, 4.2), {}
    axes = figure.subplots()
    # A line joins the rows whose names differ in their last number alone, such as mel-512-128 and mel-512-256.
    inner = done.representation.str.replace(r"-?\d+$", "", regex=True)
    groups = done.groupby(["model", "variant", "family", inner], sort=False)
    families = list(dict.fromkeys(done.family))
    kinds = list(dict.fromkeys(done[["model", "variant"]].itertuples(index=False, name=None)))
    for (model, variant, family, name), part in groups:
        part = part.sort_values("bins")
        first = kinds.index((model, variant)) == 0
        look = {"color": colour_of(family), "linestyle": "-" if first else "--"}
        aside = _ASIDE ** families.index(family)
        bins, value = part.bins.astype(float) * aside, part.value
        axes.plot(bins, value, linewidth=1, alpha=0.6, **look)
        if name != family:
            axes.annotate(label(name), (bins.iloc[-1], value.iloc[-1]), (5, -3), textcoords="offset points", fontsize=7)
        for row in part.itertuples():
            gid = f"tip-{len(labels)}"
            labels[gid] = _told(row)
            _point(axes, row.bins * aside, row, filled=first).set_gid(gid)
            if pd.notna(row.low):
                axes.vlines(row.bins * aside, row.low, row.high, color=look["color"], linewidth=1)
    axes.set(xscale="log", xlabel="bins", ylabel=words(done))
    ticks = [n for n in (64, 128, 256, 512, 1024, 2048, 4096) if done.bins.min() * 0.8 < n < done.bins.max() * 1.25]
    axes.set_xticks(ticks or [int(done.bins.iloc[0])])
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    _family_legend(figure, done)
    about = (
        "Bars are 95 % intervals of each row's mean; a difference between rows is far more certain than they suggest."
    )
    about = about if done.low.notna().any() else "No intervals: there are too few units."
    return Picture("score-by-bins", "Score against the number of bins", about + _kinds_told(kinds), figure, labels)


def score_by_cost(done: pd.DataFrame) -> Picture:
    """Plot the metric against each cost in the results, with the Pareto front.

    Args:
        done: done lines of the table, with their names.
    """
    title = "Score against cost"
    costs = {name: cost for name, cost in _COSTS.items() if done[name].notna().any()}
    if not costs:
        return Picture("score-by-cost", title, "The results hold no cost.", None)
    figure, labels = new_figure(3.4 * len(costs) + 0.4, 4.0), {}
    panels = np.atleast_1d(figure.subplots(1, len(costs), sharey=True))
    for axes, (name, (heading, better, scale)) in zip(panels, costs.items(), strict=True):
        known = done.dropna(subset=[name])
        cost = known[name].astype(float) * scale
        front = pareto(cost * (1 if better is max else -1), known.value)
        ends = known[front].assign(cost=cost[front]).sort_values("cost")
        stairs = "steps-pre" if better is max else "steps-post"
        axes.plot(ends.cost, ends.value, color="black", linewidth=0.8, drawstyle=stairs, zorder=1)
        for row, value, best in zip(known.itertuples(), cost, front, strict=True):
            gid = f"tip-{len(labels)}"
            labels[gid] = f"{_told(row)}, {heading} {value:,.0f}"
            _point(axes, value, row, filled=best).set_gid(gid)
        axes.set(xscale="log", xlabel=heading)
        axes.margins(x=0.15, y=0.08)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))
        axes.xaxis.set_minor_locator(NullLocator())
        _name_points(axes, ends)
    figure.axes[0].set_ylabel(words(done))
    _family_legend(figure, done)
    about = (
        "Filled and joined: the Pareto front, rows that no other matches in score at less cost. Speed and memory "
        "are those of the sweep's machine, means over seeds; on a CPU memory is the peak of the whole process."
    )
    return Picture("score-by-cost", title, about, figure, labels)


def pareto(first: pd.Series, second: pd.Series) -> np.ndarray:
    """Find the Pareto front: the points that no other equals or exceeds in both figures and exceeds in one.

    Args:
        first, second: (n,) the two figures, higher is better.

    Returns:
        (n,) bool, whether a point is on the front.

    >>> pareto(pd.Series([1, 2, 3]), pd.Series([3, 1, 2])).tolist()
    [True, False, True]
    """
    one, two = first.to_numpy(float), second.to_numpy(float)
    as_good = (one[:, None] >= one) & (two[:, None] >= two)
    better = (one[:, None] > one) | (two[:, None] > two)
    return ~(as_good & better).any(0)


def loss_curves(done: pd.DataFrame, details: list[Details]) -> Picture:
    """Plot the training loss of each row, averaged over its seeds, one panel a family.

    Args:
        done: done lines of the table, with their names.
        details: details of their runs.
    """
    title, curves = "Loss curves", {}
    for run in details:
        if "train/loss" in run.curves:
            curves.setdefault(run.row, []).append(run.curves.set_index("step")["train/loss"].dropna())
    families = [
        family for family, part in done.groupby("family", sort=False) if any(row in curves for row in rows_of(part))
    ]
    if not families:
        return Picture("loss-curves", title, "No run kept its curve.", None)
    figure, labels = new_figure(7.2, 3.0 if len(families) < 3 else 5.2), {}
    grid = figure.subplots(1 + (len(families) > 2), min(2, len(families)), sharex=True, sharey=True, squeeze=False)
    for axes, family in zip(grid.flat, families, strict=False):
        part = done[done.family == family].sort_values("bins", kind="stable")
        shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(part)))
        for row, name, shade in zip(rows_of(part), part.name, shades, strict=True):
            if row in curves:
                mean = pd.concat(curves[row], axis=1).mean(axis=1).sort_index()
                gid = f"tip-{len(labels)}"
                labels[gid] = f"{name}, last loss {mean.iloc[-1]:.3f}"
                axes.plot(mean.index + 1, mean, color=shade, linewidth=1, gid=gid)
        axes.set_title(
            f"{family}: {len(part)} rows, dark to bright as bins grow" if len(part) > 1 else label(part.name.iloc[0])
        )
    for axes in grid[-1]:
        axes.set_xlabel("step")
    for axes in grid[:, 0]:
        axes.set_ylabel("training loss")
    low = min(curve.min() for runs in curves.values() for curve in runs)
    high = np.percentile(np.concatenate([curve for runs in curves.values() for curve in runs]), 99)
    grid[0, 0].set_ylim(0.9 * low, 1.05 * high)
    for axes in list(grid.flat)[len(families) :]:
        axes.remove()
    about = "Means over seeds of the loss of single batches, which is why they are rough."
    return Picture("loss-curves", title, about, figure, labels)


def _point(axes: Axes, x: float, row, *, filled: bool) -> Line2D:
    colour = colour_of(row.family)
    (point,) = axes.plot(
        float(x),
        row.value,
        marker=marker_of(row.family),
        markersize=5,
        color=colour,
        markerfacecolor=colour if filled else "white",
        linestyle="none",
        zorder=3,
    )
    return point


def _name_points(axes: Axes, ends: pd.DataFrame) -> None:
    """Label the points of a front, the most accurate first; skip labels that would overlap another."""
    to_axes = axes.transData + axes.transAxes.inverted()
    named = []
    for row in ends.sort_values("value", ascending=False).itertuples():
        x, y = to_axes.transform((row.cost, row.value))
        if all(abs(x - other) > 0.4 or abs(y - height) > 0.05 for other, height in named):
            named.append((x, y))
            side = {"ha": "left", "xytext": (5, 3)} if x < 0.5 else {"ha": "right", "xytext": (-5, 3)}
            axes.annotate(label(row.name), (row.cost, row.value), textcoords="offset points", fontsize=7, **side)


def _family_legend(figure: Figure, done: pd.DataFrame) -> None:
    looks = {
        family: Line2D([], [], color=colour_of(family), marker=marker_of(family), linestyle="none")
        for family in dict.fromkeys(done.family)
    }
    figure.legend(looks.values(), looks, frameon=False, loc="outside upper center", ncols=len(looks), fontsize=8)


def _told(row) -> str:
    """Format a row's name and score for a tooltip."""
    interval = f" (95 % {row.low:.3f}\N{EN DASH}{row.high:.3f})" if pd.notna(row.low) else ""
    return f"{row.name}: {METRICS[row.metric].words} {row.value:.3f}{interval}, {row.bins} bins"


def _kinds_told(kinds: list[tuple[str, str]]) -> str:
    """Explain which markers are filled and which open, if there are several models or variants."""
    if len(kinds) == 1:
        return ""
    words = [" ".join(filter(None, kind)) for kind in kinds]
    return f" Filled: {words[0]}; open and dashed: {', '.join(words[1:])}."
