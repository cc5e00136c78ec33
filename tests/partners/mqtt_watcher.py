"""An MQTT subscriber that remembers everything it is told."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.builders.certificates import Pair
from tests.waiting import wait_until

CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class Told:
    """One publication: `retained` when it lay there before the subscription."""

    topic: str
    payload: bytes
    qos: int
    retained: bool


class _Closing(ssl.SSLSocket):
    """Closes when its handshake fails: paho leaves that to the garbage collector, in whatever test it comes by."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class MqttWatcher:
    """A subscriber over TLS with a client certificate. A context manager; comes back after a loss by itself."""

    def __init__(self, port: int, authority: Path, pair: Pair, topic: str) -> None:
        """Nothing is connected yet."""
        self._port, self._topic = port, topic
        self._lock = threading.Lock()
        self._told: list[Told] = []
        self._subscribed = threading.Event()
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, reconnect_on_failure=True)
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(pair.certificate, pair.key)
        context.sslsocket_class = _Closing
        self._client.tls_set_context(context)
        self._client.reconnect_delay_set(min_delay=1, max_delay=1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    @property
    def told(self) -> list[Told]:
        """Everything so far, in the order it came."""
        with self._lock:
            return list(self._told)

    def latest(self, topic: str) -> Told | None:
        """What was last said on a topic."""
        return next((told for told in reversed(self.told) if told.topic == topic), None)

    def wait_for(self, wanted: Callable[[Told], bool], seconds: float = 10.0) -> Told:
        """The first publication that fits, one that is there already or comes within `seconds`."""
        return wait_until(lambda: next(filter(wanted, self.told), None), seconds)

    def try_connect(self) -> bool:
        """Whether the broker lets us in and subscribe within a moment; for waiting until it does."""
        try:
            self._connect()
        except OSError:
            return False
        return self._subscribed.wait(2)

    def close(self) -> None:
        """Say goodbye and end the thread."""
        self._client.disconnect()
        self._client.loop_stop()
        # paho closes its inner sockets when it is freed, and a circle is freed in any order, its sockets first.
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None

    def __enter__(self) -> Self:
        """Connect and subscribe; AssertionError when that takes too long."""
        self._connect()
        if not self._subscribed.wait(CONNECT_SECONDS):
            self.close()
            raise AssertionError(f"no subscription at port {self._port} after {CONNECT_SECONDS} s")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _connect(self) -> None:
        self._client.connect("127.0.0.1", self._port, keepalive=5, clean_start=True)
        self._client.loop_start()

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            client.subscribe(self._topic, qos=1)

    def _on_subscribe(self, _client: mqtt.Client, _data: Any, _mid: int, reasons: Any, _properties: Any) -> None:
        if not any(reason.is_failure for reason in reasons):
            self._subscribed.set()

    def _on_message(self, _client: mqtt.Client, _data: Any, message: mqtt.MQTTMessage) -> None:
        with self._lock:
            self._told.append(Told(message.topic, bytes(message.payload), message.qos, bool(message.retain)))
