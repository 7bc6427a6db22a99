"""Load a data set onto the device of this process's runs, once for all of them."""

import sys
from pathlib import Path
from typing import NamedTuple

import torch
from rich.console import Console

from sweep.config import Data
from sweep.data.reading import read
from sweep.data.recording import SAMPLE_RATE, Changed, DataError, summed
from sweep.data.recordings import Recordings
from sweep.data.windows import split_validation
from sweep.names import spelled
from sweep.registry import sources

MOST = 5  # remarks on the data


class Loaded(NamedTuple):
    """The recordings of a run, on its device.

    Attributes:
        train, test: recordings to train on, and recordings to score.
        held_out: recordings to validate on; None if `data.validation` is 0.
    """

    train: Recordings
    held_out: Recordings | None
    test: Recordings


class UnreadableError(DataError):
    """A split cannot be read, so no run that needs it can start."""


def load(config: Data, device: torch.device, console: Console) -> Loaded:
    """Load the recordings onto a device; they stay there for the runs that follow.

    Args:
        config: the configuration's group `data`.
        device: device to load onto.
        console: console on which the size and place of the recordings are printed.
    """
    if (config, device) not in _loaded:
        _loaded.clear()  # free memory before the next set is loaded
        _loaded[config, device] = _load(config, device, console)
    return _loaded[config, device]


_loaded: dict[tuple, Loaded] = {}


def _load(config: Data, device: torch.device, console: Console) -> Loaded:
    root, cache = Path(config.root), Path(config.cache) if config.cache else None
    sources[config.source](root).make(console)
    try:
        splits, remarks = read(root, source=config.source, cache=cache)
    except DataError as error:
        raise UnreadableError(str(error)) from error
    _say(remarks, root)
    train, held_out = split_validation(splits["train"], config.validation)
    parts = {"train": train, "validation": held_out, "test": splits["test"]}
    placed = {name: Recordings(part, device, config.placement) if part else None for name, part in parts.items()}
    if device.type == "cuda":
        for name, part in placed.items():
            if part:
                console.print(f"{name}: {describe(part)}", style="dim", soft_wrap=True)
    return Loaded(*placed.values())


def _say(remarks: list[str], root: Path) -> None:
    """Print on stderr what may be missing or wrong in the data, a few lines at most."""
    lines = summed(line for line in remarks if not isinstance(line, Changed) or line.wrong)
    if len(lines) > MOST:
        lines[MOST - 1 :] = [f"{root}: {len(lines) - MOST + 1:,} more such remarks: `sweep data` lists them"]
    for line in lines:
        print(spelled(line), file=sys.stderr)


def describe(recordings: Recordings) -> str:
    """Describe the size and place of recordings: "8 recordings, 15.6 min, int16 on cuda:0, 79 MiB"."""
    samples = recordings.samples
    where = "pinned in host memory" if recordings.on_host else f"on {samples.device}"
    minutes = len(samples) / SAMPLE_RATE / 60
    long = f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
    return (
        f"{len(recordings)} recording{'s' * (len(recordings) > 1)}, {long}, "
        f"{str(samples.dtype).removeprefix('torch.')} {where}, {samples.nbytes / 2**20:,.0f} MiB"
    )
