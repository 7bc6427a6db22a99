"""Brings a data set to where the runs of this process compute, once for all of them."""

from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

from sweep.config import Data
from sweep.data.reading import read_split
from sweep.data.recording import SAMPLE_RATE, DataError
from sweep.data.recordings import Recordings
from sweep.data.source import SPLITS
from sweep.data.windows import split_validation
from sweep.registry import sources


class Loaded(NamedTuple):
    """The recordings of a run, on its device.

    Attributes:
        train, test: to train on and to be scored on.
        held_out: to validate on, None without a share.
    """

    train: Recordings
    held_out: Recordings | None
    test: Recordings


class UnreadableError(DataError):
    """A split cannot be read, so no run that needs it can start."""


def load(config: Data, device: torch.device, console: Console) -> Loaded:
    """Bring the recordings to a device; they are kept there for the runs that follow.

    Args:
        config: conf's `data`.
        device: that computes.
        console: told what lies where.
    """
    if (config, device) not in _loaded:
        _loaded.clear()  # before the next set takes room
        _loaded[config, device] = _load(config, device, console)
    return _loaded[config, device]


_loaded: dict[tuple, Loaded] = {}


def _load(config: Data, device: torch.device, console: Console) -> Loaded:
    root, cache = Path(config.root), Path(config.cache) if config.cache else None
    sources[config.source](root).make(console)
    try:
        train, test = (read_split(root, split, source=config.source, cache=cache) for split in SPLITS)
    except DataError as error:
        raise UnreadableError(str(error)) from error
    train, held_out = split_validation(train, config.validation)
    parts = {"train": train, "validation": held_out, "test": test}
    placed = {name: Recordings(part, device, config.placement) if part else None for name, part in parts.items()}
    if device.type == "cuda":
        for name, part in placed.items():
            if part:
                console.print(f"{name}: {describe(part)}", style="dim", soft_wrap=True)
    return Loaded(*placed.values())


def describe(recordings: Recordings) -> str:
    """How much there is, and where it lies: "8 recordings, 15.6 min, int16 on cuda:0, 79 MiB"."""
    samples = recordings.samples
    where = "pinned in host memory" if recordings.on_host else f"on {samples.device}"
    minutes = len(samples) / SAMPLE_RATE / 60
    long = f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
    return (
        f"{len(recordings)} recording{'s' * (len(recordings) > 1)}, {long}, "
        f"{str(samples.dtype).removeprefix('torch.')} {where}, {samples.nbytes / 2**20:,.0f} MiB"
    )
