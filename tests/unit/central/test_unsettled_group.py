"""A consumer group that does not settle, because the library has forgotten that it is not in it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from appliance.central.consuming import LEAST_SETTLING_SECONDS, KafkaStream, Membership
from appliance.central.targets import Unavailable
from appliance.kafka_connection.settings import Cluster


class Consumer:
    """What a stream asks of the library's consumer: it polls nothing, and the group is as told."""

    def __init__(self) -> None:
        self.unknown = self.rebalancing = False
        self.closed = self.reminded = 0
        self.joining = False
        self._fetcher = SimpleNamespace(_next_partition_records=None)
        self._coordinator = SimpleNamespace(
            coordinator_unknown=lambda: self.unknown,
            rebalance_in_progress=lambda: self.rebalancing,
            need_rejoin=lambda: self.joining,
            request_rejoin=self._remind,
        )

    def _remind(self) -> None:
        self.reminded += 1
        self.joining = True

    def poll(self, timeout_ms: int) -> dict[Any, Any]:
        return {}

    def close(self, **_: Any) -> None:
        self.closed += 1


@pytest.fixture
def moment() -> list[float]:
    return [100.0]


@pytest.fixture
def consumer() -> Consumer:
    return Consumer()


def stream_of(consumer: Consumer, moment: list[float], session: float = 2.0) -> KafkaStream:
    membership = Membership("group", ("topic",), session)
    stream = KafkaStream(Cluster(("127.0.0.1:9",)), membership, lambda: False, now=lambda: moment[0])
    stream._consumer = consumer
    return stream


@pytest.mark.parametrize("trouble", ["unknown", "rebalancing"])
def test_after_two_sessions_without_a_group_the_connection_is_made_anew(
    consumer: Consumer, moment: list[float], trouble: str
) -> None:
    stream = stream_of(consumer, moment)
    setattr(consumer, trouble, True)
    assert stream.poll(0) == []
    moment[0] += LEAST_SETTLING_SECONDS
    assert stream.poll(0) == []
    moment[0] += 0.1
    with pytest.raises(Unavailable, match="does not settle"):
        stream.poll(0)
    assert consumer.closed == 1


def test_a_rejoining_that_was_forgotten_is_asked_for_once(consumer: Consumer, moment: list[float]) -> None:
    stream = stream_of(consumer, moment)
    stream.poll(0)
    consumer.rebalancing = True
    stream.poll(0)
    stream.poll(0)
    assert consumer.reminded == 1


def test_a_long_session_is_waited_for_twice(consumer: Consumer, moment: list[float]) -> None:
    stream = stream_of(consumer, moment, session=45.0)
    consumer.rebalancing = True
    stream.poll(0)
    moment[0] += 90
    assert stream.poll(0) == []


def test_a_group_that_settles_now_and_then_is_left_alone(consumer: Consumer, moment: list[float]) -> None:
    stream = stream_of(consumer, moment)
    for number in range(10):
        consumer.rebalancing = number % 2 == 0
        assert stream.poll(0) == []
        moment[0] += LEAST_SETTLING_SECONDS
    assert consumer.closed == 0
