"""The demo set: a small synthetic data set in MusicNet's layout, made by the program, so that no download is needed."""

import csv
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from sweep import files, locks
from sweep.data.composition import ENSEMBLES, NOTE_VALUES, compose
from sweep.data.recording import SAMPLE_RATE, DataError
from sweep.data.sources.musicnet import MusicNet
from sweep.data.synthesis import TIMBRES, Note, render
from sweep.registry import sources

MADE_BY = "sweep.data.demo"  # marks a folder as ours to replace
VERSION = 1  # increased whenever the bytes change, so that an older set is made again
TRAIN, TEST, SECONDS = 12, 4, 40.0  # recordings, and the length of each: 10.7 minutes, 56 MB
FIRST_ID = {"train": 1001, "test": 2001}
COLUMNS = ("start_time", "end_time", "instrument", "note", "start_beat", "end_beat", "note_value")


@dataclass(frozen=True, kw_only=True)
class Content:
    """The content of demo.json: number and length of the recordings of a demo set, and the version that made it."""

    made_by: str = MADE_BY
    version: int = VERSION
    train: int
    test: int
    seconds: float

    def recordings(self) -> list[tuple[str, int]]:
        """List the split and the id of each recording."""
        counts = {"train": self.train, "test": self.test}
        return [(split, FIRST_ID[split] + i) for split, count in counts.items() for i in range(count)]


@sources.register("demo")
class Demo(MusicNet):
    """Sixteen pieces that the program makes by itself: synthetic, no evidence about recorded music."""

    ABOUT = None

    def __init__(self, root: Path):
        super().__init__(root)

    def remark(self) -> str:
        return "Labels are exact, there is no pedal."

    def make(self, console: Console) -> None:
        if not self.root.exists():
            console.print(f"making the demo set in {self.root}, once")
        make_demo(self.root)

    def files(self) -> None:
        return None  # the program makes the same bytes every time


def make_demo(root: Path, train: int = TRAIN, test: int = TEST, seconds: float = SECONDS) -> None:
    """Make sure that `root` holds the demo set: WAV files and labels in MusicNet's folders, the same bytes every time.

    The set is made beside `root` and moved there whole, so `root` never holds half a set. A complete set is left
    unchanged; a set with missing files, or of another version or size, is replaced with its folder.

    Args:
        root: folder for the set; `demo.json` in it describes the content.
        train, test: number of recordings of each split, at least 1; their ids count from 1001 and 2001.
        seconds: length of each recording in s, at least 2.

    Raises:
        DataError: `root` exists and is no demo set; it is left unchanged.
        ValueError: a number is below its minimum.
    """
    if train < 1 or test < 1 or seconds < 2:
        raise ValueError(f"make_demo: need train, test >= 1 and seconds >= 2, got {train}, {test} and {seconds}")
    root = Path(root).resolve()
    content = Content(train=train, test=test, seconds=float(seconds))
    if _holds(root, content):
        return
    with locks.wait(root.with_name(f".{locks.short(root.name)}.lock")):
        files.clean(root.parent, root.name)
        if not _holds(root, content):  # otherwise another process has made it
            _make(root, content)


def _make(root: Path, content: Content) -> None:
    """Make the set in a folder of this process, and move it to `root`."""
    own = files.partial_name(root.name).removesuffix(".partial")
    with tempfile.TemporaryDirectory(prefix=own, suffix=".partial", dir=root.parent) as scratch:
        made = Path(scratch, "made")
        for split, recording in content.recordings():
            rng = np.random.Generator(np.random.PCG64(recording))
            notes = compose(ENSEMBLES[recording % len(ENSEMBLES)], content.seconds, rng)
            _write_labels(made / f"{split}_labels" / f"{recording}.csv", notes)
            audio = render(notes, int(content.seconds * SAMPLE_RATE), rng)
            _write_audio(made / f"{split}_data" / f"{recording}.wav", audio)
        (made / "demo.json").write_text(json.dumps(asdict(content)) + "\n")
        if root.exists():
            root.rename(Path(scratch, "replaced"))
        made.rename(root)


def _holds(root: Path, content: Content) -> bool:
    """Return whether `root` is a complete demo set of this content; raise if it is no demo set and not empty."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / "demo.json").read_text())
        ours = found["made_by"] == MADE_BY
    except (OSError, ValueError, TypeError, KeyError):  # missing, no JSON, or other JSON
        ours = False
    if not ours:
        raise DataError(
            f"{root}: not a demo set, it has no demo.json of one: name another folder or move this one away"
        )
    return found == asdict(content) and all(
        (root / f"{split}_{folder}" / f"{recording}.{suffix}").exists()
        for split, recording in content.recordings()
        for folder, suffix in (("data", "wav"), ("labels", "csv"))
    )


def _write_audio(path: Path, audio: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.round(audio * 32767).astype(np.int16), SAMPLE_RATE, subtype="PCM_16")


def _write_labels(path: Path, notes: list[Note]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        for note in notes:
            instrument, value = TIMBRES[note.timbre].instrument, NOTE_VALUES[round(note.beats * 4)]
            table.writerow((note.start, note.end, instrument, note.pitch, note.start_beat, note.beats, value))
