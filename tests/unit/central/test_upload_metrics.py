"""Every metric of the uploads is documented."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry

from appliance.archive.reserve import Reserve
from appliance.archive.uploads import UploadLimits, Uploads
from appliance.central.upload_metrics import UploadMetrics
from tests.clocks import FakeClock

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "monitoring.md"


def test_every_metric_of_the_uploads_is_documented(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    uploads = Uploads(tmp_path, UploadLimits(1, 1, 1), Reserve(tmp_path, 0), FakeClock())
    UploadMetrics(registry, uploads).note("stored")
    names = {metric.name + ("_total" if metric.type == "counter" else "") for metric in registry.collect()}
    assert len(names) == 4
    text = DOCUMENT.read_text(encoding="utf-8")
    assert [name for name in names if f"| `{name}` |" not in text] == []
