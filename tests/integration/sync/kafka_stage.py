"""A broker with topics of one test's own, and a way to make sinks and rows for it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance.archive.outbox import Delivery
from appliance.sync.sinks.kafka import KafkaSink
from appliance.sync.sinks.kafka_options import KafkaOptions
from tests.builders.deliveries import Deliveries
from tests.integration.sync.records import assert_ordered, identities, identity, texts
from tests.partners.kafka import KafkaBroker

QUICK = 3.0

_numbers = itertools.count(1)


class Stage:
    """One test's part of a broker; `door` is the one its sinks go through."""

    def __init__(self, broker: KafkaBroker, folder: Path, door: str = "plain") -> None:
        self.broker, self.door = broker, door
        number = next(_numbers)
        self.topics = {kind: f"{kind}-{number}" for kind in ("state", "image", "log", "storage")}
        self.make = Deliveries(folder)
        self._sinks: list[KafkaSink] = []

    def create(self, partitions: int = 3, **configs: str) -> None:
        """Create the topics."""
        self.broker.create_topics(dict.fromkeys(self.topics.values(), partitions), **configs)

    def sink(self, **options: Any) -> KafkaSink:
        """A sink; `options` differ from quick ones without security. `stopping` is its wish to stop."""
        stopping: Callable[[], bool] = options.pop("stopping", lambda: False)
        servers = (self.broker.servers(self.door),)
        values: dict[str, Any] = {
            "bootstrap_servers": servers,
            "source": "site-1",
            "topics": self.topics,
            "delivery_timeout": QUICK,
            "access_records": False,
            "transcode_records": False,
        }
        self._sinks.append(KafkaSink(KafkaOptions(**{**values, **options}), stopping))
        return self._sinks[-1]

    def rows(self, count: int = 60) -> list[Delivery]:
        """States and images of five series, by turns."""
        pairs = ((self.make.state(f"{n % 5}"), self.make.image(f"{n % 5}", f"{n}")) for n in range(count // 2))
        return list(itertools.chain.from_iterable(pairs))

    def deliver(self, sink: KafkaSink, rows: Sequence[Delivery], seconds: float = 30) -> list[Any]:
        """Deliver as the worker does, again and again until all is there; return the errors on the way."""
        deadline, left = time.monotonic() + seconds, list(rows)
        met: list[Any] = []
        while left:
            assert time.monotonic() < deadline, texts(met)
            answers = sink.deliver(left)
            met += [answer for answer in answers.values() if answer is not None]
            left = [row for row in left if answers[row.event_id] is not None]
        return met

    def found(self, kind: str) -> list[Any]:
        """Identities in a topic, in its order."""
        return identities(kind, self.broker.consume(self.topics[kind]))

    def assert_holds(self, rows: Sequence[Delivery]) -> None:
        """Fail unless a consumer sees exactly these records, in order per series."""
        for kind in ("state", "image"):
            found = self.found(kind)
            assert set(found) == {identity(row) for row in rows if row.kind == kind}
            assert_ordered(found)

    def close(self) -> None:
        """Close every sink."""
        for sink in self._sinks:
            sink.close()
