"""Bad data sets: each is to be refused, with the place and what is wrong there."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
import soundfile
from corpus_makers import (
    BOTH,
    FOLDER,
    HEADER,
    MUSICNET,
    N_SAMPLES,
    ROW,
    SAMPLES,
    audio,
    content,
    folders,
    labels,
    midi,
    note,
    rename,
    row,
    split_csv,
    with_value,
)


class Bad(NamedTuple):
    """A data set that must be refused: what is done to the good one, where the error must point, words in it."""

    name: str
    source: str
    damage: Callable[[Path], object]
    where: str
    words: str


A, L = "train_data/7.wav", "train_labels/7.csv"
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
