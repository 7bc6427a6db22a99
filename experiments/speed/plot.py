"""Draws the results-<device>.csv beside this file: figure-<device>-paper.png, -families.png and -sweep.png."""

import argparse
from pathlib import Path

import matplotlib
import pandas as pd

from experiments.speed.tables import OURS, read

matplotlib.use("Agg")
import matplotlib.pyplot as plt

# Shade and hatching together tell the sides apart in grey.
OUR_HATCHES = {"ours exact": "", "ours high": "///", "ours fast": "...", "ours specux": "xx"}
OUR_STYLE = {label: ("0.15", hatch) for label, hatch in OUR_HATCHES.items()}
PEER_STYLE = ("0.75", "")


def draw_paper(table: pd.DataFrame, path: Path) -> None:
    """A panel per representation, a bar per front-end, the fastest on top; the dashed line is the floor."""
    rows = table.row.unique()
    figure, panels = plt.subplots(1, len(rows), figsize=(3.2 * len(rows), 4.6), layout="constrained", squeeze=False)
    for axes, name in zip(panels[0], rows, strict=True):
        case = table[(table.row == name) & table.forward_ms.notna()].sort_values("forward_ms", ascending=False)
        for place, (_, it) in enumerate(case.iterrows()):
            shade, hatch = OUR_STYLE.get(it.label, PEER_STYLE)
            reach = [[it.forward_ms - it.forward_q1], [it.forward_q3 - it.forward_ms]]
            axes.barh(place, it.forward_ms, color=shade, hatch=hatch, edgecolor="white", linewidth=0)
            axes.errorbar(it.forward_ms, place, xerr=reach, color="k", linewidth=0.8, capsize=2)
        axes.set_yticks(range(len(case)), case.label, fontsize=8)
        axes.axvline(case.floor_ms.iloc[0], color="k", linestyle="--", linewidth=1)
        axes.set(xscale="log", title=name, xlabel="ms, forward")
        axes.grid(axis="x", alpha=0.3)
    sizes = ", ".join(table["size"].unique())
    figure.suptitle(f"{table.machine.iloc[0]}: {sizes}; dashed: the bytes alone", fontsize=9)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_sweep(table: pd.DataFrame, path: Path) -> None:
    """How many times as long as ours ("fast") nnAudio and the fastest peer take, by row; in CUDA graphs where timed."""
    column = "graph_ms" if table.graph_ms.notna().any() else "forward_ms"
    lines = []
    for name, case in table.groupby("row", sort=False):
        timed = case[case[column].notna()].set_index("label")[column]
        ours = timed.get(f"{OURS} fast")
        rivals = timed[~timed.index.str.startswith(OURS)]
        if ours and len(rivals):
            nnaudio = rivals[rivals.index.str.startswith("nnAudio")].min()
            lines.append((name, nnaudio / ours, rivals.min() / ours, rivals.idxmin()))
    figure, axes = plt.subplots(figsize=(10, 4.6), layout="constrained")
    places = range(len(lines))
    axes.bar([p - 0.2 for p in places], [line[1] for line in lines], 0.4, color="0.75", label="nnAudio's fastest")
    axes.bar(
        [p + 0.2 for p in places], [line[2] for line in lines], 0.4, color="0.15", hatch="///", edgecolor="white",
        linewidth=0, label="the fastest peer",
    )  # fmt: skip
    axes.axhline(1, color="k", linewidth=1)
    axes.set_xticks(places, [line[0] for line in lines], rotation=90, fontsize=8)
    what = "in CUDA graphs" if column == "graph_ms" else "forward"
    axes.set(yscale="log", ylabel=f"time / time of ours fast, {what}")
    axes.set_title(f"{table.machine.iloc[0]}: {table['size'].iloc[0]}; above the line ours is faster", fontsize=9)
    axes.grid(axis="y", alpha=0.3, which="both")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Draw each results file that is there."""
    parser = argparse.ArgumentParser(prog="python -m experiments.speed.plot", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=sorted(Path(__file__).parent.glob("results-*.csv")))
    for path in parser.parse_args().files:
        table = read(path)
        for workload, draw in (("paper", draw_paper), ("families", draw_paper), ("sweep", draw_sweep)):
            rows = table[table.workload == workload]
            if rows.forward_ms.notna().any():
                draw(rows, path.with_name(f"figure-{path.stem.removeprefix('results-')}-{workload}.png"))


if __name__ == "__main__":
    main()
