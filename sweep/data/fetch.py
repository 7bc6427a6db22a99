"""Fetch one file over HTTP, resuming broken transfers; the file gets its name only when it is complete."""

import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from rich.progress import Progress

from sweep import __version__
from sweep.data.recording import DataError

PAUSES = (1, 2, 4, 8, 16, 32, 64)  # s, before each new attempt since the last that brought bytes
TIMEOUT = 60  # s without a byte after which a connection counts as broken
LONGEST_WAIT = 300  # s, the longest wait that a server may ask for; Zenodo limits requests per minute and per hour
CHUNK = 1 << 20  # bytes
MIRROR = "name a mirror with --url BASE"


class Interrupted(Exception):
    """An attempt failed, and another one may succeed.

    Args:
        reason: description of the failure.
        wait: time that the server asks to wait, in s.
    """

    def __init__(self, reason: object, wait: float = 0.0):
        super().__init__(" ".join(str(reason).split()) or type(reason).__name__)
        self.wait = wait


def fetch(
    url: str,
    path: Path,
    size: int,
    md5: str,
    progress: Progress,
    pauses: Sequence[float] = PAUSES,
    timeout: float = TIMEOUT,
) -> None:
    """Make sure that `path` holds the file: fetch what is missing, verify size and MD5, then give it its name.

    The bytes received so far are in `<path>.partial`, from which the next call resumes. A file that already has the
    name is verified and never changed.

    Args:
        url: address of the file, http or https.
        path: file to write; its folder exists.
        size: size of the file in bytes.
        md5: MD5 of the file in hexadecimal.
        progress: progress bars for transfer and verification; interruptions are printed on its console.
        pauses: pauses in s before each attempt that follows one without new bytes; there are as many such attempts. An
            attempt that gets further than any before restarts the count.
        timeout: longest time without a byte, in s.

    Raises:
        DataError: the server refuses, serves another file or does not answer, or the file's content is wrong.
        OSError: the disk is full, or the file system reports another error.
    """
    partial = path.with_name(f"{path.name}.partial")
    if path.exists():
        if (found := path.stat().st_size) != size:
            remedy = f"remove it, or rename it to {partial.name} if it is the beginning of the file, and run again"
            raise DataError(f"{path}: {found:,} bytes, not {size:,}: {remedy}")
        if (found := _md5(path, progress)) != md5:
            raise DataError(f"{path}: md5 {found}, not {md5}: remove it and run again to fetch it")
        return
    if _length(partial) > size:
        partial.unlink()
    _transfer_all(url, partial, size, progress, pauses, timeout)
    if (found := _md5(partial, progress, path.name)) != md5:
        partial.unlink()
        raise DataError(f"{url}: md5 {found}, not {md5}: removed what came; run again to fetch it anew, or {MIRROR}")
    os.replace(partial, path)


def _transfer_all(
    url: str, partial: Path, size: int, progress: Progress, pauses: Sequence[float], timeout: float
) -> None:
    """Make attempts until the partial file has its full size."""
    reached, failures = _length(partial), 0
    task = progress.add_task(partial.stem, total=size, completed=reached)
    while (have := _length(partial)) < size:
        try:
            _transfer(url, partial, size, timeout, lambda have: progress.update(task, completed=have))
        except Interrupted as interruption:
            have = _length(partial)
            # A server that cannot resume starts from zero each time: only bytes never reached before are progress.
            if have > reached:
                reached, failures = have, 0
            if failures == len(pauses):
                tried = f"{interruption}, and nothing new in {failures + 1} attempts"
                raise DataError(f"{url}: {tried}: run again to go on from byte {have:,}, or {MIRROR}") from None
            pause = max(pauses[failures], interruption.wait)
            failures += 1
            line = f"{partial.stem}: {interruption} at byte {have:,}; again in {pause:g} s"
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
            time.sleep(pause)
    progress.update(task, completed=size)


def _transfer(url: str, partial: Path, size: int, timeout: float, show: Callable[[int], None]) -> None:
    """Make one attempt: append the bytes of one response to the partial file, up to `size` bytes."""
    have = _length(partial)
    headers = {"User-Agent": f"spectrogram-sweep/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response = urlopen(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        with error:
            if error.code == 416:  # the server's file is shorter than ours, so they are different files
                partial.unlink(missing_ok=True)
                raise Interrupted("HTTP 416, no such range: starting from zero") from None
            raise _refusal(url, error) from None
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, InvalidURL | ValueError):  # a certificate that is not valid is a ValueError too
            raise DataError(f"{url}: {reason}: correct the address or the system's certificates, or {MIRROR}") from None
        raise Interrupted(reason) from None
    with response:
        have = _first_byte(url, response, partial, have, size)
        with open(partial, "ab") as file:
            file.truncate(have)
            while have < size:
                try:
                    chunk = response.read1(min(CHUNK, size - have))
                except (OSError, HTTPException) as error:
                    raise Interrupted(error) from None
                if not chunk:
                    raise Interrupted("connection closed")
                file.write(chunk)
                have += len(chunk)
                show(have)
            os.fsync(file.fileno())


def _first_byte(url: str, response: HTTPResponse, partial: Path, have: int, size: int) -> int:
    """Return the position in the file at which the response's body begins; refuse a response of another file."""
    if response.status == 206:
        said = response.headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", said.strip())
        if match is None or (int(match[1]), int(match[2])) != (have, size):
            expected = f"Content-Range {said!r}, not 'bytes {have}-{size - 1}/{size}'"
            raise DataError(f"{url}: {expected}: remove {partial} to fetch it from the start, or {MIRROR}")
        return have
    if response.status != 200:
        raise DataError(f"{url}: HTTP {response.status} {response.reason}: check the address, or {MIRROR}")
    said = response.headers.get("Content-Length", "unknown")
    if said != str(size):
        raise DataError(f"{url}: Content-Length {said}, not {size}, so another file: check the address, or {MIRROR}")
    return 0  # the whole file, although a range was asked for


def _refusal(url: str, error: HTTPError) -> Exception:
    """Return the exception for an HTTP status: `Interrupted` to try again, or an error to give up."""
    said = f"HTTP {error.code} {error.reason}"
    if error.code not in (408, 429) and error.code < 500:
        return DataError(" ".join(f"{url}: {said}: check the address, or {MIRROR}".split()))
    wait = _retry_after(error.headers.get("Retry-After", ""))
    if wait > LONGEST_WAIT:
        return DataError(f"{url}: {said}, come back in {wait:.0f} s: run again then, or {MIRROR}")
    return Interrupted(said, wait)


def _retry_after(said: str) -> float:
    """Return the seconds to wait that a Retry-After header gives as a number or a date; 0 if it is neither."""
    if said.isdecimal():
        return float(said)
    try:
        return (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0


def _md5(path: Path, progress: Progress, name: str = "") -> str:
    task = progress.add_task(f"{name or path.name}, verifying", total=path.stat().st_size)
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            progress.advance(task, len(chunk))
    return digest.hexdigest()


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
