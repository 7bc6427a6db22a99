"""Short runs in the converged protocol, in this process."""

from pathlib import Path
from typing import Any

import pytest
import torch
from configs import changed, make_config, run_alone

from sweep.config import RunConfig
from sweep.data.covering import by_windows
from sweep.results.state import MODEL
from sweep.training.checkpoints import Checkpoint
from sweep.training.hearing import Thresholds
from sweep.transcribe.transcribe import Ear


def converged_config(root: Path, runs: Path, **keys: Any) -> RunConfig:
    """A short run of mel-512-128 in the converged protocol; `keys` as for `configs.changed`."""
    config = make_config("protocol=converged", "representation=mel-512-128")
    short = {"steps": 6, "batch_size": 8, "checkpoint_every": 2, "validation_windows": 10, "scored_windows": 20}
    data = {"source": "musicnet", "root": str(root), "name": "tiny", "validation": 0.3, "cache": None}
    groups = {f"protocol__{key}": value for key, value in short.items()}
    groups |= {f"data__{key}": value for key, value in data.items()}
    return changed(config, runs=str(runs), **groups | keys)


def make_ear(transcriber, representation, threshold: float, step: int, gap: float, shortest: float) -> Ear:
    """What `sweep transcribe` hears with, by a model of windows at an estimate each `step` samples."""
    covering = by_windows(transcriber.protocol.window, step, representation.sample_rate)
    return Ear(transcriber, representation, "", Thresholds(threshold, None), covering, gap, shortest)


def die_after(step: int, config: RunConfig, monkeypatch) -> None:
    """A run that dies without a word at the first end of a chunk after a step."""

    def dies(self, trainer, module, outputs, batch, batch_idx):
        if module.step > step:
            raise RuntimeError("the power went")
        kept(self, trainer, module, outputs, batch, batch_idx)

    kept = Checkpoint.on_train_batch_end
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_train_batch_end", dies)
        with pytest.raises(RuntimeError, match="the power went"):
            run_alone(config)


def weights(config: RunConfig) -> dict:
    """The trained weights of a run."""
    return torch.load(config.folder / MODEL, weights_only=True)["state_dict"]


def segment_config(root: Path, runs: Path, model: str = "conv", *words: str, **keys: Any) -> RunConfig:
    """A short run of a small model that sees segments, with all that its recipe has; `keys` as for `changed`."""
    sizes = {"conv": ["model.width=32", "model.reach=3"], "crnn": ["model.width=32", "model.hidden=16"]}
    row, *more = "representation=mel-512-128", "model.channels=4", *sizes[model]
    short = {"steps": 12, "batch_size": 4, "window": 16_384, "checkpoint_every": 4, "scored_windows": 150}
    short |= {"validation_windows": 5, "standardise": 2}
    data = {"source": "musicnet", "root": str(root), "name": "tiny", "validation": 0.3, "cache": None}
    groups = {f"protocol__{key}": value for key, value in short.items()}
    groups |= {f"data__{key}": value for key, value in data.items()}
    config = make_config("protocol=converged", f"model={model}", row, *more, *words)
    return changed(config, runs=str(runs), **groups | keys)
