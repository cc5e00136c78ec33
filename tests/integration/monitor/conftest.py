"""A real broker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.partners.mosquitto import Mosquitto
from tests.partners.mqtt_watcher import MqttWatcher


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A mosquitto that asks for client certificates; it runs."""
    with Mosquitto(tmp_path / "mosquitto") as started:
        yield started


@pytest.fixture
def watcher(broker: Mosquitto) -> Iterator[MqttWatcher]:
    """Central IT: told everything that all boxes say."""
    with broker.watch() as found:
        yield found
