"""A file server on the loopback that can be told to misbehave, request by request."""

import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest import mock

Act = Callable[["Handler", bytes], None]  # answers one request for a file of this content


class Handler(BaseHTTPRequestHandler):
    """Answers with the next of the server's acts, and honestly once there is none left."""

    def do_GET(self):
        name = self.path.partition("?")[0].removeprefix("/")
        self.server.requests.append((name, self.headers["Range"]))
        if name not in self.server.files:
            self.send_error(404)
            return
        act = self.server.acts.pop(0) if self.server.acts else honest
        act(self, self.server.files[name])

    def start(self) -> int:
        """The first byte that the client asks for."""
        return int((self.headers["Range"] or "bytes=0-")[len("bytes=") : -1])

    def answer(self, status: int, body: bytes = b"", **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def honest(request: Handler, content: bytes) -> None:
    part(request, content, len(content))


def part(request: Handler, content: bytes, end: int) -> None:
    """Promises all that is asked for, and sends it up to byte `end` of the file."""
    start = request.start()
    headers = {"Content_Length": len(content) - start}
    if start >= len(content) > 0:
        request.answer(416, Content_Range=f"bytes */{len(content)}")
    elif request.headers["Range"]:
        content_range = f"bytes {start}-{len(content) - 1}/{len(content)}"
        request.answer(206, content[start:end], Content_Range=content_range, **headers)
    else:
        request.answer(200, content[:end], **headers)


def cut(end: int, reset: bool = False) -> Act:
    """Breaks off at a byte of the file, at once if that was reached before; `reset` as if the machine was gone."""

    def act(request: Handler, content: bytes) -> None:
        part(request, content, end)
        request.wfile.flush()
        if reset:
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            request.connection.close()

    return act


def hang_up(request: Handler, content: bytes) -> None:
    """No answer at all."""
    request.close_connection = True


def ignore_range(end: int | None = None) -> Act:
    """The file from the start, whatever was asked for."""

    def act(request: Handler, content: bytes) -> None:
        request.answer(200, content[:end], Content_Length=len(content))

    return act


def stall(end: int) -> Act:
    """Silence after a byte, until the server is told to stop."""

    def act(request: Handler, content: bytes) -> None:
        part(request, content, end)
        request.wfile.flush()
        request.server.stopped.wait(30)

    return act


def status(code: int, **headers: object) -> Act:
    return lambda request, content: request.answer(code, b"<html>not the file</html>", **headers)


@contextmanager
def serving(files: dict[str, bytes]):
    """A server of these files; its `acts` are used up one per request, `requests` are (name, Range header)."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.files, server.acts, server.requests, server.stopped = files, [], [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        with mock.patch.dict(os.environ, no_proxy="127.0.0.1"):
            yield server
    finally:
        server.stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()
