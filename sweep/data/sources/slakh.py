"""Find the files of Slakh2100, `{train,validation,test}/Track00001/` with mix, stems, their MIDI and metadata.yaml."""

import functools
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from sweep.data.midi import Midi, read_midi
from sweep.data.pedal import in_words
from sweep.data.recording import DataError, Pair, Remark
from sweep.data.source import SPLITS, VALIDATION, About, Source, missing
from sweep.registry import sources

METADATA, MIX = "metadata.yaml", "mix"
TRACK, STEM = re.compile(r"Track\d{5}"), re.compile(r"S[0-9]+")
REDUX = (1289, 270, 151)  # its tracks in train, validation and test
ENDINGS = (".flac", ".wav")  # as shipped, and in BabySlakh
BASSES = range(32, 40)  # General MIDI's programs, from 0
TRUE_BASS = "scarbee_jay_bass_slap_both.nkm"  # the one plug-in that sounds as written
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # 2,100 files: libyaml's takes seconds


class Stem(NamedTuple):
    """A stem that sounds and has pitches: its instrument class, whether it is a bass that sounds low, and its files."""

    instrument: str
    low: bool
    audio: Path
    midi: Path


class _Listed(NamedTuple):
    """A stem in metadata.yaml: its name, class, and whether it is drums, was rendered, is a bass that sounds low."""

    name: str
    instrument: str
    drums: bool
    rendered: bool
    low: bool


@sources.register("slakh")
class Slakh(Source):
    """Slakh2100 as shipped, redux or original: its mixes, or all stems of an instrument class; drums have no notes.

    Music of the Lakh MIDI data set rendered by sampled instruments (Manilow et al., "Cutting music source separation
    some Slakh", WASPAA 2019). The folders train, validation and test are the split. Of the original's 2,100 tracks some
    share their MIDI with another, partly across the splits; Slakh2100-redux has 1,289, 270 and 151 tracks without such
    doubles, and a folder omitted, which is not read (splits/README.md of ethman/slakh-utils). Tracks of the test part
    whose MIDI is in another part too are counted in a remark.

    Bass stems sound an octave below their MIDI, which was moved up for the sampler (issue 18 of ethman/slakh-utils).

    Args:
        root: folder that holds train, validation and test.
        stems: What is read, mix, or the stems of an instrument class such as Piano or Guitar, each a recording.
        pedal: Whether notes go on while the sustain pedal is down, until it goes up or the key is struck again.
        lower_bass: Whether notes of bass stems are moved down an octave, to where they sound, as YourMT3 does.
    """

    RESAMPLES = True
    LABEL_KEYS = ("pedal", "lower_bass")
    HOLDS_OUT = True
    ABOUT = About(
        "redux: 1,710 tracks, 104 GB packed; the original: 2,100 tracks, 145 hours",
        "CC BY 4.0",
        "https://zenodo.org/records/4599666",
    )

    def __init__(self, root: Path, stems: str = MIX, pedal: bool = True, lower_bass: bool = False):
        super().__init__(root)
        self.stems, self.pedal, self.lower_bass = stems, pedal, lower_bass
        self._known: dict[Path, list[Stem]] = {}

    def remark(self) -> str:
        counts = {split: len(_tracks(self.root / split)) for split in self.splits}
        redux = os.path.isdir(self.root / "omitted") or tuple(counts.values()) == REDUX
        what = "mixes" if self.stems == MIX else f"stems of {self.stems}"
        of = " and ".join(f"{count:,} {split}" for split, count in counts.items() if count)
        bass = "moved down to the octave of its sound" if self.lower_bass else "an octave above its sound"
        what += f" of tracks by their folders, {of}" if of else ""
        name = "Slakh2100-redux" if redux else "Slakh2100"
        return f"{name}, {what}. Labels: MIDI without the drums, {in_words(self.pedal)}; the bass {bass}."

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        """Find the recordings of a split: each track's mix, or its stems of the class, whose group is the track."""
        if problems := missing(self.root):
            return [], problems
        folder = self.root / split
        tracks = _tracks(folder)
        if not tracks:
            return [], [_no_tracks(self.root, folder)]
        pairs: list[Pair] = []
        classes: set[str] = set()
        for track in tracks:
            try:
                stems = self._stems(track)
            except DataError as error:
                problems.append(str(error))
                continue
            classes |= {stem.instrument for stem in stems}
            if self.stems == MIX:
                pairs.append(Pair(track.name, _audio(track / MIX), track / METADATA))
                continue
            chosen = (stem for stem in stems if stem.instrument == self.stems)
            names = ((f"{track.name}-{stem.midi.stem}", stem) for stem in chosen)
            pairs += [Pair(id, stem.audio, stem.midi, track.name) for id, stem in names]
        if self.stems != MIX and self.stems not in classes and not problems:
            known = ", ".join([MIX, *sorted(classes)])
            problems.append(f"{folder}: no stem of class {self.stems!r}: data.stems takes here {known}")
        problems += [
            f"{path}: no such file: unpack it from the archive again"
            for pair in pairs
            for path in (pair.audio, *self._midi(pair.labels))
            if not os.path.isfile(path)
        ]
        return pairs, problems + (_doubled(self.root, tracks) if split == "test" else [])

    def notes(self, labels: Path) -> Midi:
        """Read the MIDI of a stem, or of all pitched stems of the track whose metadata.yaml this is."""
        notes, names, changed = [], list[str](), []
        low = {stem.midi for stem in self._stems(_track(labels)) if stem.low}
        for path in self._midi(labels):
            midi, lower = read_midi(path, self.pedal), 12 * (self.lower_bass and path in low)
            moved = [note._replace(pitch=max(note.pitch - lower, note.pitch % 12)) for note in midi.notes]
            notes += [note._replace(instrument=note.instrument + len(names)) for note in moved]
            changed += [
                (what, note._replace(instrument=note.instrument + len(names)), n) for what, note, n in midi.changed
            ]
            names += [name if path == labels else f"{path.name}, {name}" for name in midi.names]
        return Midi(sorted(notes), names, changed)

    def files(self) -> list[tuple[str, Path]]:
        pairs = ((split, pair) for split in self.splits for pair in self.find(split)[0])
        return [
            (split, path)
            for split, pair in pairs
            for path in (pair.audio, *dict.fromkeys((_track(pair.labels) / METADATA, *self._midi(pair.labels))))
        ]

    def _midi(self, labels: Path) -> list[Path]:
        """Return the MIDI files that labels stand for."""
        return [labels] if labels.name != METADATA else [stem.midi for stem in self._stems(labels.parent)]

    def _stems(self, track: Path) -> list[Stem]:
        if track not in self._known:
            self._known[track] = read_stems(track)
        return self._known[track]


def read_stems(track: Path) -> list[Stem]:
    """Read which stems of a track sound and have pitches, from its metadata.yaml.

    A stem of no plug-in has neither audio nor MIDI, and one that came out silent has MIDI alone: both are marked as not
    rendered. BabySlakh's metadata mark all stems so; of a track like that those count that have MIDI and audio.

    Raises:
        DataError: the file is missing or damaged, or no stem counts.
    """
    path = track / METADATA
    try:
        state = path.stat()
        stems = _listed(path, state.st_size, state.st_mtime_ns)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror or error}): unpack it from the archive again"
        ) from None
    except (yaml.YAMLError, UnicodeError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = (
            " ".join(str(error).split())
            if isinstance(error, yaml.YAMLError | ValueError)
            else "no stems, each with inst_class"
        )
        raise DataError(f"{path}: is no metadata of a track ({why}): unpack it from the archive again") from None
    marked = any(stem.rendered for stem in stems)
    found = []
    for stem in stems:
        audio, midi = _audio(track / "stems" / stem.name), track / "MIDI" / f"{stem.name}.mid"
        there = os.path.isfile(midi) and os.path.isfile(audio)
        if not stem.drums and (stem.rendered if marked else there):
            found.append(Stem(stem.instrument, stem.low, audio, midi))
    if not found:
        raise DataError(f"{path}: no stem but drums that was rendered, so there are no notes: remove the track")
    return found


@functools.cache
def _listed(path: Path, size: int, changed: int) -> list[_Listed]:
    """Read the stems that a metadata.yaml lists; once a process as long as its size and time of change stay."""
    content = yaml.load(path.read_bytes(), Loader=_LOADER)
    found = []
    for name, stem in content["stems"].items():
        if not STEM.fullmatch(str(name)):  # a name such as ../S00 would leave the track's folder
            raise ValueError(f"stem {str(name)!r} is not called S and digits")
        drums, rendered = stem.get("is_drum") is True, stem.get("audio_rendered") is True
        found.append(_Listed(str(name), _text(stem, "inst_class"), drums, rendered, _is_low(stem)))
    return found


def _text(stem: Mapping[str, Any], key: str) -> str:
    if not isinstance(stem[key], str):
        raise TypeError(key)
    return stem[key]


def _is_low(stem: Mapping[str, Any]) -> bool:
    return stem.get("program_num") in BASSES and stem.get("plugin_name") != TRUE_BASS


def _audio(path: Path) -> Path:
    """Return the audio file of this name, whatever its ending."""
    files = [path.with_name(path.name + ending) for ending in ENDINGS]
    return next((file for file in files if os.path.isfile(file)), files[0])


def _track(labels: Path) -> Path:
    return labels.parent if labels.name == METADATA else labels.parent.parent


def _tracks(folder: Path) -> list[Path]:
    """Return the folders of tracks in a folder, sorted."""
    try:
        return sorted(folder / name for name in os.listdir(folder) if TRACK.fullmatch(name))
    except OSError:
        return []


def _no_tracks(root: Path, folder: Path) -> str:
    if _tracks(root):
        splits = ", ".join((*SPLITS, VALIDATION))
        return f"{root}: holds tracks without a split, as BabySlakh does: move them into folders {splits}"
    return f"{folder}: holds no Track00001 or the like: put the tracks there or correct data.root"


def _doubled(root: Path, tests: list[Path]) -> list[Remark]:
    """Count the test tracks whose MIDI is in another part too, by the UUID in their metadata, its checksum."""
    others = {_uuid(track) for split in ("train", VALIDATION) for track in _tracks(root / split)}
    doubled = [track for track in tests if _uuid(track) in others - {""}]
    if not doubled:
        return []
    count = f"{len(doubled):,} of {len(tests):,} tracks"
    return [Remark(f"{root / 'test'}: {count} have MIDI that train or validation has too: take the redux split")]


def _uuid(track: Path) -> str:
    try:
        match = re.search(rb"^UUID: *'?(\w+)", (track / METADATA).read_bytes(), re.MULTILINE)
    except OSError:
        return ""
    return match[1].decode() if match else ""
