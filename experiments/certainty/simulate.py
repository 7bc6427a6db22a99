"""Checks the report's intervals and marks on made-up sweeps whose truth is known: results.csv, and a table of it."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from sweep.report import certainty
from sweep.report.units import DEPENDENCE

ROWS = 34
# Standard deviations of accuracy, near those that variances.py measures; README.md says from which sweeps.
RECORDING, INTERACTION, SEED, RESIDUAL = 0.037, 0.016, 0.004, 0.005
FAMILIES = (5, 5, 14, 10)  # rows of linear, log, mel and cqt
GAP = 0.05  # by which a row is truly worse, where rows differ
SHAPES = {
    "tied": np.full(ROWS, 0.5),
    "half": 0.5 - GAP * (np.arange(ROWS) % 2),
    "one": 0.5 - GAP * (np.arange(ROWS) != ROWS // 2),
}


@dataclass(frozen=True)
class Model:
    """Accuracy = row + recording + row x recording + row x seed + residual.

    Attributes:
        form: "families": normal, and nine tenths of the interaction's variance belong to the row's family, as measured:
            rows of one family differ on the same recordings; "independent": the interaction independent between rows;
            "uneven": the
            interaction's and the seed's deviations rise over the rows from 0.3 to 1.5 times the measured ones;
            "skewed": recording and interaction are exponential, long to the lower side; "blocks": units are blocks of
            time in one recording, each correlated with the one before as measured.
        units, seeds: how many.
        training: standard deviation of row x seed; 0: what is asked is about the trained models.
    """

    form: str
    units: int
    seeds: int
    training: float = SEED

    def draw(self, truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """(rows, seeds, units) one sweep of rows with these true accuracies."""
        rows = len(truth)
        shape = (rows + 1, self.units)  # the last is the recording's own
        effects = 1 - generator.exponential(size=shape) if self.form == "skewed" else generator.standard_normal(shape)
        if self.form == "blocks":
            effects = chain(effects, np.append(np.full(rows, BLOCK_CORRELATION[1]), BLOCK_CORRELATION[0]))
        if self.form == "families":
            common = generator.standard_normal((len(FAMILIES), self.units)).repeat(FAMILIES, axis=0)
            effects[:-1] = np.sqrt(0.9) * common + np.sqrt(0.1) * effects[:-1]
        scale = np.linspace(0.3, 1.5, rows)[:, None] if self.form == "uneven" else np.ones((rows, 1))
        recording, interaction = BLOCK if self.form == "blocks" else (RECORDING, INTERACTION)
        by_unit = truth[:, None] + recording * effects[-1] + interaction * scale * effects[:-1]
        training = self.training * scale * generator.standard_normal((rows, self.seeds))
        residual = RESIDUAL * generator.standard_normal((rows, self.seeds, self.units))
        scores = by_unit[:, None] + training[:, :, None] + residual
        if self.form == "blocks":  # as the report's block_values does
            middle = scores.mean(2, keepdims=True)
            scores = middle + np.sqrt(DEPENDENCE) * (scores - middle)
        return scores


# Of blocks of 10 s: standard deviations of the block and of row x block, and their correlations with the block before.
BLOCK, BLOCK_CORRELATION = (0.113, 0.037), (0.11, 0.15)


def chain(effects: np.ndarray, correlation: np.ndarray) -> np.ndarray:
    """First-order autoregressions along the last axis, from (rows, units) independent draws of variance 1."""
    chained = effects.copy()
    for unit in range(1, effects.shape[1]):
        fresh = np.sqrt(1 - correlation**2) * effects[:, unit]
        chained[:, unit] = correlation * chained[:, unit - 1] + fresh
    return chained


def cases() -> Iterator[tuple[str, Model]]:
    """What is asked, and the model."""
    for form in ("families", "independent", "uneven", "skewed"):
        for units in (4, 10, 30):
            yield "representations", Model(form, units, seeds=3)
    for units in (4, 6, 10, 30):
        yield "trained models", Model("families", units, seeds=1, training=0.0)
    for units in (4, 10, 30):
        yield "representations", Model("families", units, seeds=1)
    for units, seeds in ((9, 3), (9, 1), (30, 1)):
        yield "these recordings", Model("blocks", units, seeds, training=SEED if seeds > 1 else 0.0)


def check(about: str, model: Model, draws: int, signs: int) -> dict[str, object]:
    """How often the intervals hold the truth, truly best rows are left out, and a gap is found.

    Args:
        about: what is asked, for the table.
        model: of the sweeps.
        draws: sweeps to make up of each shape.
        signs: draws of `certainty.compare`.
    """
    generator = np.random.default_rng([model.units, model.seeds, *model.form.encode(), *about.encode()])
    held, wrong, found = [], {}, {}
    for shape, truth in SHAPES.items():
        best, errors, shares = truth == truth.max(), [], []
        for _ in range(draws):
            scores = model.draw(truth, generator)
            low, high = certainty.intervals(scores).T
            held.append(((low <= truth) & (truth <= high)).mean())
            kept = certainty.compare(scores, draws=signs).best
            errors.append((best & ~kept).any())
            shares.append((~kept[~best]).mean() if (~best).any() else np.nan)
        wrong[f"false_{shape}"], found[f"power_{shape}"] = np.mean(errors), np.mean(shares)
    del found["power_tied"]
    named = {"form": model.form, "units": model.units, "seeds": model.seeds, "about": about, "draws": draws}
    return named | {"coverage": np.mean(held)} | wrong | found


def main() -> None:
    """Run all cases; write results.csv after each."""
    parser = argparse.ArgumentParser(prog="python -m experiments.certainty.simulate", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--signs", type=int, default=400)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("results.csv"))
    options = parser.parse_args()
    rows = []
    for about, model in cases():
        rows.append(check(about, model, options.draws, options.signs))
        pd.DataFrame(rows).to_csv(options.out, index=False, float_format="%.3f", lineterminator="\n")
        row = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in rows[-1].values()]
        print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
