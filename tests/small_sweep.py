"""A sweep of a few seconds, run in this process."""

from pathlib import Path

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

from sweep import locks
from sweep.results import LOCK, run_folder, write_plan
from sweep.run import run

CONF = Path(__file__).resolve().parents[1] / "conf"


def small_settings(root: Path, runs: Path, representation: str, *, seed: int = 0, **groups: dict) -> dict:
    """The settings of a run of a few steps in the quick protocol; `groups` are keys to set in the groups of conf."""
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", overrides=[f"representation={representation}", "device=cpu", f"seed={seed}"])
    settings = OmegaConf.to_container(config, resolve=True)
    settings["data"] |= {"source": "musicnet", "root": str(root), "name": "tiny", "validation": 0, "cache": None}
    settings["protocol"] |= {"name": "quick", "steps": 20, "batch_size": 16, "checkpoint_every": 10}
    settings["protocol"] |= {"scored_windows": 220}
    settings["model"]["name"], settings["representation"]["name"] = "linear", representation
    settings["frontend"]["accuracy"] = "fast"
    settings["runs"] = str(runs)
    for group, keys in groups.items():
        settings[group] |= keys
    return settings


def run_alone(settings: dict) -> dict:
    """A run as a sweep does it: with its folder's lock, and without a word."""
    with locks.claim(run_folder(settings) / LOCK) as lock:
        return run(settings, Console(quiet=True), "", lock)


def run_small_sweep(root: Path, runs: Path, representations: list[str], seeds: range, **groups: dict) -> Path:
    """Runs a small sweep and returns its <runs>/<data>/<protocol> folder."""
    for name in representations:
        for seed in seeds:
            settings = small_settings(root, runs, name, seed=seed, **groups)
            run_alone(settings)
            folder = run_folder(settings).parents[2]
            write_plan(folder, [str(run_folder(settings).relative_to(folder))])
    return folder
