"""A box that forwards to a real Kafka: the outbox, the process and the operator's commands together."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archives import SINK
from tests.integration.sync.kafka_boxes import KafkaBox
from tests.partners.kafka import KafkaBroker
from tests.waiting import wait_until

PATIENT = "Quagga^Zebra"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def box(tmp_path: Path, broker: KafkaBroker) -> Iterator[KafkaBox]:
    with KafkaBox(tmp_path / "home", broker) as found:
        yield found


def _attempts(box: KafkaBox) -> set[int]:
    return {row["attempts"] for row in box.archive.outbox.list(sink=SINK, limit=10_000)}


def test_a_box_waits_for_its_topics_and_its_broker_and_drains_by_itself(box: KafkaBox) -> None:
    box.store(20, PatientName=PATIENT)
    box.start()
    wait_until(lambda: box.stats().breaker == "paused", 20)
    assert box.topics["state"] in box.stats().reason
    box.create_topics()
    box.wait_drained()
    box.broker.kill()
    box.store(20, PatientName=PATIENT)
    wait_until(lambda: "broker" in box.stats().reason, 20)
    box.broker.restart()
    box.wait_drained(seconds=40)
    assert _attempts(box) == {1}
    assert box.stats().dead == 0
    box.assert_complete()
    assert "Quagga" not in box.appliance.output()
    assert "Zebra" not in json.dumps(box.published())
    assert box.appliance.stop("sync") == 0


def test_one_poisoned_row_of_many_is_a_dead_letter_and_arrives_once_the_cause_is_mended(box: KafkaBox) -> None:
    box.create_topics(max_message_bytes="3000")
    box.store(199)
    event = box.archive.outbox.list(sink=SINK, limit=10_000)[100]["event_id"]
    _lengthen(box, event)
    box.start()
    box.wait_drained()
    assert box.stats().dead == 1
    (dead,) = box.archive.outbox.list(sink=SINK, state="dead", limit=10)
    assert dead["event_id"] == event
    assert "larger than the topic allows" in dead["reason"]
    assert "Quagga" not in dead["reason"]
    assert sum(len(set(box.found(kind))) for kind in ("state", "image")) == len(box.events()) - 1
    with box.broker.admin() as admin:
        _set_limit(admin, box.topics["image"], "1048588")
    box.appliance.command("dead", "replay", str(event))
    box.wait_drained()
    assert box.stats().dead == 0
    box.assert_complete()


def test_a_stop_is_not_held_up_by_a_broker_that_hangs(tmp_path: Path, broker: KafkaBroker) -> None:
    with KafkaBox(tmp_path / "home", broker, delivery_timeout=30) as box:
        box.create_topics()
        box.store(5)
        box.start()
        box.wait_drained()
        broker.pause()
        try:
            box.store(5)
            wait_until(lambda: box.stats().leased, 10)
            began = time.monotonic()
            assert box.appliance.stop("sync") == 0
            assert time.monotonic() - began < 8
        finally:
            broker.resume()
        assert box.stats().leased == 0
        assert _attempts(box) <= {0, 1}
        box.start()
        box.wait_drained()
        box.assert_complete()


def _lengthen(box: KafkaBox, event: int) -> None:
    with box.archive.database.write() as cx:
        payload = json.loads(cx.execute("SELECT payload FROM event WHERE id = ?", (event,)).fetchone()[0])
        payload["image_type"] = PATIENT * 400
        cx.execute("UPDATE event SET payload = ? WHERE id = ?", (json.dumps(payload), event))


def _set_limit(admin: object, topic: str, size: str) -> None:
    from kafka.admin import ConfigResource, ConfigResourceType

    change = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"max.message.bytes": size})
    admin.alter_configs([change])  # type: ignore[attr-defined]
