"""A box whose one sink is a Kafka topic or two of a test's own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.model.routes import Route
from tests.archives import SINK
from tests.integration.sync.boxes import Box
from tests.integration.sync.records import Identity, assert_ordered, identities
from tests.partners.kafka import KafkaBroker

KINDS = ("state", "image")

_numbers = itertools.count(1)


class KafkaBox(Box):
    """A box with a sink of kind kafka; `options` are keys of its configuration, `environ` the processes'."""

    def __init__(
        self, home: Path, broker: KafkaBroker, environ: Mapping[str, str] | None = None, **options: Any
    ) -> None:
        """Initialise the home; the topics do not exist before `create_topics`."""
        number = next(_numbers)
        self.broker = broker
        self.topics = {kind: f"box-{kind}-{number}" for kind in KINDS}
        entry = {
            "kind": "kafka",
            "bootstrap_servers": [broker.servers()],
            "topics": self.topics,
            "delivery_timeout": 5,
            "access_records": False,
            "transcode_records": False,
            **options,
        }
        settings = {"APPLIANCE__SYNC__SINKS": json.dumps({SINK: entry}), **(environ or {})}
        super().__init__(home, settings, sinks=(Route(SINK, kinds=KINDS),))

    def create_topics(self, partitions: int = 3, **configs: str) -> None:
        """Create them; `configs` as of KafkaBroker.create_topics."""
        self.broker.create_topics(dict.fromkeys(self.topics.values(), partitions), **configs)

    def events(self) -> set[Identity]:
        """What the archive has announced."""
        with self.archive.database.read() as cx:
            rows = cx.execute("SELECT kind, series_uid, sop_uid, revision FROM event").fetchall()
        return {_shown(*row) for row in rows if row["kind"] in KINDS}

    def found(self, kind: str) -> list[Identity]:
        """What a consumer finds in a topic, in its order."""
        return identities(kind, self.broker.consume(self.topics[kind]))

    def assert_complete(self) -> None:
        """Fail unless a consumer sees exactly what the archive has announced, in order per series."""
        events = self.events()
        for kind in KINDS:
            found = self.found(kind)
            assert set(found) == {event for event in events if event[0] == kind}
            assert_ordered(found)


def _shown(kind: str, series_uid: str, sop_uid: str | None, revision: int) -> Identity:
    """An event as `identities` shows its record."""
    return kind, series_uid, None if kind == "state" else sop_uid, revision
