"""Names in a data folder, of any characters and bytes: each recording is found or named, and every line is one line."""

import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_recordings import HEADER
from rich.console import Console

from sweep.data.reading import find_pairs, read, read_split
from sweep.data.recording import Remark
from sweep.data.report import report
from sweep.data.source import Source
from sweep.data.sources.folder import Folder
from sweep.data.sources.musicnet import MusicNet
from sweep.names import spelled

TWINS = [unicodedata.normalize(form, "Prélude Ångström が") for form in ("NFC", "NFD")]


def put(path: Path, content: bytes | str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def sound(name: str) -> bytes:
    """A WAV file of 1,000 samples, of its own for each name."""
    file = io.BytesIO()
    noise = np.random.default_rng(list(os.fsencode(name))).uniform(-0.5, 0.5, 1000)
    soundfile.write(file, noise, 44100, format="WAV")
    return file.getvalue()


def recording(folder: Path, name: str, labels: str | None = None) -> None:
    put(folder / f"{name}.wav", sound(name))
    put(folder / f"{name if labels is None else labels}.csv", HEADER)


def said(root: Path, source: str = "folder") -> list[str]:
    """What `sweep data` prints of remarks and problems, which must be encodable and whole."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    report(root, source, Console(file=stream, width=80))
    stream.flush()
    lines = stream.buffer.getvalue().decode().splitlines()
    return lines[next(i for i, line in enumerate(lines) if line.endswith((" problems:", " problem:", "no problems"))) :]


PARTS = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.binary(min_size=1, max_size=12).map(lambda name: os.fsdecode(name.replace(b"/", b"_").replace(b"\0", b"_"))),
    st.sampled_from(
        ["[x]", "$1$", "a\nb", "-rf", "--source", ":bug:", "[/red]", "a" * 240, "null", "2024", "~", *TWINS]
    ),
    st.sampled_from([".hidden", "...", "a.notes", "b.wav", " c ", "d.", "e\\f", "%s{x}", "\u2028", "\x1b[31m", "con"]),
)


def check_any_names(names: list[str], folder: str, root: Path) -> None:
    recording(root / "test", "of the test")
    wanted = []
    for name in names:
        for place in (root / "train", root / "train" / folder):
            try:
                recording(place, name)
            except (OSError, UnicodeEncodeError):  # too long for the file system, or there as a folder
                continue
            wanted.append((place / f"{name}.wav").relative_to(root / "train"))
    pairs, problems = find_pairs(Folder(root), "train")
    found = {pair.audio.relative_to(root / "train") for pair in pairs}
    printed = "\n".join(said(root))
    for path in wanted:
        hidden = any(part.startswith(".") for part in path.parts)
        assert (path in found) != hidden or spelled(str(root / "train" / path)) in printed
    assert len({pair.id for pair in pairs}) == len(pairs) or any("another recording" in line for line in problems)
    for pair in pairs:
        pair.id.encode()
        assert len(pair.id.splitlines()) <= 1
    assert all(spelled(line) in printed for line in problems)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(names=st.lists(PARTS, min_size=1, max_size=4), folder=PARTS)
def test_any_name_is_found_or_named(tmp_path_factory, names, folder):
    check_any_names(names, folder, tmp_path_factory.mktemp("set"))


@pytest.mark.long
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(names=st.lists(PARTS, min_size=1, max_size=4), folder=PARTS)
def test_any_name_is_found_or_named_at_length(tmp_path_factory, names, folder):
    check_any_names(names, folder, tmp_path_factory.mktemp("set"))


@pytest.mark.parametrize("kinds", [(0, 1), (1, 0)])
def test_audio_and_labels_may_write_accents_in_two_ways(tmp_path, kinds):
    one, other = (TWINS[kind] for kind in kinds)
    recording(tmp_path / "train" / one, one, labels=one)
    recording(tmp_path / "train", one, labels=other)
    recording(tmp_path / "test", "c")
    assert {item.id for item in read_split(tmp_path, "train", "folder")} == {TWINS[0], f"{TWINS[0]}/{TWINS[0]}"}
    (tmp_path / "split.csv").write_text(f"file,split\ntrain/{other}.wav,train\ntest/c.wav,test\n")
    assert [item.id for item in read_split(tmp_path, "train", "folder")] == [f"train/{TWINS[0]}"]
    for split, name in (("train", one), ("test", "c")):
        put(tmp_path / "mn" / f"{split}_data" / f"{name}.wav", sound(name))
        put(tmp_path / "mn" / f"{split}_labels" / f"{other if name == one else name}.csv", HEADER)
    assert [item.id for item in read_split(tmp_path / "mn", "train")] == [TWINS[0]]


def test_two_files_that_differ_in_the_way_of_writing_accents_alone_are_named(tmp_path):
    for name in TWINS:
        recording(tmp_path / "train", name)
    recording(tmp_path / "test", "c")
    problems = find_pairs(Folder(tmp_path), "train")[1]
    assert len(problems) == 2 and all("same name as" in line and "accents" in line for line in problems)


def test_a_set_is_the_same_however_its_accents_are_written(tmp_path):
    prints = []
    for name, root in zip(TWINS, (tmp_path / "a", tmp_path / "b"), strict=True):
        put(root / "train" / f"{name}.wav", sound(""))
        put(root / "train" / f"{name}.csv", HEADER)
        recording(root / "test", "c")
        prints.append(Folder(root).fingerprint())
    assert prints[0] == prints[1]


def test_split_csv_may_name_bytes_that_are_not_utf8(tmp_path):
    name = os.fsdecode(b"Pr\xe9lude")
    recording(tmp_path, name)
    recording(tmp_path, " c")
    put(tmp_path / "split.csv", b"file,split\nPr\xe9lude.wav,train\n c.wav,test\n")
    assert [pair.id for pair in find_pairs(Folder(tmp_path), "train")[0]] == ["Pr\\xe9lude"]
    assert [pair.id for pair in find_pairs(Folder(tmp_path), "test")[0]] == [" c"]
    put(tmp_path / "split.csv", b"file,split\nPr\xe8lude.wav,train\n c.wav,test\n")
    (line,) = find_pairs(Folder(tmp_path), "train")[1]
    assert line.startswith(f"{tmp_path}/split.csv: cannot be read as CSV in UTF-8")


@pytest.mark.parametrize("file", ["a" * 300, "x/" * 3000, "..wav", "..", ".", "/", "\0.wav", "a\0", "/etc/passwd", "~"])
def test_split_csv_may_name_what_is_no_file(tmp_path, file):
    recording(tmp_path, "a")
    recording(tmp_path, "b")
    put(tmp_path / "split.csv", f"file,split\na.wav,train\nb.wav,test\n{file},test\n")
    (line,) = find_pairs(Folder(tmp_path), "train")[1]
    assert line.startswith(f"{tmp_path}/split.csv:4: file ")


# Folders that cannot be walked.


def test_what_may_be_missing_is_a_remark_and_costs_nothing_else(tmp_path):
    for split in ("train", "test"):
        recording(tmp_path / split, split)
        put(tmp_path / "mn" / f"{split}_data" / f"{split}.wav", sound(split))
        put(tmp_path / "mn" / f"{split}_labels" / f"{split}.csv", HEADER)
    os.symlink("gone.wav", tmp_path / "train" / "lost.wav")
    os.symlink("..", tmp_path / "train" / "up")
    put(tmp_path / "mn" / "train_data" / "more" / "x.wav", sound("x"))
    _, (lost,) = read(tmp_path, "folder")
    assert (
        isinstance(lost, Remark) and lost == f"{tmp_path}/train/lost.wav: a link that leads nowhere: mend or remove it"
    )
    _, (more,) = read(tmp_path / "mn")
    assert isinstance(more, Remark) and more.startswith(f"{tmp_path}/mn/train_data/more: a sub-folder, not read")


CLOSED = """
import os, sys
from pathlib import Path
from rich.console import Console
from sweep.data.report import report
os.chdir(sys.argv[1])
report(Path("set"), None, Console(quiet=True))  # imports what that user may not read
os.setuid(65534) if os.getuid() == 0 else None
report(Path("set"), None, Console(width=200))
report(Path("shut"), None, Console(width=200))
"""


def test_folders_and_files_without_permission_are_named(tmp_path):
    root = tmp_path / "set"
    for split in ("train", "test"):
        recording(root / split, split)
        recording(root / split / "closed", f"{split} too")
        recording(root / split, f"{split} unreadable")
    (tmp_path / "shut/train").mkdir(parents=True)
    closed = [tmp_path / "shut", root / "train/closed"]
    for path in (*closed, root / "test/test unreadable.csv", root / "train/train unreadable.wav"):
        path.chmod(0)
    tmp_path.chmod(0o755)
    try:
        ended = subprocess.run([sys.executable, "-c", CLOSED, tmp_path], capture_output=True, text=True)
    finally:
        for path in closed:
            path.chmod(0o755)
    assert ended.returncode == 0 and ended.stderr == "", ended.stderr
    assert "set/train/closed: cannot be entered (Permission denied), nothing in it is read" in ended.stdout
    for name in ("test/test unreadable.csv", "train/train unreadable.wav"):
        (line,) = [line for line in ended.stdout.splitlines() if line.startswith(f"set/{name}: cannot be read")]
        assert "Permission denied" in line or "System error" in line
    assert ended.stdout.endswith("1 problem:\nshut: cannot be entered: correct its permissions or data.root\n")


def test_files_that_vanish_while_they_are_read_are_named(tmp_path, monkeypatch):
    for split in ("train", "test"):
        recording(tmp_path / split, split)
        recording(tmp_path / split, f"{split} b")
    root = Folder(tmp_path)
    pairs, _ = find_pairs(root, "train")
    (tmp_path / "train/train.wav").unlink()
    monkeypatch.setattr(Source, "files", lambda self: [("train", pair.audio) for pair in pairs])
    with pytest.raises(ValueError, match=r"train/train\.wav: cannot be read \(No such file"):
        root.fingerprint()


def test_musicnets_folders_may_be_links(tmp_path):
    for split in ("train", "test"):
        put(tmp_path / "disk" / f"{split}_data" / "7.wav", sound(split))
        put(tmp_path / "disk" / f"{split}_labels" / "7.csv", HEADER)
        (tmp_path / "set").mkdir(exist_ok=True)
        for kind in ("data", "labels"):
            os.symlink(f"../disk/{split}_{kind}", tmp_path / "set" / f"{split}_{kind}")
    pairs, lines = find_pairs(MusicNet(tmp_path / "set"), "train")
    assert [pair.id for pair in pairs] == ["7"] and lines == []
