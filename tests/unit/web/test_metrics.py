"""Metrics: documented, and named alike."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from appliance.web.metrics import GAUGES, PREFIX, RequestMetrics

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "monitoring-metrics.md"


def names() -> set[str]:
    registry = CollectorRegistry()
    RequestMetrics(registry).note("/x", "BREW", 418, 0.1)
    own = {metric.name for metric in registry.collect()}
    return own | {PREFIX + name for name in GAUGES}


def test_every_metric_is_documented_and_every_documented_metric_exists() -> None:
    documented = set(re.findall(r"^\| `(\w+)`", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE))
    counters = {name + "_total" for name in names() if name.endswith("http_requests")}
    assert documented == {name for name in names() if not name.endswith("http_requests")} | counters


def test_an_unknown_method_makes_no_label_of_its_own() -> None:
    registry = CollectorRegistry()
    RequestMetrics(registry).note("/x", "BREW" * 100, 405, 0.1)
    assert 'method="other"' in generate_latest(registry).decode()
