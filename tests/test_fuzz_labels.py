"""Damaged CSV, MIDI and split.csv: truncated, with flipped bits, spliced. Read, or refused in a line with the file."""

import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from mutations import damaged
from own_recordings import HEADER, write, write_midi

from sweep.data.labels import check_csv, check_midi
from sweep.data.reading import find_pairs
from sweep.data.recording import Remark
from sweep.data.sources.folder import Folder
from sweep.names import spelled

N_SAMPLES = 10 * 44100


def csv_content() -> bytes:
    rng = np.random.default_rng(0)
    notes = enumerate(rng.integers(21, 109, 99).tolist())
    rows = [f"{999 * number},{999 * number + 900},{note}" for number, note in notes]
    return (HEADER + "\n".join(rows) + "\n").encode()


def midi_content(folder: Path) -> bytes:
    notes = [(i / 20, i / 20 + 0.3, 40 + i % 30) for i in range(100)]
    write_midi(folder / "good.mid", (0, False, notes[::2]), (40, False, notes[1::2]), (0, True, notes[:5]))
    return (folder / "good.mid").read_bytes()


def check(path: Path, lines: list[str]) -> None:
    for line in lines:
        assert str(path) in line and len(spelled(line).splitlines()) == 1 and len(line) < 1000, line
        assert isinstance(line, Remark) or line.startswith(str(path))


def run(kind: str, tmp_path: Path, count: int, seed: int) -> int:
    """Return how many inputs were refused."""
    refused = 0
    if kind == "split.csv":
        for name in "abc":
            write(tmp_path / "set" / name / f"{name}.wav")
        path = tmp_path / "set" / "split.csv"
        content = '\ufefffile,split\r\na/a.wav,train\r\n"b/b.wav",train\r\nc/c.wav,test\r\n'.encode()
    else:
        path = tmp_path / f"x.{kind}"
        content = csv_content() if kind == "csv" else midi_content(tmp_path)
    for data in (damaged(content, content, 100_000 * seed + number) for number in range(count)):
        path.write_bytes(data)
        began = time.process_time()
        if kind == "split.csv":
            lines = [line for line in find_pairs(Folder(path.parent), "train")[1] if "split.csv" in line]
        else:
            notes, lines = (check_csv if kind == "csv" else check_midi)(path, N_SAMPLES)
            assert notes.shape[1:] == (3,) and (0 <= notes[:, 0]).all() and (notes[:, 0] < notes[:, 1]).all()
            assert (notes[:, 1] <= N_SAMPLES).all() and ((notes[:, 2] >= 0) & (notes[:, 2] < 128)).all()
        check(path, lines)
        assert time.process_time() - began < 2
        refused += any(not isinstance(line, Remark) for line in lines)
    return refused


@pytest.mark.parametrize("kind", ["csv", "mid", "split.csv"])
def test_damaged_files_are_read_or_named(tmp_path, kind):
    assert run(kind, tmp_path, 40, 0) > 20


@pytest.mark.long
@pytest.mark.parametrize("kind", ["csv", "mid", "split.csv"])
def test_many_damaged_files_are_read_or_named(tmp_path, kind):
    assert run(kind, tmp_path, 700, 1) > 350


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", (HEADER + "1,2,").encode() + b"9" * 3_000_000),
        ("x.csv", b"," * 3_000_000),
        ("x.csv", HEADER.encode() + b'"' + b"\n" * 3_000_000),
        ("x.csv", b"\0" * 3_000_000),
        ("x.mid", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\xff\xff\xff\xff" + b"\0" * 3000),
        ("x.mid", b"MThd\xff\xff\xff\xff\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0"),
        ("x.mid", b"MThd\0\0\0\6\0\1\x7f\xff\1\xe0MTrk\0\0\0\4\0\xff\x2f\0"),
        ("x.mid", b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x0a\0\xff\1\xff\xff\xff\x7f\0\xff\x2f\0"),
    ],
)
def test_memory_is_in_proportion_to_the_file(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    check_csv(path, N_SAMPLES), check_midi(path, N_SAMPLES)  # imports
    tracemalloc.start()
    try:
        notes, lines = (check_midi if name.endswith("mid") else check_csv)(path, N_SAMPLES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    check(path, lines)
    assert len(notes) == 0 and peak < 20 * len(content) + 2**20
