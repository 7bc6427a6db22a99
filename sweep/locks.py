"""Locks between processes, also of several machines on one network file system: who holds a file's name holds the lock.

A lock is a file that says who holds it. It comes into being whole or not at all, by a hard link, which a network file
system makes for one of many that try. Its holder touches it every BEAT seconds, so that others see it live.
"""

import contextlib
import errno
import functools
import hashlib
import os
import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

BEAT = 10.0  # seconds between two signs of life
STALE = 150.0  # seconds without one after which a holder on another machine is dead; NFS shows times up to 60 s late
POLL = 0.5  # seconds between two looks of who waits for a lock
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Held(Exception):
    """Another process holds the lock.

    Args:
        holder: its token.
    """

    def __init__(self, holder: str):
        place, _, pid = (holder.split("~") + ["", ""])[:3]
        super().__init__(f"process {pid} on {place}" if pid else "a process that does not say its name")


class Lost(Exception):
    """Another process took the lock, for this one had given no sign of life for STALE seconds: it must write no more.

    Args:
        path: of the lock.
    """

    def __init__(self, path: Path):
        super().__init__(f"{path} was taken by another process: this one had shown no life for {STALE:.0f} s; it stops")


class Lock:
    """A lock that this process holds; with `with`, until the block ends.

    Args:
        path: of its file.
        token: what the file says.
    """

    def __init__(self, path: Path, token: str):
        self.path, self.token, self._ended = path, token, threading.Event()

    def __enter__(self) -> "Lock":
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        with contextlib.suppress(OSError):
            if _read(self.path)[0] == self.token:
                self.path.unlink()

    def confirm(self):
        """Raises Lost unless the lock is still this process's: before anything is written that another might write."""
        if _read(self.path)[0] != self.token:
            raise Lost(self.path)

    def _beat(self):
        while not self._ended.wait(BEAT):
            with contextlib.suppress(OSError):
                if _read(self.path)[0] == self.token:
                    os.utime(self.path)


def claim(path: Path) -> Lock:
    """Takes a lock that is free or whose holder is dead.

    A holder of this machine is dead when its process is gone; one of another machine when it has not touched the file
    for STALE seconds, by the file system's own clock.

    Raises:
        Held: another process has it.
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    token = f"{identity()}~{secrets.token_hex(4)}"
    own = path.with_name(f".{path.name}.{token}.partial")
    try:
        own.write_text(token)
        now = own.stat().st_mtime
        while not _link(own, path):
            holder = _living(path, now)
            if holder is None:
                continue  # it was released in between
            # One process alone may succeed a dead holder: who makes the file of this name. Else a second one, which
            # saw the dead lock too, would take the first one's for it.
            successor = path.with_name(f".{path.name}.{holder}.partial")
            if not _link(own, successor):
                if _living(successor, now) is not None:
                    successor.unlink(missing_ok=True)  # it died over that
                continue
            try:
                if _read(path)[0] == holder:
                    os.replace(own, path)
                    break
            finally:
                successor.unlink(missing_ok=True)
    except OSError as error:
        raise error if error.filename else OSError(error.errno, error.strerror, str(path)) from error
    finally:
        own.unlink(missing_ok=True)
    return Lock(path, token)


def wait(path: Path, told: Callable[[Held], None] = lambda held: None) -> Lock:
    """Takes a lock as soon as it is free.

    Args:
        path: of its file.
        told: hears once who holds it, if somebody does.
    """
    while True:
        try:
            return claim(path)
        except Held as held:
            told(held)
            told = lambda held: None  # noqa: E731
            time.sleep(POLL)


def holder(path: Path) -> str | None:
    """Who holds a lock, in words; None where nobody does who is alive. Writes nothing."""
    try:
        _living(path, time.time())
    except Held as held:
        return str(held)
    return None


def identity() -> str:
    """This process as no other one: machine, its boot and process namespace, process id, and when that began."""
    return f"{_place()}~{os.getpid()}~{_started(os.getpid())}"


def is_dead(name: str) -> bool | None:
    """Whether the process whose identity a name begins with is gone; None where that cannot be known from here."""
    match = re.match(r"(?P<place>[^~]+~[^~]+)~(?P<pid>\d+)~(?P<started>\d+)", name)
    if not match or match["place"] != _place():
        return None
    return _started(int(match["pid"])) != int(match["started"])


def _living(path: Path, now: float) -> str | None:
    """The token of a dead holder, None where there is no lock; raises Held where the holder lives."""
    holder, touched = _read(path)
    if holder is None:
        return None
    dead = is_dead(holder)
    if dead is None:
        dead = now - touched > STALE
    if not dead:
        raise Held(holder)
    return holder


def _read(path: Path) -> tuple[str | None, float]:
    """What a lock's file says, and when it was touched; opening it makes a network file system look."""
    try:
        with open(path, errors="replace") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None, 0.0


def _link(own: Path, path: Path) -> bool:
    """Give the file a second name unless that is taken; where the file system knows no links, make one like it."""
    try:
        os.link(own, path)
    except FileExistsError:
        return _read(path)[0] == own.read_text()  # NFS may have done it, lost the answer and tried again
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            with open(path, "x") as file:
                file.write(own.read_text())
        except FileExistsError:
            return False
    return True


@functools.cache
def _place() -> str:
    parts = []
    with contextlib.suppress(OSError):  # none but Linux has them
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "unnamed"
    return f"{host}~{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}"


def _started(pid: int) -> int:
    """When a process began, in clock ticks since boot (0 where there is no /proc); -1 where it is not there."""
    try:
        # The fields behind the command's name, which may hold anything: state, ..., start time (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return -1 if fields[0] in "ZX" else int(fields[19])
    except OSError:
        if Path("/proc/self/stat").exists():
            return -1
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return -1
    except OSError:
        pass  # somebody else's
    return 0
