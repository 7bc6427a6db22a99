"""MusicNet in small, for the tests that get it: five recordings, their archive, and what to call it complete."""

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.progress import Progress

from sweep.data.download import FOLDERS, File, get_musicnet
from sweep.data.recording import DataError

TRAIN, TEST = ("1", "2", "3"), ("8", "9")
ARCHIVE_NAME, METADATA_NAME = "musicnet.tar.gz", "musicnet_metadata.csv"


def wav(seed: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).uniform(-1, 1, 5000), 44100, format="WAV", subtype="FLOAT")
    return file.getvalue()


def labels(id: str) -> bytes:
    return f"start_time,end_time,note\n0,{id},60\n".encode()


SPLITS = (("train", TRAIN), ("test", TEST))
CONTENT = {
    **{f"{split}_data/{id}.wav": wav(int(id)) for split, ids in SPLITS for id in ids},
    **{f"{split}_labels/{id}.csv": labels(id) for split, ids in SPLITS for id in ids},
}
# What may be missing, and how that is said.
INCOMPLETE = {
    "train_labels/2.csv": "train_data/2.wav has no labels",
    "test_labels/9.csv": "test_data/9.wav has no labels",
    "train_data/3.wav": "train_labels/3.csv has no recording",
    "train_*/3.*": "train_data holds 2 recordings, not 3",
    "test_*/8.*": "test_data lacks recording 8",
    "test_*/*": "test_data lacks recording 8",
}


def pack(content: dict[str, bytes], prefix: str = "musicnet/", extra: tuple[tarfile.TarInfo, ...] = ()) -> bytes:
    """A tar.gz of these files, folders first as in MusicNet's; `extra` members, without content, come in the middle."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for folder in ("", *FOLDERS) if prefix.strip("./") else FOLDERS:
            member = tarfile.TarInfo(prefix + folder)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(member)
        for i, (name, data) in enumerate(content.items()):
            for member in extra if i == len(content) // 2 else ():
                archive.addfile(member)
            member = tarfile.TarInfo(prefix + name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def described(name: str, data: bytes) -> File:
    return File(name, len(data), hashlib.md5(data).hexdigest())


PACKED = pack(CONTENT)
RECORD = {ARCHIVE_NAME: PACKED, METADATA_NAME: b"id,composer\n1,Schubert\n"}


# What `get_musicnet` should take to be MusicNet.
SMALL = {
    "archive": described(ARCHIVE_NAME, PACKED),
    "metadata": described(METADATA_NAME, RECORD[METADATA_NAME]),
    "unpacked": 1_000_000,
    "n_train": len(TRAIN),
    "test_ids": TEST,
    "pauses": (0, 0),
    "timeout": 10,
}


def get(server, root, keep_archive=False, **changed) -> None:
    get_musicnet(root, server.url, keep_archive, progress=Progress(disable=True), **{**SMALL, **changed})


def error_of(server, root, **changed) -> str:
    """The message of a call that must fail, in one line; no part of the set may be where a reader looks for it."""
    with pytest.raises(DataError) as caught:
        get(server, root, **changed)
    assert not any((root / folder).exists() for folder in FOLDERS)
    assert not (root / ".unpacking").exists() and not (root / ".unpacked").exists()
    message = str(caught.value)
    assert "\n" not in message
    return message


def found(root: Path) -> dict[str, bytes]:
    """All files of a folder but the lock."""
    files = (path for path in root.rglob("*") if path.is_file() and path.name != ".download.lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def assert_complete(root: Path, archive: bool = False) -> None:
    expected = {**CONTENT, METADATA_NAME: RECORD[METADATA_NAME], **({ARCHIVE_NAME: PACKED} if archive else {})}
    assert found(root) == expected
    assert {path.name for path in root.iterdir() if path.is_dir()} == set(FOLDERS)
