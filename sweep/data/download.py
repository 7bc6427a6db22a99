"""Download MusicNet, unpack it and check that it is complete."""

import fcntl
import gzip
import os
import re
import shutil
import struct
import tarfile
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from rich.progress import Progress

from sweep.data.fetch import CHUNK, MIRROR, PAUSES, TIMEOUT, fetch
from sweep.data.recording import DataError
from sweep.walking import walk


class File(NamedTuple):
    """A file of the Zenodo record: its name, its size in bytes and its MD5 in hexadecimal."""

    name: str
    size: int
    md5: str


# Zenodo record 5120004; the links of its page are <ZENODO>/<name>?download=1.
ZENODO = "https://zenodo.org/records/5120004/files"
ARCHIVE = File("musicnet.tar.gz", 11_097_394_998, "844764911fa0d5b97c97da944a057590")
METADATA = File("musicnet_metadata.csv", 43_775, "1caef62cee9c875235e62aac368b49d8")
N_TRAIN = 320
TEST_IDS = ("1759", "1819", "2106", "2191", "2298", "2303", "2382", "2416", "2556", "2628")
# Bytes. An estimate: 34 hours at 44.1 kHz as 32-bit float are 21.6 GB, labels less than 0.1 GB; rounded up.
UNPACKED = 22_000_000_000

FOLDERS = ("train_data", "train_labels", "test_data", "test_labels")
# Allowed names of the archive's files. No name begins with a dot: macOS leaves files such as ._2303.wav behind.
MEMBER = re.compile(r"(?:musicnet/)?(?P<folder>(?:train|test)_(?:data|labels))/(?P<name>\w[\w.-]*\.(?:wav|csv))")
SCRATCH, READY = ".unpacking", ".unpacked"  # folders for the incomplete set, and for the complete set until it moves


def get_musicnet(
    root: Path,
    base: str = ZENODO,
    keep_archive: bool = False,
    *,
    progress: Progress,
    archive: File = ARCHIVE,
    metadata: File = METADATA,
    unpacked: int = UNPACKED,
    n_train: int = N_TRAIN,
    test_ids: Collection[str] = TEST_IDS,
    pauses: Sequence[float] = PAUSES,
    timeout: float = TIMEOUT,
) -> None:
    """Make sure that `root` holds MusicNet: fetch, verify and unpack it, skipping steps that are done.

    The four folders appear in `root` only once the whole set is unpacked and found complete, so a reader never finds a
    part of it. A complete set is recognised by its file names alone.

    Args:
        root: folder for the set; created if it is missing.
        base: address of the files without their names.
        keep_archive: whether the archive stays in `root` after it has been unpacked.
        progress: progress bars on which the steps are shown.
        archive, metadata: files to fetch.
        unpacked: size of the archive's content in bytes.
        n_train: number of training recordings.
        test_ids: ids of the test recordings.
        pauses, timeout: arguments of `fetch`.

    Raises:
        DataError: `fetch` raised it, there is too little space, the archive is not MusicNet, another call is at work in
            `root`, or `root` holds files that are not the whole of MusicNet; these are left unchanged.
        OSError: the disk is full, or the file system reports another error.
    """
    root = Path(root)
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        scratch, ready = root / SCRATCH, root / READY
        shutil.rmtree(scratch, ignore_errors=True)  # remains of a killed call
        if not ready.exists() and not any((root / folder).exists() for folder in FOLDERS):
            _check_space(root, archive, unpacked)
            _fetch(archive, root, base, progress, pauses, timeout)
            try:
                _unpack(root / archive.name, scratch, progress)
                if problem := lacking(scratch, n_train, test_ids):
                    raise DataError(f"{root / archive.name}: {problem}: remove it and {MIRROR}")
                scratch.rename(ready)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        if ready.exists():
            if not keep_archive:
                (root / archive.name).unlink(missing_ok=True)
            for folder in sorted(ready.iterdir()):
                folder.rename(root / folder.name)
            ready.rmdir()
        if problem := lacking(root, n_train, test_ids):
            raise DataError(f"{root}: {problem}: move what is there away, or name another folder, and run again")
        _fetch(metadata, root, base, progress, pauses, timeout)


def lacking(root: Path, n_train: int, test_ids: Collection[str]) -> str:
    """Describe what a folder lacks of the whole set; an empty text if it lacks nothing."""
    ids = {}
    for split in ("train", "test"):
        audio = {path.stem: path for path in _files(root / f"{split}_data", ".wav", ".flac")}
        labels = {path.stem: path for path in _files(root / f"{split}_labels", ".csv")}
        for id in sorted(audio.keys() ^ labels.keys()):
            path, other = (audio[id], "labels") if id in audio else (labels[id], "recording")
            return f"{path.relative_to(root)} has no {other}"
        ids[split] = audio.keys()
    if strange := sorted(ids["test"] ^ set(test_ids)):
        missing = strange[0] in test_ids
        return f"test_data {'lacks' if missing else 'should not hold'} recording {strange[0]}"
    if len(ids["train"]) != n_train:
        return f"train_data holds {len(ids['train'])} recordings, not {n_train}"
    return ""


def _files(folder: Path, *endings: str) -> list[Path]:
    """List the files of a folder with these endings; raise a DataError if it, or a link in it, cannot be followed."""
    unread: list[str] = []
    _, _, names = next(walk(folder, unread), (folder, [], []))
    if unread:
        raise DataError(unread[0])
    return [path for path in map(folder.joinpath, names) if path.suffix.lower() in endings]


def _fetch(file: File, root: Path, base: str, progress: Progress, pauses: Sequence[float], timeout: float) -> None:
    url = f"{base.rstrip('/')}/{file.name}?download=1"
    fetch(url, root / file.name, file.size, file.md5, progress, pauses, timeout)


def _check_space(root: Path, archive: File, unpacked: int) -> None:
    """Check that there is space for the rest of the archive and for its content at the same time."""
    path, partial = root / archive.name, root / f"{archive.name}.partial"
    have = next((file.stat().st_size for file in (path, partial) if file.exists()), 0)
    to_fetch, free = max(archive.size - have, 0), shutil.disk_usage(root).free
    if free < to_fetch + unpacked:
        need = f"{_gb(to_fetch + unpacked)} needed, {_gb(to_fetch)} to fetch and about {_gb(unpacked)} unpacked"
        raise DataError(f"{root}: {_gb(free)} free, {need}: free some space or name another folder")


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB"


def _unpack(archive: Path, folder: Path, progress: Progress) -> None:
    """Unpack recordings and labels into a new folder, without the leading `musicnet/`; write nothing else.

    This function opens the files itself, under names that match MEMBER, and writes the members' bytes. So no path,
    link, owner or mode in the archive is trusted, and tarfile's filters, which Python has since 3.11.4, are not needed.
    An archive with a link, a device or a path that leads outside is not MusicNet and is refused.
    """
    task = progress.add_task(f"{archive.name}, unpacking", total=archive.stat().st_size)
    try:
        with open(archive, "rb") as packed, tarfile.open(fileobj=packed, mode="r:gz") as members:
            for member in members:
                path = PurePosixPath(member.name)
                if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
                    problem = f"{member.name!r} is a link, a device or outside the folder"
                    raise DataError(f"{archive}: {problem}: remove it and {MIRROR}")
                if member.isfile() and (match := MEMBER.fullmatch(str(path))):
                    path = folder / match["folder"] / match["name"]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with members.extractfile(member) as source, open(path, "wb") as target:
                        shutil.copyfileobj(source, target, CHUNK)
                        target.flush()
                        os.fsync(target.fileno())
                progress.update(task, completed=packed.tell())
    except DataError:
        raise
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, struct.error, EOFError, LookupError, ValueError) as error:
        raise DataError(f"{archive}: damaged ({error}): remove it and run again to fetch it anew") from error


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other calls out of the folder; the lock ends with the process, and the empty file stays."""
    with open(root / ".download.lock", "a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{root}: another download is at work there: wait for it, or stop it") from None
        yield
