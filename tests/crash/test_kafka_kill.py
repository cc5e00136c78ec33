"""Invariant 4 for Kafka: a sync process that dies at any line around sending loses and invents no record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.failpoints import NAMES, VARIABLE
from tests.integration.sync.kafka_boxes import KafkaBox
from tests.partners.kafka import KafkaBroker

PLACES = [name for name in NAMES if name.startswith(("sync.", "kafka.", "outbox."))]
SIGKILL = -9
SMALL_BATCHES = {"APPLIANCE__SYNC__BATCH_ROWS": "5"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as found:
        yield found


def test_the_places_that_matter_are_named() -> None:
    assert {"kafka.before_send", "kafka.after_send", "kafka.after_answers", "sync.before_settle"} <= set(PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_killed_around_sending_everything_arrives_after_a_restart(
    tmp_path: Path, broker: KafkaBroker, place: str
) -> None:
    with KafkaBox(tmp_path / "home", broker, SMALL_BATCHES) as box:
        box.create_topics()
        box.store(10)
        box.start({VARIABLE: f"{place}=kill@2"})
        assert box.appliance.wait_ended("sync") == SIGKILL
        assert box.stats().pending + box.stats().leased > 0
        box.start()
        box.wait_drained()
        assert box.stats().dead == 0
        box.assert_complete()
