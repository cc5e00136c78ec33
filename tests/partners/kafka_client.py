"""kafka-python's clients for the tests' own calls, closed to the last thread also when they fail to start."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kafka.net.compat import KafkaNetClient


class _Selector(selectors.DefaultSelector):
    """Closes at its end every socket it was ever given.

    A client that is closed while it connects or has something to write leaves that socket to the
    garbage collector: the next one to pass by, in whatever test, would complain of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._given: set[Any] = set()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._given.add(fileobj)
        return super().register(fileobj, events, data)

    def close(self) -> None:
        super().close()
        for given in self._given:
            given.close()


@contextmanager
def client(kind: Callable[..., Any], servers: str, seconds: float = 10.0, **settings: Any) -> Iterator[Any]:
    """A KafkaAdminClient, KafkaConsumer or KafkaProducer, connected; KafkaError when no broker answers in `seconds`.

    A constructor that raises leaves its thread and sockets behind with nobody to close them, so we keep its network
    client ourselves.
    """
    networks: list[KafkaNetClient] = []

    def keep(**configs: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(**{**configs, "selector": _Selector}))
        return networks[-1]

    made = None
    try:
        made = kind(bootstrap_servers=servers, bootstrap_timeout_ms=int(seconds * 1000), kafka_client=keep, **settings)
        yield made
    finally:
        try:
            if made is not None:
                made.close()
        finally:
            for network in networks:
                network.close()


def listens(port: int) -> bool:
    """Whether somebody accepts connections; kafka-python leaves a socket open for every refusal it meets."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
