"""How the Sink suite makes each sink, looks at its destination, breaks it and mends it."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from appliance.kafka_connection.topics import TOPIC_NAMES
from appliance.sync.sinks.contract import Misconfigured, Sink, Unreachable
from appliance.sync.sinks.directory import DirectorySink
from appliance.sync.sinks.kafka import KafkaSink
from appliance.sync.sinks.kafka_options import KafkaOptions
from appliance.sync.sinks.memory import MemorySink
from tests.builders.deliveries import GROUP2
from tests.contract.stow_harness import StowHarness
from tests.partners.kafka import KafkaBroker

KINDS = frozenset({"state", "image", "object"})
# What tells of reads and of failed conversions is asked for in tests of its own.
TOPICS = tuple(topic for kind, topic in TOPIC_NAMES.items() if kind not in ("access", "transcode"))
Ask = Callable[[str], Any]


class Harness(Protocol):
    """One kind of sink and its destination.

    `takes` are the kinds of rows it is made for, `topics` where their records can be looked at;
    `keeps_objects` says whether `objects` can be.
    """

    sink: Sink
    takes: frozenset[str]
    topics: tuple[str, ...]
    keeps_objects: bool

    def restart(self) -> None:
        """Replace the sink as a new process would; what is durable stays."""

    def records(self, topic: str) -> list[dict[str, Any]]:
        """The topic's records in the order a consumer sees them."""

    def objects(self) -> dict[str, str]:
        """SHA-256 of the data set by `<tenant>/<study>/<series>/<sop>.dcm`."""

    def cut(self) -> None:
        """Make the destination unreachable."""

    def spoil(self) -> None:
        """Make the destination misconfigured."""

    def mend(self) -> None:
        """Make it work again."""


class DirectoryHarness:
    """A directory; it is "cut" by a disk that fails at every open."""

    takes, topics, keeps_objects = KINDS, TOPICS, True

    def __init__(self, tmp_path: Path, monkeypatch: Any, _ask: Ask) -> None:
        self.root = tmp_path / "outbound"
        self.root.mkdir()
        self._patches = monkeypatch
        self.sink: Sink = DirectorySink(self.root)

    def restart(self) -> None:
        """The lock must be free, as the kernel frees a dead process's."""
        self.sink.close()
        self.sink = DirectorySink(self.root)

    def records(self, topic: str) -> list[dict[str, Any]]:
        """Whole lines of every file in turn."""
        found = []
        for path in sorted((self.root / topic).glob("*.jsonl")):
            text = path.read_bytes()
            assert not text or text.endswith(b"\n"), "a torn line"
            found += [json.loads(line) for line in text.decode().splitlines()]
        return found

    def objects(self) -> dict[str, str]:
        """Files behind our group 2."""
        base = self.root / "objects"
        found = {}
        for path in base.rglob("*.dcm"):
            data = path.read_bytes()
            assert data.startswith(GROUP2)
            found[str(path.relative_to(base))] = hashlib.sha256(data[len(GROUP2) :]).hexdigest()
        return found

    def cut(self) -> None:
        """Every open below fails with EIO."""
        self.sink.close()

        def broken(*_: Any) -> int:
            raise OSError(5, "Input/output error")

        self._patches.setattr("appliance.sync.sinks.directory.open_locked", broken)

    def spoil(self) -> None:
        """The directory is gone."""
        self.sink.close()
        self.root.rename(self.root.with_name("elsewhere"))

    def mend(self) -> None:
        """Undo both."""
        self._patches.undo()
        if not self.root.exists():
            self.root.with_name("elsewhere").rename(self.root)


class MemoryHarness:
    """The memory sink, and a drill for outages."""

    takes, topics, keeps_objects = KINDS, TOPICS, True

    def __init__(self, _tmp_path: Path, _monkeypatch: Any, _ask: Ask) -> None:
        self.memory = MemorySink()
        self.sink: Sink = self.memory

    def restart(self) -> None:
        """It forgets with its process, so the object stays."""
        self.sink.close()

    def records(self, topic: str) -> list[dict[str, Any]]:
        """Envelopes as they came."""
        return [json.loads(e.value) for e in self.memory.envelopes if e.topic == topic]

    def objects(self) -> dict[str, str]:
        """The last digest by path."""
        return dict(self.memory.objects)

    def cut(self) -> None:
        """No connection."""
        self.memory.outage = Unreachable("a drill")

    def spoil(self) -> None:
        """No permission."""
        self.memory.outage = Misconfigured("a drill")

    def mend(self) -> None:
        """The drill is over."""
        self.memory.outage = None


class KafkaHarness:
    """Topics of its own on the broker that the test module shares, under the profile that tells of objects."""

    takes, topics, keeps_objects = KINDS, TOPICS, False
    _numbers = itertools.count(1)

    def __init__(self, _tmp_path: Path, _monkeypatch: Any, ask: Ask) -> None:
        broker: KafkaBroker = ask("broker")
        self._broker = broker
        self._paused = False
        number = next(self._numbers)
        self._names = {kind: f"contract-{kind}-{number}" for kind in TOPIC_NAMES}
        servers = (broker.servers(),)
        self._options = KafkaOptions(servers, "site-1", "direct", self._names, delivery_timeout=3.0)
        self._create()
        self.sink: Sink = KafkaSink(self._options)

    def restart(self) -> None:
        """A new producer."""
        self.sink.close()
        self.sink = KafkaSink(self._options)

    def records(self, topic: str) -> list[dict[str, Any]]:
        """Partition by partition, in order."""
        kind = next(kind for kind, usual in TOPIC_NAMES.items() if usual == topic)
        return [json.loads(message.value or b"") for message in self._broker.consume(self._names[kind])]

    def objects(self) -> dict[str, str]:
        """None: pixels go elsewhere."""
        return {}

    def cut(self) -> None:
        """The broker hangs, also for the connection that is open."""
        self._broker.pause()
        self._paused = True

    def spoil(self) -> None:
        """The topics are gone when the sink next connects."""
        self.sink.close()
        self._broker.delete_topics(*self._names.values())

    def mend(self) -> None:
        """Undo both."""
        if self._paused:
            self._broker.resume()
        else:
            self._create()

    def _create(self) -> None:
        self._broker.create_topics(dict.fromkeys(self._names.values(), 2))


HARNESSES: dict[str, Callable[[Path, Any, Ask], Harness]] = {
    "directory": DirectoryHarness,
    "kafka": KafkaHarness,
    "memory": MemoryHarness,
    "stow": StowHarness,
}
