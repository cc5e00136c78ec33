"""Topics of one test's own on a real broker, signed records in them, and loaders within this process."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from appliance.central.admission import Admission
from appliance.central.batches import Bounds
from appliance.central.consuming import KafkaStream, Membership
from appliance.central.dead_letters import KafkaGraves
from appliance.central.loader import Loader, Places, Route, Rules
from appliance.central.loader_numbers import LoaderNumbers
from appliance.central.registry import Registry
from appliance.central.standing import Backoff
from appliance.central.targets import Kind, ReceiptBook, Target
from appliance.clock import SystemClock
from appliance.kafka_connection.settings import Cluster
from tests.builders.cloud import SiteKey, encoded, record
from tests.partners.kafka import KafkaBroker
from tests.partners.kafka_client import client
from tests.partners.kafka_messages import Message, consume
from tests.waiting import wait_until

Headers = list[tuple[str, bytes]]
TABLES = {Kind.STATE: "dicom_state_meta", Kind.IMAGE: "dicom_image_meta"}

_numbers = itertools.count(1)


class Stage:
    """One test's topics `state-N` and `image-N`, with dead letters, group and registry of its own."""

    def __init__(self, broker: KafkaBroker, folder: Path, partitions: int = 2, **configs: str) -> None:
        """Create the topics, and two sites: clinic-1 for tenant t1, clinic-2 for t2."""
        number = next(_numbers)
        self.broker, self.folder = broker, folder
        self.state, self.image, self.group = f"state-{number}", f"image-{number}", f"group-{number}"
        self.registry = folder / "sites"
        self.site, self.other = SiteKey("clinic-1"), SiteKey("clinic-2", tenant="t2")
        for site in (self.site, self.other):
            site.register(self.registry)
        broker.create_topics(dict.fromkeys((self.state, self.image), partitions), **configs)
        broker.create_topics(dict.fromkeys((f"{self.state}.dlq", f"{self.image}.dlq"), 1), **configs)

    def signed(self, value: Any, site: SiteKey | None = None, **headers: Any) -> tuple[bytes, Headers]:
        """A value with the headers of its site."""
        data = value if isinstance(value, bytes) else encoded(value)
        return data, (site or self.site).headers(data, **headers)

    def states(self, count: int, *, start: int = 0, revision: int = 1) -> list[tuple[bytes, Headers]]:
        """State records of as many series."""
        numbers = range(start, start + count)
        return [self.signed(_state(number, revision)) for number in numbers]

    def images(self, count: int) -> list[tuple[bytes, Headers]]:
        """Image records of as many instances."""
        return [self.signed(record("image", sop_uid=f"1.3.{number}")) for number in range(count)]

    def publish(
        self, topic: str, messages: Iterable[tuple[bytes | None, Headers]], partition: int | None = None
    ) -> None:
        """Write messages, durable on return."""
        with client(
            KafkaProducer, self.broker.servers(), acks="all", max_request_size=16 << 20, linger_ms=5
        ) as producer:
            futures = [
                producer.send(topic, key=b"key-%d" % number, value=value, headers=headers, partition=partition)
                for number, (value, headers) in enumerate(messages)
            ]
            for future in futures:
                future.get(timeout=20)

    def dead(self, topic: str) -> list[Message]:
        """The dead letters of a topic."""
        return consume(self.broker.servers("admin"), f"{topic}.dlq")

    def committed(self, topic: str) -> dict[int, int]:
        """The committed offset of each partition, 0 for none."""
        with client(
            KafkaConsumer, self.broker.servers("admin"), group_id=self.group, enable_auto_commit=False
        ) as asked:
            numbers = asked.partitions_for_topic(topic)
            return {number: asked.committed(TopicPartition(topic, number)) or 0 for number in numbers}

    def rewind(self, topic: str) -> None:
        """Set the group back to the beginning, while it has no member."""
        with client(
            KafkaConsumer, self.broker.servers("admin"), group_id=self.group, enable_auto_commit=False
        ) as asked:
            places = [TopicPartition(topic, number) for number in asked.partitions_for_topic(topic)]
            asked.assign(places)
            asked.commit({place: OffsetAndMetadata(0, "", -1) for place in places})

    def remove_before(self, topic: str, offset: int) -> None:
        """Have the broker remove the beginning of partition 0, as its retention does."""
        with client(KafkaAdminClient, self.broker.servers("admin")) as admin:
            admin.delete_records({TopicPartition(topic, 0): offset})

    def drained(self, topic: str, count: int) -> bool:
        """Whether as many records of a topic are committed."""
        return sum(self.committed(topic).values()) >= count

    def member(self, target: Target, **options: Any) -> Member:
        """A loader in a thread, with `target` for everything."""
        return Member(self, target, **options)

    def cluster(self) -> Cluster:
        """How the broker is reached."""
        return Cluster((self.broker.servers(),))


def _state(number: int, revision: int) -> Mapping[str, Any]:
    return record("state", series_uid=f"1.2.{number}", revision=revision, patient_sex="F")


class Member:
    """One loader in a thread of this process, until the block ends; then it finishes, and leaves the group."""

    def __init__(
        self,
        stage: Stage,
        target: Target,
        *,
        receipts: ReceiptBook | None = None,
        rows: int = 100,
        cluster: Cluster | None = None,
        signed: bool = True,
        max_bytes: int = 1 << 20,
        linger: float = 0.02,
    ) -> None:
        self.numbers = LoaderNumbers()
        self._stop = threading.Event()
        self._faults: list[BaseException] = []
        reached = cluster or stage.cluster()
        routes = {
            stage.state: Route(Kind.STATE, target, TABLES[Kind.STATE]),
            stage.image: Route(Kind.IMAGE, target, TABLES[Kind.IMAGE]),
        }
        self.stream = KafkaStream(
            reached, Membership(stage.group, tuple(routes), 2.0, rows), self._stop.is_set, self.numbers.note_missed
        )
        self.graves = KafkaGraves(reached, routes)
        admission = Admission(Registry(stage.registry), signed=signed, max_bytes=max_bytes)
        places = Places(self.stream, routes, admission, self.graves, receipts)
        rules = Rules(Bounds(rows, 4_000_000, linger), Backoff(0.05, 0.5), random.random, self._stop.wait)
        self.loader = Loader(places, rules, SystemClock(), self.numbers)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if error is None:
            assert not self._faults, self._faults

    def wait(self, predicate: Callable[[], Any], seconds: float = 20) -> None:
        """Wait for a condition; a loader that has died ends the wait."""

        def holds() -> Any:
            assert not self._faults, self._faults
            return predicate()

        try:
            wait_until(holds, seconds, every=0.05)
        except BaseException:
            print(self.numbers.snapshot())
            raise

    def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                self.loader.step(0.2)
            self.loader.finish()
        except BaseException as error:  # boundary: told at the end of the block
            self._faults.append(error)
        finally:
            self.stream.close()
            self.graves.close()


def seconds_since(started: float) -> float:
    """How long it took, never 0."""
    return max(1e-9, time.monotonic() - started)
