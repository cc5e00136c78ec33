"""Rows made ready for Kafka: their messages, how large they are, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.archive.outbox import Delivery
from appliance.kafka_connection.topics import TOPIC_NAMES
from appliance.signatures import Signer
from appliance.sync.envelope import OBJECT, TOPICS_BY_KIND, object_path, seal
from appliance.sync.sinks.contract import Answer, RowFault
from appliance.sync.sinks.kafka_headers import Headers, headers
from appliance.sync.sinks.kafka_options import KafkaOptions

GROUP_BYTES = 1 << 20
GROUP_ROWS = 200

_BY_USUAL_NAME = {topic: name for name, topic in TOPIC_NAMES.items()}


@dataclass(frozen=True, slots=True)
class Message:
    """One record for one topic."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Parcel:
    """The messages of one row; it is delivered when all of them are. `series` is what keeps its order."""

    event_id: int
    series: tuple[str, str, str]
    messages: tuple[Message, ...]

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return sum(len(message.value) for message in self.messages)


def topic_name(options: KafkaOptions, usual: str) -> str:
    """Return the configured name of a topic of the contract."""
    return options.topics.get(_BY_USUAL_NAME[usual], usual)


def topic_names(options: KafkaOptions) -> tuple[str, ...]:
    """Return the topics a profile publishes, under their configured names."""
    return tuple(topic_name(options, usual) for kind in options.kinds for usual in TOPICS_BY_KIND[kind])


def pack(
    batch: Sequence[Delivery], options: KafkaOptions, signer: Signer | None, answers: dict[int, Answer]
) -> list[Parcel]:
    """Make parcels of the rows, those of objects last; a row that cannot be one gets its fault in `answers`."""
    parcels = []
    for row in sorted(batch, key=lambda row: row.kind == OBJECT):
        try:
            parcels.append(_parcel(row, options, signer))
        except RowFault as fault:
            answers[row.event_id] = fault
    return parcels


def grouped(parcels: Sequence[Parcel]) -> list[list[Parcel]]:
    """Return the parcels in closed groups of at most 200 rows and 1 MiB; a single larger one is alone."""
    groups: list[list[Parcel]] = []
    size = 0
    for parcel in parcels:
        if not groups or len(groups[-1]) >= GROUP_ROWS or size + parcel.size > GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(parcel)
        size += parcel.size
    return groups


def halves(parcels: Sequence[Parcel]) -> Iterator[list[Parcel]]:
    """Return a group in two parts, in order."""
    middle = len(parcels) // 2
    yield list(parcels[:middle])
    yield list(parcels[middle:])


def _parcel(row: Delivery, options: KafkaOptions, signer: Signer | None) -> Parcel:
    if row.kind in TOPICS_BY_KIND and row.kind not in options.kinds:
        raise RowFault(f"the profile {options.profile} publishes nothing of kind {row.kind}")
    # Where the object lies below the root of whichever store its bytes travel to.
    path = object_path(row) if row.kind == OBJECT else ""
    messages = []
    for envelope in seal(row, path):
        topic = topic_name(options, envelope.topic)
        found = headers(envelope, row, options.source, signer)
        messages.append(Message(topic, envelope.key.encode(), envelope.value, found))
    return Parcel(row.event_id, (row.kind, row.study_uid, row.series_uid), tuple(messages))
