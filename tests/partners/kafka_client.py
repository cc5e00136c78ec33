"""kafka-python's clients for the tests' own calls, closed to the last thread also when they fail to start."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kafka.net.compat import KafkaNetClient


@contextmanager
def client(kind: Callable[..., Any], servers: str, seconds: float = 10.0, **settings: Any) -> Iterator[Any]:
    """A KafkaAdminClient or KafkaConsumer, connected; KafkaError when no broker answers in `seconds`.

    A constructor that raises leaves its thread and sockets behind with nobody to close them, so we keep its network
    client ourselves.
    """
    networks: list[KafkaNetClient] = []

    def keep(**configs: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(**configs))
        return networks[-1]

    made = None
    try:
        made = kind(bootstrap_servers=servers, bootstrap_timeout_ms=int(seconds * 1000), kafka_client=keep, **settings)
        yield made
    finally:
        if made is not None:
            made.close()
        for network in networks:
            network.close()


def listens(port: int) -> bool:
    """Whether somebody accepts connections; kafka-python leaves a socket open for every refusal it meets."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
