"""The Kafka sink against a real broker that dies, hangs, forgets, refuses and loses answers."""

from __future__ import annotations

import gc
import itertools
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.sync.sinks.contract import Misconfigured, RowFault, Unreachable
from tests.integration.sync.kafka_stage import Stage
from tests.integration.sync.records import assert_ordered, header, identities, identity, texts
from tests.partners.fault_proxy import FaultProxy
from tests.partners.faults import LOSE_ANSWER, PASS, RESET_REQUEST, STALL
from tests.partners.kafka import KafkaBroker
from tests.waiting import wait_until

PATIENT = "Quagga^Zebra"

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def stage(broker: KafkaBroker, tmp_path: Path) -> Iterator[Stage]:
    found = Stage(broker, tmp_path)
    found.create()
    yield found
    found.close()


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
def test_every_record_arrives_as_it_is_with_key_and_headers(stage: Stage, compression: str) -> None:
    rows = stage.rows()
    answers = stage.sink(compression=compression).deliver(rows)
    assert set(answers.values()) == {None}
    stage.assert_holds(rows)
    by_identity = dict(zip(stage.found("state"), stage.broker.consume(stage.topics["state"]), strict=True))
    row = rows[0]
    message = by_identity[identity(row)]
    assert message.key == row.message_key.encode()
    assert json.loads(message.value or b"") == json.loads(row.payload)
    assert header(message)["ce_type"] == "dicom-edge.state.v1"
    assert header(message)["content-type"] == "application/json"


def test_a_batch_beyond_a_megabyte_goes_in_several_closed_groups(stage: Stage) -> None:
    rows = [replace(row, payload=json.dumps({**json.loads(row.payload), "x": "y" * 40_000})) for row in stage.rows()]
    assert set(stage.sink(delivery_timeout=20.0).deliver(rows).values()) == {None}
    stage.assert_holds(rows)


def test_the_profile_direct_tells_of_objects_in_two_topics(stage: Stage) -> None:
    row = stage.make.object()
    assert stage.sink(profile="direct").deliver([row, stage.make.state()])[row.event_id] is None
    for kind in ("log", "storage"):
        (message,) = stage.broker.consume(stage.topics[kind])
        assert json.loads(message.value or b"")["file_path"].endswith(f"{row.series_uid}/{row.sop_uid}.dcm")


def test_reads_are_told_in_a_topic_of_their_own(stage: Stage) -> None:
    topic = stage.topics["state"].replace("state", "access")
    stage.broker.create_topics({topic: 1})
    row = replace(stage.make.state(), kind="access", study_uid="", series_uid="r-1", message_key="r-1", payload="{}")
    sink = stage.sink(access_records=True, topics={**stage.topics, "access": topic})
    assert sink.deliver([row]) == {row.event_id: None}
    (message,) = stage.broker.consume(topic)
    assert (message.key, message.value) == (b"r-1", b"{}")


def test_failed_conversions_are_told_in_a_topic_of_their_own(stage: Stage) -> None:
    topic = stage.topics["state"].replace("state", "transcode")
    stage.broker.create_topics({topic: 1})
    row = replace(stage.make.image(), kind="transcode", message_key="t-1", payload='{"fault":"refused"}')
    sink = stage.sink(transcode_records=True, topics={**stage.topics, "transcode": topic})
    assert sink.deliver([row]) == {row.event_id: None}
    (message,) = stage.broker.consume(topic)
    assert (message.key, message.value) == (b"t-1", b'{"fault":"refused"}')


def test_the_profile_upstream_demands_one_partition(stage: Stage) -> None:
    (answer,) = stage.sink(profile="upstream").deliver([stage.make.state()]).values()
    assert isinstance(answer, Misconfigured)
    assert "several partitions" in answer.message


def test_a_broker_killed_while_it_has_the_batch_gets_it_after_its_restart(stage: Stage) -> None:
    sink, rows = stage.sink(delivery_timeout=20.0), stage.rows(200)
    stage.deliver(sink, rows[:10])
    stage.broker.pause()
    with ThreadPoolExecutor(1) as pool:
        delivery = pool.submit(stage.deliver, sink, rows[10:], 60)
        stage.broker.kill()
        stage.broker.restart()
        met = delivery.result(60)
    assert all(isinstance(error, Unreachable) for error in met)
    stage.assert_holds(rows)


def test_a_broker_frozen_for_longer_than_the_timeout_costs_nothing_but_time(stage: Stage) -> None:
    sink, rows = stage.sink(), stage.rows(200)
    stage.deliver(sink, rows[:10])
    stage.broker.pause()
    try:
        for _ in range(2):
            answers = sink.deliver(rows[10:])
            assert {type(answer) for answer in answers.values()} == {Unreachable}
    finally:
        stage.broker.resume()
    stage.deliver(sink, rows[10:])
    stage.assert_holds(rows)


def test_a_broker_that_forgot_everything_is_served_again_once_it_has_its_topics(stage: Stage) -> None:
    sink, rows = stage.sink(), stage.rows()
    stage.deliver(sink, rows)
    stage.broker.kill()
    stage.broker.wipe()
    stage.broker.restart()
    answers = sink.deliver(rows)
    if not isinstance(next(iter(answers.values())), Misconfigured):  # its old producer may end at a timeout first
        answers = sink.deliver(rows)
    assert {type(answer) for answer in answers.values()} == {Misconfigured}
    assert stage.topics["state"] in texts(answers.values())
    stage.create()
    stage.deliver(sink, rows)
    stage.assert_holds(rows)


def test_lost_producer_state_makes_a_new_producer_and_harms_no_row(stage: Stage) -> None:
    sink, rows = stage.sink(), stage.rows()
    stage.deliver(sink, rows)
    stage.broker.delete_topics(*stage.topics.values())
    stage.create()
    met = stage.deliver(sink, rows)
    assert all(isinstance(error, Unreachable | Misconfigured) for error in met)
    stage.assert_holds(rows)


def test_a_topic_deleted_while_it_is_used_is_named(stage: Stage) -> None:
    sink = stage.sink(delivery_timeout=8.0)
    stage.deliver(sink, stage.rows())
    stage.broker.delete_topics(stage.topics["image"])
    answers = sink.deliver(stage.rows())
    assert any(isinstance(answer, Misconfigured) for answer in answers.values()), texts(answers.values())
    assert stage.topics["image"] in texts(answers.values())


def test_one_record_too_large_in_a_batch_of_two_hundred_is_the_only_one_held_back(stage: Stage) -> None:
    small = {"state": f"small-{next(_numbers)}", "image": stage.topics["image"]}
    stage.broker.create_topics({small["state"]: 2}, max_message_bytes="2000")
    sink = stage.sink(topics=small, delivery_timeout=20.0)
    rows = [stage.make.state(f"{n % 5}") for n in range(200)]
    large = json.dumps({**json.loads(rows[77].payload), "x": PATIENT * 400})
    rows[77] = replace(rows[77], payload=large)
    answers = sink.deliver(rows)
    faults = {number: answer for number, answer in answers.items() if answer is not None}
    assert list(faults) == [rows[77].event_id]
    assert isinstance(faults[rows[77].event_id], RowFault)
    assert "Quagga" not in texts(faults.values())
    found = identities("state", stage.broker.consume(small["state"]))
    assert set(found) == {identity(row) for row in rows} - {identity(rows[77])}
    assert_ordered(found)


def test_a_record_no_request_can_hold_is_the_rows_fault(stage: Stage) -> None:
    rows = stage.rows(6)
    rows[2] = replace(rows[2], payload=json.dumps({**json.loads(rows[2].payload), "x": "y" * (2 << 20)}))
    answers = stage.sink().deliver(rows)
    assert [number for number, answer in answers.items() if answer is not None] == [rows[2].event_id]
    assert isinstance(answers[rows[2].event_id], RowFault)


def test_a_stop_does_not_wait_for_a_broker_that_hangs(stage: Stage) -> None:
    stop = threading.Event()
    sink, rows = stage.sink(stopping=stop.is_set, delivery_timeout=30.0), stage.rows()
    stage.deliver(sink, rows[:4])
    stage.broker.pause()
    try:
        for _ in range(2):  # with a producer, then without one
            stop.clear()
            timer = threading.Timer(0.5, stop.set)
            began = time.monotonic()
            timer.start()
            answers = sink.deliver(rows[4:])
            assert time.monotonic() - began < 6
            assert {type(answer) for answer in answers.values()} == {Unreachable}
            timer.join()
        began = time.monotonic()
        sink.close()
        assert time.monotonic() - began < 3
    finally:
        stage.broker.resume()
    stop.clear()
    stage.deliver(sink, rows)
    stage.assert_holds(rows)


def test_no_patient_in_headers_errors_or_logs(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    rows = [stage.make.state(payload=json.dumps({"patient_name": PATIENT, "sop_uid": None})) for _ in range(5)]
    sink = stage.sink(topics={**stage.topics, "image": "not-there"})
    errors = list(sink.deliver(rows).values())
    sink = stage.sink()
    stage.deliver(sink, rows)
    stage.broker.pause()
    errors += sink.deliver(rows).values()
    stage.broker.resume()
    poisoned = replace(rows[0], payload=PATIENT)
    errors += sink.deliver([poisoned]).values()
    assert [type(error) for error in errors][-1] is RowFault
    for name in ("Quagga", "Zebra"):
        assert name not in texts(errors)
        assert name not in caplog.text
        for message in stage.broker.consume(stage.topics["state"]):
            assert name.encode() in (message.value or b"")
            assert name not in str(message.headers)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KafkaBroker, FaultProxy]]:
    """A broker behind a fault proxy, which makes topics by itself when asked; not started yet."""
    found = KafkaBroker(tmp_path_factory.mktemp("proxied"), overrides={"auto.create.topics.enable": "true"})
    with FaultProxy(found.ports["plain"]) as proxy:
        found.advertise("plain", proxy.port)
        try:
            yield found, proxy
        finally:
            found.program.end()


def test_a_dead_broker_is_unreachable_at_once_and_a_missing_topic_is_never_made(
    proxied: tuple[KafkaBroker, FaultProxy], tmp_path: Path
) -> None:
    broker, _ = proxied
    if broker.program.running:
        broker.kill()
    stage = Stage(broker, tmp_path)
    sink, rows = stage.sink(), stage.rows()
    began = time.monotonic()
    assert {type(answer) for answer in sink.deliver(rows).values()} == {Unreachable}
    assert time.monotonic() - began < 5
    broker.restart()
    answers = sink.deliver(rows)
    assert {type(answer) for answer in answers.values()} == {Misconfigured}
    assert stage.topics["state"] in texts(answers.values())
    with broker.admin() as admin:
        assert stage.topics["state"] not in admin.list_topics()
    stage.create()
    stage.deliver(sink, rows)
    stage.assert_holds(rows)
    stage.close()


def test_a_broker_that_is_never_reached_costs_no_descriptors_and_no_threads(
    proxied: tuple[KafkaBroker, FaultProxy], tmp_path: Path
) -> None:
    broker, proxy = proxied
    stage = Stage(broker, tmp_path)
    sink, rows = stage.sink(), stage.rows(2)
    proxy.set(RESET_REQUEST)
    sink.deliver(rows)
    wait_until(lambda: not proxy.open_connections)
    gc.disable()
    try:
        before = _descriptors(), threading.active_count()
        for _ in range(10):
            assert {type(answer) for answer in sink.deliver(rows).values()} == {Unreachable}
        wait_until(lambda: (_descriptors(), threading.active_count()) <= before)
    finally:
        gc.enable()
        proxy.set(PASS)
        stage.close()


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_lost_answers_and_stalled_lines_lose_and_disorder_nothing(
    proxied: tuple[KafkaBroker, FaultProxy], tmp_path: Path
) -> None:
    broker, proxy = proxied
    if not broker.program.running:
        broker.restart()
    stage = Stage(broker, tmp_path)
    stage.create()
    sink, rows = stage.sink(), stage.rows(180)
    stage.deliver(sink, rows[:60])
    proxy.set(LOSE_ANSWER, times=1)
    stage.deliver(sink, rows[60:120])
    assert proxy.fired
    assert len(stage.found("state")) == 60  # an idempotent producer repeats nothing
    proxy.set(STALL)
    assert {type(answer) for answer in sink.deliver(rows[120:]).values()} == {Unreachable}
    proxy.set(PASS)
    stage.deliver(sink, rows[120:])
    stage.assert_holds(rows)
    stage.close()
