"""The MQTT broker of the tests: who may speak where, what it remembers, when it speaks a last will."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.builders.certificates import Authority, Pair
from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher
from tests.sockets import connections_to
from tests.waiting import wait_until

STATUS = "edge/v1/site-1/status"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that runs."""
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


@contextmanager
def caller(broker: Mosquitto, pair: Pair, *, will: bytes | None = None) -> Iterator[mqtt.Client]:
    """A client, connected; its network loop runs in a thread."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    context = ssl.create_default_context(cafile=str(broker.authority.certificate))
    context.load_cert_chain(pair.certificate, pair.key)
    client.tls_set_context(context)
    if will is not None:
        client.will_set(STATUS, will, qos=1, retain=True)
    client.connect("127.0.0.1", broker.port, keepalive=5)
    client.loop_start()
    try:
        wait_until(client.is_connected)
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def publish(client: mqtt.Client, topic: str, payload: bytes, **how: Any) -> None:
    """Publish and wait until the broker has taken it."""
    client.publish(topic, payload, qos=1, **how).wait_for_publish(10)


def test_what_is_retained_is_told_to_who_comes_later(broker: Mosquitto) -> None:
    with caller(broker, broker.issue("site-1")) as client:
        publish(client, STATUS, b"ready", retain=True)
    with broker.watch() as watcher:
        told = watcher.wait_for(lambda told: told.topic == STATUS)
        assert (told.payload, told.qos, told.retained) == (b"ready", 1, True)


def test_a_name_may_not_speak_in_the_branch_of_another(broker: Mosquitto) -> None:
    with broker.watch() as watcher, caller(broker, broker.issue("site-1")) as client:
        publish(client, "edge/v1/site-2/status", b"forged", retain=True)
        publish(client, STATUS, b"own")
        watcher.wait_for(lambda told: told.payload == b"own")
        assert [told.payload for told in watcher.told] == [b"own"]


def test_nobody_comes_in_without_a_certificate(broker: Mosquitto) -> None:
    context = ssl.create_default_context(cafile=str(broker.authority.certificate))
    with (
        socket.create_connection(("127.0.0.1", broker.port), timeout=10) as plain,
        # In TLS 1.3 the refusal comes after the handshake, in place of the first answer.
        pytest.raises(ssl.SSLError, match="certificate required"),
        context.wrap_socket(plain, server_hostname="127.0.0.1") as caller,
    ):
        caller.recv(1)


def test_what_is_retained_outlives_a_stop_and_mostly_a_kill(broker: Mosquitto) -> None:
    with caller(broker, broker.issue("site-1")) as client:
        publish(client, STATUS, b"ready", retain=True)
    broker.restart()
    with broker.watch() as watcher:
        watcher.wait_for(lambda told: told.payload == b"ready")
    broker.kill()
    broker.restart()
    with broker.watch() as watcher:
        watcher.wait_for(lambda told: told.payload == b"ready")
    broker.stop()
    broker.wipe()
    broker.restart()
    with broker.watch() as watcher:
        assert not watcher.told


def test_a_watcher_comes_back_by_itself_and_hears_the_last_will(broker: Mosquitto) -> None:
    with broker.watch() as watcher:
        broker.restart()
        with caller(broker, broker.issue("site-1"), will=b"lost") as client:
            publish(client, STATUS, b"ready", retain=True)
            watcher.wait_for(lambda told: told.payload == b"ready")
            broken = client.socket()
            assert broken is not None
            client.loop_stop()
            broken.close()
            watcher.wait_for(lambda told: told.payload == b"lost")
            latest = watcher.latest(STATUS)
            assert latest is not None and latest.payload == b"lost"


def test_a_handshake_that_breaks_off_leaves_no_socket(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        watcher = MqttWatcher(port, authority.certificate, authority.issue("central"), "#")

        def hang_up() -> None:
            listener.accept()[0].close()

        guard = threading.Thread(target=hang_up)
        guard.start()
        assert not watcher.try_connect()
        guard.join()
        assert not connections_to(port)
        watcher.close()
