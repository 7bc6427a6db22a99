"""Draws results.csv beside it: figure-ranks.png, figure-taus.png, figure-shares.png and figure-knobs-<model>.png.

python -m experiments.ranking.plot [results.csv]
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd

from experiments.ranking.losses import BASE, PUBLISHED, Knob, knobs
from experiments.ranking.orders import Key, Order, alike, orders
from experiments.ranking.samples import RESULTS, read, samples
from experiments.ranking.tables import explained
from experiments.ranking.words import EXPLAINED, METRICS

matplotlib.use("Agg")
import matplotlib.pyplot as plt

DPI = 110
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")  # Okabe and Ito's, safe for the colour-blind
MARKERS = ("o", "s", "D")


def title(key: Key) -> str:
    """Name an order on three lines: set, metric, model."""
    model, metric, name = key
    return f"{name}\n{METRICS[metric]}\n{model}"


def draw_ranks(found: dict[Key, Order], path: Path) -> None:
    """A column for each order of all rows, a line for each row; PUBLISHED and the highest rows in colour."""
    most = max(len(order.rows) for order in found.values())
    keys = [key for key, order in found.items() if len(order.rows) == most and key[1] in EXPLAINED]
    means = pd.DataFrame({key: pd.Series(found[key].scores.mean(1), found[key].rows) for key in keys})
    places = means.rank(ascending=False, method="first")
    shown = list(dict.fromkeys([*PUBLISHED.values(), *(means[key].idxmax() for key in keys)]))
    figure, axes = plt.subplots(figsize=(1.3 * len(keys) + 3, 8), layout="constrained")
    for row, line in places.iterrows():
        colour = COLOURS[shown.index(row) % len(COLOURS)] if row in shown else "0.8"
        style = "--" if row in shown[len(COLOURS) :] else "-"
        axes.plot(range(len(keys)), line, style, color=colour, linewidth=2 if row in shown else 0.7, marker=".")
    for side, at in (("right", 0), ("left", len(keys) - 1)):
        for row, place in places[keys[at]].items():
            bold = "bold" if row in shown else "normal"
            aside = -6 if side == "right" else 6
            words = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": 6, "fontweight": bold}
            axes.annotate(row, (at, place), (aside, 0), **words)
    axes.set_xticks(range(len(keys)), [title(key) for key in keys], fontsize=8)
    axes.set(ylabel="place", ylim=(most + 1, 0), xlim=(-1.2, len(keys) + 0.2))
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def draw_taus(found: dict[Key, Order], path: Path) -> None:
    """Kendall's tau of each two orders, over the rows that both have, as a matrix."""
    keys = list(found)
    taus = np.full((len(keys), len(keys)), np.nan)
    for i, one in enumerate(keys):
        for j, other in enumerate(keys):
            pair = alike(one, other, found, interval=False)
            taus[i, j] = pair.tau if pair else np.nan
    size = 0.38 * len(keys) + 2.5
    figure, axes = plt.subplots(figsize=(size, size), layout="constrained")
    axes.imshow(taus, cmap="cividis", vmin=0, vmax=1)
    for i, j in np.argwhere(np.isfinite(taus)):
        axes.text(
            j, i, f"{taus[i, j]:.2f}", ha="center", va="center", fontsize=5, color="w" if taus[i, j] < 0.6 else "k"
        )
    words = [title(key).replace("\n", ", ") for key in keys]
    axes.set_xticks(range(len(keys)), words, rotation=90, fontsize=6)
    axes.set_yticks(range(len(keys)), words, fontsize=6)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def draw_shares(found: dict[Key, Order], path: Path) -> None:
    """What each choice explains, a panel for each set and metric, a colour for each model; a line: by chance."""
    shared = explained(found)
    panels = list(dict.fromkeys((name, metric) for _, metric, name in shared))
    if not panels:
        return
    figure, axes = plt.subplots(1, len(panels), figsize=(3 * len(panels), 3), layout="constrained", squeeze=False)
    for place, (name, metric) in zip(axes[0], panels, strict=True):
        of_panel = {key[0]: of_it for key, of_it in shared.items() if key[1:] == (metric, name)}
        for number, (model, of_it) in enumerate(of_panel.items()):
            y = np.arange(len(of_it)) + (number - (len(of_panel) - 1) / 2) * 0.35
            share = np.array([(it.share, it.low, it.high) for it in of_it])
            reach = np.maximum([share[:, 0] - share[:, 1], share[:, 2] - share[:, 0]], 0)
            place.barh(
                y, share[:, 0], 0.33, xerr=reach, color=COLOURS[number], label=model, error_kw={"linewidth": 0.8}
            )
        chance = [it.chance for it in of_it]
        place.scatter(chance, range(len(of_it)), marker="|", color="k", s=250, linewidth=1, zorder=3)
        place.set_yticks(range(len(of_it)), [it.factor for it in of_it], fontsize=8)
        place.set(title=f"{name}, {METRICS[metric]}", xlabel="share of the variance over rows", xlim=(0, None))
        place.title.set_fontsize(8)
        place.xaxis.label.set_fontsize(8)
        place.invert_yaxis()
    axes[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def draw_knobs(moved: dict[tuple[str, str], list[Knob]], model: str, path: Path) -> None:
    """What each changed thing does, with intervals: a panel for each metric, a marker for each set; filled: sure."""
    of_model = {key: [it for it in found if it.model == model] for key, found in moved.items() if key[1] in EXPLAINED}
    sets = list(dict.fromkeys(name for name, _ in of_model))
    rows = [it.row for it in next(iter(of_model.values()))]
    figure, axes = plt.subplots(
        1, len(EXPLAINED), figsize=(9, 0.28 * len(rows) + 1.2), layout="constrained", sharey=True
    )
    for panel, metric in zip(axes, EXPLAINED, strict=True):
        for number, name in enumerate(sets):
            look = {"color": COLOURS[number], "fmt": MARKERS[number], "markersize": 4, "linewidth": 1}
            for it in of_model[name, metric]:
                y = rows.index(it.row) + (number - (len(sets) - 1) / 2) * 0.3
                reach = np.nan_to_num([[it.change - it.low], [it.high - it.change]])
                panel.errorbar(it.change, y, xerr=reach, markerfacecolor=COLOURS[number] if it.sure else "w", **look)
            panel.errorbar([], [], label=name, **look)
        panel.axvline(0, color="k", linewidth=0.8)
        panel.set(title=f"{METRICS[metric]}, {model}", xlabel="change against the base")
        panel.grid(axis="x", alpha=0.3)
        panel.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    bases = {it.row: it.base for found in of_model.values() for it in found}
    words = [
        row.removeprefix("knob/") + f" (base {bases[row].removeprefix('knob/')})" * (bases[row] != BASE) for row in rows
    ]
    axes[0].set_yticks(range(len(rows)), words, fontsize=8)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=len(sets))
    figure.savefig(path, dpi=DPI)
    plt.close(figure)


def main() -> None:
    """Draw what the file holds."""
    parser = argparse.ArgumentParser(prog="python -m experiments.ranking.plot", description=__doc__)
    parser.add_argument("results", nargs="?", type=Path, default=RESULTS, help="file that `collect` wrote")
    path = parser.parse_args().results
    table = read(path)
    found = orders(samples(table))
    for name, draw in (("ranks", draw_ranks), ("taus", draw_taus), ("shares", draw_shares)):
        draw(found, path.with_name(f"figure-{name}.png"))
    moved = {key: of_it for key, sample in samples(table, ("knobs",)).items() if (of_it := knobs(sample))}
    for model in dict.fromkeys(it.model for of_it in moved.values() for it in of_it):
        draw_knobs(moved, model, path.with_name(f"figure-knobs-{model}.png"))


if __name__ == "__main__":
    main()
