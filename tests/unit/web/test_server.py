"""The HTTP server: slow clients cost no thread for long, and its end waits for running requests."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from appliance.errors import ConfigurationError
from appliance.web.server import Limits, WebServer
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
