"""Open data sets of mirdata, offline, and read the notes of their tracks."""

import contextlib
import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from sweep.data.recording import DataError

# Data sets of mirdata 1.0.0 whose tracks have notes with times.
WITH_NOTES = (
    "cante100", "dagstuhl_choirset", "dali", "egfxset", "guitarset", "ikala", "jtd", "maestro", "medleydb_pitch",
    "phenicx_anechoic", "slakh", "tonas", "vocadito",
)  # fmt: skip
# Those where the file of a track's labels is there if it has notes; others may have files of drums, or without a note.
BY_FILE = frozenset(WITH_NOTES) - {"egfxset", "medleydb_pitch", "slakh"}


def open_dataset(name: str | None, root: Path, version: str) -> Any:
    """Return mirdata's object of a data set in a folder.

    Raises:
        DataError: mirdata, what it needs for this data set or its index is missing, or it has none of this name.
    """
    with quiet():
        try:
            import mirdata
        except ImportError:
            remedy = "pip install 'spectrogram-sweep[mirdata]'"
            raise DataError(f"data=mirdata: the package mirdata is missing: {remedy}") from None
        if name not in mirdata.DATASETS:
            there = ", ".join(WITH_NOTES)
            raise DataError(f"data.dataset {name or 'null'}: is no data set of mirdata: those with notes are {there}")
        try:
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
                dataset = mirdata.initialize(name, data_home=str(root), version=version)
        except ImportError:
            raise DataError(
                f"data.dataset {name}: mirdata needs more packages for it: pip install 'mirdata[{name}]'"
            ) from None
        except Exception as error:  # a version that it does not know, for one
            raise DataError(
                f"data.dataset {name}, data.version {version}: {said(error)}: correct one of them"
            ) from None
    if not os.path.isfile(dataset.index_path):
        call = f"mirdata.initialize('{name}', data_home='{root}', version='{version}').download(['index'])"
        fetch = f'python -c "import mirdata; {call}"'
        raise DataError(f"{dataset.index_path}: mirdata's list of the files of {name} is missing: fetch it by {fetch}")
    return dataset


def tracks_of(dataset: Any, multitracks: bool) -> dict[str, Any]:
    """Return mirdata's objects of all tracks, or of all mixes, by id.

    Raises:
        DataError: the data set has none, or its index or its metadata cannot be read.
    """
    try:
        make, ids = (dataset.multitrack, "mtrack_ids") if multitracks else (dataset.track, "track_ids")
        tracks = {id: make(id) for id in getattr(dataset, ids)}
        if not tracks:
            raise ValueError("lists no track")
        return tracks
    except Exception as error:  # loaders raise errors of many kinds
        what = "mixes" if multitracks else "tracks"
        raise DataError(f"{dataset.index_path}: no {what} of it ({said(error)}): choose another data.dataset") from None


def attributes(track: Any, first: Iterable[str], start: str | None = None, paths: bool = False) -> list[str]:
    """List the attributes of a track: those in `first`, then others that start so, either paths or none."""
    names = {name for name in (*dir(type(track)), *vars(track)) if not name.startswith("_")}
    others = sorted(name for name in names if start and name.startswith(start) and name.endswith("_path") == paths)
    return [name for name in dict.fromkeys([*first, *others]) if name in names]


def paths_of(track: Any) -> dict[str, Path]:
    """Return the files of a track that are there, by attribute; an attribute that names several files is left out."""
    alone = {name: value[0] if isinstance(value, list) and len(value) == 1 else value for name, value in _paths(track)}
    return {name: Path(path) for name, path in alone.items() if isinstance(path, str) and os.path.isfile(path)}


def _paths(track: Any) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in vars(track).items() if name.endswith(("_path", "_paths")))


def read_notes(track: Any, attribute: str, place: Path) -> list[tuple[float, float, int]]:
    """Read the notes of a track: onset and offset in s, and MIDI note, by onset; none if the track has none.

    Args:
        track: mirdata's object.
        attribute: attribute that holds them: NoteData, a dict of it (guitarset's strings), or None.
        place: file, for messages.

    Raises:
        DataError: mirdata cannot read them, or they are of another kind.
    """
    try:
        with quiet():
            value = getattr(track, attribute)
    except Exception as error:
        raise DataError(f"{place}: mirdata cannot read its {attribute} ({said(error)}): fetch the file again") from None
    found: list[tuple[float, float, int]] = []
    for part in value.values() if isinstance(value, dict) else [value]:
        if part is None:
            continue
        times, unit = getattr(part, "intervals", None), getattr(part, "interval_unit", "")
        if times is None or unit not in ("s", "ms") or getattr(part, "pitch_unit", "") not in _TO_MIDI:
            raise DataError(
                f"{place}: its {attribute} is no list of notes with times ({type(part).__name__}): "
                "choose another one by data.notes, or another data.dataset"
            )
        seconds = np.asarray(times) / (1000 if unit == "ms" else 1)
        to_midi = _TO_MIDI[part.pitch_unit]
        rows = zip(seconds, part.pitches, strict=True)
        found += [(float(start), float(end), to_midi(pitch)) for (start, end), pitch in rows]
    return sorted(found)


def _of_hertz(frequency: float) -> int:
    return round(69 + 12 * math.log2(frequency / 440)) if frequency > 0 else -1


def _of_name(name: str) -> int:
    import pretty_midi

    return pretty_midi.note_name_to_number(name)


_TO_MIDI: dict[str, Callable[[Any], int]] = {"hz": _of_hertz, "midi": round, "note_name": _of_name}


def said(error: Exception) -> str:
    """Return an error's text in one line, or its kind where it has none."""
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep mirdata from logging a warning for each track, and from changing how the program logs."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers, level = list(root.handlers), root.level
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)
