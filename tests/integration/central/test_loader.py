"""The loader on a real Apache Kafka: rebalances, replays, dead letters, brokers and topics that are away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from appliance.central.standing import State
from appliance.central.targets import Batch, RowFault, Unavailable
from appliance.kafka_connection.settings import Cluster
from tests.builders.cloud import PATIENT, SiteKey, encoded, record
from tests.integration.central.loader_stage import Stage, seconds_since
from tests.partners.kafka import KafkaBroker
from tests.partners.kafka_doors import Security
from tests.partners.kafka_messages import Message
from tests.partners.loader_targets import FileTarget, MemoryReceipts, MemoryTarget

QUICK_GROUPS = {"group.min.session.timeout.ms": "1000"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """One broker for the module."""
    security = Security(users={"loader": "secret"})
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaBroker(folder, doors=("plain", "sasl"), security=security, overrides=QUICK_GROUPS) as found:
        yield found


@pytest.fixture
def stage(broker: KafkaBroker, tmp_path: Path) -> Stage:
    """Topics of the test's own."""
    return Stage(broker, tmp_path)


def test_records_of_all_partitions_arrive_with_receipts_and_the_rate_is_told(stage: Stage) -> None:
    target, receipts = MemoryTarget(), MemoryReceipts()
    stage.publish(stage.state, stage.states(2000))
    stage.publish(stage.image, stage.images(500))
    with stage.member(target, receipts=receipts, rows=2000) as member:
        member.wait(lambda: member.numbers.loaded.total())
        started, before = time.monotonic(), member.numbers.loaded.total()
        member.wait(lambda: member.numbers.loaded.total() == 2500 and member.numbers.receipts == 2500)
        rate = (2500 - before) / seconds_since(started)
        member.wait(lambda: sum(stage.committed(stage.state).values()) == 2000)
        member.loader.measure()
    print(f"after the first batch: {rate:.0f} records/s")
    assert len(target.tables["dicom_state_meta"]) == 2000
    assert len(target.tables["dicom_image_meta"]) == 500
    assert len(receipts.rows) == 2500
    assert member.numbers.lag == {stage.state: 0, stage.image: 0}
    assert member.numbers.state is State.WORKING


def _dlq(messages: list[Message]) -> dict[tuple[int, int], tuple[Message, dict[str, str]]]:
    found = {}
    for message in messages:
        told = {name: value.decode() for name, value in message.headers}
        found[int(told["edge_dlq_partition"]), int(told["edge_dlq_offset"])] = message, told
    return found


def test_each_bad_record_lies_in_the_dead_letters_untouched_with_its_reason(
    broker: KafkaBroker, tmp_path: Path
) -> None:
    stage = Stage(broker, tmp_path, partitions=1, max_message_bytes=str(4 << 20))
    value = encoded(record("state"))
    bad: list[tuple[bytes | None, list[tuple[str, bytes]], str]] = [
        (encoded(record("state", patient_name="other")), stage.site.headers(value), "the signature is not the site's"),
        (*stage.signed(value, stage.other, source="clinic-1"), "the signature is not the site's"),
        (*stage.signed(value, stage.other), "the site does not speak for this tenant"),
        (*stage.signed(value, SiteKey("clinic-9")), "the site is not registered, or disabled"),
        (value, [], "the record is not signed"),
        (*stage.signed(record("state", patient_name=PATIENT * 9)), "patient_name is longer than 64 bytes"),
        (*stage.signed(record("state", patient_name=f"{PATIENT}\0")), "patient_name holds a NUL"),
        (*stage.signed(record("state", patient_size="1.5")), "patient_size has the wrong type"),
        (*stage.signed(PATIENT.encode()), "the value is not JSON"),
        (*stage.signed(record("state", patient_name="x" * (2 << 20))), "the value is larger than 1048576 bytes"),
        (None, [], "the record has no value"),
    ]
    messages: list[tuple[bytes | None, list[tuple[str, bytes]]]] = []
    for number, (text, headers, _) in enumerate(bad):
        messages += [*stage.states(1, start=number), (text, headers)]
    stage.publish(stage.state, messages)
    target = MemoryTarget()
    with stage.member(target, rows=7) as member:
        member.wait(lambda: stage.drained(stage.state, len(messages)))
    found = _dlq(stage.dead(stage.state))
    assert sorted(found) == [(0, 2 * number + 1) for number in range(len(bad))]
    assert len(stage.dead(stage.state)) == len(bad)
    for number, (text, headers, reason) in enumerate(bad):
        message, told = found[0, 2 * number + 1]
        assert (message.value, message.key) == (text, b"key-%d" % (2 * number + 1))
        assert list(message.headers)[: len(headers)] == headers
        assert (told["edge_dlq_reason"], told["edge_dlq_topic"]) == (reason, stage.state)
        assert PATIENT not in str([pair for pair in message.headers if pair[0].startswith("edge_dlq_")])
    assert len(target.tables["dicom_state_meta"]) == len(bad)


def test_a_second_loader_in_mid_batch_loses_and_doubles_nothing(stage: Stage, tmp_path: Path) -> None:
    file, loading, go_on = tmp_path / "rows.sqlite3", threading.Event(), threading.Event()

    class Slow(FileTarget):
        def load(self, batch: Batch) -> Mapping[int, RowFault]:
            loading.set()
            assert go_on.wait(20)
            return super().load(batch)

    stage.publish(stage.state, stage.states(600))
    with stage.member(Slow(file), rows=50) as first:
        first.wait(loading.is_set)
        with stage.member(FileTarget(file), rows=50) as second:
            second.wait(lambda: second.numbers.standings["topics"].state is State.WORKING and second.stream._consumer)
            go_on.set()
            first.wait(lambda: stage.drained(stage.state, 600), 40)
            assert {first.numbers.state, second.numbers.state} <= {State.WORKING, State.WAITING}
    assert len(FileTarget(file).rows()) == 600
    assert second.numbers.loaded.total() > 0
    assert not stage.dead(stage.state)


def test_a_replay_of_an_old_segment_changes_nothing(stage: Stage) -> None:
    target = MemoryTarget()
    stage.publish(stage.state, stage.states(50, revision=1), partition=0)
    stage.publish(stage.state, stage.states(50, revision=2), partition=0)
    with stage.member(target) as member:
        member.wait(lambda: stage.drained(stage.state, 100))
    before = dict(target.tables["dicom_state_meta"])
    stage.rewind(stage.state)
    with stage.member(target) as member:
        member.wait(lambda: member.numbers.loaded[stage.state] == 100 and stage.drained(stage.state, 100))
    assert target.tables["dicom_state_meta"] == before
    assert {row["revision"] for row in before.values()} == {2}


def test_records_that_the_broker_removed_unread_raise_an_alarm(stage: Stage) -> None:
    stage.publish(stage.state, stage.states(4), partition=0)
    with stage.member(MemoryTarget()) as member:
        member.wait(lambda: stage.drained(stage.state, 4))
        assert not member.numbers.missed
    stage.publish(stage.state, stage.states(6, start=4), partition=0)
    stage.remove_before(stage.state, 7)
    with stage.member(MemoryTarget()) as member:
        member.wait(lambda: stage.drained(stage.state, 10))
        assert member.numbers.missed == {stage.state: 3}


def test_while_a_database_is_away_the_group_keeps_us_and_the_rest_follows(stage: Stage) -> None:
    away = threading.Event()
    away.set()

    def before(batch: Batch) -> None:
        if away.is_set():
            raise Unavailable("the database is away")

    target = MemoryTarget(before=before)
    stage.publish(stage.state, stage.states(300))
    with stage.member(target, rows=50) as member:
        member.wait(lambda: member.numbers.standings["memory"].failures >= 6)
        assert not sum(stage.committed(stage.state).values())
        away.clear()
        member.wait(lambda: stage.drained(stage.state, 300))
        assert member.numbers.dropped == 0
    assert len(target.tables["dicom_state_meta"]) == 300


def test_without_a_topic_for_dead_letters_nothing_bad_is_committed_until_it_is_there(stage: Stage) -> None:
    stage.broker.delete_topics(f"{stage.state}.dlq")
    stage.publish(stage.state, [*stage.states(1), (b"nonsense", []), *stage.states(1, start=1)], partition=0)
    target = MemoryTarget()
    with stage.member(target) as member:
        member.wait(lambda: member.numbers.standings["dead letters"].state is State.PAUSED)
        assert f"{stage.state}.dlq" in member.numbers.reason
        assert len(target.tables["dicom_state_meta"]) == 2
        assert not sum(stage.committed(stage.state).values())
        stage.broker.create_topics({f"{stage.state}.dlq": 1})
        member.wait(lambda: stage.drained(stage.state, 3))
    assert len(stage.dead(stage.state)) == 1


def test_a_missing_topic_is_told_by_name(stage: Stage) -> None:
    stage.broker.delete_topics(stage.image)
    with stage.member(MemoryTarget()) as member:
        member.wait(lambda: member.numbers.state is State.PAUSED)
        assert stage.image in member.numbers.reason
        stage.broker.create_topics({stage.image: 1})
        stage.publish(stage.image, stage.images(3))
        member.wait(lambda: stage.drained(stage.image, 3))


def test_nobody_there_is_waited_for(stage: Stage) -> None:
    with stage.member(MemoryTarget(), cluster=Cluster(("127.0.0.1:1",))) as member:
        member.wait(lambda: member.numbers.state is State.WAITING)
        assert "no broker accepts a connection" in member.numbers.reason


def test_a_wrong_password_is_told_and_a_corrected_one_is_taken_without_a_restart(stage: Stage, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("wrong")
    servers = (stage.broker.servers("sasl"),)
    cluster = Cluster(servers, "SASL_PLAINTEXT", "SCRAM-SHA-256", "loader", password)
    stage.publish(stage.state, [*stage.states(3), (b"nonsense", [])])
    with stage.member(MemoryTarget(), cluster=cluster) as member:
        member.wait(lambda: member.numbers.state is State.PAUSED)
        assert "the broker rejects the login" in member.numbers.reason
        password.write_text("secret")
        member.wait(lambda: stage.drained(stage.state, 4))
    assert len(stage.dead(stage.state)) == 1


def test_three_loaders_that_come_and_go_lose_nothing(stage: Stage, tmp_path: Path) -> None:
    file, total = tmp_path / "rows.sqlite3", 900
    stage.publish(stage.state, stage.states(300))
    with stage.member(FileTarget(file), rows=20) as first:
        first.wait(lambda: first.numbers.loaded.total() > 40)
        with stage.member(FileTarget(file), rows=20) as second:
            stage.publish(stage.state, stage.states(300, start=300))
            second.wait(lambda: second.numbers.loaded.total() > 20)
        with stage.member(FileTarget(file), rows=20):
            stage.publish(stage.state, stage.states(300, start=600))
            first.wait(lambda: stage.drained(stage.state, total), 40)
    assert len(FileTarget(file).rows()) == total


def test_a_broker_that_dies_and_comes_back_is_gone_on_with(stage: Stage) -> None:
    target = MemoryTarget()
    stage.publish(stage.state, stage.states(100))
    with stage.member(target) as member:
        member.wait(lambda: stage.drained(stage.state, 100))
        stage.broker.kill()
        stage.broker.start().wait_ready()
        stage.publish(stage.state, stage.states(100, start=100))
        member.wait(lambda: stage.drained(stage.state, 200), 40)
        stage.broker.kill()  # the last test of the module: nobody needs it any more
    assert len(target.tables["dicom_state_meta"]) == 200
