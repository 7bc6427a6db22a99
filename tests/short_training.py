"""Short runs in the converged protocol, in this process."""

from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from rich.console import Console

import sweep.run
from sweep import results
from sweep.locks import claim

CONF = Path(__file__).resolve().parents[1] / "conf"


def short_settings(root: Path, runs: Path) -> dict:
    """A short run of mel-512-128 in the converged protocol."""
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", overrides=["protocol=converged", "representation=mel-512-128", "device=cpu"])
    settings = OmegaConf.to_container(config, resolve=True)
    settings["data"] |= {"source": "musicnet", "root": str(root), "name": "tiny", "validation": 0.3, "cache": None}
    settings["protocol"] |= {"name": "converged", "steps": 6, "batch_size": 8, "checkpoint_every": 2}
    settings["protocol"] |= {"validation_windows": 10, "scored_windows": 20}
    settings["model"]["name"], settings["representation"]["name"] = "linear", "mel-512-128"
    settings["frontend"]["accuracy"] = "fast"
    settings["runs"] = str(runs)
    return settings


def quiet() -> Console:
    return Console(quiet=True)


def run(settings: dict, console: Console, title: str) -> dict:
    """A run by a process that has claimed it."""
    with claim(folder(settings) / results.LOCK) as lock:
        return sweep.run.run(settings, console, title, lock)


def folder(settings) -> Path:
    return results.run_folder(settings)


def weights(settings) -> dict:
    return torch.load(folder(settings) / results.MODEL, weights_only=True)["state_dict"]
