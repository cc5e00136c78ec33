"""The HTTP server: slow clients cost no thread for long, and its end waits for running requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from appliance.errors import ConfigurationError
from appliance.http.server import SOCKET_MODE, Limits, WebServer
from tests.waiting import wait_until

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Serve = Callable[..., WebServer]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start servers on random ports; they are stopped at the end."""
    servers: list[WebServer] = []

    def start(application: Callable[..., Iterable[bytes]], channel_seconds: int = 60) -> WebServer:
        limits = Limits(2, 50, 1 << 30, tmp_path, 0, channel_seconds)
        servers.append(WebServer(application, "127.0.0.1", 0, limits))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop(0.1)


def ask(server: WebServer) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    return connection


def test_a_reader_that_stops_reading_loses_its_connection(serve: Serve) -> None:
    ended = threading.Event()

    def endless(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", str(1 << 40))])
        try:
            while True:
                yield b"x" * (1 << 20)
        finally:
            ended.set()

    server = serve(endless, channel_seconds=1)
    with ask(server):
        assert ended.wait(15)
    wait_until(lambda: server.connections == 0)


def test_the_end_waits_for_a_running_request(serve: Serve) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        started.set()
        assert go_on.wait(10)
        start_response("200 OK", [("Content-Length", "4")])
        return [b"done"]

    server = serve(slow)
    with ask(server) as connection:
        assert started.wait(10)
        drained: list[bool] = []
        stopping = threading.Thread(target=lambda: drained.append(server.stop(10)))
        stopping.start()
        go_on.set()
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk
        stopping.join(10)
    assert answer.endswith(b"done")
    assert drained == [True]
    assert not server.running


def test_a_request_that_does_not_end_is_not_waited_for(serve: Serve) -> None:
    started, go_on = threading.Event(), threading.Event()

    def stuck(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        started.set()
        assert go_on.wait(10)
        return []

    server = serve(stuck)
    with ask(server):
        assert started.wait(10)
        assert not server.stop(0.2)
    go_on.set()


def test_a_port_that_cannot_be_had_is_the_administrators_to_mend(serve: Serve, tmp_path: Path) -> None:
    server = serve(lambda environ, start_response: [])
    with pytest.raises(ConfigurationError, match="cannot listen there"):
        WebServer(lambda environ, start_response: [], "127.0.0.1", server.port, Limits(1, 50, 1, tmp_path, 0))


def test_a_socket_in_the_file_system(tmp_path: Path) -> None:
    seen: list[WSGIEnvironment] = []

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        seen.append(environ)
        start_response("200 OK", [("Content-Length", "2")])
        return [b"ok"]

    path = tmp_path / "s"
    for _ in range(2):  # the second finds the first one's socket there, as after a kill
        server = WebServer.on_socket(application, path, Limits(2, 50, 1 << 30, tmp_path, 0), "central.receiver")
        server.start()
        try:
            assert path.stat().st_mode & 0o777 == SOCKET_MODE and server.port == 0
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(10)
                line.connect(str(path))
                line.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                assert line.makefile("rb").read().endswith(b"ok")
        finally:
            server.stop(1)
    assert [environ["PATH_INFO"] for environ in seen] == ["/x", "/x"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", ["file", "missing/s", "x" * 120])
def test_a_socket_that_cannot_be_made_is_said_with_its_key(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("something else")
    with pytest.raises(ConfigurationError, match=r"central\.receiver\.socket"):
        WebServer.on_socket(lambda *_: [], tmp_path / where, Limits(1, 5, 1, tmp_path, 0), "central.receiver")
    assert (tmp_path / "file").read_text() == "something else"


def test_strangers_are_told_by_their_headers(tmp_path: Path) -> None:
    asked: list[str] = []

    def knows(headers: Mapping[str, str]) -> bool:
        asked.append(headers.get("X_CLIENT_CERT", ""))
        return False

    server = WebServer(lambda *_: [], "127.0.0.1", 0, Limits(1, 5, 1 << 30, tmp_path, 0, knows=knows))
    server.start()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as line:
            line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Client-Cert: c\r\nContent-Length: 9999999\r\n\r\n")
            assert line.recv(4096).startswith(b"HTTP/1.1 401")
    finally:
        server.stop(1)
    assert asked == ["c"]
