"""Measures the deviations that simulate.py makes sweeps up from: of recordings, rows, seeds and blocks of time."""

import argparse
from pathlib import Path

import numpy as np

from sweep.report.units import block_values
from sweep.results.metrics import METRICS
from sweep.results.result import read_result
from sweep.results.table import build_table


def read(folder: Path) -> tuple[np.ndarray, list[np.ndarray]]:
    """The accuracies of a finished sweep, and those of its blocks.

    Args:
        folder: <runs>/<data>/<protocol>, every row with the same seeds.

    Returns:
        (rows, seeds, recordings), and of each recording (rows, blocks) means over the seeds, empty for old results.
    """
    table = build_table(folder)
    shape = table.representation.nunique(), table.seed.nunique()
    runs = [read_result(folder / run).recordings for run in table.run]
    scores = np.array([[scores["accuracy"] for scores in run.values()] for run in runs]).reshape(*shape, -1)
    blocks, accuracy = [], METRICS["accuracy"]
    for name in runs[0] if all("blocks" in scores for run in runs for scores in run.values()) else []:
        values = np.array([block_values([accuracy.ratio(np.array(run[name]["blocks"]["frames"]))])[0] for run in runs])
        blocks.append(values.reshape(*shape, -1).mean(1))
    return scores, blocks


def deviations(scores: np.ndarray) -> dict[str, float]:
    """Standard deviations of the effects in (rows, seeds, recordings): residual sums of squares over their freedom."""
    rows, seeds, recordings = scores.shape
    by_unit = scores.mean(1)
    common = by_unit.mean(0)
    interaction = by_unit - by_unit.mean(1, keepdims=True) - common + common.mean()
    found = {
        "recording": common.std(ddof=1),
        "row x recording": np.sqrt((interaction**2).sum() / ((rows - 1) * (recordings - 1))),
    }
    if seeds > 1:
        by_seed = scores.mean(2)
        found["row x seed"] = np.sqrt(((by_seed - by_seed.mean(1, keepdims=True)) ** 2).sum() / (rows * (seeds - 1)))
        rest = scores - by_unit[:, None] - by_seed[:, :, None] + by_unit.mean(1)[:, None, None]
        found["residual"] = np.sqrt((rest**2).sum() / (rows * (seeds - 1) * (recordings - 1)))
    return found


def of_blocks(values: np.ndarray) -> dict[str, float]:
    """Deviations of the (rows, blocks) of a recording, and the correlation of each with the block before it."""
    rows, blocks = values.shape
    common = values.mean(0) - values.mean()
    interaction = values - values.mean(1, keepdims=True) - common

    def before(part: np.ndarray) -> float:  # + 1 / blocks: taking out the mean makes neighbours look unlike
        return (part[..., 1:] * part[..., :-1]).sum() / (part**2).sum() + 1 / blocks

    return {
        "block": common.std(ddof=1),
        "row x block": np.sqrt((interaction**2).sum() / ((rows - 1) * (blocks - 1))),
        "block before": before(common),
        "row x block before": before(interaction),
    }


def main() -> None:
    """Print the deviations, root mean squares over the sweeps; of correlations the mean."""
    parser = argparse.ArgumentParser(prog="python -m experiments.certainty.variances", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="<runs>/<data>/<protocol>")
    sweeps = [read(folder) for folder in parser.parse_args().folders]
    for found in ([deviations(scores) for scores, _ in sweeps], [of_blocks(b) for _, parts in sweeps for b in parts]):
        for name in found[0] if found else ():
            values = np.array([part[name] for part in found])
            value = values.mean() if "before" in name else np.sqrt((values**2).mean())
            print(f"{name}: {value:.4f} ({', '.join(f'{v:.4f}' for v in values)})")


if __name__ == "__main__":
    main()
