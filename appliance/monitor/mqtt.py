"""The connection to the MQTT broker: kept by paho's own thread, for ever, whatever the broker does.

Nothing here waits for the broker and nothing piles up: at most QUEUE reports are held, and those of
an earlier connection are dropped, because what they say is old.
"""

from __future__ import annotations

import random
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from appliance import tls
from appliance.errors import ConfigurationError
from appliance.logs import get_logger
from appliance.monitor.topics import Message

QUEUE = 16
CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 5.0
FIRST_WAIT = 1
LONGEST_WAIT = (15, 25)
# The broker must remember the session for longer than it waits with the will, or it would not wait.
SESSION_SECONDS = 60
ROUND_SECONDS = 4
SHORTEST_SECONDS = 2

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how it is spoken to. Times are whole seconds."""

    host: str
    port: int
    keepalive: int
    will_delay: int
    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    username: str = ""
    password_file: Path | None = None


class MqttLink:
    """One client of one broker. `will` is asked, before each connection, what to say if it breaks."""

    def __init__(self, broker: Broker, client_id: str, will: Callable[[], Message]) -> None:
        """Read the TLS files; nothing is connected yet. Raises ConfigurationError."""
        self.connections = 0
        self.connected = False
        self.fault = ""
        self._answered = False
        self._broker = broker
        self._will = will
        self._context = tls.client_context(broker.tls_certificate, broker.tls_key, broker.tls_ca)
        self._client = self._new_client(client_id)
        read_password(broker.password_file)

    def start(self) -> None:
        """Connect in the background, now and whenever the connection is lost; or revive what does so."""
        self._client.loop_start()

    def publish(self, message: Message) -> bool:
        """Hand a message over without waiting; return whether it was taken. Only while connected."""
        if not self.connected:
            return False
        done = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        return bool(done.rc == MQTTErrorCode.MQTT_ERR_SUCCESS)

    def farewell(self, message: Message, seconds: float) -> None:
        """Publish a last message, wait `seconds` at most for the broker to confirm it, and disconnect.

        After an orderly end the broker does not publish the will. May be called without a connection.
        """
        if self.connected:
            done = self._client.publish(message.topic, message.payload, message.qos, message.retain)
            if done.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                done.wait_for_publish(seconds)
        self._client.disconnect()
        self._client.drop_out_messages()
        # Beside us: a broker's name that takes minutes to resolve must not hold up the end.
        ending = threading.Thread(target=self._client.loop_stop, name="mqtt-end", daemon=True)
        ending.start()
        ending.join(CLOSE_SECONDS)

    def _new_client(self, client_id: str) -> Client:
        broker = self._broker
        client = Client(
            CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=True
        )
        client.suppress_exceptions = True  # a fault in a callback must not end the thread
        client.connect_timeout = CONNECT_SECONDS
        client.max_queued_messages_set(QUEUE)
        # Of random length, so that all boxes of a broker that was away do not return at once.
        client.reconnect_delay_set(FIRST_WAIT, random.randint(*LONGEST_WAIT))
        client.tls_set_context(self._context)
        client.on_pre_connect = self._prepare
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.connect_async(
            broker.host,
            broker.port,
            wire_keepalive(broker.keepalive),
            clean_start=False,
            properties=_session(broker.will_delay),
        )
        self._set_will(client)
        return client

    def _set_will(self, client: Client) -> None:
        properties = Properties(PacketTypes.WILLMESSAGE)  # type: ignore[no-untyped-call]
        properties.WillDelayInterval = self._broker.will_delay
        message = self._will()
        client.will_set(message.topic, message.payload, message.qos, message.retain, properties)

    def _prepare(self, client: Client, userdata: Any) -> None:
        """Before every connection: forget what an earlier one left, write the will, read the files anew."""
        self._answered = False
        client.drop_out_messages()
        self._set_will(client)
        broker = self._broker
        files = broker.tls_certificate, broker.tls_key, broker.tls_ca
        try:
            tls.client_context(*files)  # a pair that does not fit, in the middle of a renewal, is not taken
            tls.renew(self._context, *files)
            client.username_pw_set(broker.username or None, read_password(broker.password_file))
        except ConfigurationError as error:
            self._note(error.message)

    def _on_connect(
        self, client: Client, userdata: Any, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._answered = True
        if reason.is_failure:
            self._note(f"the broker refuses us: {reason}")
            return
        self.connections += 1
        self.connected = True
        self.fault = ""
        log.info("broker reached", host=self._broker.host, port=self._broker.port)

    def _on_connect_fail(self, client: Client, userdata: Any) -> None:
        # paho calls this while it handles the error, and does not pass it on.
        error = sys.exception()
        self._note(f"cannot connect: {error}" if error else "cannot connect")

    def _on_disconnect(
        self, client: Client, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        was, self.connected = self.connected, False
        if was:
            self._note(f"the connection ended: {reason}")
        elif not self._answered:
            # In TLS 1.3 a certificate is refused after the handshake, without a word that paho passes on.
            self._note(f"the broker hung up before it answered, as it does without a certificate it knows: {reason}")

    def _on_publish(self, client: Client, userdata: Any, mid: int, reason: ReasonCode, properties: Properties) -> None:
        if reason.is_failure:
            self._note(f"the broker refuses our reports: {reason}")

    def _note(self, fault: str) -> None:
        """Say a fault once, until there is another or none."""
        if fault != self.fault:
            self.fault = fault
            log.warning("broker not served", fault=fault)


def read_password(path: Path | None) -> str | None:
    """Return the password that a file holds, None without a file. Raises ConfigurationError."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        hint = "mqtt.password_file holds the password and nothing else"
        raise ConfigurationError(f"{path} cannot be read: {type(error).__name__}", hint=hint) from None


def _session(will_delay: int) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
    properties.SessionExpiryInterval = will_delay + SESSION_SECONDS
    return properties


def wire_keepalive(keepalive: int) -> int:
    """Return the keep-alive interval told to the broker, in seconds: shorter than the configured one.

    mosquitto 2.0 looks for silent clients in rounds of five seconds. Told four seconds less, it
    still finds one within 1.5 x the configured interval. Intervals below eight seconds leave
    no room for that.
    """
    return max(min(keepalive, SHORTEST_SECONDS), keepalive - ROUND_SECONDS)
