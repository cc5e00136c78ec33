"""The receiver's metrics are documented, and what is documented is there."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from appliance.archive.receipts import Confirmed
from appliance.archive.room import Archive
from appliance.central.identity import Reason
from appliance.central.metrics import ReceiverCollector, ReceiverMetrics
from appliance.central.refusals import Refusals
from appliance.central.taking import Taking
from appliance.model.receipts import METADATA_CONFIRMED
from tests.archives import SINK, new_archive

ROOT = Path(__file__).resolve().parents[3]
LINE = re.compile(r"^(dicom_edge_central_\w+?)(?:_bucket|_count|_sum|_created)?(?:\{.*\})? ", re.MULTILINE)


def scraped(archive: Archive) -> str:
    registry = CollectorRegistry()
    registry.register(ReceiverCollector(archive, "postgres", lambda: True))
    Taking(archive, registry)
    Refusals(archive.callers, registry).note(Reason.TOKEN, "clinic-7", "192.0.2.1")
    metrics = ReceiverMetrics(registry)
    metrics.note("/x", "BREW" * 100, 405, 0.1)
    return generate_latest(registry).decode()


def test_every_metric_is_documented_and_every_documented_metric_exists(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home")
    try:
        text = scraped(archive)
    finally:
        archive.close()
    found = {name for name in LINE.findall(text) if not re.match(r"dicom_edge_central_\w+_created$", name)}
    counted = {name for name in found if f"{name}_total" not in found}
    guide = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(dicom_edge_central_(?!uploads_)\w+)`", guide, re.MULTILINE))
    assert counted == documented


def test_every_reason_of_a_refusal_is_documented() -> None:
    guide = (ROOT / "docs" / "central.md").read_text(encoding="utf-8")
    rows = [row for row in guide.splitlines() if row.startswith("| `")]
    for reason in Reason:
        assert any(f"`{reason.word}`" in row and f"| {reason.status} |" in row for row in rows), reason


def test_the_numbers(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home")
    try:
        one = Confirmed("clinic-7", "north", METADATA_CONFIRMED, "1", "1.1", "", "", "", 5, 5)
        archive.receipts.take_over("postgres", [one], 9)
        text = scraped(archive)
    finally:
        archive.close()
    assert "dicom_edge_central_receipts 1.0" in text
    assert "dicom_edge_central_receipts_imported 9.0" in text
    assert "dicom_edge_central_receipts_import_up 1.0" in text
    assert f'dicom_edge_outbox_pending{{sink="{SINK}"}} 0.0' in text
    assert 'dicom_edge_central_refused_total{reason="token"} 1.0' in text
    assert 'method="other"' in text


def test_refusals_are_listed_and_bounded(tmp_path: Path) -> None:
    archive = new_archive(tmp_path / "home")
    refusals = Refusals(archive.callers, CollectorRegistry())
    try:
        for number in range(1200):
            refusals.note(Reason.UNKNOWN, f"clinic-{number}", "192.0.2.1")
        refusals.note(Reason.UNKNOWN, "clinic-1", "192.0.2.1")
        refusals.note(Reason.NOBODY, "", "192.0.2.2")
        refusals.write()
        rows = {(row["ae_title"], row["address"]): row for row in archive.callers.list()}
    finally:
        archive.close()
    assert len(rows) == 1000
    assert rows["clinic-1", "192.0.2.1"]["count"] == 2
    assert rows["clinic-1", "192.0.2.1"]["reason"] == "centre: unknown_site"
