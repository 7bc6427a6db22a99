"""Bad and odd data sets, each made from a good one; `python tests/corpus.py` prints what becomes of each as a table."""

import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
import soundfile
from rich.console import Console

from sweep.data import read_split
from sweep.data.report import report

HEADER = "start_time,end_time,instrument,note,start_beat,end_beat,note_value\n"
ROW = "1000,2000,1,60,0,1,Quarter\n"
NOTES = [[1000, 2000, 60]]
N_SAMPLES = 120_000
SAMPLES = np.random.default_rng(0).integers(-20_000, 20_000, N_SAMPLES).astype(np.int16)


class Bad(NamedTuple):
    """A data set that must be refused: what is done to the good one, where the error must point, words in it."""

    name: str
    source: str
    damage: Callable[[Path], object]
    where: str
    words: str


class Odd(NamedTuple):
    """A data set that must be read rightly: recording 7's samples, its notes."""

    name: str
    source: str
    change: Callable[[Path], object]
    samples: np.ndarray
    notes: list


def make_good(root: Path, source: str) -> None:
    """One recording in each split."""
    for split, name, samples in (("train", "7", SAMPLES), ("test", "8", SAMPLES[::-1])):
        audio, labels = _places(root, source, split, name)
        for path in (audio, labels):
            path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(audio, samples, 44100)
        labels.write_text(HEADER + ROW)


def _places(root: Path, source: str, split: str, name: str) -> tuple[Path, Path]:
    if source == "folder":
        return root / split / f"{name}.wav", root / split / f"{name}.csv"
    return root / f"{split}_data" / f"{name}.wav", root / f"{split}_labels" / f"{name}.csv"


def audio(samples: np.ndarray, rate: int = 44100, ending: str = "wav", **options) -> Callable[[Path], None]:
    """Recording 7 anew."""

    def change(root: Path) -> None:
        folder = root / ("train" if (root / "train").is_dir() else "train_data")
        (folder / "7.wav").unlink()
        soundfile.write(folder / f"7.{ending}", samples, rate, **options)

    return change


def content(function: Callable[[bytes], bytes], ending: str = "wav") -> Callable[[Path], None]:
    """The bytes of recording 7 changed."""

    def change(root: Path) -> None:
        audio(SAMPLES, ending=ending)(root)
        (path,) = root.glob(f"train*/7.{ending}")
        path.write_bytes(function(path.read_bytes()))

    return change


def labels(text: str | bytes) -> Callable[[Path], None]:
    """Its labels anew."""

    def change(root: Path) -> None:
        (path,) = [*root.glob("train_labels/7.csv"), *root.glob("train/7.csv")]
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return change


def row(text: str) -> Callable[[Path], None]:
    return labels(HEADER + ROW + text + "\n")


def midi(*messages: mido.Message | mido.MetaMessage, second_track: tuple = ()) -> Callable[[Path], None]:
    """Its labels as MIDI, 480 ticks a beat, half a second each."""

    def change(root: Path) -> None:
        (root / "train/7.csv").unlink()
        file = mido.MidiFile(ticks_per_beat=480)
        for track in filter(None, (messages, second_track)):
            file.tracks.append(mido.MidiTrack(track))
        file.save(root / "train/7.mid")

    return change


def note(pitch: int, wait: int, length: int, channel: int = 0) -> tuple:
    on = mido.Message("note_on", note=pitch, velocity=80, time=wait, channel=channel)
    return on, mido.Message("note_off", note=pitch, velocity=0, time=length, channel=channel)


def with_value(at: int, value: float) -> np.ndarray:
    samples = SAMPLES / 32768
    samples[at] = value
    return samples


def rename(old: str, new: str) -> Callable[[Path], None]:
    return lambda root: (root / old).rename(root / new)


def split_csv(text: str | bytes) -> Callable[[Path], None]:
    return lambda root: (root / "split.csv").write_bytes(text if isinstance(text, bytes) else text.encode())


def folders(root: Path, split: str) -> None:
    for path in root.glob(f"{split}*"):
        shutil.rmtree(path)


A, L, BOTH = "train_data/7.wav", "train_labels/7.csv", "file,split\ntrain/7.wav,train\ntest/8.wav,test\n"
MUSICNET, FOLDER = "musicnet", "folder"
BAD = [
    # Audio.
    Bad("empty file", MUSICNET, content(lambda _: b""), A, "cannot be read as audio"),
    Bad("text", MUSICNET, content(lambda _: b"hello"), A, "cannot be read as audio"),
    Bad(
        "a PNG's beginning", MUSICNET, content(lambda _: b"\x89PNG\r\n\x1a\n" + bytes(99)), A, "cannot be read as audio"
    ),
    Bad("zero bytes", MUSICNET, content(lambda whole: bytes(len(whole))), A, "cannot be read as audio"),
    Bad("WAV cut in its header", MUSICNET, content(lambda whole: whole[:30]), A, "cannot be read as audio"),
    Bad("WAV cut after its header", MUSICNET, content(lambda whole: whole[:44]), A, "truncated"),
    Bad("WAV cut in the middle", MUSICNET, content(lambda whole: whole[: len(whole) // 2]), A, "truncated"),
    Bad("WAV that lacks a sample", MUSICNET, content(lambda whole: whole[:-2]), A, "truncated"),
    Bad(
        "FLAC cut in the middle",
        MUSICNET,
        content(lambda w: w[: len(w) // 2], "flac"),
        "train_data/7.flac",
        "cannot be",
    ),
    Bad(
        "FLAC with changed bytes",
        MUSICNET,
        content(lambda w: w[:9000] + bytes(900) + w[9900:], "flac"),
        "train_data/7.flac",
        "cannot be read",
    ),
    Bad("AIFF cut in the middle", FOLDER, content(lambda w: w[: len(w) // 2], "aiff"), "train/7.aiff", "truncated"),
    Bad("Ogg cut in its header", FOLDER, content(lambda w: w[:100], "ogg"), "train/7.ogg", "cannot be read as audio"),
    Bad("MP3 cut in the middle", FOLDER, content(lambda w: w[: len(w) // 2], "mp3"), "train/7.mp3", "truncated"),
    Bad(
        "MP3 without its length",
        FOLDER,
        content(lambda w: w.replace(b"Xing", b"xxxx").replace(b"Info", b"xxxx"), "mp3"),
        "train/7.mp3",
        "without Xing header",
    ),
    Bad("no samples", MUSICNET, audio(SAMPLES[:0]), A, "holds no samples"),
    Bad("all samples 0", MUSICNET, audio(0 * SAMPLES), A, "every sample is 0"),
    Bad(
        "all samples 0, float", FOLDER, audio(0.0 * SAMPLES, 48000, subtype="FLOAT"), "train/7.wav", "every sample is 0"
    ),
    Bad("all samples NaN", MUSICNET, audio(np.full(N_SAMPLES, np.nan), subtype="FLOAT"), A, "sample 0 is nan"),
    Bad("one sample NaN", MUSICNET, audio(with_value(9, np.nan), subtype="FLOAT"), A, "sample 9 is nan"),
    Bad("one sample infinite", MUSICNET, audio(with_value(9, -np.inf), subtype="DOUBLE"), A, "sample 9 is -inf"),
    Bad(
        "NaN in one channel",
        MUSICNET,
        audio(np.stack([with_value(9, np.nan), SAMPLES / 32768], 1), subtype="FLOAT"),
        A,
        "sample 9 is nan",
    ),
    Bad("22,050 Hz in MusicNet's layout", MUSICNET, audio(SAMPLES, 22050), A, "22050 Hz, not 44100 Hz"),
    Bad("48,000 Hz in MusicNet's layout", MUSICNET, audio(SAMPLES, 48000), A, "48000 Hz, not 44100 Hz"),
    Bad("too short to train on", MUSICNET, audio(SAMPLES[:9000]), A, "9000 samples, training needs at least 16384"),
    Bad("one sample at 192 kHz", FOLDER, audio(SAMPLES[:1], 192000), "train/7.wav", "1 samples at 192000 Hz"),
    Bad(
        "test recording too short",
        MUSICNET,
        lambda root: soundfile.write(root / "test_data/8.wav", SAMPLES[:100_000], 44100),
        "test_data/8.wav",
        "100000 samples, scoring needs at least 109636",
    ),
    # Labels.
    Bad("labels missing", MUSICNET, lambda root: (root / L).unlink(), A, "no labels"),
    Bad("labels of another name", MUSICNET, rename(L, "train_labels/9.csv"), A, "no labels"),
    Bad("labels without audio", MUSICNET, lambda root: (root / A).unlink(), "train_", ""),
    Bad("labels empty", MUSICNET, labels(""), f"{L}:1", "no column start_time, end_time, note"),
    Bad("no header", MUSICNET, labels(ROW), f"{L}:1", "no column start_time, end_time, note"),
    Bad("no note column", MUSICNET, labels("start_time,end_time,pitch\n1,2,3\n"), f"{L}:1", "no column note"),
    Bad("columns in capitals", MUSICNET, labels("START_TIME,END_TIME,NOTE\n1,2,3\n"), f"{L}:1", "no column start_time"),
    Bad("semicolons", MUSICNET, labels((HEADER + ROW).replace(",", ";")), f"{L}:1", "no column"),
    Bad("tabs", MUSICNET, labels((HEADER + ROW).replace(",", "\t")), f"{L}:1", "no column"),
    Bad("UTF-16", MUSICNET, labels((HEADER + ROW).encode("utf-16")), f"{L}:1", "no column"),
    Bad("binary", MUSICNET, labels(bytes(range(256))), L, ""),
    Bad("a quote left open", MUSICNET, row('1,2,3,4,5,6,"7'), L, "cannot be read as CSV"),
    Bad("negative start", MUSICNET, row("-1,2000,1,60,0,1,Q"), f"{L}:3", "start_time -1 is negative"),
    Bad(
        "times reversed", MUSICNET, row("2000,1000,1,60,0,1,Q"), f"{L}:3", "end_time 1000 is not after start_time 2000"
    ),
    Bad("no duration", MUSICNET, row("2000,2000,1,60,0,1,Q"), f"{L}:3", "end_time 2000 is not after start_time 2000"),
    Bad("note 128", MUSICNET, row("1,2,1,128,0,1,Q"), f"{L}:3", "note 128 is not in MIDI's 0..127"),
    Bad("note -1", MUSICNET, row("1,2,1,-1,0,1,Q"), f"{L}:3", "note -1 is not in MIDI's 0..127"),
    Bad("after the end", MUSICNET, row("120000,120001,1,60,0,1,Q"), f"{L}:3", "is not within the recording's 120000"),
    Bad("far after the end", MUSICNET, row(f"{2**63},{2**64},1,60,0,1,Q"), f"{L}:3", "is not within the recording's"),
    Bad("times in seconds", MUSICNET, row("0.5,1.5,1,60,0,1,Q"), f"{L}:3", "must be whole numbers"),
    Bad("a note's name", MUSICNET, row("1,2,1,C4,0,1,Q"), f"{L}:3", "must be whole numbers"),
    Bad("a time missing", MUSICNET, row("1,,1,60,0,1,Q"), f"{L}:3", "must be whole numbers"),
    Bad("nan as time", MUSICNET, row("nan,2,1,60,0,1,Q"), f"{L}:3", "must be whole numbers"),
    Bad("a row cut short", MUSICNET, row("1,2"), f"{L}:3", "must be whole numbers"),
    Bad("labels are a folder", MUSICNET, lambda root: [(root / L).unlink(), (root / L).mkdir()], "train_", ""),
    Bad("MIDI that is CSV", FOLDER, rename("train/7.csv", "train/7.mid"), "train/7.mid", "cannot be read as MIDI"),
    Bad(
        "MIDI empty",
        FOLDER,
        lambda root: [(root / "train/7.csv").unlink(), (root / "train/7.mid").touch()],
        "train/7.mid",
        "cannot be read as MIDI",
    ),
    Bad(
        "MIDI cut short",
        FOLDER,
        lambda root: [
            midi(*note(60, 0, 480))(root),
            (root / "train/7.mid").write_bytes((root / "train/7.mid").read_bytes()[:20]),
        ],
        "train/7.mid",
        "cannot be read as",
    ),
    Bad(
        "MIDI note after the end", FOLDER, midi(*note(60, 4800, 480)), "train/7.mid", "note 60 at 5.000 s is not within"
    ),
    Bad(
        "MIDI tempo in track 2",
        FOLDER,
        midi(*note(60, 0, 480), second_track=(mido.MetaMessage("set_tempo", tempo=9),)),
        "train/7.mid",
        "changes its tempo in a track that is not the first",
    ),
    Bad("CSV and MIDI", FOLDER, lambda root: (root / "train/7.mid").touch(), "train/7.mid", "same name as 7.csv"),
    # Folders.
    Bad("no folder", FOLDER, shutil.rmtree, "", "no such folder"),
    Bad(
        "an empty folder", FOLDER, lambda root: [shutil.rmtree(root), root.mkdir()], "", "holds neither train and test"
    ),
    Bad("a file for a folder", FOLDER, lambda root: [shutil.rmtree(root), root.touch()], "", "no such folder"),
    Bad("no test split", FOLDER, lambda root: folders(root, "test"), "test", "holds no audio"),
    Bad("no test split, MusicNet", MUSICNET, lambda root: folders(root, "test"), "test_data", "no such folder"),
    Bad("no train split", MUSICNET, lambda root: folders(root, "train"), "train_data", "no such folder"),
    Bad(
        "an ending that is no audio",
        FOLDER,
        rename("train/7.wav", "train/7.m4a"),
        "train/7.csv",
        "7.m4a is nothing that",
    ),
    Bad("one id twice", MUSICNET, lambda root: (root / "train_data/7.flac").touch(), A, "same id as 7.flac"),
    Bad(
        "one name in both splits",
        FOLDER,
        lambda root: [shutil.copy(path, root / "test") for path in root.glob("train/*")],
        "test/7.wav",
        "same name as",
    ),
    Bad(
        "the same audio in both splits",
        FOLDER,
        lambda root: [shutil.copy(path, root / "test" / f"9{path.suffix}") for path in root.glob("train/*")],
        "test/9.wav",
        "the same audio as",
    ),
    Bad("split.csv empty", FOLDER, split_csv(""), "split.csv:1", "no column file, split"),
    Bad(
        "split.csv lists no test", FOLDER, split_csv("file,split\ntrain/7.wav,train\n"), "split.csv", "no file for test"
    ),
    Bad("split.csv names no split", FOLDER, split_csv(BOTH + "test/8.wav,dev\n"), "split.csv:4", "'dev' is not one of"),
    Bad("split.csv names no file", FOLDER, split_csv(BOTH + "9.wav,test\n"), "split.csv:4", "no such file"),
    Bad(
        "split.csv leads outside", FOLDER, split_csv(BOTH + "../set/train/7.wav,test\n"), "split.csv:4", "nothing that"
    ),
    Bad("split.csv not UTF-8", FOLDER, split_csv(b"file,split\n\xff,test\n"), "split.csv", "cannot be read"),
]


FLOAT = (SAMPLES.astype(np.float32) + np.float32(0.25)) / np.float32(32768)  # no 16-bit values
STEREO = np.stack([SAMPLES, SAMPLES[::-1]], axis=1)
MEAN = (STEREO.astype(np.float32) / np.float32(32768)).mean(1)
BYTES = (SAMPLES >> 8).astype(np.int16) << 8
ODD = [
    Odd("stereo", MUSICNET, audio(STEREO), MEAN, NOTES),
    Odd("24-bit", MUSICNET, audio(FLOAT, subtype="PCM_24"), np.round(FLOAT * 2**23) / 2**23, NOTES),
    Odd("24-bit that holds 16", MUSICNET, audio(SAMPLES, subtype="PCM_24"), SAMPLES, NOTES),
    Odd("32-bit float", MUSICNET, audio(FLOAT, subtype="FLOAT"), FLOAT, NOTES),
    Odd("64-bit float", MUSICNET, audio(FLOAT, subtype="DOUBLE"), FLOAT, NOTES),
    Odd("8-bit", MUSICNET, audio(BYTES, subtype="PCM_U8"), BYTES, NOTES),
    Odd("beyond full scale", MUSICNET, audio(4 * FLOAT, subtype="FLOAT"), 4 * FLOAT, NOTES),
    Odd("FLAC", MUSICNET, audio(SAMPLES, ending="flac"), SAMPLES, NOTES),
    Odd("AIFF", FOLDER, audio(SAMPLES, ending="aiff"), SAMPLES, NOTES),
    Odd("WAV with extensible header", MUSICNET, audio(SAMPLES, format="WAVEX"), SAMPLES, NOTES),
    Odd("ending in capitals", FOLDER, rename("train/7.wav", "train/7.WAV"), SAMPLES, NOTES),
    Odd(
        "a name with spaces and brackets",
        FOLDER,
        lambda root: [
            path.rename(root / "train" / f"7 [é] {{x}}{path.suffix}") for path in list(root.glob("train/7.*"))
        ],
        SAMPLES,
        NOTES,
    ),
    Odd(
        "sub-folders",
        FOLDER,
        lambda root: [
            (root / "train/a/b").mkdir(parents=True),
            *(path.rename(root / "train/a/b" / path.name) for path in list(root.glob("train/7.*"))),
        ],
        SAMPLES,
        NOTES,
    ),
    Odd(
        "hidden files and others",
        FOLDER,
        lambda root: [(root / "train" / name).touch() for name in ("._7.wav", ".DS_Store", "README.txt", "cover.jpg")],
        SAMPLES,
        NOTES,
    ),
    Odd("byte order mark", MUSICNET, labels("\ufeff" + HEADER + ROW), SAMPLES, NOTES),
    Odd("CRLF", MUSICNET, labels((HEADER + ROW).replace("\n", "\r\n")), SAMPLES, NOTES),
    Odd("blank lines", MUSICNET, labels(HEADER + "\n" + ROW + "\n\n"), SAMPLES, NOTES),
    Odd("extra columns", MUSICNET, labels("id,start_time,end_time,note,who\n9,1000,2000,60,x\n"), SAMPLES, NOTES),
    Odd("columns in another order", MUSICNET, labels("note,end_time,start_time\n60,2000,1000\n"), SAMPLES, NOTES),
    Odd("spaces around names", MUSICNET, labels("start_time , end_time, note\n1000, 2000, 60\n"), SAMPLES, NOTES),
    Odd("quoted fields", MUSICNET, labels('start_time,end_time,note,x\n"1000","2000","60","a, b"\n'), SAMPLES, NOTES),
    Odd("a comma at the end", MUSICNET, labels("start_time,end_time,note\n1000,2000,60,\n"), SAMPLES, NOTES),
    Odd(
        "Latin-1 in text that is not read",
        MUSICNET,
        labels("note,start_time,end_time,x\n60,1000,2000,é\n".encode("latin1")),
        SAMPLES,
        NOTES,
    ),
    Odd("no notes", MUSICNET, labels(HEADER), SAMPLES, []),
    Odd(
        "overlapping duplicates",
        MUSICNET,
        row("1500,2500,1,60,0,1,Q\n1500,2500,1,60,0,1,Q"),
        SAMPLES,
        [*NOTES, [1500, 2500, 60], [1500, 2500, 60]],
    ),
    Odd("notes out of order", MUSICNET, row("10,20,1,127,0,1,Q"), SAMPLES, [*NOTES, [10, 20, 127]]),
    Odd(
        "a note past the end is cut",
        MUSICNET,
        row("119000,130000,1,0,0,1,Q"),
        SAMPLES,
        [*NOTES, [119_000, N_SAMPLES, 0]],
    ),
    Odd("MIDI", FOLDER, midi(*note(60, 480, 480)), SAMPLES, [[22_050, 44_100, 60]]),
    Odd(
        "MIDI with drums",
        FOLDER,
        midi(*note(60, 480, 480), *note(40, 0, 480, channel=9)),
        SAMPLES,
        [[22_050, 44_100, 60]],
    ),
    Odd(
        "MIDI with tempo changes",
        FOLDER,
        midi(mido.MetaMessage("set_tempo", tempo=1_000_000), *note(60, 480, 480)),
        SAMPLES,
        [[44_100, 88_200, 60]],
    ),
    Odd("split.csv", FOLDER, split_csv("\ufeff" + BOTH), SAMPLES, NOTES),
]


def problems_of(case: Bad, root: Path) -> list[str]:
    """What is said of a bad data set; the damage is done to a good one at `root`."""
    make_good(root, case.source)
    case.damage(root)
    return report(root, case.source, Console(quiet=True))


def read_odd(case: Odd, root: Path) -> tuple[np.ndarray, list]:
    """Samples, full scale 1, and notes of the training recording of an odd data set."""
    make_good(root, case.source)
    case.change(root)
    (recording,) = read_split(root, "train", source=case.source)
    scale = 32768 if recording.audio.dtype == np.int16 else 1
    return recording.audio / np.float32(scale), recording.notes.tolist()


def main() -> None:
    """Print the table."""
    print("| input | what is said |\n| --- | --- |")
    for case in BAD:
        with tempfile.TemporaryDirectory() as folder:
            lines = problems_of(case, Path(folder, "set"))
            print(f"| {case.name} | {lines[0].replace(folder, '').replace('|', '')} |")
    print(f"\n{len(BAD)} bad inputs, all refused in one line.\n\n| odd input | read as |\n| --- | --- |")
    for case in ODD:
        with tempfile.TemporaryDirectory() as folder:
            samples, notes = read_odd(case, Path(folder, "set"))
            print(f"| {case.name} | {len(samples):,} samples, {len(notes)} note{'s' * (len(notes) != 1)} |")
    print(f"\n{len(ODD)} odd inputs, all read.")


if __name__ == "__main__":
    sys.exit(main())
