"""Find the files of MAPS, `<piano>/MUS/MAPS_MUS-<piece>_<piano>.wav` beside .txt and .mid, and read its text labels."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from sweep.data.labels import SHOWN
from sweep.data.midi import Midi, Note, played, read_midi
from sweep.data.pedal import in_words
from sweep.data.recording import N_NOTES, DataError, Pair, Remark
from sweep.data.source import About, Source, as_compared, missing
from sweep.names import spelled
from sweep.registry import sources
from sweep.walking import walk

PIANOS = {
    "train": ("AkPnBcht", "AkPnBsdf", "AkPnCGdD", "AkPnStgb", "SptkBGAm", "SptkBGCl", "StbgTGd2"),
    "test": ("ENSTDkAm", "ENSTDkCl"),
}
MICROPHONES = ("Am", "Cl")  # ends of the names of a piano that was recorded from afar and from nearby
EACH = 30  # pieces of music that each piano plays
MUSIC, OTHERS = "MUS", ("ISOL", "RAND", "UCHO")  # folders of a piano: pieces of music; notes and chords, not read
LABELS = {"txt": ".txt", "midi": ".mid"}
COLUMNS = ("OnsetTime", "OffsetTime", "MidiPitch")
NAME = re.compile(rf"MAPS_{MUSIC}-(.+)_([^_]+)")


@sources.register("maps")
class Maps(Source):
    """MAPS as it unpacks: <piano>/MUS/MAPS_MUS-<piece>_<piano>.wav, .txt and .mid; tested on its real piano.

    The split is configuration 2 of Sigtia, Benetos and Dixon (IEEE/ACM TASLP 24(5), 2016) without shared pieces, as in
    "Onsets and Frames" (Hawthorne et al., ISMIR 2018): the 60 recordings of the Disklavier, ENSTDkAm and ENSTDkCl, are
    for testing, and of the 210 of synthesised pianos those 139 are for training whose piece the Disklavier does not
    play. All of StbgTGd2 goes by that. The four random folds of configuration 1 are not offered: synthesised and real
    recordings of a piece are on both sides there.

    A recording's group is its piano. ENSTDkAm and ENSTDkCl are one piano from afar and from nearby, and so are SptkBGAm
    and SptkBGCl: their groups are ENSTDk and SptkBG.

    Labels of the Disklavier lead its audio: on six recordings by 0 to 12 ms nearby and 20 to 35 ms from afar, by how it
    is measured. `data.shift` moves all labels, those of the synthesised pianos too.

    Args:
        root: folder of the pianos' folders, at any depth: MAPS/ above them, or ENSTDkAm1/ and ENSTDkAm2/, may stand.
        labels: Files that are read: txt, whose notes end with the pedal, or midi.
        pedal: Whether notes in MIDI go on while the sustain pedal is down, until it goes up or the key is struck again.
    """

    RESAMPLES = True
    LABEL_KEYS = ("labels", "pedal")
    ABOUT = About(
        "270 recordings of music, 18 hours, of 65 hours and about 40 GB with single notes and chords",
        "CC BY-NC-SA 2.0 FR",
        "https://adasp.telecom-paris.fr/resources/2010-07-08-maps-database/",
    )

    def __init__(self, root: Path, labels: str = "txt", pedal: bool = False):
        super().__init__(root)
        self.labels, self.pedal = labels, pedal

    def remark(self) -> str:
        read = "text files, whose notes end with the pedal" if self.labels == "txt" else f"MIDI, {in_words(self.pedal)}"
        return (
            "MAPS: tested on the Disklavier, trained on the synthesised pianos without the pieces that it plays "
            f"(configuration 2); labels: its {read}."
        )

    def find(self, split: str) -> tuple[list[Pair], list[str]]:
        if self.labels not in LABELS:
            return [], [f"data.labels {self.labels}: is none of {', '.join(LABELS)}: choose one"]
        if self.pedal and self.labels != "midi":
            return [], [
                f"data.pedal true: is for data.labels=midi, the notes of data.labels={self.labels} end with the pedal "
                "already: choose one of the two"
            ]
        return find(self.root, split, LABELS[self.labels])

    def notes(self, labels: Path) -> Midi:
        return read_midi(labels, self.pedal) if self.labels == "midi" else read_text(labels)


def find(root: Path, split: str, ending: str = ".txt") -> tuple[list[Pair], list[str]]:
    """Find the recordings of a split.

    Args:
        root: folder of the pianos' folders, at any depth.
        split: "train" or "test".
        ending: ending of the label files.

    Returns:
        pairs: those recordings that have both files.
        problems: one line each: there is no music, a name is not MAPS's, audio has no labels, labels have no audio, a
            folder is there twice, the split has no recording, or a test piano has none. Remarks count the recordings
            that are missing, and those left out because the test has their piece.
    """
    if problems := missing(root):
        return [], problems
    files = _files(root, ending, problems)
    audio, labels = files[".wav"], files[ending]
    if not audio and not labels:
        return [], problems
    pianos, both = PIANOS[split], audio.keys() & labels.keys()
    for key in sorted(key for key in audio.keys() - both if key[1] in pianos):
        problems.append(f"{audio[key]}: no {ending} of this name: unpack its archive again or remove the recording")
    for key in sorted(key for key in labels.keys() - both if key[1] in pianos):
        problems.append(f"{labels[key]}: no .wav of this name: unpack its archive again or remove the labels")
    tested = {piece for piece, piano in audio if piano in PIANOS["test"]} if split == "train" else set()
    found = sorted(key for key in both if key[1] in pianos)
    kept = [key for key in found if key[0] not in tested]
    problems += _counted(root, split, Counter(piano for _, piano in found), len(found) - len(kept))
    return [_pair(*key, audio[key], labels[key]) for key in kept], problems


def _files(root: Path, ending: str, problems: list[str]) -> dict[str, dict[tuple[str, str], Path]]:
    """Find audio and label files by ending, then by piece and piano; add to the problems."""
    files: dict[str, dict[tuple[str, str], Path]] = {".wav": {}, ending: {}}
    unread, others = list[str](), set[str]()
    twice: defaultdict[tuple[Path, Path], list[str]] = defaultdict(list)
    for folder, below, names in walk(root, unread):
        others |= {name for name in below if name in OTHERS}
        below[:] = [name for name in below if name not in OTHERS]
        for path in map(folder.joinpath, names if folder.name == MUSIC else ()):
            if path.suffix.lower() not in files:
                continue
            key, known = _key(path, problems), files[path.suffix.lower()]
            if key and known.setdefault(key, path) != path:
                twice[folder, known[key].parent].append(path.name)
    problems += [Remark(line) for line in unread]
    for (folder, first), again in twice.items():
        problems.append(
            f"{folder}: {len(again)} files as in {first}, such as {again[0]}: remove one of the two folders"
        )
    if not any(files.values()) and all(isinstance(line, Remark) for line in problems):
        but = f" but {', '.join(sorted(others))}, which are notes and chords" if others else ""
        problems.append(f"{root}: holds no music, <piano>/{MUSIC}/MAPS_{MUSIC}-*{but}: unpack it or correct data.root")
    return files


def _key(path: Path, problems: list[str]) -> tuple[str, str] | None:
    """Return the piece and the piano of a file, or add to the problems."""
    name = NAME.fullmatch(as_compared(path.stem))
    known = sum(PIANOS.values(), ())
    if name is None:
        problems.append(f"{path}: not called MAPS_{MUSIC}-<piece>_<piano>{path.suffix}: rename it or move it away")
    elif name[2] not in known:
        problems.append(f"{path}: {name[2]} is none of the pianos {', '.join(known)}: rename it or move it away")
    else:
        return name[1], name[2]
    return None


def _counted(root: Path, split: str, counts: Counter[str], left_out: int) -> Iterable[str]:
    """Say what is missing of a split, and how many recordings are left out of it."""
    for piano in PIANOS["test"] if split == "test" else ():
        if not counts[piano]:
            yield f"{root}: holds no recording of {piano}, which the test is on: unpack its archives there"
    if counts and (few := [f"{piano} {counts[piano]}" for piano in PIANOS[split] if counts[piano] < EACH]):
        yield Remark(f"{root}: not all {EACH} recordings of each piano, {', '.join(few)}: unpack the others too")
    if left_out:
        yield Remark(f"{root}: {left_out} of {counts.total()} training recordings left out: the test has their pieces")
    if split == "train" and left_out == counts.total():
        yield f"{root}: holds no recording for training: unpack the archives of {', '.join(PIANOS['train'])} there"


def _pair(piece: str, piano: str, audio: Path, labels: Path) -> Pair:
    group = piano[:-2] if piano.endswith(MICROPHONES) else piano
    return Pair(spelled(f"{piece}_{piano}"), audio, labels, group)


def read_text(path: Path) -> Midi:
    """Read a text file of MAPS: a header, then onset and offset in s and MIDI note, between tabs.

    Raises:
        DataError: the file cannot be read, lacks a column, or a row has no numbers, reversed times or no MIDI note;
            names the file, the line and the remedy.
    """
    try:
        header, *rows = path.read_text(encoding="utf-8-sig").splitlines() or [""]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}): unpack it again") from None
    names = [name.strip() for name in header.split("\t")]
    if lacking := [name for name in COLUMNS if name not in names]:
        raise DataError(f"{path}:1: no column {', '.join(lacking)} in {header[:SHOWN]!r}: unpack it again")
    columns = [names.index(name) for name in COLUMNS]
    notes = [_note(f"{path}:{line}", row, columns) for line, row in enumerate(rows, 2) if row.strip()]
    return played(notes, ["piano"])


def _note(place: str, row: str, columns: Sequence[int]) -> Note:
    """Return the note of a row."""
    try:
        start, end, pitch = (float(row.split("\t")[column]) for column in columns)
    except (ValueError, IndexError):
        raise DataError(f"{place}: {row[:SHOWN]!r}: needs {', '.join(COLUMNS)} between tabs: correct the row") from None
    if not (0 <= start <= end < math.inf and pitch in range(N_NOTES)):
        wanted = f"0 <= OnsetTime <= OffsetTime and a MidiPitch of 0..{N_NOTES - 1}"
        raise DataError(f"{place}: {row[:SHOWN]!r}: needs {wanted}: correct the row")
    return Note(start, end, int(pitch), 1)
