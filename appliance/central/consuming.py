"""Consuming: the topics as a member of a consumer group reads them, on kafka-python.

The library heartbeats from a thread of its own; listeners of rebalances run there, but only while `poll` waits.
Offsets are committed by hand alone. Whatever an administrator has to mend ends the connection: the next poll makes
another one, with files read anew.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition, errors

from appliance.central.dead_letters import obstacle
from appliance.central.record import Record, Slot
from appliance.central.targets import Unavailable
from appliance.kafka_connection.faults import Blame, KafkaFault
from appliance.kafka_connection.reaching import Reached, reach
from appliance.kafka_connection.settings import Cluster, connection_configs

CONNECT_SECONDS = 10.0
COMMIT_MS = 10_000
ASK_MS = 2_000
LEAVE_MS = 3_000
REQUEST_MS = 30_000
FETCH_WAIT_MS = 500
FETCH_BYTES = 16 << 20
PARTITION_BYTES = 4 << 20
# The largest answer of a broker: a fetch holds one batch of records however large it is.
ANSWER_BYTES = 128 << 20
# A load may take minutes, and membership must outlast it.
MOST_BETWEEN_POLLS_MS = 600_000
# Whatever else keeps the library out of the group: after two sessions, by which time the brokers have put out every
# member that is gone, we begin anew.
SETTLING_SESSIONS = 2
LEAST_SETTLING_SECONDS = 10.0

# The group has gone on without us; polling finds out what is still ours.
REARRANGED = (
    errors.CommitFailedError,
    errors.RebalanceInProgressError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
    errors.FencedInstanceIdError,
)


@dataclass(frozen=True, slots=True)
class Membership:
    """The group, and how it is taken part in. `session_seconds`: after so long without a sign a member is gone."""

    group: str
    topics: tuple[str, ...]
    session_seconds: float = 45.0
    poll_records: int = 2000


class _Watch(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Remembers what was taken from us. Called on the library's thread.

    An eager rebalance revokes everything and gives most of it back. The library keeps the position of what comes
    back: records that were polled and not committed are not read again, so whoever holds them must keep them.
    """

    def __init__(self) -> None:
        self.taken: deque[TopicPartition] = deque()
        self._ours: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for what comes back."""

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self.taken.extend(self._ours - set(assigned))
        self._ours = set(assigned)

    def on_partitions_lost(self, lost: Collection[TopicPartition]) -> None:
        self.taken.extend(lost)
        self._ours = set()


class _Places:
    """Where each partition is to be read on, to notice records that the broker has removed before we had them."""

    def __init__(self, missed: Callable[[Slot, int], None]) -> None:
        self._missed = missed
        self._next: dict[TopicPartition, int] = {}

    def forget(self, partition: TopicPartition) -> None:
        """It is not ours any more: what is committed counts when it comes back."""
        self._next.pop(partition, None)

    def clear(self) -> None:
        """None is ours any more."""
        self._next.clear()

    def put(self, partition: TopicPartition, offset: int) -> None:
        """It is read from `offset` on."""
        self._next[partition] = offset

    def check(self, consumer: Any, partition: TopicPartition, messages: Sequence[Any]) -> None:
        """Tell how many records are gone for ever ahead of these. Asks the brokers only where there is a gap.

        Gaps alone prove nothing: transactions and compaction leave them, too. Raises errors of the library.
        """
        first, expected = messages[0].offset, self._next.get(partition)
        if expected is None:
            expected = consumer.committed(partition, timeout_ms=COMMIT_MS) or 0
        if first > expected:
            beginning = consumer.beginning_offsets([partition], timeout_ms=COMMIT_MS)[partition]
            if beginning > expected:
                self._missed((partition.topic, partition.partition), beginning - expected)
        self._next[partition] = messages[-1].offset + 1


def _nothing(slot: Slot, count: int) -> None:
    """Tell nobody."""


class KafkaStream:
    """The loader's stream (stream.Stream says what it promises). Touches nothing until the first poll."""

    def __init__(
        self,
        cluster: Cluster,
        membership: Membership,
        stopping: Callable[[], bool],
        missed: Callable[[Slot, int], None] = _nothing,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`stopping` says whether the room wants to end; it is asked while a connection is made.

        `missed` is told how many offsets of a partition the broker had removed before they were read.
        `now` is a clock in seconds.
        """
        self._places = _Places(missed)
        self._cluster = cluster
        self._membership = membership
        self._stopping = stopping
        self._now = now
        self._unsettled_since: float | None = None
        self._watch = _Watch()
        self._consumer: Any = None
        self._reached: Reached | None = None

    def poll(self, seconds: float) -> Sequence[Record]:
        """Return what is new; see stream.Stream."""
        try:
            consumer = self._connected()
            _unpark(consumer)
            _remind(consumer)
            found = consumer.poll(timeout_ms=max(0, round(seconds * 1000)))
            for partition, messages in found.items():
                self._places.check(consumer, partition, messages)
            self._look_at_the_line()
            self._look_at_the_group(consumer)
        except (KafkaFault, errors.KafkaError, OSError, ValueError, RuntimeError) as error:
            self.close()
            raise obstacle(error) from error
        return [_record(message) for messages in found.values() for message in messages]

    def taken(self) -> Collection[Slot]:
        """Return what was taken from us since the last call."""
        found: set[Slot] = set()
        while self._watch.taken:
            partition = self._watch.taken.popleft()
            self._places.forget(partition)
            found.add((partition.topic, partition.partition))
        return found

    def seek(self, slot: Slot, offset: int) -> None:
        """Read a partition from `offset` on again, if it is ours."""
        partition, consumer = TopicPartition(*slot), self._consumer
        if consumer is not None and partition in (consumer.assignment() or ()):
            consumer.seek(partition, offset)
            self._places.put(partition, offset)

    def hold(self, slots: Collection[Slot]) -> None:
        """Read nothing of exactly these partitions; those that are not ours do not matter."""
        consumer = self._consumer
        if consumer is None:
            return
        ours, held = set(consumer.assignment() or ()), set(consumer.paused())
        wanted = {TopicPartition(*slot) for slot in slots} & ours
        consumer.pause(*(wanted - held))
        consumer.resume(*((held & ours) - wanted))

    def commit(self, slot: Slot, offset: int) -> None:
        """Commit the offset to be read next; see stream.Stream."""
        partition = TopicPartition(*slot)
        consumer = self._consumer
        if consumer is None or partition not in (consumer.assignment() or ()):
            raise Unavailable("the partition is not ours at present")
        try:
            consumer.commit({partition: OffsetAndMetadata(offset, "", -1)}, timeout_ms=COMMIT_MS)
        except REARRANGED as error:
            raise Unavailable(f"the group is being rearranged ({type(error).__name__})") from error
        except (errors.KafkaError, ValueError, RuntimeError) as error:
            raise obstacle(error) from error

    def lag(self) -> Mapping[Slot, int]:
        """Return how far each partition of ours is behind; asks the brokers, within seconds."""
        consumer = self._consumer
        partitions = list(consumer.assignment() or ()) if consumer is not None else []
        found: dict[Slot, int] = {}
        with suppress(errors.KafkaError, ValueError, RuntimeError):  # it is told another time
            ends = consumer.end_offsets(partitions, timeout_ms=ASK_MS) if partitions else {}
            for partition, end in ends.items():
                position = consumer.position(partition, timeout_ms=ASK_MS)
                if position is not None:
                    found[partition.topic, partition.partition] = max(0, end - position)
        return found

    def close(self) -> None:
        """Leave the group and close every socket; within seconds."""
        consumer, self._consumer = self._consumer, None
        self._reached, self._watch, self._unsettled_since = None, _Watch(), None
        self._places.clear()
        if consumer is None:
            return
        try:
            consumer.close(autocommit=False, timeout_ms=LEAVE_MS)
        except (errors.KafkaError, ValueError, RuntimeError):
            consumer._client.close()

    def _connected(self) -> Any:
        if self._consumer is None:
            configs = self._configs()
            reached = reach(configs, self._membership.topics, seconds=CONNECT_SECONDS, stopping=self._stopping)
            self._consumer = _consumer(configs, reached, self._membership.topics, self._watch)
            self._reached = reached
        return self._consumer

    def _configs(self) -> dict[str, Any]:
        return {
            **connection_configs(self._cluster),
            "group_id": self._membership.group,
            "enable_auto_commit": False,
            # A new group begins with the oldest record, and one whose place has expired does, too.
            "auto_offset_reset": "earliest",
            "allow_auto_create_topics": False,
            "session_timeout_ms": round(self._membership.session_seconds * 1000),
            "heartbeat_interval_ms": round(self._membership.session_seconds * 1000 / 10),
            "max_poll_interval_ms": MOST_BETWEEN_POLLS_MS,
            "max_poll_records": self._membership.poll_records,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
            "fetch_max_bytes": FETCH_BYTES,
            "max_partition_fetch_bytes": PARTITION_BYTES,
            # The connections are ours and know no default of the consumer's; theirs is less than one fetch.
            "receive_message_max_bytes": ANSWER_BYTES,
            "request_timeout_ms": REQUEST_MS,
            # What a producer took back, or had not finished, was never there.
            "isolation_level": "read_committed",
        }

    def _look_at_the_line(self) -> None:
        """Raise what an administrator must mend: the library would try on without a word."""
        trouble = None if self._reached is None else self._reached.obstacle()
        if trouble is None and self._reached is not None:
            lost = self._reached.lost_topic(self._membership.topics)
            if lost is not None:
                raise errors.UnknownTopicOrPartitionError(lost)
        if trouble is not None:
            raise trouble

    def _look_at_the_group(self, consumer: Any) -> None:
        """Raise when we are in no group for so long that nobody will take us in on this connection."""
        group = consumer._coordinator
        if not (group.coordinator_unknown() or group.rebalance_in_progress()):
            self._unsettled_since = None
            return
        now = self._now()
        if self._unsettled_since is None:
            self._unsettled_since = now
        patience = max(LEAST_SETTLING_SECONDS, SETTLING_SESSIONS * self._membership.session_seconds)
        if now - self._unsettled_since > patience:
            raise KafkaFault("the group does not settle", blame=Blame.LINE)


def _consumer(configs: Mapping[str, Any], reached: Reached, topics: Sequence[str], watch: _Watch) -> Any:
    """Return a consumer on connections that are open; they are closed when that fails."""
    try:
        consumer = KafkaConsumer(**configs, kafka_client=lambda **_: reached.client)
        consumer.subscribe(topics=list(topics), listener=watch)
    except BaseException:
        reached.client.close()
        raise
    return consumer


def _unpark(consumer: Any) -> None:
    """Let records go on that were fetched before their partition was held.

    The library takes them up again only when it has nothing in line, and it takes a spent line for one with records:
    a partition that was held in mid-line would be silent for ever.
    """
    fetcher = consumer._fetcher
    if not fetcher._next_partition_records:
        fetcher._next_partition_records = None


def _remind(consumer: Any) -> None:
    """Let the library go on with a rejoining that it has forgotten.

    Topics that seem changed while a broker comes back make it leave the group. When the broker dies in the middle and
    the topics are as before after that, it sees no reason to join again: it is in no group, and waits for ever.
    """
    group = consumer._coordinator
    if group.rebalance_in_progress() and not group.need_rejoin():
        group.request_rejoin()


def _record(message: Any) -> Record:
    headers = tuple((str(name), bytes(value or b"")) for name, value in message.headers)
    return Record(message.topic, message.partition, message.offset, message.key, message.value, headers)
