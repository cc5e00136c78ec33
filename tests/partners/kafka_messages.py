"""What lies in a topic: every message with its key and headers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from tests.partners.kafka_client import client


@dataclass(frozen=True)
class Message:
    """One message as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int


def consume(servers: str, topic: str, seconds: float = 10.0, **settings: Any) -> list[Message]:
    """All messages a topic holds now, partition by partition in order.

    Reads up to where the topic ended when it was asked, without a group; AssertionError when
    `seconds` are not enough. `settings` go to the consumer (security).
    """
    deadline = time.monotonic() + seconds
    found: list[Message] = []
    with client(KafkaConsumer, servers, seconds, enable_auto_commit=False, **settings) as consumer:
        numbers = consumer.partitions_for_topic(topic)
        assert numbers, f"there is no topic {topic}"
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            assert time.monotonic() < deadline, f"{topic} is not read to its end after {seconds} s"
            for records in consumer.poll(timeout_ms=200).values():
                found.extend(_message(record) for record in records)
    return sorted(found, key=lambda message: (message.partition, message.offset))


def _message(record: Any) -> Message:
    return Message(
        record.topic,
        record.partition,
        record.offset,
        record.key,
        record.value,
        tuple(record.headers),
        record.timestamp,
    )
