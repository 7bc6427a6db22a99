"""Load a data set onto the device of this process's runs, once for all of them."""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from rich.console import Console

from sweep.config import Data
from sweep.data.reading import read, read_audio_at
from sweep.data.recording import Changed, DataError, summed
from sweep.data.recordings import Recordings
from sweep.data.source import VALIDATION
from sweep.data.targets import Labels
from sweep.data.windows import split_validation
from sweep.names import spelled
from sweep.registry import sources
from sweep.representations.clock import SAMPLE_RATE
from sweep.results.scoring import PITCHES

MOST = 5  # remarks on the data


class Loaded(NamedTuple):
    """The recordings of a run, on its device, at its row's sample rate.

    Attributes:
        train, test: recordings to train on, and recordings to score.
        held_out: recordings to validate on; None if `data.validation` is 0.
    """

    train: Recordings
    held_out: Recordings | None
    test: Recordings


class UnreadableError(DataError):
    """A split cannot be read, so no run that needs it can start."""


def load(config: Data, sample_rate: int, device: torch.device, console: Console) -> Loaded:
    """Load the recordings at a rate onto a device; they stay there for the runs that follow.

    Labels are read once for all rates, audio at each rate when a run first needs it.

    Args:
        config: the configuration's group `data`.
        sample_rate: sample rate of the audio in Hz.
        device: device to load onto.
        console: console on which the size and place of the recordings are printed.
    """
    if (config, device) not in _held:
        _held.clear()  # free memory before the next set is loaded
        _held[config, device] = _Set(config, device, console, sample_rate)
    return _held[config, device].at(sample_rate, console)


class _Set:
    """A data set on a device: its labels, and its audio at each rate that a run has needed."""

    def __init__(self, config: Data, device: torch.device, console: Console, sample_rate: int):
        self._config, self._root = config, Path(config.root)
        self._cache = Path(config.cache) if config.cache else None
        sources[config.source](self._root, **config.options).make(console)
        own = config.validation == "own"
        how: dict[str, Any] = {"hours": config.hours, "shift": config.shift, "held_out": own}
        try:
            splits, remarks = read(self._root, config.source, self._cache, sample_rate, config.options, **how)
        except DataError as error:
            raise UnreadableError(str(error)) from error
        say_remarks(remarks, self._root)
        self._paths = {split: [recording.path for recording in part] for split, part in splits.items()}
        if own:
            train, held_out = splits["train"], splits[VALIDATION]
        else:
            train, held_out = split_validation(splits["train"], float(config.validation))
        parts = {"train": train, "validation": held_out, "test": splits["test"]}
        self._labels = {name: Labels(part, device) if part else None for name, part in parts.items()}
        self._loaded: dict[int, Loaded] = {}
        self._place({it.path: it.audio for part in splits.values() for it in part}, sample_rate, console)

    def at(self, sample_rate: int, console: Console) -> Loaded:
        """Return the recordings at a rate, loaded when a run first needs them."""
        if sample_rate not in self._loaded:
            audio: dict[Path, np.ndarray] = {}
            try:
                for split, paths in self._paths.items():
                    how = sample_rate, self._config.source, self._cache, self._config.options
                    part = read_audio_at(self._root, split, paths, *how, hours=self._config.hours)
                    audio |= zip(paths, part, strict=True)
                self._place(audio, sample_rate, console)
            except DataError as error:
                raise UnreadableError(str(error)) from error
        return self._loaded[sample_rate]

    def _place(self, audio: dict[Path, np.ndarray], sample_rate: int, console: Console) -> None:
        """Copy audio at a rate to where it belongs, beside the labels."""
        placed: dict[str, Recordings | None] = {}
        for name, labels in self._labels.items():
            placed[name] = None
            if labels:
                part = [audio[path] for path in labels.paths]
                placed[name] = recordings = Recordings.of(labels, part, sample_rate, self._config.placement)
                if recordings.device.type == "cuda":
                    console.print(f"{name}: {describe(recordings)}", style="dim", soft_wrap=True)
        self._loaded[sample_rate] = Loaded(*placed.values())


_held: dict[tuple, _Set] = {}


def say_remarks(remarks: list[str], root: Path) -> None:
    """Print on stderr what may be missing or wrong in the data, a few lines at most."""
    lines = summed(line for line in remarks if not isinstance(line, Changed) or line.wrong)
    if len(lines) > MOST:
        lines[MOST - 1 :] = [f"{root}: {len(lines) - MOST + 1:,} more such remarks: `sweep data` lists them"]
    for line in lines:
        print(spelled(line), file=sys.stderr)


def describe(recordings: Recordings) -> str:
    """Describe the size and place of recordings: "8 recordings, 15.6 min, int16 on cuda:0, 79 MiB".

    Another rate than 44,100 Hz is named: "8 recordings, 15.6 min at 16,000 Hz, ...".
    """
    samples, rate = recordings.samples, recordings.sample_rate
    where = f"on {'the host' if recordings.on_host else samples.device}"
    if recordings.mapped:
        where = "mapped from the cache"
    at = f" at {rate:,} Hz" * (rate != SAMPLE_RATE)
    kind = str(samples.dtype).removeprefix("torch.")
    return f"{amount(recordings)}{at}, {kind} {where}, {recordings.nbytes / 2**20:,.0f} MiB"


def amount(recordings: Labels) -> str:
    """Say how many recordings there are, and how long they last: "8 recordings, 15.6 min"."""
    minutes = int(recordings.lengths.sum()) / SAMPLE_RATE / 60
    long = f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
    return f"{len(recordings)} recording{'s' * (len(recordings) > 1)}, {long}"


def trained_on(recordings: Labels) -> str:
    """Say how much there is to train on, and how many of the scored pitches never sound.

    The linear model cannot tell these apart: one probability is theirs, and where it is too high all are false at once
    (experiments/accuracy has a run that they cost 0.02 of accuracy).
    """
    silent = len(np.setdiff1d(PITCHES, np.concatenate([notes[:, 2] for notes in recordings.notes])))
    if not silent:
        return amount(recordings)
    never = "never sounds" if silent == 1 else "never sound"
    return f"{amount(recordings)}, in which {silent} of the piano's {len(PITCHES)} pitches {never}"
