"""Find the files of GuitarSet, annotation/<name>.jams and audio_mono-mic/<name>_mic.wav, and read its JAMS."""

import json
import math
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from sweep.data.labels import SHOWN
from sweep.data.midi import Midi, Note, played
from sweep.data.recording import N_NOTES, DataError, Pair, Remark
from sweep.data.source import About, Source, as_compared, missing, same_name
from sweep.registry import sources
from sweep.walking import files_below

ANNOTATION = "annotation"
AUDIO = {"mic": "audio_mono-mic", "mix": "audio_mono-pickup_mix"}  # folders
PLAYERS, PROGRESSIONS = range(6), range(1, 4)
# Such as 00_BN1-129-Eb_comp: player, style, progression, tempo, key, and whether chords or a solo are played.
NAME = re.compile(r"0(?P<player>[0-5])_(?:BN|Funk|Jazz|Rock|SS)(?P<progression>[1-3])-\d+-[A-G][b#]?_(?:comp|solo)")
# Recordings whose labels are late, by so many s, as the holder's README says (github.com/marl/GuitarSet, issue 5).
LATE = {"04_BN3-154-E_comp": 0.409, "04_Jazz1-200-B_comp": 0.309}


@sources.register("guitarset")
class GuitarSet(Source):
    """GuitarSet as it unpacks: annotation/<name>.jams, and audio_mono-mic/<name>_mic.wav or the pickup's mix.

    It has no split of its own. By player, one of six is left for testing, as in each fold of TabCNN (Wiggins and Kim,
    ISMIR 2019); all six play the same 30 lead sheets. By progression, one of three of each style is: the third in MT3
    (Gardner et al., ICLR 2022, appendix B.4) and in YourMT3's split of that name, and all six players are on both
    sides. A recording's group is its player.

    A note's pitch in JAMS was measured on its string, in fractions of a semitone; it is rounded to the nearest one, as
    YourMT3 does. Recordings with a channel for each string are not read.

    Args:
        root: folder that holds annotation/ and audio_mono-mic/ or audio_mono-pickup_mix/.
        audio: Recordings that are read: mic, the microphone, or mix, the pickup's strings together.
        split: What the test part is a part of: player or progression.
        test_player: Player of the test part if the split is by player, 0 to 5.
        test_progression: Progression of the test part if the split is by progression, 1 to 3.
    """

    RESAMPLES = True
    ABOUT = About(
        "360 recordings of a guitar by 6 players, 3 hours; 0.7 GB with the microphone",
        "CC BY 4.0",
        "https://zenodo.org/records/3371780",
    )

    def __init__(
        self, root: Path, audio: str = "mic", split: str = "player", test_player: int = 5, test_progression: int = 3
    ):
        super().__init__(root)
        self.audio, self.split = audio, split
        self.tested = {"player": test_player, "progression": test_progression}

    def remark(self) -> str:
        heard = "microphone" if self.audio == "mic" else "mix of the pickup"
        return (
            f"GuitarSet, {heard}: tested on {self.split} {self.tested.get(self.split)}, trained on the others; labels: "
            "its notes of each string, pitches rounded to semitones."
        )

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        if problem := self._wrong():
            return [], [problem]
        pairs, problems = find(self.root, self.audio)
        test = [int(NAME.fullmatch(pair.id)[self.split]) == self.tested[self.split] for pair in pairs]
        found = [pair for pair, tested in zip(pairs, test, strict=True) if tested == (split == "test")]
        problems += [
            Remark(f"{pair.labels}: known to be {LATE[pair.id]} s late, used all the same: remove it to leave it out")
            for pair in found
            if pair.id in LATE
        ]
        if pairs and not found:
            what = f"{'no' if split == 'test' else 'only'} {self.split} {self.tested[self.split]}"
            problems.append(f"{self.root}: holds {what}: unpack the rest or choose another data.test_{self.split}")
        return found, problems

    def notes(self, labels: Path) -> Midi:
        return read_jams(labels)

    def _wrong(self) -> str:
        """Describe a key whose value is none of those that there are."""
        choices: list[tuple[str, Any, Collection[Any]]] = [
            ("audio", self.audio, AUDIO),
            ("split", self.split, self.tested),
            ("test_player", self.tested["player"], PLAYERS),
            ("test_progression", self.tested["progression"], PROGRESSIONS),
        ]
        for key, value, known in choices:
            if value not in known:
                return f"data.{key} {value}: is none of {', '.join(map(str, known))}: choose one"
        return ""


def find(root: Path, audio: str = "mic") -> tuple[list[Pair], list[str]]:
    """Find all recordings.

    Args:
        root: folder that holds annotation/ and the folder of the audio.
        audio: "mic" or "mix".

    Returns:
        pairs: those recordings that have both files.
        problems: one line each: a folder is missing, a name is not GuitarSet's, is there twice, or has one file.
    """
    folders = {ANNOTATION: root / ANNOTATION, AUDIO[audio]: root / AUDIO[audio]}
    problems = missing(root) or [
        f"{folder}: no such folder: unpack {name}.zip into it or correct data.root and data.audio"
        for name, folder in folders.items()
        if not os.path.isdir(folder)
    ]
    if problems:
        return [], problems
    labels = _files(folders[ANNOTATION], "", ".jams", problems)
    sounds = _files(folders[AUDIO[audio]], f"_{audio}", ".wav", problems)
    both = labels.keys() & sounds.keys()
    for name in sorted(sounds.keys() - both):
        problems.append(
            f"{sounds[name]}: no {ANNOTATION}/{name}.jams: unpack {ANNOTATION}.zip again or remove the audio"
        )
    for name in sorted(labels.keys() - both):
        wanted = f"{AUDIO[audio]}/{name}_{audio}.wav"
        problems.append(f"{labels[name]}: no {wanted}: unpack {AUDIO[audio]}.zip again or remove the annotation")
    if not labels and not sounds:
        problems.append(f"{root}: holds no recording: unpack {ANNOTATION}.zip and {AUDIO[audio]}.zip there")
    return [Pair(name, sounds[name], labels[name], f"player {int(name[:2])}") for name in sorted(both)], problems


def _files(folder: Path, tail: str, ending: str, problems: list[str]) -> dict[str, Path]:
    """Find the files below a folder that end so, by the name of their recording; add to the problems."""
    files: dict[str, Path] = {}
    unread: list[str] = []
    for path in files_below(folder, unread):
        if path.suffix.lower() != ending:
            continue
        name = as_compared(path.stem).removesuffix(tail)
        if not NAME.fullmatch(name) or not path.stem.endswith(tail):
            what = f"not called <player 00 to 05>_<style><progression>-<tempo>-<key>_<comp or solo>{tail}{ending}"
            problems.append(f"{path}: {what}: rename it or move it away")
        elif name in files:
            problems.append(f"{path}: {same_name(path, files[name])} in {files[name].parent}: remove one of the two")
        else:
            files[name] = path
    problems += [Remark(line) for line in unread]
    return files


def read_jams(path: Path) -> Midi:
    """Read the notes of a JAMS file: those of its annotations `note_midi`, of which GuitarSet has one a string.

    Their data are a list of observations with time, duration and value, or a dict of these with a list each.

    Raises:
        DataError: the file is no JAMS, has no notes, or a note has a value that is none; names the place.
    """
    try:
        found = json.loads(path.read_bytes())["annotations"]
        strings = [one for one in found if one["namespace"] == "note_midi"]
        rows = [_rows(one["data"]) for one in strings]
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}): correct its permissions") from None
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        why = f"{type(error).__name__}, {' '.join(str(error).split())[:SHOWN]}"
        raise DataError(f"{path}: cannot be read as JAMS ({why}): unpack it again") from None
    if not any(rows):
        raise DataError(f"{path}: has no notes, no annotation note_midi with data: unpack it again")
    names = [_name(number, one) for number, one in enumerate(strings)]
    notes = [
        _note(f"{path}: {names[number]}, note {at}", *row, number + 1)
        for number, of_string in enumerate(rows)
        for at, row in enumerate(of_string, 1)
    ]
    return played(notes, names)


def _rows(data: Any) -> list[tuple[Any, Any, Any]]:
    """Return time, duration and value of each observation of an annotation's data."""
    if isinstance(data, dict):
        return list(zip(data["time"], data["duration"], data["value"], strict=True))
    return [(one["time"], one["duration"], one["value"]) for one in data]


def _name(number: int, annotation: dict) -> str:
    """Return the name of an annotation's string, which its metadata count from 0, the lowest."""
    about = annotation.get("annotation_metadata")
    return f"string {about.get('data_source', number) if isinstance(about, dict) else number}"


def _note(place: str, time: Any, duration: Any, value: Any, instrument: int) -> Note:
    """Return the note of an observation."""
    try:
        start, length, pitch = float(time), float(duration), float(value)
    except (TypeError, ValueError):
        given = f"{time}, {duration}, {value}"[:SHOWN]
        raise DataError(f"{place}: time, duration, value {given}: needs numbers: unpack the file again") from None
    if not (0 <= start < math.inf and 0 <= length < math.inf):
        raise DataError(f"{place}: time {start:g} s, duration {length:g} s: needs times from 0: correct it")
    if not -0.5 <= pitch < N_NOTES - 0.5:
        raise DataError(f"{place}: value {pitch:g} at {start:g} s: needs a MIDI note of 0..{N_NOTES - 1}: correct it")
    return Note(start, start + length, round(pitch), instrument)
