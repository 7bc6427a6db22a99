"""Brings a data set to where the runs of this process compute, once for all of them."""

from pathlib import Path

import torch
from rich.console import Console

from sweep.data.demo import make_demo
from sweep.data.reading import read_split
from sweep.data.recording import SAMPLE_RATE, DataError
from sweep.data.recordings import Recordings
from sweep.data.windows import split_validation


class UnreadableError(DataError):
    """A split cannot be read, so no run that needs it can start."""


def load(settings: dict, device: torch.device, console: Console) -> tuple[Recordings, Recordings | None, Recordings]:
    """Recordings to train on, to validate on (None without a share) and to test on; kept for the runs that follow.

    Args:
        settings: conf's `data`.
        device: that computes.
        console: told what lies where.
    """
    key = (tuple(sorted((k, v) for k, v in settings.items() if k != "name")), device)
    if key not in _loaded:
        _loaded.clear()  # before the next set takes room
        _loaded[key] = _load(settings, device, console)
    return _loaded[key]


_loaded: dict[tuple, tuple] = {}


def _load(settings: dict, device: torch.device, console: Console) -> tuple:
    root, cache = Path(settings["root"]), Path(settings["cache"]) if settings["cache"] else None
    if settings["source"] == "demo":
        if not root.exists():
            console.print(f"making the demo set in {root}, once")
        make_demo(root)
    try:
        train, test = (read_split(root, split, source=settings["source"], cache=cache) for split in ("train", "test"))
    except DataError as error:
        raise UnreadableError(str(error)) from error
    train, held_out = split_validation(train, settings["validation"])
    parts = {"train": train, "validation": held_out, "test": test}
    placement = settings["placement"]
    placed = {name: Recordings(part, device, placement) if part else None for name, part in parts.items()}
    if device.type == "cuda":
        for name, part in placed.items():
            if part:
                console.print(f"{name}: {describe(part)}", style="dim", soft_wrap=True)
    return tuple(placed.values())


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
