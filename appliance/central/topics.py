"""The topics at the brokers: created where they are missing, given partitions where they have too few, never fewer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from kafka import KafkaAdminClient, errors

from appliance.central.dead_letters import topic_of
from appliance.central.steps import Action, Step
from appliance.kafka_connection.faults import Blame, KafkaFault, judge
from appliance.kafka_connection.reaching import reach
from appliance.kafka_connection.settings import Cluster, connection_configs

PART: Final = "kafka"
HOUR_MS: Final = 3_600_000
REACH_SECONDS: Final = 10.0
REQUEST_MS: Final = 15_000
# A dead letter is the record and the reason: larger than what the topic took.
DEAD_LETTER_BYTES: Final = 2 << 20
UNKNOWN_TOPIC: Final = errors.UnknownTopicOrPartitionError.errno


@dataclass(frozen=True, slots=True)
class TopicRules:
    """How topics are to be. Times are in hours; of `replication` copies all but one must have a record, if over 2."""

    partitions: int
    replication: int
    retention_hours: int
    dead_letter_hours: int

    def wanted(self, names: Sequence[str]) -> list[Topic]:
        """Return the topics of these names, and of their dead letters."""
        kept = {
            "min.insync.replicas": str(max(1, self.replication - 1)),
            "unclean.leader.election.enable": "false",
            "cleanup.policy": "delete",
        }
        time = {"retention.ms": str(self.retention_hours * HOUR_MS)}
        graves = {"retention.ms": str(self.dead_letter_hours * HOUR_MS), "max.message.bytes": str(DEAD_LETTER_BYTES)}
        topics = [Topic(name, self.partitions, self.replication, kept | time) for name in names]
        return topics + [Topic(topic_of(name), 1, self.replication, kept | graves) for name in names]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it is to be."""

    name: str
    partitions: int
    replication: int
    configs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as it is."""

    partitions: int
    replication: int


def plan(wanted: Sequence[Topic], found: Mapping[str, Found]) -> list[Step]:
    """Return what is to be done for each topic, and what is left as it is although it differs. Pure."""
    return [_step(topic, found.get(topic.name)) for topic in wanted]


def _step(topic: Topic, there: Found | None) -> Step:
    size = f"{topic.partitions} partitions, {topic.replication} copies"
    if there is None:
        return Step(PART, topic.name, Action.CREATE, size)
    notes = []
    if there.replication != topic.replication:
        notes.append(f"{there.replication} copies, not {topic.replication}: kafka-reassign-partitions.sh changes that")
    if there.partitions > topic.partitions:
        notes.append(f"{there.partitions} partitions, not {topic.partitions}: they never become fewer")
    warning = "; ".join(notes)
    if there.partitions < topic.partitions:
        return Step(PART, topic.name, Action.EXTEND, f"{there.partitions} to {topic.partitions} partitions", warning)
    return Step(PART, topic.name, Action.KEEP, "" if notes else size, warning)


def prepare_topics(cluster: Cluster, wanted: Sequence[Topic], *, dry_run: bool) -> list[Step]:
    """Make the topics as they are to be, unless it is a dry run; return what was (or is to be) done.

    Safe to repeat. A topic's other settings are given when it is created and left alone later. More partitions
    send later records of a key elsewhere: the guards by revision make that harmless. Raises KafkaFault.
    """
    with _administrator(cluster) as admin:
        steps = plan(wanted, _described(admin, [topic.name for topic in wanted]))
        if dry_run:
            return steps
        due = {step.name: step.action for step in steps}
        _create(admin, [topic for topic in wanted if due[topic.name] is Action.CREATE])
        growing = {topic.name: topic.partitions for topic in wanted if due[topic.name] is Action.EXTEND}
        if growing:
            admin.create_partitions(growing, timeout_ms=REQUEST_MS)
        return steps


def _create(admin: Any, topics: Sequence[Topic]) -> None:
    if not topics:
        return
    form = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication,
            "configs": dict(topic.configs),
        }
        for topic in topics
    }
    admin.create_topics(form, timeout_ms=REQUEST_MS, wait_for_metadata=True)


def _described(admin: Any, names: Sequence[str]) -> dict[str, Found]:
    found = {}
    for topic in admin.describe_topics(list(names)):
        code = topic["error_code"]
        if code == UNKNOWN_TOPIC:
            continue
        if code:
            raise errors.for_code(code)(topic["name"])
        partitions = topic["partitions"]
        copies = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
        found[topic["name"]] = Found(len(partitions), copies)
    return found


@contextmanager
def _administrator(cluster: Cluster) -> Iterator[Any]:
    configs = connection_configs(cluster)
    # The library's own way in would neither tell why it cannot connect nor let go of its sockets.
    reached = reach(configs, (), seconds=REACH_SECONDS, stopping=lambda: False)
    given = {name: value for name, value in configs.items() if name in KafkaAdminClient.DEFAULT_CONFIG}
    try:
        admin = KafkaAdminClient(**given, request_timeout_ms=REQUEST_MS, kafka_client=lambda **_: reached.client)
        try:
            yield admin
        finally:
            admin.close()
    except errors.KafkaError as error:
        raise judge(error) or KafkaFault("the broker did not answer as expected", blame=Blame.UNKNOWN) from None
    finally:
        reached.client.close()
