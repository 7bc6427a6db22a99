"""Locks between processes, on one machine or on several that share a network file system.

A lock is a file that names its holder. It is created by a hard link, which is atomic: of several processes that try, a
network file system lets one succeed. The holder touches the file every BEAT seconds to show that it is alive.
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
STALE = 150.0  # seconds without a sign after which a holder on another machine is dead; NFS times lag by up to 60 s
POLL = 0.5  # seconds between two attempts while waiting for a lock
_LONGEST = 32  # bytes of a name that are repeated in another one; an identity has up to 110
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Held(Exception):
    """Another process holds the lock.

    Args:
        holder: token of the process that holds it.
    """

    def __init__(self, holder: str):
        place, _, pid = (holder.split("~") + ["", ""])[:3]
        super().__init__(f"process {pid} on {place}" if pid else "a process that does not say its name")


class Lost(Exception):
    """Another process took the lock after this one gave no sign of life for STALE seconds; this one must stop writing.

    Args:
        path: lock file.
    """

    def __init__(self, path: Path):
        super().__init__(f"{path} was taken by another process: this one had shown no life for {STALE:.0f} s; it stops")


class Lock:
    """A lock that this process holds. As a context manager it releases the lock when the block ends.

    Args:
        path: lock file.
        token: content of the lock file, which names the holder.
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
        """Raise Lost unless this process still holds the lock; call it before writing any file that the lock guards."""
        if _read(self.path)[0] != self.token:
            raise Lost(self.path)

    def _beat(self):
        while not self._ended.wait(BEAT):
            with contextlib.suppress(OSError):
                if _read(self.path)[0] == self.token:
                    os.utime(self.path)


def claim(path: Path) -> Lock:
    """Take a lock that is free or whose holder is dead.

    A holder on this machine is dead when its process is gone. A holder on another machine is dead when it has not
    touched the file for STALE seconds by the file system's clock.

    Raises:
        Held: another process holds the lock.
        OSError: the folder is not writable.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    token = f"{identity()}~{secrets.token_hex(4)}"
    own = path.with_name(f".{short(path.name)}.{token}.partial")
    try:
        own.write_text(token)
        now = own.stat().st_mtime
        while not _link(own, path):
            holder = _living(path, now)
            if holder is None:
                continue  # it was released in between
            # Only the process that creates this file may succeed a dead holder. Otherwise a second process that also
            # saw the dead lock would remove the first one's new lock.
            successor = path.with_name(f".{short(path.name)}.{holder}.partial")
            if not _link(own, successor):
                if _living(successor, now) is not None:
                    successor.unlink(missing_ok=True)  # that process died before it finished
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
    """Wait for a lock and take it as soon as it is free.

    Args:
        path: lock file.
        told: called once with the `Held` error if another process holds the lock.
    """
    while True:
        try:
            return claim(path)
        except Held as held:
            told(held)
            told = lambda held: None  # noqa: E731
            time.sleep(POLL)


def holder(path: Path) -> str | None:
    """Describe the live holder of a lock; return None if there is none. Write nothing."""
    try:
        _living(path, time.time())
    except Held as held:
        return str(held)
    return None


def identity() -> str:
    """Return a unique name of this process: machine, boot, process namespace, process id and start time."""
    return f"{_place()}~{os.getpid()}~{_started(os.getpid())}"


def short(name: str) -> str:
    """Return a file's name, or a digest of a long one, to be a part of another name of at most 255 bytes."""
    content = os.fsencode(name)
    return name if len(content) <= _LONGEST else hashlib.sha256(content).hexdigest()[:16]


def is_dead(name: str) -> bool | None:
    """Return whether the process whose identity begins a name is gone; None if that cannot be known on this machine."""
    match = re.match(r"(?P<place>[^~]+~[^~]+)~(?P<pid>\d+)~(?P<started>\d+)", name)
    if not match or match["place"] != _place():
        return None
    return _started(int(match["pid"])) != int(match["started"])


def _living(path: Path, now: float) -> str | None:
    """Return the token of a dead holder, or None if there is no lock; raise Held if the holder is alive."""
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
    """Read a lock file's content and modification time; opening it makes a network file system refresh them."""
    try:
        with open(path, errors="replace") as file:
            return file.read(), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return None, 0.0


def _link(own: Path, path: Path) -> bool:
    """Link the file to a second name unless that is taken; create a copy where the file system has no hard links."""
    try:
        os.link(own, path)
    except FileExistsError:
        return _read(path)[0] == own.read_text()  # NFS may have linked it, lost the reply and retried
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
    with contextlib.suppress(OSError):  # only Linux has these files
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")]
    host = re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname()) or "unnamed"
    return f"{host}~{hashlib.sha256(repr(parts).encode()).hexdigest()[:8]}"


def _started(pid: int) -> int:
    """Return a process's start time in clock ticks since boot; 0 without /proc, -1 if there is no such process."""
    try:
        # The fields after the command's name, which may contain any character: state, ..., start time (proc(5)).
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
        pass  # it belongs to another user
    return 0
