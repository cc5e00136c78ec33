"""Dead letters: rejected records, untouched, in `<topic>.dlq` with the reason in headers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from kafka import errors

from appliance import __version__
from appliance.central.admission import Rejection
from appliance.central.record import Headers, Record
from appliance.central.targets import Misdirected, Unavailable
from appliance.kafka_connection.faults import Blame, KafkaFault, judge
from appliance.kafka_connection.producer import Link, connect, producer_configs
from appliance.kafka_connection.settings import Cluster

SUFFIX = ".dlq"
PREFIX = "edge_dlq_"
CONNECT_SECONDS = 10.0
DELIVERY_SECONDS = 30.0
SLICE_SECONDS = 0.2
GRACE_SECONDS = 5.0
# What no request of ours can hold could not have come from a broker either.
REQUEST_BYTES = 64 << 20
# In company of few: a producer fails its whole batch with one record.
GROUP = 100

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A rejected record. `at` is in microseconds since 1970, UTC."""

    record: Record
    rejection: Rejection
    at: int


class Graves(Protocol):
    """Where dead letters go. One thread at a time uses it."""

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep the letters; durable on return. A repeat doubles them. Raises Unavailable, Misdirected."""

    def close(self) -> None:
        """Let go of connections. Safe to repeat; the next `bury` opens them anew."""


def topic_of(topic: str) -> str:
    """Return the name of a topic's dead letters."""
    return topic + SUFFIX


def headers_of(letter: DeadLetter) -> Headers:
    """Return the record's own headers, then why, where from, when and by whom it was rejected.

    Headers of an earlier rejection are left out: whoever replays a dead letter gets one story only.
    """
    record = letter.record
    own = tuple(pair for pair in record.headers if not pair[0].startswith(PREFIX))
    moment = (_EPOCH + timedelta(microseconds=letter.at)).isoformat(timespec="microseconds")
    story = {
        "reason": letter.rejection.reason,
        "cause": letter.rejection.cause.value,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "at": moment.replace("+00:00", "Z"),
        "loader": __version__,
    }
    return (*own, *((PREFIX + name, text.encode()) for name, text in story.items()))


class KafkaGraves:
    """Dead letters in topics of the same cluster. Touches nothing until the first letter."""

    def __init__(self, cluster: Cluster, topics: Iterable[str]) -> None:
        """`topics` are those that are read; each needs one beside it for its dead letters."""
        self._cluster = cluster
        self._topics = tuple(sorted({topic_of(topic) for topic in topics}))
        self._link: Link | None = None

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """See Graves. Every replica in sync has the letters on return."""
        try:
            for start in range(0, len(letters), GROUP):
                self._send(letters[start : start + GROUP])
        except (KafkaFault, errors.KafkaError, ValueError) as error:
            self.close()
            raise obstacle(error) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _connected(self) -> Link:
        if self._link is None:
            configs: Mapping[str, Any] = producer_configs(
                self._cluster, delivery_timeout=DELIVERY_SECONDS, request_bytes=REQUEST_BYTES
            )
            self._link = connect(configs, self._topics, seconds=CONNECT_SECONDS, stopping=lambda: False)
        return self._link

    def _send(self, letters: Sequence[DeadLetter]) -> None:
        link = self._connected()
        deadline = time.monotonic() + DELIVERY_SECONDS + GRACE_SECONDS
        futures = [
            link.send(topic_of(found.record.topic), found.record.key, found.record.value, list(headers_of(found)))
            for found in letters
        ]
        for future in futures:
            _await(link, future, deadline)


def _await(link: Link, future: Any, deadline: float) -> None:
    while not future.is_done:
        with suppress(errors.KafkaError):  # a slice has passed, or it failed, which is read from it below
            future.get(timeout=SLICE_SECONDS)
        trouble = None if future.is_done else link.obstacle()
        if trouble is not None:
            raise trouble
        if not future.is_done and time.monotonic() > deadline:
            raise KafkaFault("the broker did not answer in time", blame=Blame.LINE)
    if future.exception is not None:
        raise future.exception


def obstacle(error: BaseException) -> Unavailable | Misdirected:
    """Return an error of the Kafka side as the loader's obstacle: no record is to blame for it."""
    fault = judge(error)
    if fault is None or fault.blame is Blame.LINE or fault.blame is Blame.UNKNOWN:
        return Unavailable(fault.message if fault else "the broker did not answer as expected")
    if fault.blame is Blame.RECORD:
        hint = "give the topics of dead letters a larger max.message.bytes than the topics they belong to"
        return Misdirected(f"dead letters are refused: {fault.message}", hint=hint)
    return Misdirected(fault.message, hint=fault.hint)
