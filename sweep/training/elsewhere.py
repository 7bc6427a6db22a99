"""Load the test recordings of the other sets of `data.test`, none of which may be trained on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from sweep.config import Data, OtherSet
from sweep.data.likeness import EXCERPT, alike, print_of
from sweep.data.reading import read_audio_at, read_split
from sweep.data.recording import SAMPLE_RATE, DataError, Remark
from sweep.data.recordings import Recordings
from sweep.data.targets import Labels
from sweep.registry import sources
from sweep.training.loading import Loaded, UnreadableError, describe, say_remarks

# The labels of each set, and its recordings at each rate, for one configuration of the data on one device.
_held: dict[tuple, dict[tuple[str, int], Recordings]] = {}


def load_elsewhere(config: Data, loaded: Loaded, console: Console) -> dict[str, Recordings]:
    """Load the test recordings of other sets beside those of a run; they stay there for the runs that follow.

    Args:
        config: the configuration's group `data`.
        loaded: the run's own recordings, whose rate and device these get.
        console: console on which the size and place of recordings on a GPU are printed.

    Returns:
        The recordings of each set, by its name.

    Raises:
        UnreadableError: a set cannot be read, or has a test recording that the run trains on or holds out.
    """
    rate, device = loaded.train.sample_rate, loaded.train.device
    if (config, device) not in _held:
        _held.clear()  # free memory before other sets are loaded
    held = _held.setdefault((config, device), {})
    try:
        for one in config.test:
            if (one.name, rate) in held:
                continue
            before = next((found for (name, _), found in held.items() if name == one.name), None)
            held[one.name, rate] = found = _read(one, config, rate, device, before, console)
            if before is None:
                _refuse_shared(one, found, loaded)
            if device.type == "cuda":
                console.print(f"{one.name}: {describe(found)}", style="dim", soft_wrap=True)
    except DataError as error:
        _held.clear()
        raise error if isinstance(error, UnreadableError) else UnreadableError(str(error)) from error
    return {one.name: held[one.name, rate] for one in config.test}


def _read(
    one: OtherSet, config: Data, rate: int, device: torch.device, labels: Labels | None, console: Console
) -> Recordings:
    """Read the test recordings of a set at a rate, beside the labels of another rate if they are there."""
    root, cache = Path(one.root), Path(config.cache) if config.cache else None
    if labels is not None:
        audio = read_audio_at(root, "test", labels.paths, rate, one.source, cache, one.options)
        return Recordings.of(labels, audio, rate, config.placement)
    sources[one.source](root, **one.options).make(console)
    remarks: list[str] = []
    recordings = read_split(root, "test", one.source, cache, rate, remarks, one.options, shift=one.shift)
    say_remarks(remarks, root)
    return Recordings.of(Labels(recordings, device), [it.audio for it in recordings], rate, config.placement)


def _refuse_shared(one: OtherSet, test: Recordings, loaded: Loaded) -> None:
    """Raise a DataError that names both files if a recording of another set is one that the run trains on."""
    own = [part for part in (loaded.train, loaded.held_out) if part is not None]
    paths = [path for part in (*own, test) for path in part.paths]
    splits = ["train"] * sum(map(len, own)) + ["test"] * len(test)
    excerpts = [excerpt for part in (*own, test) for excerpt in _excerpts(part)]
    prints = [print_of(excerpt, test.sample_rate) for excerpt in excerpts]
    for line in alike(prints, splits, paths, excerpts.__getitem__, test.sample_rate):
        if not isinstance(line, Remark):
            raise DataError(f"data.test {one.name}: {line}")


def _excerpts(recordings: Recordings) -> Iterator[np.ndarray]:
    """Yield what `print_of` looks at of each recording: its middle, or all of it if that is silent."""
    for index, length in enumerate(recordings.lengths.tolist()):
        span = min(length, EXCERPT * SAMPLE_RATE)
        middle = recordings.audio(index, torch.tensor([(length - span) // 2]), span)[0].cpu().numpy()
        yield middle if middle.any() else recordings.whole(index).cpu().numpy()
