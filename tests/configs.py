"""Configurations and results for the tests: composed as the command line does, changed key by key, or made up."""

import functools
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from rich.console import Console

from sweep import locks
from sweep.config import RunConfig
from sweep.config.conf import CONF
from sweep.config.hydra import run_config
from sweep.results.plan import Planned, write_plan
from sweep.results.result import Result
from sweep.results.scoring import SCORES
from sweep.results.state import LOCK

# A run of a few steps in the quick protocol.
SHORT = {"protocol__steps": 20, "protocol__batch_size": 16, "protocol__checkpoint_every": 10}
SHORT |= {"protocol__scored_windows": 220, "data__validation": 0, "data__cache": None, "data__source": "musicnet"}


def make_config(*overrides: str, device: str = "cpu") -> RunConfig:
    """The configuration of the run that `sweep OVERRIDE ...` would start, on the CPU if nothing else is said."""
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", overrides=[f"device={device}", *overrides], return_hydra_config=True)
    return run_config(config, config.hydra)


def changed(config: RunConfig, **keys: Any) -> RunConfig:
    """A configuration with other values; protocol__steps is the key protocol.steps."""
    record = config.record()
    for key, value in keys.items():
        *parents, last = key.split("__")
        section = functools.reduce(lambda part, name: part[name], parents, record)
        section[last] = value
    return RunConfig.from_tree(record)


def short_config(root: Path, runs: Path, representation: str, **keys: Any) -> RunConfig:
    """The configuration of a run of a few steps on the data set `root`; `keys` as for `changed`."""
    config = make_config(f"representation={representation}")
    places = {"data__root": str(root), "data__name": "tiny", "runs": str(runs)}
    return changed(config, **SHORT | places | keys)


def run_alone(config: RunConfig, title: str = "") -> Result:
    """A run as a sweep does it: with its folder's lock, and without a word."""
    from sweep.training.run import run  # here: it imports torch and Lightning, which few tests need

    with locks.claim(config.folder / LOCK) as lock:
        return run(config, Console(quiet=True), title, lock)


def make_result(name: str = "cqt-48", **fields: Any) -> Result:
    """A made-up result of a row of one seed; `fields` replace what it holds."""
    scores = dict.fromkeys(SCORES, 0.5)
    made: dict[str, Any] = {
        **{"representation": name, "family": name.partition("-")[0], "variant": "", "model": "linear", "seed": 0},
        **{"protocol": "quick", "data": "d", "config": {}, "scores": scores, "recordings": {}, "threshold": 0.4},
        "elsewhere": {},
        "onset_threshold": None,
        **{"bins": 84, "context": 1024, "empty_filters": 0, "norm": None, "window": 16384, "moved": {}},
        **{"parameters": {"frontend": 0, "model": 1000}, "engine": "", "resumed_from": 0, "windows_per_second": None},
        **{"seconds": {"setup": 1.0, "training": 2.0, "scoring": 3.0}, "precision": "tf32", "changed": ""},
        **{"frontend_accuracy": "fast", "source": "musicnet", "audio": "", "peak_memory_bytes": None},
        **{
            "multiply_adds": {"frontend": 1e8, "model": 1e8},
            "gpu_utilisation": None,
            "device": "cpu",
            "versions": {},
            "git_revision": None,
            "remarks": [],
            "labels": "",
            "trained_on": "",
        },
    }
    return Result(**made | fields)


def plan_runs(folder: Path, *runs: str, costs: dict[str, float] | None = None) -> None:
    """Plan runs, such as "linear/cqt-12/seed-0", whose configuration is that of `make_result`."""
    families = {run: run.split("/")[1].partition("-")[0] for run in runs}
    write_plan(folder, {run: Planned(families[run], (costs or {}).get(run, 1.0), {}) for run in runs})
