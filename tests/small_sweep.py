"""A sweep of a few seconds, run in this process."""

from pathlib import Path
from typing import Any

from configs import run_alone, short_config

from sweep.results.plan import write_plan
from sweep.scheduling.jobs import Run


def run_small_sweep(root: Path, runs: Path, representations: list[str], seeds: range, **keys: Any) -> Path:
    """Run a small sweep and return its <runs>/<data>/<protocol> folder; `keys` as for `configs.changed`."""
    for name in representations:
        for seed in seeds:
            config = short_config(root, runs, name, seed=seed, **keys)
            run_alone(config)
            planned = Run("", config)
            write_plan(config.table, {planned.name: planned.planned()})
    return config.table
