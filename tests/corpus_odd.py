"""Odd data sets: each is to be read rightly."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
from corpus_makers import (
    BOTH,
    FOLDER,
    HEADER,
    MUSICNET,
    N_SAMPLES,
    NOTES,
    ROW,
    SAMPLES,
    audio,
    labels,
    midi,
    note,
    rename,
    row,
    split_csv,
)


class Odd(NamedTuple):
    """A data set that must be read rightly: recording 7's samples, its notes."""

    name: str
    source: str
    change: Callable[[Path], object]
    samples: np.ndarray
    notes: list


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
