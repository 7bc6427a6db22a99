"""Read a data set through mirdata, which knows the layouts of many, from a folder that is there."""

import contextlib
import hashlib
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from sweep.data.recording import DataError, Pair, Remark
from sweep.data.source import SPLITS, VALIDATION, About, Source, missing
from sweep.data.tracks import (
    BY_FILE,
    WITH_NOTES,
    attributes,
    open_dataset,
    paths_of,
    quiet,
    read_notes,
    said,
    tracks_of,
)
from sweep.names import spelled
from sweep.registry import sources

# Attributes of a track, the first to be chosen first; others whose names begin alike come after them.
NOTES = ("notes_all", "notes", "midinote", "score", "midi")
AUDIO = ("audio_path", "audio_paths", "mix_path", "audio_mic_path", "audio_mix_path", "audio_stm_path")
GROUPS = ("player_id", "player", "artist", "singer_id", "singer", "musician", "ensemble", "mtrack_id", "piece")
LABELS = ("notes_path", "midi_path", "jams_path", "annotation_path")  # of notes of another name
NONE = "none"
REMEDY = f"mirdata has some for {', '.join(WITH_NOTES)}"
PARTS = {"train": "train", "training": "train", "validation": VALIDATION, "valid": VALIDATION, "test": "test"}

# Notes by file, attribute, size and time of change: a process looks through a folder several times.
_kept: dict[tuple, list[tuple[float, float, int]]] = {}


class _Tracks(NamedTuple):
    """The tracks of a data set: mirdata's objects by id, the ids of each split, and which attributes are read."""

    tracks: dict[str, Any]
    splits: dict[str, list[str]]
    groups: dict[str, str]
    notes: str
    audio: str
    remark: str


@sources.register("mirdata")
class Mirdata(Source):
    """A data set that mirdata reads, from a folder that is there; any whose tracks have notes.

    The split is the data set's own where mirdata knows one; otherwise a share of the tracks is for testing, all of a
    group or none, in the order of a hash of the group's name. Pitches in Hz are rounded to MIDI notes.

    Args:
        root: folder of the data set, mirdata's data_home.
        dataset: Name that mirdata has for the data set, such as guitarset.
        version: Name that mirdata has for its version.
        notes: Attribute of a track that holds its notes; null takes the first that there is.
        audio: Attribute of a track that names its audio; null takes the first whose files are there.
        group: Attribute that names what tracks share; null takes the first that there is, none none.
        held_out: Share of the tracks that are for testing, where the data set has no split.
        multitracks: Whether mixes are read in place of their stems, where mirdata knows both.
    """

    RESAMPLES = True
    ABOUT = About("the data set's own", "the data set's own", "https://mirdata.readthedocs.io, by data set")

    def __init__(
        self,
        root: Path,
        dataset: str | None = None,
        version: str = "default",
        notes: str | None = None,
        audio: str | None = None,
        group: str | None = None,
        held_out: float = 0.2,
        multitracks: bool = False,
    ):
        super().__init__(root)
        self.dataset, self.version, self.held_out, self.multitracks = dataset, version, held_out, multitracks
        self.keys = {"notes": notes, "audio": audio, "group": group}
        self._owners: dict[Path | None, str] = {}  # ids by file of labels

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits: "train", "test", and "validation" where the data set's own split has it."""
        try:
            return ("train", VALIDATION, "test") if VALIDATION in self._chosen.splits else SPLITS
        except DataError:
            return SPLITS

    def remark(self) -> str:
        try:
            return self._chosen.remark
        except DataError:
            return f"Labels: those of mirdata's {self.dataset}."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        try:
            chosen = self._chosen
        except DataError as error:
            return [], [str(error)]
        ids, pairs, problems = chosen.splits.get(split, []), list[Pair](), list[str]()
        left_out: dict[str, list[str]] = {}
        for id in ids:
            paths = paths_of(chosen.tracks[id])
            audio = paths.get(chosen.audio)
            labels = _labels(paths, chosen.notes) or audio
            if self._owners.setdefault(labels, id) != id:  # a file of several tracks
                labels = audio
                self._owners[audio] = id
            by_file = self.dataset in BY_FILE and labels != audio  # not read to see that it has notes
            try:
                found = bool(audio) and (by_file or bool(self._read(id, labels)))
            except DataError as error:
                problems.append(str(error))
                continue
            if not audio or not found:
                left_out.setdefault("notes" if audio else "audio", []).append(id)
                continue
            pairs.append(Pair(spelled(id), audio, labels, chosen.groups[id]))
        for what, lacking in left_out.items():
            of = f"{len(lacking):,} of {len(ids):,} {split} tracks have no {what}"
            problems.append(Remark(f"{self.root}: {of} ({getattr(chosen, what)}), left out; the first: {lacking[0]}"))
        if not pairs and all(isinstance(line, Remark) for line in problems):
            problems.append(f"{self.root}: no {split} track of {self.dataset} with audio and notes: correct data.root")
        return pairs, problems

    def notes(self, labels: Path) -> list[tuple[float, float, int]]:
        if labels not in self._owners:
            for split in self.splits:
                self.find(split)
        return self._read(self._owners[labels], labels)

    def files(self) -> list[tuple[str, Path]]:
        with contextlib.suppress(DataError):
            found = self._chosen
            parts = ((split, found.tracks[id]) for split, ids in found.splits.items() for id in ids)
            whole = ((split, [part, *getattr(part, "tracks", {}).values()]) for split, part in parts)
            return [(split, path) for split, part in whole for one in part for path in paths_of(one).values()]
        return []

    def _read(self, id: str, labels: Path) -> list[tuple[float, float, int]]:
        chosen = self._chosen
        state = labels.stat()
        key = (labels, self.dataset, id, chosen.notes, state.st_size, state.st_mtime_ns)
        if key not in _kept:
            _kept[key] = read_notes(chosen.tracks[id], chosen.notes, labels)
        return _kept[key]

    @cached_property
    def _chosen(self) -> _Tracks:
        """The tracks, their splits, and the attributes that are read.

        Raises:
            DataError: mirdata cannot open the data set, or a key does not fit it.
        """
        if problems := missing(self.root):
            raise DataError(problems[0])
        if not 0 < self.held_out < 1:
            raise DataError(f"data.held_out {self.held_out}: needs a share above 0 and below 1: correct it")
        dataset = open_dataset(self.dataset, self.root, self.version)
        with quiet():
            tracks = tracks_of(dataset, self.multitracks)
            notes, audio, group = self._attributes(tracks)
            try:
                groups = {id: spelled(str(getattr(track, group, None) or "")) for id, track in tracks.items()}
                own = {id: getattr(track, "split", None) for id, track in tracks.items()}
            except Exception as error:  # metadata that is missing, for one
                raise DataError(f"{self.root}: mirdata cannot read {self.dataset} ({said(error)})") from None
        if any(own.values()):
            splits, how = _by_name(own), "the data set's own"
        else:
            splits = _by_hash(groups, self.held_out)
            apart = f"groups ({group})" if any(groups.values()) else "tracks"
            how = f"{len(splits['test']):,} of {len(tracks):,} tracks, by a hash of the {apart}"
        version = f"mirdata's {self.dataset} {dataset.version}"
        remark = f"Labels: {notes} of {version}, without a pedal; audio: {audio}; test part: {how}."
        return _Tracks(tracks, splits, groups, notes, audio, remark)

    def _attributes(self, tracks: dict[str, Any]) -> tuple[str, str, str]:
        """Return the attributes that hold the notes, name the audio, and name what tracks share."""
        some = next(iter(tracks.values()))
        named = attributes(some, AUDIO, "audio_", paths=True)
        there = [name for name in named if any(name in paths_of(track) for track in tracks.values())]
        return (
            self._pick("notes", attributes(some, NOTES, "notes_")),
            self._pick("audio", list(dict.fromkeys([*there, *named]))),
            self._pick("group", [*attributes(some, GROUPS), NONE]),
        )

    def _pick(self, key: str, there: list[str]) -> str:
        """Return the attribute that a key names, or the first that there is."""
        if not there:
            raise DataError(f"data.dataset {self.dataset}: its tracks have no {key}: {REMEDY}")
        chosen = self.keys[key] or there[0]
        if chosen not in there:
            raise DataError(f"data.{key} {chosen}: tracks of {self.dataset} have {', '.join(there)}: choose one")
        return chosen


def _labels(paths: dict[str, Path], notes: str) -> Path | None:
    """Return the file from which notes are read, which is called after them or has one of the usual names."""
    names = (f"{notes}_path", *LABELS)
    return next((paths[name] for name in names if name in paths), None)


def _by_name(own: dict[str, str | None]) -> dict[str, list[str]]:
    """Return the ids of each split as the data set names them; other parts, such as Slakh's omitted, are left out."""
    splits: dict[str, list[str]] = {split: [] for split in SPLITS}
    for id, name in own.items():
        if part := PARTS.get(str(name).lower()):
            splits.setdefault(part, []).append(id)
    return splits


def _by_hash(groups: dict[str, str], held_out: float) -> dict[str, list[str]]:
    """Hold out groups for testing, in the order of a hash, until about this share of the tracks is held out.

    Args:
        groups: group of each track by its id; "" makes the track a group of its own.
        held_out: share, above 0 and below 1.

    Raises:
        DataError: all tracks are of one group.
    """
    names = {id: group or id for id, group in groups.items()}
    sizes = Counter(names.values())
    if len(sizes) < 2:
        raise DataError(f"data.group: all tracks share {next(iter(sizes))}: choose another, or none to split by track")
    order = sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).digest())
    test, taken = {order[0]}, sizes[order[0]]
    for name in order[1:-1]:
        if taken + sizes[name] / 2 > held_out * len(groups):
            break
        test.add(name)
        taken += sizes[name]
    return {split: [id for id in groups if (names[id] in test) == (split == "test")] for split in SPLITS}
