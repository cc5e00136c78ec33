"""Answers that are late, trickle or never end: whoever waits for one can leave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from appliance.archive.group2 import Labels, encode
from appliance.dicomweb.client import DicomwebClient
from appliance.dicomweb.endpoint import Endpoint
from appliance.dicomweb.faults import NoAnswer, Stopped
from appliance.dicomweb.outgoing import check
from tests.builders.instances import ct
from tests.builders.objects import Objects, instance

SECONDS = 1.0
BOUND = 10.0
GAP = SECONDS / 10
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom\r\nContent-Length: 4000000\r\n\r\n"
FILE = encode(Labels("1.2.840.10008.5.1.4.1.1.2", "1.4", "1.2.840.10008.1.2.1"), "") + b"\x08" * 4000

Script = Callable[[], Iterable[bytes]]


@contextmanager
def door(script: Script) -> Iterator[str]:
    """A service that reads one request and answers with the pieces of a script, a gap after each."""
    ended = threading.Event()

    def serve() -> None:
        try:
            line, _ = listener.accept()
        except OSError:
            return
        with line:
            line.recv(64 << 10)
            try:
                for piece in script():
                    line.sendall(piece)
                    if ended.wait(GAP):
                        return
                ended.wait()
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/dicom-web"
        finally:
            ended.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def client_of(url: str, stopping: Callable[[], bool] = lambda: False, seconds: float = SECONDS) -> DicomwebClient:
    return DicomwebClient(Endpoint(url, connect_timeout=2, read_timeout=seconds), stopping=stopping)


def headers_in_drops() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nX-Slow: "
    while True:
        yield b"x"


def instance_in_drops() -> Iterator[bytes]:
    yield HEAD + FILE
    while True:
        yield b"x"


def multipart_in_drops() -> Iterator[bytes]:
    yield HEAD.replace(b"application/dicom", b'multipart/related; type="application/dicom"; boundary=b')
    yield b"--b\r\nContent-Type: application/dicom\r\n\r\n"
    yield from (FILE[at : at + 1] for at in range(len(FILE)))


def nothing() -> Iterator[bytes]:
    return iter(())


@pytest.mark.parametrize("script", [headers_in_drops, instance_in_drops, multipart_in_drops, nothing])
def test_what_trickles_is_as_good_as_silent(script: Script) -> None:
    with door(script) as url, closing(client_of(url)) as client:
        began = time.monotonic()
        with pytest.raises(NoAnswer) as caught:
            client.read("1.2", "1.3", "1.4", most=1 << 30)
        assert caught.value.silent
        assert time.monotonic() - began < BOUND


def test_what_is_slow_but_comes_is_waited_for() -> None:
    def steadily() -> Iterator[bytes]:
        yield HEAD.replace(b"4000000", b"%d" % (len(FILE) * 15))
        for _ in range(15):
            yield FILE

    with door(steadily) as url, closing(client_of(url)) as client:
        began = time.monotonic()
        assert client.read("1.2", "1.3", "1.4", most=1 << 30) is not None
        assert time.monotonic() - began > SECONDS


@pytest.mark.parametrize("script", [headers_in_drops, instance_in_drops, nothing])
def test_a_wish_to_stop_is_heard_while_an_answer_is_awaited(script: Script) -> None:
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    with door(script) as url, closing(client_of(url, stop.is_set, seconds=60)) as client:
        began = time.monotonic()
        timer.start()
        with pytest.raises(Stopped):
            client.read("1.2", "1.3", "1.4", most=1 << 30)
        assert time.monotonic() - began < BOUND
        timer.join()
        with pytest.raises(Stopped):
            client.knock()


def test_a_wish_to_stop_ends_a_transfer_between_two_blocks(tmp_path: Path) -> None:
    row = Objects(tmp_path).row(ct(Rows=2000, Columns=2000, PixelData=bytes(8_000_000)))
    stop, sent = threading.Event(), []

    def pace(size: int) -> None:
        sent.append(size)
        if sum(sent) > 1_000_000:
            stop.set()

    with door(nothing) as url:
        client = DicomwebClient(Endpoint(url, read_timeout=60), pace, stop.is_set)
        with closing(client), pytest.raises(Stopped):
            client.store([instance(row)])
    assert sum(sent) < 2_000_000


def test_a_wish_to_stop_ends_the_check_of_a_huge_file(tmp_path: Path) -> None:
    row = Objects(tmp_path).row(ct(Rows=1000, Columns=1000, PixelData=bytes(2_000_000)))
    calls: list[None] = []

    def heed() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        check(instance(row), heed)
    assert len(calls) == 3
