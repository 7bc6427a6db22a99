"""Keeps the scores of `measure` in a file, a line for each unit of each run.

python -m experiments.ranking.collect RUNS results.csv; RUNS holds the parts of `measure`. Units are those of `sweep
report`: blocks of time of a set with few test recordings, groups where the set names them. In the leave-one-out the
unit is the recording that was left out.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from experiments.collecting import Sweep, finished
from experiments.ranking.measure import PARTS
from sweep.report.units import BLOCKS, GROUPS, RECORDINGS, read_sample
from sweep.results.table import read_runs

FOLDS = "leave-one-out"
SCORES = ("accuracy", "note_f1", "note_offset_f1")
RUN = ["part", "set", "kind", "model", "representation", "seed"]
COLUMNS = (*RUN, "unit", *SCORES)
KINDS = {BLOCKS: "blocks", GROUPS: "groups", RECORDINGS: "recordings"}


def collect(roots: dict[str, Path]) -> tuple[pd.DataFrame, list[str]]:
    """Read the finished runs of each part.

    Args:
        roots: folder of each part.

    Returns:
        COLUMNS of each unit of each run, such that the mean over a run's units is its score; and a line for each thing
        that was left out.

    Raises:
        ValueError: no part has a finished run.
    """
    found, remarks = [], list[str]()
    for part, root in roots.items():
        try:
            sweeps, left_out = finished([root])
        except ValueError as error:  # a part that was stopped before its first run was done
            remarks.append(str(error))
            continue
        remarks += left_out
        for sweep in sweeps:
            scores = _left_out(sweep) if part == "folds" else _by_set(sweep)
            found.append(scores.assign(part=part))
    if not found:
        raise ValueError("; ".join(remarks))
    return pd.concat(found, ignore_index=True)[[*COLUMNS]], remarks


def _by_set(sweep: Sweep) -> pd.DataFrame:
    """The scores of a sweep on its own set and on each other one, by unit."""
    home, parts = sweep.done.data.iloc[0], []
    for name in (None, *sweep.runs.sets):
        runs = sweep.runs if name is None else read_runs(sweep.folder, name)
        done = runs.table[(runs.table.status == "done") & (runs.table.variant == "")]
        columns = []
        for score in SCORES:
            sample, seeds = read_sample(runs, score), sorted(set(runs.table[runs.table.status == "done"].seed))
            keys = [(*row, seed, unit) for row in sample.rows for seed in seeds for unit in sample.units]
            index = pd.MultiIndex.from_tuples(keys, names=["model", "representation", "variant", "seed", "unit"])
            columns.append(pd.Series(sample.scores.ravel(), index, name=score))
        table = pd.concat(columns, axis=1).dropna(how="all").xs("", level="variant").reset_index()
        order = list(dict.fromkeys(done.representation))
        table = table.sort_values(
            "representation", key=lambda names, order=order: names.map(order.index), kind="stable"
        )
        parts.append(table.assign(set=name or home, kind=KINDS[sample.kind]))
    return pd.concat(parts)


def _left_out(sweep: Sweep) -> pd.DataFrame:
    """The scores of one fold's runs on the recording that was left out."""
    lines = []
    for run in sweep.done.itertuples():
        for unit, scores in sweep.runs.results[run.run].recordings.items():
            line = {"model": run.model, "representation": run.representation, "seed": run.seed, "unit": unit}
            lines.append(line | {score: scores.get(score) for score in SCORES})
    return pd.DataFrame(lines).assign(set=FOLDS, kind=KINDS[RECORDINGS])


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m experiments.ranking.collect", description=__doc__)
    parser.add_argument("runs", type=Path, help="folder that `measure` wrote")
    parser.add_argument("out", type=Path, help="CSV file to write")
    options = parser.parse_args()
    try:
        roots = {part: options.runs / part for part in PARTS if (options.runs / part).is_dir()}
        if not roots:
            raise ValueError(f"{options.runs}: holds none of the folders {', '.join(PARTS)}; give measure's folder")
        table, remarks = collect(roots)
        table.to_csv(options.out, float_format="%.5f", index=False, lineterminator="\n")
        print(*remarks, sep="\n", end="\n" * bool(remarks), file=sys.stderr)
    except (OSError, ValueError) as error:
        sys.exit(f"experiments.ranking: {error}")


if __name__ == "__main__":
    main()
