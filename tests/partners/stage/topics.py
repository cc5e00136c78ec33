"""What lies in the topics of a stage: how far the loader has come, dead letters, and records planted by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition

from appliance.kafka_connection.topics import TOPIC_NAMES
from tests.partners.kafka_client import client
from tests.partners.kafka_messages import consume

GROUP = "dicom-edge-loader"
Headers = list[tuple[str, bytes]]


@dataclass(frozen=True)
class Planted:
    """A message put straight into a topic; `cause` is what the loader is to say of it."""

    topic: str
    value: bytes | None
    headers: Headers
    cause: str


@dataclass(frozen=True)
class Letter:
    """A dead letter: where it came from, why, and the value."""

    topic: str
    partition: int
    offset: int
    cause: str
    reason: str
    value: bytes | None


class Topics:
    """The topics by one door of the broker."""

    def __init__(self, servers: str) -> None:
        """Connect to nothing yet."""
        self._servers = servers

    def lag(self, but: str = "") -> int:
        """Records that the loader has not committed, in all topics but one."""
        with client(KafkaConsumer, self._servers, group_id=GROUP, enable_auto_commit=False) as consumer:
            places = [place for place in _places(consumer) if place.topic != but]
            ends = consumer.end_offsets(places)
            return sum(ends[place] - (consumer.committed(place) or 0) for place in places)

    def rewind(self) -> int:
        """Set the loader's group back to the beginning, while it has no member; return how many records that is."""
        with client(KafkaConsumer, self._servers, group_id=GROUP, enable_auto_commit=False) as consumer:
            places = _places(consumer)
            consumer.assign(places)
            consumer.commit({place: OffsetAndMetadata(0, "", -1) for place in places})
            return sum(consumer.end_offsets(places).values())

    def plant(self, planted: Iterable[Planted]) -> None:
        """Write messages; the broker has them on return."""
        with client(KafkaProducer, self._servers, acks="all") as producer:
            futures = [producer.send(one.topic, value=one.value, headers=one.headers, key=b"x") for one in planted]
            for future in futures:
                future.get(timeout=20)

    def dead_letters(self) -> set[Letter]:
        """Every dead letter; one that was written twice, because a loader died over it, counts once."""
        found = set()
        for topic in TOPIC_NAMES.values():
            for message in consume(self._servers, f"{topic}.dlq"):
                told = {name: value.decode("utf-8", "replace") for name, value in message.headers}
                place = topic, int(told["edge_dlq_partition"]), int(told["edge_dlq_offset"])
                found.add(Letter(*place, told["edge_dlq_cause"], told["edge_dlq_reason"], message.value))
        return found


def _places(consumer: KafkaConsumer) -> list[TopicPartition]:
    return [
        TopicPartition(topic, number)
        for topic in TOPIC_NAMES.values()
        for number in sorted(consumer.partitions_for_topic(topic) or ())
    ]
