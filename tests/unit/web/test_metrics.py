"""Metrics: documented, and named alike."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from appliance import lifecycle
from appliance.clock import SystemClock
from appliance.web.codec_metrics import CodecMetrics
from appliance.web.metrics import GAUGES, PREFIX, ApplianceCollector, RequestMetrics, Sources
from tests.archives import SINK, new_archive, sender
from tests.builders.certificates import Authority
from tests.builders.instances import ct, part10

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "monitoring.md"


def names() -> set[str]:
    registry = CollectorRegistry()
    RequestMetrics(registry).note("/x", "BREW", 418, 0.1)
    codec = CodecMetrics(registry)
    codec.task("native", "done", 0.1)
    codec.child_ended("idle")
    own = {metric.name for metric in registry.collect()}
    return own | {PREFIX + name for name in GAUGES}


def test_every_metric_is_documented_and_every_documented_metric_exists() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(dicom_edge_(?!central_|loader_)\w+)`", text, re.MULTILINE))
    counted = ("http_requests", "codec_tasks", "codec_children_ended")
    counters = {name + "_total" for name in names() if name.endswith(counted)}
    assert documented == {name for name in names() if not name.endswith(counted)} | counters


def test_an_unknown_method_makes_no_label_of_its_own() -> None:
    registry = CollectorRegistry()
    RequestMetrics(registry).note("/x", "BREW" * 100, 405, 0.1)
    assert 'method="other"' in generate_latest(registry).decode()


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Callable[[], dict[str, float]]]:
    """Every sample of a box with a sink that is held, by name and labels as Prometheus writes them."""
    archive = new_archive(tmp_path / "home")
    archive.ingest.receive_file(BytesIO(part10(ct())), sender())
    archive.outbox.hold(SINK, "maintenance")
    archive.confirmations.trouble(SINK, "refused: a signature does not hold")
    files = {
        "scp.tls_certificate": Authority(tmp_path).issue("box").certificate,
        "mqtt.tls_ca": tmp_path / "missing",
    }
    registry = CollectorRegistry()
    registry.register(
        ApplianceCollector(
            Sources(
                archive.numbers,
                archive.outbox,
                archive.confirmations,
                tmp_path / "run",
                files,
                SystemClock(),
                tmp_path / "home",
            )
        )
    )

    def scrape() -> dict[str, float]:
        lines = generate_latest(registry).decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    yield scrape
    archive.close()


def test_every_gauge_is_there(scraped: Callable[[], dict[str, float]], tmp_path: Path) -> None:
    lifecycle.publish(tmp_path / "run", "monitor", {"connected": True})
    found = {name.partition("{")[0] for name in scraped()}
    assert found == {PREFIX + name for name in GAUGES}


def test_the_numbers_of_a_sink(scraped: Callable[[], dict[str, float]]) -> None:
    numbers = scraped()
    assert numbers[f'dicom_edge_outbox_pending{{sink="{SINK}"}}'] == 3
    assert numbers[f'dicom_edge_outbox_held{{sink="{SINK}"}}'] == 1
    assert numbers[f'dicom_edge_outbox_required{{sink="{SINK}"}}'] == 1
    assert numbers[f'dicom_edge_outbox_breaker{{sink="{SINK}",state="closed"}}'] == 1
    assert numbers[f'dicom_edge_outbox_breaker{{sink="{SINK}",state="open"}}'] == 0


def test_a_room_that_is_not_there_is_down_and_a_monitor_that_is_not_there_is_nothing(
    scraped: Callable[[], dict[str, float]], tmp_path: Path
) -> None:
    assert scraped()['dicom_edge_room_up{room="scp"}'] == 0
    assert not [name for name in scraped() if "monitor" in name or "mqtt_connected" in name]
    lifecycle.publish(tmp_path / "run", "scp", {"state": "ready"})
    lifecycle.publish(tmp_path / "run", "monitor", {"connected": False})
    numbers = scraped()
    assert numbers['dicom_edge_room_up{room="scp"}'] == 1
    assert numbers["dicom_edge_mqtt_connected"] == 0


def test_the_hours_left_follow_the_intake(scraped: Callable[[], dict[str, float]]) -> None:
    numbers = scraped()
    assert numbers["dicom_edge_intake_bytes_per_second"] > 0
    assert 0 < numbers["dicom_edge_disk_outage_hours"] < math.inf


def test_certificates(scraped: Callable[[], dict[str, float]]) -> None:
    numbers = scraped()
    assert numbers['dicom_edge_certificate_days{key="scp.tls_certificate"}'] < 1
    assert 'dicom_edge_certificate_days{key="mqtt.tls_ca"}' not in numbers
    assert numbers['dicom_edge_certificate_readable{key="mqtt.tls_ca"}'] == 0
