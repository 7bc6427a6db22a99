"""The transfer of one file: the right bytes or a clear error, whatever the server does."""

import hashlib
import random
import resource
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np
import pytest
from rich.progress import Progress
from server import cut, hang_up, honest, ignore_range, serving, stall, status

from sweep.data.fetch import LONGEST_WAIT, fetch
from sweep.data.recording import DataError

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
AT_ONCE = (0, 0, 0)  # three more attempts, without a pause


@pytest.fixture
def server():
    with serving({"x.bin": CONTENT}) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.bin"


def get(server, path, pauses=AT_ONCE, timeout=10) -> None:
    progress = Progress(disable=True)
    fetch(f"{server.url}/x.bin?download=1", path, len(CONTENT), MD5, progress, pauses, timeout)


def partial(path):
    return path.with_name("x.bin.partial")


def assert_whole(path) -> None:
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["x.bin"]


def error_of(server, path, **options) -> str:
    """The message of a call that must fail: one line, and nothing that looks like the whole file."""
    with pytest.raises(DataError) as caught:
        get(server, path, **options)
    assert not path.exists()
    message = str(caught.value)
    assert "\n" not in message and message.startswith(f"{server.url}/x.bin?download=1: ")
    return message


def ranges(server) -> list[str | None]:
    return [asked for _, asked in server.requests]


def test_a_file_is_fetched_once(server, path):
    get(server, path)
    get(server, path)
    assert_whole(path)
    assert ranges(server) == [None]


def test_twenty_random_cuts(server, path):
    rng = random.Random(0)
    ends = sorted(rng.sample(range(1, len(CONTENT)), 20))
    server.acts = [cut(end, reset=rng.random() < 0.3) for end in ends]
    get(server, path)
    assert_whole(path)
    # A reset may swallow what was on its way, so more requests may be needed, but none goes back to the start.
    assert len(server.requests) > 20 and None not in ranges(server)[1:]


def test_each_request_asks_for_what_is_missing(server, path):
    server.acts = [cut(1000), cut(1000), hang_up, cut(250_000)]
    get(server, path)
    assert_whole(path)
    assert ranges(server) == [None, "bytes=1000-", "bytes=1000-", "bytes=1000-", "bytes=250000-"]


def test_it_gives_up_after_attempts_without_progress_and_the_next_call_goes_on(server, path):
    server.acts = [cut(1000), hang_up, cut(2000), hang_up, hang_up, cut(2000)]
    message = error_of(server, path)
    assert "connection closed, and nothing new in 4 attempts" in message and "from byte 2,000" in message
    assert len(server.requests) == 6 and partial(path).read_bytes() == CONTENT[:2000]
    get(server, path)
    assert_whole(path)
    assert ranges(server)[6:] == ["bytes=2000-"]


def test_pauses_grow_and_progress_makes_them_short_again(server, path, capsys):
    server.acts = [hang_up, hang_up, cut(1000), hang_up]
    get(server, path, pauses=(0.01, 0.02, 0.03))
    lines = capsys.readouterr().out.splitlines()
    assert [line.rpartition("again in ")[2] for line in lines] == ["0.01 s", "0.02 s", "0.01 s", "0.02 s"]


def test_a_server_that_ignores_ranges(server, path):
    server.acts = [ignore_range(100_000), ignore_range(200_000), ignore_range(150_000), ignore_range()]
    get(server, path)
    assert_whole(path)


def test_a_server_that_ignores_ranges_and_never_gets_further_ends_in_an_error(server, path):
    server.acts = [ignore_range(100_000)] * 20
    assert "nothing new in 4 attempts" in error_of(server, path)
    assert len(server.requests) == 4


def test_wrong_bytes_are_removed_and_fetched_anew(server, path):
    server.files["x.bin"] = OTHER
    message = error_of(server, path)
    assert hashlib.md5(OTHER).hexdigest() in message and MD5 in message and "run again" in message
    assert not partial(path).exists()
    server.files["x.bin"] = CONTENT
    get(server, path)
    assert_whole(path)


def test_a_file_changed_between_two_attempts_is_not_mixed(server, path):
    server.acts = [cut(1000), lambda request, _: honest(request, OTHER)]
    assert "md5" in error_of(server, path)
    get(server, path)
    assert_whole(path)


@pytest.mark.parametrize("left", [CONTENT + b"more", OTHER + b"more"], ids=["the file and more", "another file"])
def test_a_partial_file_longer_than_the_file_is_dropped(server, path, left):
    partial(path).write_bytes(left)
    get(server, path)
    assert_whole(path)
    assert ranges(server) == [None]


def test_a_partial_file_that_is_complete_needs_no_server(server, path):
    partial(path).write_bytes(CONTENT)
    get(server, path)
    assert_whole(path)
    partial(path).write_bytes(OTHER)
    path.unlink()
    assert "md5" in error_of(server, path) and not partial(path).exists()
    assert not server.requests


def test_a_range_refused_starts_from_zero(server, path):
    partial(path).write_bytes(CONTENT[:2000])
    server.acts = [status(416)]
    get(server, path)
    assert_whole(path)
    assert ranges(server) == ["bytes=2000-", None]


def test_a_server_whose_file_is_shorter(server, path):
    partial(path).write_bytes(CONTENT[:2000])
    server.files["x.bin"] = CONTENT[:1000]
    assert "Content-Length 1000, not 300000" in error_of(server, path)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 204, 304])
def test_a_refusal_is_final(server, path, code):
    partial(path).write_bytes(CONTENT[:2000])
    server.acts = [status(code)]
    assert f"HTTP {code} " in error_of(server, path)
    assert len(server.requests) == 1
    get(server, path)
    assert_whole(path)
    assert ranges(server)[1:] == ["bytes=2000-"]


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503])
def test_trouble_of_the_server_is_tried_again(server, path, code):
    server.acts = [status(code), cut(1000), status(code)]
    get(server, path)
    assert_whole(path)
    server.acts = [status(code)] * 4
    path.unlink()
    assert f"HTTP {code} " in error_of(server, path)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_asks_to_wait_is_given_its_time(server, path, form):
    # A date has whole seconds, so two ahead are at least one.
    when = "1" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.acts = [status(429, Retry_After=when)]
    started = time.monotonic()
    get(server, path)
    assert_whole(path)
    assert time.monotonic() - started > 0.9


def test_a_server_that_asks_for_too_long_ends_in_an_error(server, path):
    server.acts = [status(503, Retry_After=LONGEST_WAIT + 1)]
    assert f"come back in {LONGEST_WAIT + 1} s" in error_of(server, path)
    server.acts = [status(503, Retry_After="soon")]
    get(server, path)
    assert_whole(path)


@pytest.mark.parametrize("headers", [{"Content_Length": n} for n in (299_999, 300_001, 0, "many")] + [{}], ids=str)
def test_a_length_that_is_not_the_files(server, path, headers):
    partial(path).write_bytes(CONTENT[:2000])
    server.acts = [lambda request, content: request.answer(200, content, **headers)]
    said = headers.get("Content_Length", "unknown")
    assert f"Content-Length {said}, not 300000" in error_of(server, path)
    assert partial(path).read_bytes() == CONTENT[:2000]


@pytest.mark.parametrize(
    "said", ["bytes 1999-299999/300000", "bytes 0-299999/300000", "bytes 2000-299999/300001", "bytes 2000-299999/*", ""]
)
def test_a_range_that_was_not_asked_for(server, path, said):
    partial(path).write_bytes(CONTENT[:2000])
    server.acts = [lambda request, content: request.answer(206, content[2000:], Content_Range=said)]
    message = error_of(server, path)
    assert f"{said!r}, not 'bytes 2000-299999/300000'" in message and f"remove {partial(path)}" in message
    assert partial(path).read_bytes() == CONTENT[:2000]


@pytest.mark.parametrize("length", [10, 500_000, None])
def test_a_range_whose_length_is_wrong(server, path, length):
    def act(request, content):
        headers = {} if length is None else {"Content_Length": length}
        request.answer(206, content[2000:] + b"and more", Content_Range="bytes 2000-299999/300000", **headers)

    partial(path).write_bytes(CONTENT[:2000])
    server.acts = [act]
    get(server, path)
    assert_whole(path)


def test_redirects_are_followed_with_the_range(server, path):
    server.files["elsewhere"] = CONTENT
    partial(path).write_bytes(CONTENT[:2000])
    server.acts = [status(302, Location="/elsewhere")]
    get(server, path)
    assert_whole(path)
    assert server.requests == [("x.bin", "bytes=2000-"), ("elsewhere", "bytes=2000-")]


@pytest.mark.parametrize("location", ["/x.bin?download=1", "file:///etc/passwd"])
def test_redirects_that_lead_nowhere(server, path, location):
    server.acts = [status(302, Location=location)] * 50
    assert "HTTP 302 " in error_of(server, path)


def test_silence_counts_as_a_broken_connection(server, path):
    server.acts = [stall(1000), stall(1000), stall(5000)]
    started = time.monotonic()
    get(server, path, timeout=0.2)
    assert_whole(path)
    assert 0.6 < time.monotonic() - started < 10  # the server alone would hold its silence for 30 s each time
    assert ranges(server) == [None, "bytes=1000-", "bytes=1000-", "bytes=5000-"]


def test_no_server(path):
    with serving({}) as server:
        pass
    assert "Connection refused, and nothing new in 4 attempts" in error_of(server, path)


def test_no_host(server, path):
    server.url = "http://127.0.0.1:port"
    message = error_of(server, path)
    assert "nonnumeric port" in message and "attempts" not in message


@pytest.mark.parametrize("content", [CONTENT[:2000], OTHER], ids=["too short", "wrong"])
def test_a_wrong_file_of_that_name_is_named_and_left_alone(server, path, content):
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"^{path}: .* remove it") as caught:
        get(server, path)
    assert path.read_bytes() == content and not server.requests
    if len(content) == 2000:
        assert "2,000 bytes, not 300,000" in str(caught.value)
        path.rename(partial(path))  # as the message says
        get(server, path)
        assert_whole(path)
        assert ranges(server) == ["bytes=2000-"]


def test_a_disk_error_is_not_taken_for_a_broken_connection(server, path):
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))  # no file may grow beyond
    try:
        with pytest.raises(OSError, match="File too large"):
            get(server, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert len(server.requests) == 1 and not path.exists()
    get(server, path)
    assert_whole(path)
    assert ranges(server)[1] == "bytes=100000-"
