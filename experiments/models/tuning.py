"""Prints tuning.csv as tables: what each change to a recipe did, run by run against the recipe without it.

python -m experiments.models.tuning
"""

from pathlib import Path

import pandas as pd

from experiments.models.collect import METRICS, spread

TABLE = Path(__file__).with_name("tuning.csv")
PAIR = ["representation", "data"]
BASES = {"converged": "base", "quick": "q400"}  # variants that changed nothing


def read() -> dict[str, pd.DataFrame]:
    """Read the runs of each protocol: those that change `quick` were scored on the demo set."""
    table = pd.read_csv(TABLE)
    demo = table.data == "demo"
    return {"converged": table[~demo], "quick": table[demo]}


def differences(runs: pd.DataFrame, base: str) -> pd.DataFrame:
    """Subtract from each run's scores those of the base with the same row and the same held-out recording."""
    scores = runs.set_index(["variant", *PAIR])[[*METRICS]]
    return scores.sub(scores.loc[base]).reorder_levels(scores.index.names).loc[scores.index]


def markdown(runs: pd.DataFrame, base: str) -> str:
    """Write one row a variant: the base's means, then mean and standard deviation of each distance from it."""
    apart = differences(runs, base)
    lines = [
        f"| change | pairs | {' | '.join(METRICS.values())} | s |",
        f"| --- | ---: |{' ---: |' * (len(METRICS) + 1)}",
    ]
    for (variant, change), part in runs.groupby(["variant", "change"], sort=False):
        values, sign = (part, "") if variant == base else (apart.loc[variant], "+")
        cells = [spread(values[metric], sign) for metric in METRICS]
        lines.append(f"| {change} | {len(part)} | {' | '.join(cells)} | {part.seconds_training.median():.1f} |")
    return "\n".join(lines)


def scatter(apart: pd.DataFrame) -> str:
    """Write by metric the standard deviation of a distance about its variant's mean, pooled over the variants."""
    groups = apart.groupby("variant")
    squares = (apart - groups.transform("mean")).pow(2).sum()
    deviations = (squares / (len(apart) - groups.ngroups)) ** 0.5
    return ", ".join(f"{METRICS[metric]} {value:.4f}" for metric, value in deviations.items())


def main() -> None:
    """Print the tables, and how far the distances of one variant scatter."""
    both = read()
    for protocol, runs in both.items():
        print(f"{protocol}\n\n{markdown(runs, BASES[protocol])}\n")
    apart = differences(both["converged"], BASES["converged"])
    apart = apart[(apart != 0).any(axis=1)]  # without the base, and without what computes the same numbers
    of_recordings = apart.groupby(["variant", "data"])
    means = of_recordings.mean()[of_recordings.size() == 2]
    print(f"converged, standard deviation of a run's distance: {scatter(apart)}")
    print(f"of the mean of both rows of a recording: {scatter(means)}")


if __name__ == "__main__":
    main()
