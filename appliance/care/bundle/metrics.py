"""The numbers of /metrics, as far as they can be had without the web room."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest

from appliance.archive.room import Archive
from appliance.archive.settings import ArchiveSettings
from appliance.clock import SystemClock
from appliance.config import Settings, certificate_files
from appliance.web.metrics import ApplianceCollector, Sources

ROOM: Final = "bundle"


def metrics_text(settings: Settings) -> bytes:
    """Return the gauges in Prometheus's text format; the web room alone counts requests. Raises ArchiveError."""
    archive = Archive.open(ArchiveSettings(**settings.archive_values()), ROOM)
    try:
        registry = CollectorRegistry()
        registry.register(ApplianceCollector(_sources(settings, archive)))
        return generate_latest(registry)
    finally:
        archive.close()


def _sources(settings: Settings, archive: Archive) -> Sources:
    files = certificate_files(settings, os.environ)
    backed_up: Path | None = settings.home if settings.backup.directory else None
    return Sources(
        archive.numbers,
        archive.outbox,
        archive.confirmations,
        settings.runtime_directory,
        files,
        SystemClock(),
        backed_up,
    )
