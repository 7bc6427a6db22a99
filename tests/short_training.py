"""Short runs in the converged protocol, in this process."""

from pathlib import Path
from typing import Any

import torch
from configs import changed, make_config

from sweep.config import RunConfig
from sweep.results.state import MODEL


def converged_config(root: Path, runs: Path, **keys: Any) -> RunConfig:
    """A short run of mel-512-128 in the converged protocol; `keys` as for `configs.changed`."""
    config = make_config("protocol=converged", "representation=mel-512-128")
    short = {"steps": 6, "batch_size": 8, "checkpoint_every": 2, "validation_windows": 10, "scored_windows": 20}
    data = {"source": "musicnet", "root": str(root), "name": "tiny", "validation": 0.3, "cache": None}
    groups = {f"protocol__{key}": value for key, value in short.items()}
    groups |= {f"data__{key}": value for key, value in data.items()}
    return changed(config, runs=str(runs), **groups | keys)


def weights(config: RunConfig) -> dict:
    """The trained weights of a run."""
    return torch.load(config.folder / MODEL, weights_only=True)["state_dict"]
