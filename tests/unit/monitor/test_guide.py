"""docs/monitoring.md names every topic, state and field, docs/operations.md what to do about each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from appliance.archive.reserve import Disk
from appliance.central import loader_metrics as loader
from appliance.central import metrics as central
from appliance.cli.status import COUNTS, UNREADABLE
from appliance.monitor.snapshot import Snapshot, faults, health
from appliance.monitor.standing import Standing, State
from appliance.monitor.topics import Topics
from appliance.web.metrics import GAUGES, PREFIX, RequestMetrics
from tests.unit.monitor.snapshots import NOW, room, sink, sound

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
RULES = ROOT / "packaging" / "prometheus" / "dicom-edge-alerts.yml"


@dataclass(frozen=True)
class Alert:
    """One rule as it stands in the file."""

    name: str
    rule: dict[str, Any]


def alerts() -> list[Alert]:
    """Every rule of every group."""
    document = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    return [Alert(rule["alert"], rule) for group in document["groups"] for rule in group["rules"]]


def metrics() -> dict[str, tuple[str, ...]]:
    """Every metric of a box and of the centre: its name in an expression, and its labels."""
    registry = CollectorRegistry()
    RequestMetrics(registry).note("/x", "GET", 200, 0.1)
    own = {sample.name: tuple(sample.labels) for family in registry.collect() for sample in family.samples}
    tables = (
        (PREFIX, GAUGES, ""),
        (central.PREFIX, central.GAUGES, ""),
        (loader.PREFIX, loader.GAUGES, ""),
        (loader.PREFIX, loader.COUNTERS, "_total"),
    )
    return own | {
        prefix + name + ending: labels for prefix, table, ending in tables for name, (_, labels) in table.items()
    }


def anchors(text: str) -> set[str]:
    """The places of a document that a link can name."""
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)}


def fields(report: dict[str, Any]) -> set[str]:
    """Every key of a report, at any depth, but for free names."""
    found = set()
    for key, value in report.items():
        found.add(key)
        if isinstance(value, dict) and key != "certificates":
            inner = value["kafka"] if key == "sinks" else value
            found |= fields(inner)
    return found


def code(text: str) -> set[str]:
    """What stands in the document as code."""
    return set(re.findall(r"`([^`\n]+)`", text))


def test_every_topic_and_state_is_documented() -> None:
    topics = Topics.of("edge/v1", "{site}")
    assert {topics.status, topics.health} <= code(GUIDE)
    assert {state.value for state in State} <= code(GUIDE)


def test_every_field_of_a_report_is_documented() -> None:
    status = set(Standing("b", "1", NOW).report())
    assert status | fields(health(sound(), State.READY, "b")) <= code(GUIDE)


@pytest.mark.parametrize("text", [GUIDE, RUNBOOK], ids=["monitoring", "operations"])
def test_links_inside_a_guide_lead_somewhere(text: str) -> None:
    wanted = set(re.findall(r"\]\(#([\w-]+)\)", text))
    assert wanted and wanted <= anchors(text)


@pytest.mark.parametrize("text", [GUIDE, RUNBOOK], ids=["monitoring", "operations"])
def test_links_to_other_documents_lead_somewhere(text: str) -> None:
    wanted = set(re.findall(r"\]\(([\w-]+\.md)(?:#([\w-]+))?", text))
    assert wanted
    for name, anchor in wanted:
        assert (ROOT / "docs" / name).exists(), name
        assert not anchor or anchor in anchors((ROOT / "docs" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_is_whole(alert: Alert) -> None:
    rule = alert.rule
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"\d+[smhd]", rule["for"])
    assert rule["labels"]["severity"] in ("info", "warning", "critical")
    assert set(rule["annotations"]) == {"summary", "runbook_url"}
    document, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert document == "file:///usr/share/doc/dicom-edge-appliance/operations.md" and anchor == alert.name.lower()


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_has_a_section_that_a_technician_can_work_by(alert: Alert) -> None:
    section = re.search(rf"^### {alert.name}\n\n(.*?)(?=^##)", RUNBOOK, re.M | re.S)
    assert section, f"docs/operations.md has no section {alert.name}"
    labels = re.findall(r"^\*\*([^*]+?)\.?\*\*", section[1], re.M)
    assert labels == ["What it means", "What is at stake", "What to do", "Over when"]
    assert re.search(r"^1\. ", section[1], re.M)


def test_no_section_is_about_an_alert_that_there_is_not() -> None:
    assert set(re.findall(r"^### (DicomEdge\w+)$", RUNBOOK, re.M)) == {alert.name for alert in alerts()}


def troubled() -> list[Snapshot]:
    """Boxes that between them have every fault there is."""
    rooms = {"scp": room(alive=False), "web": room(), "sync": room(state="draining")}
    breakers = [sound(sinks=sink(breaker=state)) for state in ("open", "half-open", "paused")]
    full = sound(disk=Disk(0, 1))
    return [sound(rooms=rooms), sound(disk=None), full, sound(sinks=sink(held="by hand")), *breakers]


def test_every_state_and_fault_says_where_to_go_on() -> None:
    assert {state.value for state in State} <= code(RUNBOOK)
    said = {re.sub(r"\b(scp|web|sync|kafka)\b", "NAME", fault) for box in troubled() for fault in faults(box)}
    assert len(said) == 8
    assert said <= code(RUNBOOK)


def test_every_number_of_the_status_that_can_be_bad_says_where_to_go_on() -> None:
    names = {
        *COUNTS[3:],
        UNREADABLE,
        "outage_hours",
        "dead",
        "buried",
        "oldest_seconds",
        "unproven",
        "receipts",
        "backup",
    }
    assert names <= code(RUNBOOK)


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_alert_asks_for_metrics_and_labels_that_exist(alert: Alert) -> None:
    expression, known = alert.rule["expr"], metrics()
    used = re.findall(r"\b(dicom_edge_\w+|up)\b(?:\{([^}]*)\})?", expression)
    assert used
    for name, matchers in used:
        labels = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", matchers)
        assert name == "up" or name in known
        assert set(labels) <= ({"job"} if name == "up" else set(known[name]))
    named = set(re.findall(r"\$labels\.(\w+)", alert.rule["annotations"]["summary"]))
    carried = {"instance"}.union(*(known.get(name, ()) for name, _ in used))
    assert named <= carried


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert.name)
def test_an_expression_is_closed(alert: Alert) -> None:
    text = re.sub(r'"[^"]*"', "", alert.rule["expr"])
    for opening, closing in ("()", "{}", "[]"):
        assert text.count(opening) == text.count(closing)


def test_no_alert_has_the_name_of_another() -> None:
    names = [alert.name for alert in alerts()]
    assert len(names) == len(set(names)) > 10
