"""What is lost by taking the row that a rule names, on made-up sweeps whose truth is known: decisions.csv."""

import argparse
import itertools
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.certainty.simulate import (
    BLOCK,
    BLOCK_CORRELATION,
    FAMILIES,
    INTERACTION,
    RECORDING,
    RESIDUAL,
    SEED,
    chain,
)  # fmt: skip
from sweep.report import certainty
from sweep.report.decision import decide
from sweep.report.units import BLOCKS, DEPENDENCE, FEWEST_RECORDINGS, RECORDINGS, Sample
from sweep.results.metrics import METRICS, Ranking

# Accuracies of 34 rows on musicnet-mini, protocol=converged, one seed, and their millions of multiply-adds a second.
ROWS = Path(__file__).with_name("accuracies.csv")
N_BLOCKS = 9  # of 10 s in a recording
MARGINS = (Ranking.margin, 0.03)


def draw(truth: np.ndarray, recordings: int, seeds: int, generator: np.random.Generator) -> np.ndarray:
    """(rows, seeds, units) one sweep of rows with these true means over recordings and trainings."""
    rows = len(truth)

    def of_families(units: int) -> np.ndarray:
        common = generator.standard_normal((len(FAMILIES), units)).repeat(FAMILIES, axis=0)
        return np.sqrt(0.9) * common + np.sqrt(0.1) * generator.standard_normal((rows, units))

    by_recording = truth[:, None] + RECORDING * generator.standard_normal(recordings)
    by_recording = by_recording + INTERACTION * of_families(recordings)
    training = SEED * generator.standard_normal((rows, seeds, 1))
    if recordings >= FEWEST_RECORDINGS:
        residual = RESIDUAL * generator.standard_normal((rows, seeds, recordings))
        return by_recording[:, None] + training + residual
    parts = []
    for recording in range(recordings):
        effects = np.concatenate([of_families(N_BLOCKS), generator.standard_normal((1, N_BLOCKS))])
        effects = chain(effects, np.append(np.full(rows, BLOCK_CORRELATION[1]), BLOCK_CORRELATION[0]))
        blocks = BLOCK[0] * effects[-1] + BLOCK[1] * effects[:-1]
        residual = RESIDUAL * np.sqrt(N_BLOCKS) * generator.standard_normal((rows, seeds, N_BLOCKS))
        parts.append(by_recording[:, recording, None, None] + training + blocks[:, None] + residual)
    means = np.mean([part.mean(2, keepdims=True) for part in parts], axis=0)
    # As the report's block_values: a recording's blocks deviate from its own mean, around the mean of all.
    return np.concatenate([means + np.sqrt(DEPENDENCE) * (p - p.mean(2, keepdims=True)) for p in parts], axis=2)


def choices(scores: np.ndarray, cost: np.ndarray, recordings: int, signs: int) -> dict[str, tuple[int, bool]]:
    """The row that each rule names, and whether it is called as good for practical purposes."""
    found = certainty.compare(scores, strata=recordings if recordings < FEWEST_RECORDINGS else 1, draws=signs)
    rows, seeds, units = scores.shape
    names = [("linear", str(row), "") for row in range(rows)]
    kind = BLOCKS if recordings < FEWEST_RECORDINGS else RECORDINGS
    ids = [str(i) for i in range(recordings)]
    sample = Sample(METRICS["accuracy"], names, scores, [str(i) for i in range(units)], ids, kind)
    lines = pd.DataFrame(names, columns=["model", "representation", "variant"]).assign(
        status="done", source="musicnet", changed="", seeds=seeds, value=certainty.means(scores), loss=found.loss,
        multiply_adds=cost, parameters=cost, best_of_table=found.best,
    )  # fmt: skip
    named = {"highest": (int(np.argmax(lines.value)), False)}
    for margin in MARGINS:
        decision = decide(lines, sample, margin)
        good = decision.highest if decision.good_enough is None else decision.good_enough
        named[f"good enough, {margin}"] = int(good.representation), decision.alike
    named["cheapest of the set"] = int(np.flatnonzero(found.best)[cost[found.best].argmin()]), False
    return named


def check(truth: str, recordings: int, seeds: int, draws: int, signs: int) -> list[dict[str, object]]:
    """Rows of decisions.csv of one case: what each rule loses and costs, and how often "as good" is said and is false.

    Args:
        truth: "measured", the accuracies of ROWS, or "close", a tenth of their distances.
        recordings, seeds: how many.
        draws: sweeps to make up.
        signs: draws of `certainty.compare`.
    """
    table = pd.read_csv(ROWS)
    true = table.accuracy_converged.to_numpy()
    true = true if truth == "measured" else true.max() - 0.1 * (true.max() - true)
    cost = table.multiply_adds.to_numpy(float)
    generator = np.random.default_rng([recordings, seeds, len(truth)])
    found = []
    for _ in range(draws):
        named = choices(draw(true, recordings, seeds, generator), cost, recordings, signs)
        found += [(rule, true.max() - true[row], cost[row], alike) for rule, (row, alike) in named.items()]
    rules = pd.DataFrame(found, columns=["rule", "loss", "cost", "said"]).groupby("rule", sort=False)
    case = {"truth": truth, "recordings": recordings, "seeds": seeds, "draws": draws}
    return [
        case | {
            "rule": rule, "loss_mean": part.loss.mean(), "loss_95": part.loss.quantile(0.95),
            "cost_median": part.cost.median(), "as_good_said": part.said.sum(),
            "as_good_false": (part.said & (part.loss > float(rule.partition(", ")[2] or 0))).sum(),
        }
        for rule, part in rules
    ]  # fmt: skip


def main() -> None:
    """Run all cases; write decisions.csv and print it as a table."""
    parser = argparse.ArgumentParser(prog="python -m experiments.certainty.decisions", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--signs", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("decisions.csv"))
    options = parser.parse_args()
    cases = list(itertools.product(("measured", "close"), (1, 4, 10, 30), (1, 3)))
    with ProcessPoolExecutor(options.processes) as pool:
        found = [pool.submit(check, *case, options.draws, options.signs) for case in cases]
        rows = [row for future in found for row in future.result()]
    table = pd.DataFrame(rows)
    table.to_csv(options.out, index=False, float_format="%.4f", lineterminator="\n")
    print(table.to_string(index=False, float_format="{:.4f}".format))


if __name__ == "__main__":
    main()
