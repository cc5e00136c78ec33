"""Whether the broker lets this box in, asked beside the room that reports: another name, no session, no will."""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from appliance import tls
from appliance.monitor.mqtt import CONNECT_SECONDS, Broker, read_password


@dataclass
class _Answer:
    """What became of the attempt."""

    given: threading.Event = field(default_factory=threading.Event)
    refusal: str = ""

    def give(self, refusal: str) -> None:
        if not self.given.is_set():
            self.refusal = refusal
            self.given.set()


def probe(broker: Broker, client_id: str, seconds: float) -> str:
    """Connect and log in as `client_id`, leave, return why that did not work, "" if it did.

    The name must not be the room's own, which the broker would throw out for ours. Raises ConfigurationError.
    """
    answer, client = _Answer(), Client(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.suppress_exceptions = True
    client.connect_timeout = CONNECT_SECONDS
    client.tls_set_context(tls.client_context(broker.tls_certificate, broker.tls_key, broker.tls_ca))
    client.username_pw_set(broker.username or None, read_password(broker.password_file))

    def connected(_c: Client, _u: Any, _f: ConnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        answer.give(f"the broker refuses us: {reason}" if reason.is_failure else "")

    def failed(_c: Client, _u: Any) -> None:
        error = sys.exception()
        answer.give(f"cannot connect: {error}" if error else "cannot connect")

    def ended(_c: Client, _u: Any, _f: DisconnectFlags, reason: ReasonCode, _p: Properties | None) -> None:
        answer.give(f"the broker hung up before it answered, as it does without a certificate it knows: {reason}")

    client.on_connect, client.on_connect_fail, client.on_disconnect = connected, failed, ended
    client.connect_async(broker.host, broker.port, clean_start=True)
    client.loop_start()
    if not answer.given.wait(seconds):
        answer.give("the broker does not answer")
    client.disconnect()
    client.loop_stop()
    return answer.refusal
