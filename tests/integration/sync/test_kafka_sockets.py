"""A Kafka sink that was closed holds no connection any more, whatever the broker was doing.

The garbage collector is kept away: it closes what was forgotten, at a time of its own.
"""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka.net.manager import KafkaConnectionManager

from appliance.sync.sinks.contract import Unreachable
from appliance.sync.sinks.kafka import KafkaSink
from appliance.sync.sinks.kafka_options import KafkaOptions
from tests.builders.deliveries import Deliveries
from tests.integration.sync.kafka_stage import QUICK, Stage
from tests.partners.kafka import KafkaBroker
from tests.sockets import connections_to
from tests.waiting import wait_until

CLOSE_SECONDS = 3.0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def stage(broker: KafkaBroker, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(broker, tmp_path)
    found.create(max_message_bytes=str(2 << 20))
    yield found
    found.close()


@pytest.fixture(autouse=True)
def _no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def assert_nothing_left(sink: Any, port: int) -> None:
    """Close a sink; its connections and its thread are gone then, as soon as the thread comes to its turn."""
    began = time.monotonic()
    sink.close()
    assert time.monotonic() - began < CLOSE_SECONDS
    wait_until(lambda: not connections_to(port) and not _threads())


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "network-thread" in thread.name]


def connected(sink: Any) -> Any:
    """The producer under a sink's link, and its connections."""
    return sink._link._link


def test_after_a_delivery(stage: Stage) -> None:
    sink = stage.sink()
    stage.deliver(sink, stage.rows())
    assert connections_to(stage.broker.ports["plain"])
    assert_nothing_left(sink, stage.broker.ports["plain"])


def test_while_a_frozen_broker_leaves_bytes_unwritten(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    small = [(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)]
    monkeypatch.setitem(KafkaConnectionManager.DEFAULT_CONFIG, "socket_options", small)
    sink = stage.sink(delivery_timeout=30.0)
    stage.deliver(sink, stage.rows())
    link = connected(sink)
    stage.broker.pause()
    try:
        for row in stage.rows(4):
            link.send(stage.topics[row.kind], row.message_key.encode(), b"x" * 900_000, [])
        wait_until(lambda: any(found.transport._write_buffer for found in link._reached.manager._conns.values()))
        assert_nothing_left(sink, stage.broker.ports["plain"])
    finally:
        stage.broker.resume()


def test_while_its_thread_waits_for_a_frozen_broker_to_take_it_back(stage: Stage) -> None:
    sink = stage.sink(delivery_timeout=60.0)
    stage.deliver(sink, stage.rows())
    link = connected(sink)
    stage.broker.pause()
    try:
        for connection in list(link._reached.manager._conns.values()):
            link._reached.manager.call_soon(connection.close, ConnectionResetError())
        link._producer._transaction_manager.reset_producer_id()
        rows = stage.rows(2)
        link.send(stage.topics["state"], b"key", rows[0].payload.encode(), [])
        assert_nothing_left(sink, stage.broker.ports["plain"])
    finally:
        stage.broker.resume()


def test_after_a_broker_that_died_with_the_batch(stage: Stage) -> None:
    sink = stage.sink()
    stage.deliver(sink, stage.rows())
    stage.broker.kill()
    try:
        assert {type(answer) for answer in sink.deliver(stage.rows()).values()} == {Unreachable}
        assert_nothing_left(sink, stage.broker.ports["plain"])
    finally:
        stage.broker.restart()


def mute(listener: socket.socket) -> None:
    """Take every connection and say nothing."""
    held = []
    while True:
        try:
            held.append(listener.accept()[0])
        except OSError:
            break
    for one in held:
        one.close()


def hanging_up(listener: socket.socket) -> None:
    """Take every connection, read a little, and end it."""
    while True:
        try:
            with listener.accept()[0] as one:
                one.recv(10)
        except OSError:
            break


def talking_nonsense(listener: socket.socket) -> None:
    """Answer whatever comes with something that is no Kafka."""
    while True:
        try:
            with listener.accept()[0] as one:
                one.recv(10)
                one.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        except OSError:
            break


def absent(_listener: socket.socket) -> None:
    """Take nothing: one connection fits into the queue, the next ones are never made."""


@pytest.mark.parametrize("behave", [mute, hanging_up, talking_nonsense, absent])
def test_after_a_door_that_is_no_broker(behave: Callable[[socket.socket], None], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        guard = threading.Thread(target=behave, args=(listener,))
        guard.start()
        options = KafkaOptions(bootstrap_servers=(f"127.0.0.1:{port}",), source="site-1", delivery_timeout=QUICK)
        sink = KafkaSink(options)
        try:
            answers = sink.deliver([Deliveries(tmp_path).state()])
            assert None not in answers.values()
            assert_nothing_left(sink, port)
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            guard.join()
