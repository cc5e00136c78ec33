"""The connection keeps what a reader leaves, wakes for another thread, and never blocks for ever."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from appliance.scp.transport import Connection, ConnectionOver, Interrupted


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_unused_bytes_come_again_before_the_next(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0], b"", 5)
    seen: list[bytes] = []

    def feed(view: memoryview) -> int:
        seen.append(bytes(view))
        return max(len(view) - 2, 0)

    pair[1].sendall(b"abcd")
    assert connection.pump(feed) == 4
    pair[1].sendall(b"ef")
    assert connection.pump(feed) == 2
    assert seen == [b"abcd", b"cdef"]
    connection.close()


def test_bytes_received_before_are_given_first(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0], b"early", 5)
    seen: list[bytes] = []

    def feed(view: memoryview) -> int:
        seen.append(bytes(view))
        return len(view)

    connection.feed_received(feed)
    pair[1].sendall(b"late")
    connection.pump(feed)
    assert seen == [b"early", b"late"]
    connection.close()


def test_silence_is_a_timeout_and_the_end_is_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0], b"", 0.05)
    with pytest.raises(TimeoutError):
        connection.pump(len)
    pair[1].close()
    with pytest.raises(ConnectionOver):
        connection.pump(len)
    connection.close()


def test_an_interrupt_wakes_a_waiting_reader_who_may_still_speak(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    connection = Connection(pair[0], b"", 30)
    ended: list[str] = []

    def read() -> None:
        try:
            connection.pump(len)
        except Interrupted:
            connection.send(b"bye")
            ended.append("interrupted")

    thread = threading.Thread(target=read)
    thread.start()
    connection.interrupt()
    connection.interrupt()
    thread.join(5)
    assert ended == ["interrupted"]
    assert pair[1].recv(10) == b"bye"
    connection.close()
    connection.interrupt()


def test_a_peer_that_takes_nothing_is_given_up(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0], b"", 0.05)
    with pytest.raises(ConnectionOver):
        connection.send(bytes(50_000_000))
    connection.close()


def test_everything_is_sent_to_a_slow_reader(pair: tuple[socket.socket, socket.socket]) -> None:
    connection = Connection(pair[0], b"", 5)
    data = bytes(range(256)) * 20_000
    thread = threading.Thread(target=connection.send, args=(data,))
    thread.start()
    received = b""
    while len(received) < len(data):
        received += pair[1].recv(65536)
    thread.join(5)
    assert received == data
    connection.close()


def test_lingering_reads_what_still_comes_until_the_peer_closes(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    connection = Connection(pair[0], b"", 5)
    thread = threading.Thread(target=connection.close, args=(30,))
    thread.start()
    pair[1].sendall(b"more")
    assert pair[1].recv(10) == b""
    pair[1].close()
    thread.join(5)
    assert not thread.is_alive()
