"""How often the interval of Kendall's tau holds the truth, on made-up pairs of sweeps: prints a table."""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from experiments.certainty.simulate import INTERACTION, SEED, Model
from sweep.report.tau import kendall, kendall_interval

TRUTH = Path(__file__).with_name("accuracies.csv")  # of experiments/protocols, one seed; taken as the truth


def main() -> None:
    """Print, for each number of recordings, the share held, the mean length and the mean estimate."""
    parser = argparse.ArgumentParser(prog="python -m experiments.certainty.tau", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    draws = parser.parse_args().draws
    table = pd.read_csv(TRUTH)
    truths = [table[f"accuracy_{name}"].to_numpy() for name in ("paper", "converged")]
    tau = kendall(*truths)
    print(f"Kendall's tau {tau:.3f}; deviation of row x recording {INTERACTION}, of row x seed {SEED} or none")
    print("| form | recordings | training | held | length | mean |\n| --- | ---: | --- | ---: | ---: | ---: |")
    for form in ("families", "independent"):
        for units in (6, 10, 30):
            for training in (0.0, SEED):
                generator, model = np.random.default_rng(units), Model(form, units, 1, training)
                found = []
                for _ in range(draws):
                    first, second = (model.draw(truth, generator)[:, 0] for truth in truths)
                    low, high = kendall_interval(first, second, draws=300)
                    found.append((low <= tau <= high, high - low, kendall(first.mean(1), second.mean(1))))
                held, length, mean = np.mean(found, axis=0)
                what = "varies" if training else "as it is"
                print(f"| {form} | {units} | {what} | {held:.3f} | {length:.3f} | {mean:.3f} |", flush=True)


if __name__ == "__main__":
    main()
