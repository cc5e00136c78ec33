"""Connections of the Kafka client: closed means closed."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from kafka.net.selector import NetworkSelector

from appliance.kafka_connection.sockets import open_transport
from tests.sockets import connections_to


@pytest.fixture
def net() -> Iterator[Any]:
    found = NetworkSelector()
    yield found
    found.close()


@pytest.fixture
def door() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as found:
        yield found


def test_a_connection_closed_with_something_to_write_leaves_no_socket(net: Any, door: socket.socket) -> None:
    transport = net.run(open_transport, net, door.getsockname(), [], None, None)
    assert len(connections_to(door.getsockname()[1])) == 1
    transport.write(b"unsent")
    transport.close()
    assert not connections_to(door.getsockname()[1])


def test_a_connection_that_is_being_made_when_the_client_ends_leaves_no_socket(door: socket.socket) -> None:
    port = door.getsockname()[1]
    net: Any = NetworkSelector()
    with closing(socket.create_connection(("127.0.0.1", port))):  # it fills the queue: the next one waits
        future = net.call_soon_with_future(open_transport, net, ("127.0.0.1", port), [], None, None)
        net.poll(timeout_ms=100, future=future)
        assert not future.is_done
        assert len(connections_to(port)) == 2
        net.close()
        assert len(connections_to(port)) == 1
