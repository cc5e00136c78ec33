"""Every fault of the proxy, before a small server that counts what reaches it."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import (
    LOSE_ANSWER,
    PASS,
    REFUSE,
    RESET_BODY,
    RESET_REQUEST,
    STALL,
    cut,
    reset_every,
    trickle,
)
from tests.partners.ports import free_ports
from tests.waiting import wait_until

BODY = b"x" * 200_000


class Server(ThreadingHTTPServer):
    """Keeps the length of every header it saw and of every body that came whole."""

    daemon_threads = True

    def __init__(self) -> None:
        """Listen on a free port."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.headers: list[int] = []
        self.bodies: list[int] = []

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class Handler(BaseHTTPRequestHandler):
    """Reads a POST to its end and answers."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Count, read, count, answer."""
        length = int(self.headers["Content-Length"])
        self.server.headers.append(length)
        try:
            body = self.rfile.read(length)
        except ConnectionError:
            self.close_connection = True
            return
        if len(body) < length:
            self.close_connection = True
            return
        self.server.bodies.append(len(body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        """Serve; a caller who breaks off is what these tests are about."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    """The server behind the proxy."""
    with Server() as started:
        thread = threading.Thread(target=started.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield started
        started.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    """The proxy before it."""
    with FaultProxy(server.port) as started:
        yield started


@pytest.fixture
def connection(proxy: FaultProxy) -> Iterator[http.client.HTTPConnection]:
    """A client's connection, made at its first request; made anew after a failure."""
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    yield client
    client.close()


def post(connection: http.client.HTTPConnection, body: bytes = BODY) -> bytes:
    """POST and read the answer; a failure closes the connection."""
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().read()
    except OSError:
        connection.close()
        raise


def test_it_passes_both_ways_and_counts(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    assert post(connection) == post(connection) == b"ok"
    assert (proxy.connections, proxy.open_connections, proxy.fired) == (1, 1, 0)
    connection.close()
    wait_until(lambda: not proxy.open_connections)


def test_refused(proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection) -> None:
    post(connection)
    proxy.set(REFUSE)
    wait_until(lambda: not proxy.open_connections)
    with pytest.raises(ConnectionError):
        post(connection)
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            post(connection)
    proxy.set(PASS)
    assert post(connection) == b"ok"
    assert proxy.connections == 2
    assert len(server.bodies) == 2


def test_stalled_on_an_open_and_on_a_new_connection(
    proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection
) -> None:
    post(connection)
    proxy.set(STALL)
    fresh = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=0.3)
    for client in (connection, fresh):
        client.timeout = 0.3
        if client.sock is not None:
            client.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            post(client)
    assert server.headers == [len(BODY)]
    assert proxy.connections == 2


def test_what_a_stall_held_flows_afterwards(proxy: FaultProxy, server: Server) -> None:
    proxy.set(STALL)
    answers: list[bytes] = []
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
    thread = threading.Thread(target=lambda: answers.append(post(client)))
    thread.start()
    wait_until(lambda: proxy.open_connections)
    assert not server.headers
    proxy.set(PASS)
    thread.join(10)
    client.close()
    assert answers == [b"ok"]


def test_reset_before_the_request(proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection) -> None:
    post(connection)
    proxy.set(RESET_REQUEST, times=2)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            post(connection)
    assert post(connection) == b"ok"
    assert len(server.headers) == 2
    assert proxy.fired == 2


def test_reset_between_header_and_body(
    proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection
) -> None:
    proxy.set(RESET_BODY, times=1)
    with pytest.raises(ConnectionError):
        post(connection)
    wait_until(lambda: server.headers)
    assert not server.bodies
    assert post(connection) == b"ok"


def test_a_lost_answer(proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection) -> None:
    proxy.set(LOSE_ANSWER, times=1)
    with pytest.raises(ConnectionError):
        post(connection)
    assert server.bodies == [len(BODY)]
    assert post(connection) == b"ok"
    assert server.bodies == [len(BODY), len(BODY)]


def test_cut_after_some_bytes(proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection) -> None:
    proxy.set(cut(100_000), times=1)
    with pytest.raises(ConnectionError):
        post(connection)
    wait_until(lambda: server.headers)
    assert not server.bodies
    assert post(connection) == b"ok"


def test_a_reset_after_so_many_bytes_of_all_connections(
    proxy: FaultProxy, server: Server, connection: http.client.HTTPConnection
) -> None:
    proxy.set(reset_every(100_000))
    for _ in range(3):
        answers = [post(connection, b"x" * 30_000) for _ in range(3)]
        assert answers == [b"ok"] * 3
        with pytest.raises(ConnectionError):
            post(connection, b"x" * 30_000)
    assert proxy.fired == 3


def test_a_trickle_takes_its_time(proxy: FaultProxy, connection: http.client.HTTPConnection) -> None:
    proxy.set(trickle(20_000))
    began = time.monotonic()
    assert post(connection, b"x" * 20_000) == b"ok"
    assert 0.9 < time.monotonic() - began < 5
    proxy.set(PASS)
    began = time.monotonic()
    assert post(connection) == b"ok"
    assert time.monotonic() - began < 5


def test_a_server_that_is_down_resets_the_client() -> None:
    (port,) = free_ports(1)
    with FaultProxy(port) as proxy:
        connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            post(connection)
        connection.close()
        assert proxy.connections == 1
