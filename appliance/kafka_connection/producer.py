"""A producer with its connections: messages out, each with a future that tells when every replica in sync has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from kafka import KafkaProducer, errors

from appliance.kafka_connection.faults import Blame, KafkaFault, judge
from appliance.kafka_connection.reaching import Reached, Stopping, reach
from appliance.kafka_connection.settings import Cluster, connection_configs

Future = Any

JOIN_SECONDS = 1.0
LINGER_MS = 20
BATCH_BYTES = 128 << 10
REQUEST_BYTES = 1 << 20
BLOCK_MS = 5_000
# Several tries fit into the delivery timeout: an answer that was lost is asked for again.
TRIES = 3


def producer_configs(
    cluster: Cluster, *, delivery_timeout: float, compression: str = "none", request_bytes: int = REQUEST_BYTES
) -> dict[str, Any]:
    """Return KafkaProducer's settings: a record counts when every replica has it, once. Raises KafkaFault.

    `delivery_timeout` is in seconds.
    """
    timeout_ms = round(delivery_timeout * 1000)  # whole numbers: they go over the wire
    return {
        **connection_configs(cluster),
        "enable_idempotence": True,
        "acks": "all",
        "max_in_flight_requests_per_connection": 5,
        "linger_ms": LINGER_MS,
        "delivery_timeout_ms": timeout_ms,
        "request_timeout_ms": timeout_ms // TRIES,
        "max_block_ms": BLOCK_MS,
        "max_request_size": request_bytes,
        "batch_size": BATCH_BYTES,
        "compression_type": _compression(compression),
    }


def _compression(name: str) -> str | None:
    if name == "zstd" and find_spec("zstandard") is None:
        message = "compression zstd needs the Python package zstandard"
        raise KafkaFault(message, hint="install it, or use gzip", blame=Blame.SETTINGS)
    return None if name == "none" else name


class Link:
    """A producer with its connections. Used by one thread; the library's own thread does the sending."""

    def __init__(self, producer: Any, reached: Reached, topics: Iterable[str]) -> None:
        """Take over a connected producer; `connect` makes one."""
        self._producer = producer
        self._reached = reached
        self._topics = frozenset(topics)

    def send(self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> Future:
        """Hand a message to the sending thread; the future tells when it is durable at the broker.

        Raises errors of the library: MessageSizeTooLargeError at once for what no request can hold.
        """
        return self._producer.send(topic, key=key, value=value, headers=headers)

    def obstacle(self) -> KafkaFault | None:
        """Return what an administrator must mend before anything can be sent, if that is known already.

        The sending thread would try on until the delivery timeout.
        """
        return self._reached.obstacle()

    def lost_topic(self) -> str | None:
        """Return a topic that the brokers do not know any more, as of their last word."""
        return self._reached.lost_topic(self._topics)

    def close(self) -> None:
        """Give up whatever was not acknowledged, end the sending thread, close its sockets; within a second or so."""
        producer, manager = self._producer, self._reached.manager
        # close() of the library waits for every message first, and fails when they do not end in time.
        producer._unregister_cleanup()
        # The thread may be waiting for a broker: it notices its end when its connections are closed, by itself.
        with suppress(RuntimeError):  # it has ended already
            manager.call_soon(manager.close)
        producer._sender.force_close()
        producer._sender.join(JOIN_SECONDS)
        producer._closed = True


def connect(configs: Mapping[str, Any], topics: Iterable[str], *, seconds: float, stopping: Stopping) -> Link:
    """Reach the cluster, check the topics, return a producer; within about `seconds`. Raises KafkaFault."""
    names = tuple(topics)
    reached = reach(configs, names, seconds=seconds, stopping=stopping)
    return link(configs, reached, names)


def link(configs: Mapping[str, Any], reached: Reached, topics: Iterable[str]) -> Link:
    """Return a producer on connections that are open; they are closed when that fails. Raises KafkaFault."""
    try:
        producer = KafkaProducer(**configs, kafka_client=lambda **_: reached.client)
    except (errors.KafkaError, ValueError, RuntimeError) as error:
        reached.client.close()
        raise judge(error) or KafkaFault("the broker did not answer as expected", blame=Blame.LINE) from error
    except BaseException:
        reached.client.close()
        raise
    return Link(producer, reached, topics)
