"""The sink's connection to a Kafka cluster: a producer whose troubles are told as a sink tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from appliance.kafka_connection import producer
from appliance.kafka_connection.faults import KafkaFault
from appliance.kafka_connection.reaching import Reached, Stopping, reach
from appliance.sync.sinks.contract import Misconfigured
from appliance.sync.sinks.kafka_faults import as_obstacle

Future = producer.Future
ONE_PARTITION = "upstream"


class Link:
    """A producer with its connections. Used by one thread; the library's own thread does the sending."""

    def __init__(self, link: producer.Link) -> None:
        """Take over a connected producer; `connect` makes one."""
        self._link = link

    def send(self, topic: str, key: bytes, value: bytes, headers: list[tuple[str, bytes]]) -> Future:
        """Hand a message to the sending thread; see kafka_connection.producer."""
        return self._link.send(topic, key, value, headers)

    def obstacle(self) -> Misconfigured | None:
        """Return what an administrator must mend before anything can be sent, if that is known already."""
        fault = self._link.obstacle()
        return None if fault is None else Misconfigured(fault.message, hint=fault.hint)

    def lost_topic(self) -> str | None:
        """Return a topic that the brokers do not know any more, as of their last word."""
        return self._link.lost_topic()

    def close(self) -> None:
        """Give up whatever was not acknowledged, end the sending thread, close its sockets; within a second or so."""
        self._link.close()


def connect(
    configs: Mapping[str, Any], topics: Iterable[str], *, profile: str, seconds: float, stopping: Stopping
) -> Link:
    """Reach the cluster, check the topics, return a producer; within about `seconds`.

    `configs` are KafkaProducer's. Raises Unreachable, also on a wish to stop, and Misconfigured.
    Nothing is left open after an error.
    """
    names = tuple(topics)
    reached = reach_checked(configs, names, profile=profile, seconds=seconds, stopping=stopping)
    try:
        return Link(producer.link(configs, reached, names))
    except KafkaFault as fault:
        raise as_obstacle(fault) from fault


def reach_checked(
    configs: Mapping[str, Any], topics: Iterable[str], *, profile: str, seconds: float, stopping: Stopping
) -> Reached:
    """Reach the cluster and check the topics, as `connect` does; whoever asked closes its client.

    Raises as `connect`. Nothing is left open after an error.
    """
    try:
        reached = reach(configs, topics, seconds=seconds, stopping=stopping)
        crowded = [name for name, count in reached.partitions.items() if profile == ONE_PARTITION and count != 1]
        if crowded:
            reached.client.close()
            hint = "its readers look at partition 0 only: create it anew with one partition"
            message = f"topic {crowded[0]} has several partitions, which the profile {profile} forbids"
            raise Misconfigured(message, hint=hint)
        return reached
    except KafkaFault as fault:
        raise as_obstacle(fault) from fault
