"""Brings a data set to where the runs of this process compute, once for all of them."""

import functools
from pathlib import Path

import torch
from rich.console import Console

from sweep.data.demo import make_demo
from sweep.data.reading import read_split
from sweep.data.recording import SAMPLE_RATE
from sweep.data.recordings import Recordings
from sweep.data.windows import split_validation


def load(settings: dict, device: torch.device, console: Console) -> tuple[Recordings, Recordings | None, Recordings]:
    """Recordings to train on, to validate on (None without a share) and to test on; kept for the runs that follow.

    Args:
        settings: conf's `data`.
        device: that computes.
        console: told what lies where.
    """
    keys = ("source", "root", "validation", "placement", "cache")
    return _load(*(settings[key] for key in keys), device, console)


@functools.lru_cache(maxsize=1)
def _load(source: str, root: str, share: float, placement: str, cache: str | None, device: torch.device, console):
    root, cache = Path(root), Path(cache) if cache else None
    if source == "demo":
        if not root.exists():
            console.print(f"making the demo set in {root}, once")
        make_demo(root)
    train, held_out = split_validation(read_split(root, "train", source=source, cache=cache), share)
    parts = {"train": train, "validation": held_out, "test": read_split(root, "test", source=source, cache=cache)}
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
