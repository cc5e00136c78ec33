"""The Kafka sink's own rules, over a link that answers as it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import errors

from appliance.archive.outbox import Delivery
from appliance.errors import DeliveryError
from appliance.sync.sinks import kafka as module
from appliance.sync.sinks.contract import Misconfigured, RowFault, Unreachable
from appliance.sync.sinks.kafka import KafkaSink
from appliance.sync.sinks.kafka_options import KafkaOptions
from tests.builders.deliveries import Deliveries

Judge = Callable[[Sequence[bytes]], Sequence[Exception | None]]


class Done:
    """A future that is done."""

    is_done = True

    def __init__(self, exception: Exception | None) -> None:
        self.exception = exception


class Line:
    """Links to one cluster: `judge` gives the errors of a group of values sent together."""

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self.groups: list[list[bytes]] = []
        self.connections = 0
        self.closed = 0

    def connect(self, *_: Any, **__: Any) -> _Link:
        """As kafka_link.connect."""
        self.connections += 1
        return _Link(self)


class _Link:
    def __init__(self, line: Line) -> None:
        self._line = line
        self._futures: list[Done] = []
        self._values: list[bytes] = []

    def send(self, _topic: str, _key: bytes, value: bytes, _headers: Any) -> Done:
        self._values.append(value)
        self._futures.append(Done(None))
        return self._futures[-1]

    def lost_topic(self) -> str | None:
        self._settle()
        return None

    def close(self) -> None:
        self._line.closed += 1

    def _settle(self) -> None:
        if self._values:
            self._line.groups.append(self._values)
            for future, error in zip(self._futures, self._line.judge(self._values), strict=True):
                future.exception = error
            self._values, self._futures = [], []


@pytest.fixture
def rows(tmp_path: Path) -> list[Delivery]:
    make = Deliveries(tmp_path)
    return [make.state(f"{n % 3}") for n in range(30)]


def _sink(monkeypatch: pytest.MonkeyPatch, judge: Judge) -> tuple[KafkaSink, Line]:
    line = Line(judge)
    monkeypatch.setattr(module, "connect", line.connect)
    # Answers are ready when the group is complete: the wait is where the link learns of it.
    monkeypatch.setattr(KafkaSink, "_await", lambda _self, link, _futures, _deadline: link.lost_topic())
    return KafkaSink(KafkaOptions(("broker:9092",), "site-1")), line


def _payload(row: Delivery) -> bytes:
    return row.payload.replace(", ", ",").replace(": ", ":").encode()


def _number(value: bytes) -> bytes:
    return value.partition(b'"revision":')[2].partition(b",")[0]


def test_one_connection_serves_many_batches(monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]) -> None:
    sink, line = _sink(monkeypatch, lambda values: [None] * len(values))
    for _ in range(3):
        assert set(sink.deliver(rows).values()) == {None}
    assert (line.connections, line.closed) == (1, 0)
    sink.close()
    sink.close()
    assert line.closed == 1
    assert dict(sink.deliver([])) == {}


@pytest.mark.parametrize("error", [errors.MessageSizeTooLargeError, errors.InvalidRecordError])
def test_innocent_rows_that_fail_with_a_guilty_one_are_sent_without_it(
    monkeypatch: pytest.MonkeyPatch, rows: list[Delivery], error: type[Exception]
) -> None:
    guilty = str(rows[13].revision).encode()

    def judge(values: Sequence[bytes]) -> list[Exception | None]:
        spoilt = any(_number(value) == guilty for value in values)
        return [error() if spoilt else None for _ in values]

    sink, line = _sink(monkeypatch, judge)
    answers = sink.deliver(rows)
    assert [number for number, answer in answers.items() if answer is not None] == [rows[13].event_id]
    assert isinstance(answers[rows[13].event_id], RowFault)
    assert len(line.groups) <= 12
    sent = [_number(value) for group in line.groups for value in group]
    assert set(sent) == {str(row.revision).encode() for row in rows}


def test_an_error_of_unknown_kind_is_charged_only_to_a_row_that_was_alone(
    monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]
) -> None:
    guilty = str(rows[0].revision).encode()

    def judge(values: Sequence[bytes]) -> list[Exception | None]:
        spoilt = any(_number(value) == guilty for value in values)
        return [errors.UnknownError() if spoilt else None for _ in values]

    sink, _ = _sink(monkeypatch, judge)
    answers = sink.deliver(rows)
    assert [type(answer) for answer in answers.values() if answer is not None] == [DeliveryError]


def test_after_an_error_a_new_producer_is_made(monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]) -> None:
    broken = [True]

    def judge(values: Sequence[bytes]) -> list[Exception | None]:
        return [errors.UnknownProducerIdError() if broken[0] else None] * len(values)

    sink, line = _sink(monkeypatch, judge)
    assert {type(answer) for answer in sink.deliver(rows).values()} == {Unreachable}
    assert line.closed == 1
    broken[0] = False
    assert set(sink.deliver(rows).values()) == {None}
    assert line.connections == 2


def test_what_overtook_an_unfinished_row_of_its_series_is_sent_again(
    monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]
) -> None:
    late = str(rows[4].revision).encode()
    sink, _ = _sink(
        monkeypatch, lambda values: [errors.KafkaTimeoutError() if _number(v) == late else None for v in values]
    )
    answers = sink.deliver(rows)
    for position, row in enumerate(rows):
        behind = row.series_uid == rows[4].series_uid and position >= 4
        assert isinstance(answers[row.event_id], Unreachable) == behind


def test_an_obstacle_stops_the_groups_behind_it(monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]) -> None:
    sink, line = _sink(monkeypatch, lambda values: [errors.TopicAuthorizationFailedError()] * len(values))
    answers = sink.deliver(rows * 10)
    assert {type(answer) for answer in answers.values()} == {Misconfigured}
    assert len(line.groups) == 1


def test_without_a_connection_every_row_waits(monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise Unreachable("no broker")

    sink, _ = _sink(monkeypatch, lambda _: [])
    monkeypatch.setattr(module, "connect", refuse)
    answers = sink.deliver(rows)
    assert len(answers) == len(rows)
    assert {type(answer) for answer in answers.values()} == {Unreachable}


def test_a_refusal_by_the_library_is_not_asked_for_again_with_every_row(
    monkeypatch: pytest.MonkeyPatch, rows: list[Delivery]
) -> None:
    tries = []

    def send(*_: Any) -> Done:
        tries.append(1)
        raise errors.KafkaTimeoutError

    monkeypatch.setattr(_Link, "send", send)
    sink, _ = _sink(monkeypatch, lambda values: [None] * len(values))
    assert {type(answer) for answer in sink.deliver(rows).values()} == {Unreachable}
    assert len(tries) == 1
